//! Tests of suggestions.

use super::{distance, nearest, unknown};

const NAMES: [&str; 5] = ["id", "dependencies", "retry_attempts", "retry_delay_ms", "timeout"];

#[test]
fn misspelt_names_are_recognised() {
    assert_eq!(nearest("timout", &NAMES), Some("timeout"));
    assert_eq!(nearest("Timeout", &NAMES), Some("timeout"));
    assert_eq!(nearest("dependancies", &NAMES), Some("dependencies"));
    assert_eq!(nearest("retry_atempts", &NAMES), Some("retry_attempts"));
}

#[test]
fn other_words_for_a_name_are_recognised() {
    assert_eq!(nearest("retries", &NAMES), Some("retry_attempts"));
    assert_eq!(nearest("retires", &NAMES), Some("retry_attempts"));
    assert_eq!(nearest("delay", &NAMES), Some("retry_delay_ms"));
}

#[test]
fn a_synonym_of_a_name_that_is_not_allowed_is_not_suggested() {
    assert_eq!(nearest("retries", &["name", "tasks"]), None);
}

#[test]
fn unlike_names_are_not_suggested() {
    assert_eq!(nearest("colour", &NAMES), None);
    assert_eq!(nearest("", &NAMES), None);
}

#[test]
fn a_swap_counts_once() {
    assert_eq!(distance("retires", "retries"), 1);
    assert_eq!(distance("kitten", "sitting"), 3);
    assert_eq!(distance("", "abc"), 3);
}

#[test]
fn the_text_names_what_is_allowed() {
    let text = unknown("key", "nam", &["name", "tasks"]);
    assert_eq!(text, "unknown key `nam`, expected one of `name`, `tasks`; did you mean `name`?");
    let text = unknown("key", "colour", &["name", "tasks"]);
    assert_eq!(text, "unknown key `colour`, expected one of `name`, `tasks`");
}
