//! The house rules: what ARCHITECTURE.md states as absences.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All files below a folder with that ending, but for what is built.
pub(crate) fn files(below: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path, ending));
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The crates with their dependencies, development ones left out.
fn dependencies() -> Vec<(String, Vec<String>)> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap();
            let normal = dependencies.iter().filter(|one| one["kind"].is_null());
            let names = normal.map(|one| one["name"].as_str().unwrap().to_owned());
            (package["name"].as_str().unwrap().to_owned(), names.collect())
        })
        .collect()
}

/// The load harness.
const BENCH: &str = "cloacina-bench";

/// What looks at the crates from outside, and into the databases past them.
const OUTSIDE: [&str; 2] = [BENCH, "cloacina-tests"];

#[test]
fn only_drivers_name_sqlx_and_they_do_not_name_each_other() {
    const DRIVERS: [&str; 2] = ["cloacina-postgres", "cloacina-sqlite"];
    // What a driver has on top of it, and may name.
    const ABOVE: [(&str, &str); 1] = [("cloacina-admin", "cloacina-postgres")];
    for (package, dependencies) in dependencies() {
        if OUTSIDE.contains(&package.as_str()) {
            continue;
        }
        let names = |name: &str| dependencies.iter().any(|one| one == name);
        let below = ABOVE.iter().find(|(above, _)| *above == package).map(|(_, below)| *below);
        let is_driver = DRIVERS.contains(&package.as_str()) || below.is_some();
        assert!(is_driver || !names("sqlx"), "{package} names sqlx");
        let others = DRIVERS.iter().filter(|driver| Some(**driver) != below);
        assert!(
            !is_driver || !others.into_iter().any(|one| names(one)),
            "{package} names a driver"
        );
    }
}

#[test]
fn the_crate_of_settings_serves_any_driver_and_names_none() {
    let (_, dependencies) =
        dependencies().into_iter().find(|(package, _)| package == "cloacina-config").unwrap();
    let own = dependencies.iter().filter(|one| one.starts_with("cloacina-"));
    assert_eq!(own.collect::<Vec<_>>(), ["cloacina-core"]);
}

#[test]
fn only_examples_and_benches_use_anyhow() {
    for (package, dependencies) in dependencies() {
        let allowed = package == "cloacina-examples" || package == BENCH;
        assert!(allowed || !dependencies.iter().any(|one| one == "anyhow"), "{package}");
    }
}

#[test]
fn core_names_no_database_and_reads_no_environment() {
    let (_, dependencies) =
        dependencies().into_iter().find(|(package, _)| package == "cloacina-core").unwrap();
    for banned in ["sqlx", "cloacina-sqlite", "cloacina-testing", "rusqlite"] {
        assert!(!dependencies.iter().any(|one| one == banned), "core depends on {banned}");
    }
    for path in files(&root().join("crates/cloacina-core/src"), ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        for banned in ["std::env", "println!", "eprintln!", "SystemTime", "Utc::now"] {
            let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let found = lines.any(|line| line.contains(banned));
            assert!(!found, "{} uses {banned}", path.display());
        }
    }
}

#[test]
fn every_source_file_says_what_it_is_and_stays_readable() {
    for path in files(&root(), ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        // What is meant not to compile is shown as a user would write it.
        if path.components().any(|part| part.as_os_str() == "ui") {
            continue;
        }
        let head = text.trim_start();
        let says = head.starts_with("//!") || head.starts_with("#![doc");
        assert!(says, "{} does not begin with //!", path.display());
        let lines = text.lines().count();
        assert!(lines <= 400, "{} has {lines} lines: split it", path.display());
        let ignored = format!("#[{}", "ignore");
        assert!(!text.contains(&ignored), "{} ignores a test", path.display());
    }
}

#[test]
fn every_member_takes_the_lints_of_the_workspace() {
    for path in files(&root(), "Cargo.toml") {
        if path == root().join("Cargo.toml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("[lints]\nworkspace = true"), "{}", path.display());
    }
}

#[test]
fn every_statement_file_is_used() {
    let crates = root().join("crates");
    for path in files(&crates, ".sql") {
        let driver = path.strip_prefix(&crates).unwrap().components().next().unwrap();
        let sources = files(&crates.join(driver).join("src"), ".rs");
        let folder = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let used = sources.iter().any(|source| {
            fs::read_to_string(source).unwrap().contains(&format!("{folder}/{name}"))
        });
        assert!(used, "nothing uses {}", path.display());
    }
}

#[test]
fn every_example_says_how_to_run_it_and_is_in_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for path in files(&root().join("examples/examples"), ".rs") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let run = format!("--example {name}");
        let says = text.lines().take(20).any(|line| line.contains(&run));
        assert!(says, "{name} does not say how to run it");
        assert!(readme.contains(&format!("`{name}`")), "{name} is not in the README");
    }
}

/// The tests that a page names: long names of functions, as code.
fn named_tests(page: &str) -> impl Iterator<Item = &str> {
    let is_name = |text: &&str| {
        text.len() >= 25
            && text.chars().all(|it| it == '_' || it.is_ascii_lowercase() || it.is_ascii_digit())
    };
    page.split('`').skip(1).step_by(2).filter(is_name)
}

#[test]
fn every_test_that_the_page_on_reliability_names_is_there() {
    let sources: Vec<_> =
        files(&root(), ".rs").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let page = fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    for name in named_tests(&page) {
        let function = format!("fn {name}(");
        assert!(sources.iter().any(|source| source.contains(&function)), "there is no {name}");
    }
}
