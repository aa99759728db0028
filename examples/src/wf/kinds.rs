//! Which tasks are of one kind, told from their names.

use std::collections::BTreeSet;

use super::Instance;

/// More kinds than this are too many to tell apart by colour.
const MANY: usize = 12;

/// Returns the kind of each task: the name without its number, such as `mProject` of `mProject_ID0000001`.
///
/// Of a dotted name only the last part counts. If that gives too many kinds, only what stands before the first
/// underscore is taken.
#[must_use]
pub fn kinds(instance: &Instance) -> Vec<String> {
    let long: Vec<&str> = instance.tasks.iter().map(|task| without_number(&task.name)).collect();
    let many = long.iter().collect::<BTreeSet<_>>().len() > MANY;
    let short = |kind: &str| match kind.split_once('_') {
        Some((head, _)) if many && !head.is_empty() => head.to_owned(),
        _ => kind.to_owned(),
    };
    long.into_iter().map(short).collect()
}

fn without_number(name: &str) -> &str {
    let separators = ['_', '-', '.', ' '];
    let trimmed = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let trimmed = trimmed.strip_suffix("_ID").unwrap_or(trimmed).trim_end_matches(separators);
    match trimmed.rsplit('.').next() {
        Some(last) if !last.is_empty() => last,
        _ => name,
    }
}
