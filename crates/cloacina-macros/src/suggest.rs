//! The text of "unknown name" errors: what was given, what is allowed, and what was probably meant.

#[cfg(test)]
mod tests;

/// What users of other engines write, and what it is called here.
const SYNONYMS: &[(&str, &str)] = &[
    ("after", "dependencies"),
    ("and", "all"),
    ("attempts", "retry_attempts"),
    ("constant", "fixed"),
    ("depends_on", "dependencies"),
    ("deps", "dependencies"),
    ("desc", "description"),
    ("eq", "equals"),
    ("gt", "greater_than"),
    ("lt", "less_than"),
    ("max_attempts", "retry_attempts"),
    ("max_retries", "retry_attempts"),
    ("ne", "not_equals"),
    ("not", "none"),
    ("off", "none"),
    ("or", "any"),
    ("requires", "dependencies"),
    ("retries", "retry_attempts"),
    ("retry_if", "retry_on"),
    ("retry_when", "retry_on"),
    ("upstream", "dependencies"),
];

/// Returns the text for a name that is not among the allowed ones: `` unknown key `x`, expected one of … ``.
pub(crate) fn unknown(what: &str, given: &str, allowed: &[&str]) -> String {
    let mut text = format!("unknown {what} `{given}`, expected one of {}", list(allowed));
    if let Some(name) = nearest(given, allowed) {
        text.push_str(&format!("; did you mean `{name}`?"));
    }
    text
}

/// Returns the names in backquotes, with commas between them.
pub(crate) fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Returns the allowed name that was probably meant.
fn nearest<'a>(given: &str, allowed: &[&'a str]) -> Option<&'a str> {
    let given = given.to_lowercase();
    let tolerated = (given.chars().count() / 3).max(1);
    let candidates = allowed.iter().map(|name| (*name, *name));
    let synonyms = SYNONYMS.iter().filter_map(|(synonym, name)| {
        Some((*synonym, *allowed.iter().find(|allowed| *allowed == name)?))
    });
    candidates
        .chain(synonyms)
        .map(|(spelling, name)| (distance(&given, spelling), name))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
        .or_else(|| shortest_with_part(&given, allowed))
}

/// Returns the shortest allowed name of which `given` is a part: `delay` stands for `retry_delay_ms`.
fn shortest_with_part<'a>(given: &str, allowed: &[&'a str]) -> Option<&'a str> {
    let long_enough = given.chars().count() >= 4;
    let with_part = allowed.iter().copied().filter(|name| long_enough && name.contains(given));
    with_part.min_by_key(|name| name.len())
}

/// Counts the letters to insert, remove, replace or swap with their neighbour to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for row in 1..=from.len() {
        let mut current = vec![row];
        for column in 1..=to.len() {
            let same = from[row - 1] == to[column - 1];
            let mut best = (last[column] + 1)
                .min(current[column - 1] + 1)
                .min(last[column - 1] + usize::from(!same));
            let swapped = row > 1
                && column > 1
                && from[row - 1] == to[column - 2]
                && from[row - 2] == to[column - 1];
            if swapped {
                let before: &Vec<usize> = &before_last;
                best = best.min(before[column - 2] + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[to.len()]
}
