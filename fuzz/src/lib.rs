//! What the fuzz targets call: the oracles of the tests, and the macros' parsers, which no other crate can reach, with theirs.

#![allow(dead_code, reason = "the parsers are taken whole")]

#[path = "../../crates/cloacina-macros/src/corpus.rs"]
mod corpus;
#[path = "../../crates/cloacina-macros/src/duration.rs"]
mod duration;
#[path = "../../crates/cloacina-macros/src/errors.rs"]
mod errors;
#[path = "../../crates/cloacina-macros/src/keyed.rs"]
mod keyed;
#[path = "../../tests/tests/it/bad_input/oracles.rs"]
mod oracles;
#[path = "../../crates/cloacina-macros/src/reference.rs"]
mod reference;
#[path = "../../crates/cloacina-macros/src/rules.rs"]
mod rules;
#[path = "../../crates/cloacina-macros/src/suggest.rs"]
mod suggest;

/// See the oracles.
pub fn check_context(bytes: &[u8]) {
    oracles::check_context(bytes);
}

/// See the oracles.
pub fn check_wf(bytes: &[u8]) {
    oracles::check_wf(bytes);
}

/// See the oracles.
pub fn check_settings(bytes: &[u8]) {
    oracles::check_settings(bytes);
}

/// See the oracles.
pub fn check_sqlite_url(text: &str) {
    oracles::check_sqlite_url(text);
}

/// See the oracles.
pub fn check_postgres_url(text: &str) {
    oracles::check_postgres_url(text);
}

/// See the oracles.
pub fn check_names(text: &str) {
    oracles::check_names(text);
}

/// See `crates/cloacina-macros/src/corpus.rs`.
pub fn check_duration(text: &str) {
    corpus::check_duration(text);
}

/// See `crates/cloacina-macros/src/corpus.rs`.
pub fn check_rule(text: &str) {
    // rustc itself overflows its stack on what is nested some thousand levels deep, before it asks a macro.
    if text.matches(['(', '[', '{']).count() < 256 {
        corpus::check_rule(text);
    }
}
