//! Runs an example as a user runs it.

use std::path::PathBuf;
use std::process::{Command, Output};

/// An example, built beside this test.
pub(crate) fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let path: PathBuf = profile.join("examples").join(name);
    assert!(path.exists(), "{} is missing: build it by `cargo build --examples`", path.display());
    Command::new(path)
}

/// Returns what it said, errors last, and how it ended.
pub(crate) fn run(command: &mut Command) -> (String, Output) {
    let output = command.output().unwrap();
    let (said, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (format!("{said}{errors}"), output)
}
