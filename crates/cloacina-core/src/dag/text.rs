//! Comparing texts in constants, where `==` and `<` are not to be had.

/// Reports whether two texts are the same.
pub(crate) const fn is_same(left: &str, right: &str) -> bool {
    left.len() == right.len() && common(left.as_bytes(), right.as_bytes()) == left.len()
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

/// Counts the bytes that two texts begin with alike.
const fn common(left: &[u8], right: &[u8]) -> usize {
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at
}
