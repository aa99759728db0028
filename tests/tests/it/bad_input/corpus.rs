//! The inputs that fuzzing found worth keeping, fed to the same oracles. Those of the macros' parsers are fed in
//! `crates/cloacina-macros/src/corpus.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use super::oracles;

fn files(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty(), "no input is kept for `{target}`");
    assert!(files.len() <= 50, "{} inputs are kept for `{target}`: minimise them", files.len());
    files
}

fn each(target: &str, check: fn(&[u8])) {
    for file in files(target) {
        check(&fs::read(file).unwrap());
    }
}

fn each_text(target: &str, check: fn(&str)) {
    for file in files(target) {
        if let Ok(text) = fs::read_to_string(file) {
            check(&text);
        }
    }
}

#[test]
fn what_fuzzing_found_of_contexts_still_holds() {
    each("context", oracles::check_context);
}

#[test]
fn what_fuzzing_found_of_wfformat_still_holds() {
    each("wf", oracles::check_wf);
}

#[test]
fn what_fuzzing_found_of_settings_still_holds() {
    each("settings", oracles::check_settings);
}

#[test]
fn what_fuzzing_found_of_addresses_still_holds() {
    each_text("sqlite_url", oracles::check_sqlite_url);
    each_text("postgres_url", oracles::check_postgres_url);
}

#[test]
fn what_fuzzing_found_of_names_still_holds() {
    each_text("names", oracles::check_names);
}
