//! Guessing which task was meant.

use super::check::Node;

/// The longest id, in bytes.
const LONGEST: usize = 255;

/// Finds the place of the task whose id is nearest to a name, other than the task that names it, if one is near enough.
pub(crate) const fn nearest(name: &str, by: usize, nodes: &[Node<'_>]) -> Option<usize> {
    let allowed = if name.len() < 6 { 1 } else { name.len() / 3 };
    let (mut best, mut found) = (allowed + 1, None);
    let mut place = 0;
    while place < nodes.len() {
        let distance = edit_distance(name, nodes[place].id);
        if place != by && distance < best {
            (best, found) = (distance, Some(place));
        }
        place += 1;
    }
    found
}

/// Counts the bytes to insert, remove or replace to get from one text to the other (the Levenshtein distance); a text that
/// is too long for an id is far from everything.
pub(super) const fn edit_distance(left: &str, right: &str) -> usize {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() > LONGEST || right.len() > LONGEST {
        return usize::MAX;
    }
    let mut row = [0; LONGEST + 1];
    let mut j = 0;
    while j <= right.len() {
        row[j] = j;
        j += 1;
    }
    let mut i = 0;
    while i < left.len() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        j = 0;
        while j < right.len() {
            let replaced = diagonal + (left[i] != right[j]) as usize;
            diagonal = row[j + 1];
            let shorter = if row[j] < row[j + 1] { row[j] } else { row[j + 1] };
            row[j + 1] = if replaced < shorter + 1 { replaced } else { shorter + 1 };
            j += 1;
        }
        i += 1;
    }
    row[right.len()]
}
