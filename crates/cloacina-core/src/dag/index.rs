//! Finding tasks by their ids, in constants, where there are no hash maps: by a binary search among sorted hashes.

use super::check::Node;
use super::text::{self, is_less, is_same};

/// A task's place, under the hash of its id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    hash: u64,
    place: u32,
}

impl Key {
    pub(super) const NONE: Self = Self { hash: 0, place: 0 };

    pub(super) const fn place(self) -> usize {
        self.place as usize
    }
}

/// Fills the keys of all tasks, sorted by hash, then by id, then by place: heapsort
/// (J. W. J. Williams, "Algorithm 232: Heapsort", CACM 7(6), 1964).
#[allow(clippy::cast_possible_truncation, reason = "there are fewer than 2^32 tasks")]
pub(super) const fn fill(nodes: &[Node<'_>], keys: &mut [Key]) {
    let mut place = 0;
    while place < keys.len() {
        keys[place] = Key { hash: text::hash(nodes[place].id), place: place as u32 };
        place += 1;
    }
    let mut root = keys.len() / 2;
    while root > 0 {
        root -= 1;
        let key = keys[root];
        sift_down(nodes, keys, root, keys.len(), key);
    }
    let mut end = keys.len();
    while end > 1 {
        end -= 1;
        let key = keys[end];
        keys[end] = keys[0];
        sift_down(nodes, keys, 0, end, key);
    }
}

/// Puts a key where it belongs below a free slot.
const fn sift_down(nodes: &[Node<'_>], keys: &mut [Key], mut free: usize, end: usize, key: Key) {
    loop {
        let mut child = 2 * free + 1;
        if child >= end {
            break;
        }
        if child + 1 < end && goes_before(nodes, keys[child], keys[child + 1]) {
            child += 1;
        }
        if !goes_before(nodes, key, keys[child]) {
            break;
        }
        keys[free] = keys[child];
        free = child;
    }
    keys[free] = key;
}

const fn goes_before(nodes: &[Node<'_>], left: Key, right: Key) -> bool {
    if left.hash != right.hash {
        return left.hash < right.hash;
    }
    let (one, other) = (nodes[left.place()].id, nodes[right.place()].id);
    is_less(one, other) || (left.place < right.place && is_same(one, other))
}

/// Finds the place of the first task of that id.
pub(super) const fn find(nodes: &[Node<'_>], keys: &[Key], id: &str) -> Option<usize> {
    let hash = text::hash(id);
    let (mut low, mut high) = (0, keys.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let key = keys[middle];
        if key.hash < hash || (key.hash == hash && is_less(nodes[key.place()].id, id)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if low == keys.len() || keys[low].hash != hash || !is_same(nodes[keys[low].place()].id, id) {
        return None;
    }
    Some(keys[low].place())
}

/// Reports whether the tasks of two keys have one id.
pub(super) const fn is_same_id(nodes: &[Node<'_>], one: Key, other: Key) -> bool {
    one.hash == other.hash && is_same(nodes[one.place()].id, nodes[other.place()].id)
}
