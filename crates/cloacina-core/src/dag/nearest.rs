//! Guessing which task was meant.

use super::check::Node;
use super::text::is_same;

/// Most names that are guessed. Nobody reads more, and each costs a look at all tasks.
pub(super) const MOST_NAMES: usize = 32;

/// Most steps of all searches, one a byte. rustc interprets each, so many in about a second; after that there are no more
/// suggestions.
const MOST_STEPS: usize = 30_000;

/// What was probably meant by names that no task has; each is looked for once.
pub(super) struct Guesses<'a> {
    names: [&'a str; MOST_NAMES],
    /// For each name the places of the two tasks whose ids are nearest to it.
    nearest: [[Option<usize>; 2]; MOST_NAMES],
    len: usize,
    steps: usize,
}

impl<'a> Guesses<'a> {
    pub(super) const fn new() -> Self {
        let names = [""; MOST_NAMES];
        Self { names, nearest: [[None; 2]; MOST_NAMES], len: 0, steps: MOST_STEPS }
    }

    /// Finds the place of the task whose id is nearest to a name, other than the task that names it, if one is near enough.
    pub(super) const fn guess(
        &mut self,
        name: &'a str,
        by: usize,
        nodes: &[Node<'_>],
    ) -> Option<usize> {
        let mut at = 0;
        while at < self.len && !is_same(self.names[at], name) {
            at += 1;
        }
        if at == MOST_NAMES {
            return None;
        }
        if at == self.len {
            self.names[at] = name;
            self.nearest[at] = nearest(name, nodes, &mut self.steps);
            self.len += 1;
        }
        match self.nearest[at] {
            [Some(first), second] if first == by => second,
            [first, _] => first,
        }
    }
}

/// Finds the two nearest tasks, the nearest first, of those as near the first declared. What that takes is subtracted from
/// `steps`.
const fn nearest(name: &str, nodes: &[Node<'_>], steps: &mut usize) -> [Option<usize>; 2] {
    let Some(pattern) = Pattern::new(name) else { return [None; 2] };
    let allowed = if name.len() < 6 { 1 } else { name.len() / 3 };
    let (mut first, mut second) = (allowed + 1, allowed + 1);
    let mut found = [None; 2];
    let mut place = 0;
    while place < nodes.len() {
        let distance = pattern.distance(nodes[place].id, second, steps);
        if *steps == 0 {
            return [None; 2];
        }
        if distance < first {
            (first, second) = (distance, first);
            found = [Some(place), found[0]];
        } else if distance < second {
            second = distance;
            found[1] = Some(place);
        }
        place += 1;
    }
    found
}

/// A text that others are compared with.
pub(super) struct Pattern {
    len: usize,
    /// For each byte the bits of the places where it stands.
    places: [u64; 256],
}

impl Pattern {
    /// Nothing is known of a text of more than 64 bytes.
    pub(super) const fn new(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() > 64 {
            return None;
        }
        let mut places = [0; 256];
        let mut at = 0;
        while at < text.len() {
            places[text[at] as usize] |= 1 << at;
            at += 1;
        }
        Some(Self { len: text.len(), places })
    }

    /// Counts the bytes to insert, remove or replace to get from one text to the other (the Levenshtein distance), if they are
    /// fewer than `bound`; otherwise the answer is `bound`.
    ///
    /// One step a byte computes a column of the table of distances, as the bits of where they grow and shrink downwards
    /// (G. Myers, "A fast bit-vector algorithm for approximate string matching based on dynamic programming", JACM 46(3), 1999).
    pub(super) const fn distance(&self, text: &str, bound: usize, steps: &mut usize) -> usize {
        let text = text.as_bytes();
        *steps = steps.saturating_sub(1);
        if self.len.abs_diff(text.len()) >= bound {
            return bound;
        }
        let last = self.len.saturating_sub(1);
        let (mut grows, mut shrinks) = (u64::MAX, 0_u64);
        let mut distance = self.len;
        let mut at = 0;
        while at < text.len() {
            let same = self.places[text[at] as usize];
            let down = same | shrinks;
            let across = ((same & grows).wrapping_add(grows) ^ grows) | same;
            let more = shrinks | !(across | grows);
            let less = grows & across;
            at += 1;
            distance = match self.len {
                0 => at,
                _ => distance + (more >> last & 1) as usize - (less >> last & 1) as usize,
            };
            // Each byte that is left makes it one less at best.
            if distance >= bound + text.len() - at {
                break;
            }
            let more = more << 1 | 1;
            grows = less << 1 | !(down | more);
            shrinks = more & down;
        }
        *steps = steps.saturating_sub(at);
        if at == text.len() && distance < bound { distance } else { bound }
    }
}
