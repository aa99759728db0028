//! Bugs planted into copies of the engine and of the reference model: the simulation sees each of them.
//!
//! All bugs go into one copy, so that it is built once; the name of the one that is switched on comes from the environment.

mod list;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use list::{MUTATIONS, Mutation};

use super::user::cargo;

/// So many seeds must be enough to see a bug.
const SEEDS: u32 = 1_500;

/// So many are run without a bug: the copy is not what breaks the promises.
const SOUND: u32 = 100;

const WORKSPACE: &str = r#"
[workspace]
resolver = "3"
members = ["crates/cloacina-core", "crates/cloacina-macros", "crates/cloacina-testing", "seeds"]

# Without its own assertions: the simulation has to see it.
[profile.dev]
debug = false
debug-assertions = false
incremental = false
opt-level = 1
"#;

const SEEDS_MANIFEST: &str = r#"
[package]
name = "seeds"
edition = "2024"

[dependencies]
cloacina-testing = { path = "../crates/cloacina-testing" }
"#;

/// Runs seeds until a promise is broken, and says which.
const SEEDS_PROGRAM: &str = r#"
use cloacina_testing::simulation::{Scenario, simulate};

fn main() {
    let seeds: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    for seed in 0..seeds {
        if let Some(violation) = simulate(&Scenario::new(seed)).violation {
            return println!("{:?} {seed} {}", violation.promise, violation.text);
        }
    }
    println!("none");
}
"#;

/// Reports whether a bug is switched on.
const SWITCH: &str = r#"
/// Reports whether a planted bug is switched on.
#[doc(hidden)]
pub fn planted(name: &str) -> bool {
    static ON: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    ON.get_or_init(|| std::env::var("PLANTED").ok()).as_deref() == Some(name)
}
"#;

/// What the simulation does not need takes time to build.
const UNNEEDED: [&str; 8] = [
    "conformance",
    "differential",
    "executor_cases",
    "manager_cases",
    "postgres",
    "runner",
    "tenant_conformance",
    "overload",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Makes the copy with all bugs in it.
fn plant() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutations");
    for name in ["cloacina-core", "cloacina-macros", "cloacina-testing"] {
        let (from, to) = (root().join("crates").join(name), folder.join("crates").join(name));
        copy(&from.join("src"), &to.join("src"));
        write(&to.join("Cargo.toml"), &fs::read_to_string(from.join("Cargo.toml")).unwrap());
    }
    let shared = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let sections = ["[workspace.package]", "[workspace.dependencies]"].map(|name| {
        let (_, section) = shared.split_once(name).unwrap();
        format!("{name}{}", section.split("\n[").next().unwrap())
    });
    let manifest = format!("{WORKSPACE}\n{}\n[workspace.lints]\n", sections.join("\n"));
    write(&folder.join("Cargo.toml"), &manifest);
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    write(&folder.join("seeds/Cargo.toml"), SEEDS_MANIFEST);
    write(&folder.join("seeds/src/main.rs"), SEEDS_PROGRAM);
    folder
}

/// Copies sources, with the bugs that belong there.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            write(&to, &mutated(&path));
        }
    }
}

/// The text of a source file, with the bugs that belong there.
fn mutated(path: &Path) -> String {
    let mut text = fs::read_to_string(path).unwrap();
    for Mutation { name, place, bug, .. } in MUTATIONS.iter().filter(|it| path.ends_with(it.file)) {
        assert_eq!(text.matches(place).count(), 1, "where to plant `{name}` in {}", path.display());
        let on = format!("cloacina_core::planted({name:?})");
        let own = path.to_string_lossy().contains("cloacina-core/");
        let on = if own { on.replace("cloacina_core", "crate") } else { on };
        text = text.replace(place, &replace_word(bug, "ON", &on));
    }
    if path.ends_with("cloacina-core/src/lib.rs") {
        text.push_str(SWITCH);
    }
    if path.ends_with("cloacina-testing/src/lib.rs") {
        let kept = |line: &&str| !UNNEEDED.iter().any(|name| line.contains(name));
        let lines: Vec<_> =
            text.lines().filter(kept).filter(|line| !line.contains("cfg(")).collect();
        text = lines.join("\n");
    }
    text
}

/// Replaces a word where it is not part of another.
fn replace_word(text: &str, word: &str, by: &str) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let part =
            |neighbour: Option<char>| neighbour.is_some_and(|it| it.is_alphanumeric() || it == '_');
        let whole = !part(before.chars().next_back()) && !part(after.chars().next());
        replaced.push_str(before);
        replaced.push_str(if whole { by } else { word });
        rest = after;
    }
    replaced + rest
}

/// Writes a file if it is not the same already, so that nothing is built again for nothing.
fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Builds the copy; the program that runs seeds.
fn build() -> PathBuf {
    let folder = plant();
    let mut command = cargo("build", &folder);
    let built = command.args(["--package", "seeds"]).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    folder.join("target/debug/seeds")
}

/// Runs seeds with a bug; the promise that it breaks, the seed, and what was found.
fn run(program: &Path, bug: &str, seeds: u32) -> String {
    let mut command = Command::new(program);
    command.arg(seeds.to_string()).env("PLANTED", bug).stdin(Stdio::null());
    let ended = command.output().unwrap();
    assert!(ended.status.success(), "{bug}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_simulation_sees_every_planted_bug() {
    let program = build();
    let mut unseen = Vec::new();
    for Mutation { name, breaks, .. } in &MUTATIONS {
        let found = run(&program, name, SEEDS);
        eprintln!("{name}: {found}");
        if !breaks.iter().any(|promise| found.starts_with(promise)) {
            unseen.push(format!("{name}: {found}, it should break {breaks:?}"));
        }
    }
    assert!(unseen.is_empty(), "{unseen:#?}");
    assert_eq!(run(&program, "none of them", SOUND), "none", "without a bug nothing is broken");
}
