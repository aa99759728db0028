//! Comparing texts in constants, where `==` and `<` are not to be had.
//!
//! rustc interprets constant functions step by step, so these take eight bytes at a step.

/// Reports whether two texts are the same.
pub(crate) const fn is_same(left: &str, right: &str) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    while let (Some((one, lefts)), Some((other, rights))) =
        (left.split_first_chunk(), right.split_first_chunk())
    {
        if u64::from_le_bytes(*one) != u64::from_le_bytes(*other) {
            return false;
        }
        (left, right) = (lefts, rights);
    }
    common(left, right) == left.len()
}

/// Reports whether a text goes before another, by bytes.
pub(crate) const fn is_less(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let common = common(left, right);
    common < right.len() && (common == left.len() || left[common] < right[common])
}

/// Reports whether a text is among others.
pub(crate) const fn contains(texts: &[&str], text: &str) -> bool {
    let mut at = 0;
    while at < texts.len() {
        if is_same(texts[at], text) {
            return true;
        }
        at += 1;
    }
    false
}

/// Hashes a text: FNV-1a (<https://www.rfc-editor.org/rfc/rfc9923>), but eight bytes at a step. After steps that wide, the high
/// bits, which multiplication carries no further, are folded into the low ones.
pub(crate) const fn hash(text: &str) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    let mut rest = text.as_bytes();
    let mut hash = BASIS ^ rest.len() as u64;
    while let Some((word, after)) = rest.split_first_chunk() {
        hash = mixed(hash, u64::from_le_bytes(*word));
        rest = after;
    }
    let (mut word, mut at) = (0, 0);
    while at < rest.len() {
        word = word << 8 | rest[at] as u64;
        at += 1;
    }
    mixed(hash, word)
}

const fn mixed(hash: u64, word: u64) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let product = (hash ^ word).wrapping_mul(PRIME);
    product ^ (product >> 32)
}

/// Counts the bytes that two texts begin with alike.
const fn common(left: &[u8], right: &[u8]) -> usize {
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at
}
