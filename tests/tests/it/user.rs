//! What a user has, built and run as its user would: what they name in `Cargo.toml` is all that they need.
//!
//! A newcomer's packages, which `docs/newcomer.sh` makes from the README and the guide, and a workspace. All keep one target folder, below that
//! of the tests, so that only the first run builds everything.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use crate::house::root;

/// Where the README's `Cargo.toml` looks for the crates.
const CHECKOUT: &str = "../cloacina/";

/// Two programs and a library. Built once and rarely changed: what would only make later builds faster is left out.
const WORKSPACE: &str = r#"
[workspace]
resolver = "3"
members = ["orders", "steps", "bare"]

[profile.dev]
debug = false
incremental = false
"#;

const STEPS: &str = r#"
[dependencies]
cloacina-core = { path = "../cloacina/crates/cloacina-core" }
serde_json = "1"
"#;

/// Neither serde nor its JSON; a library that only its workflows are wanted of.
const BARE: &str = r#"
[dependencies]
cloacina-core = { path = "../cloacina/crates/cloacina-core" }
cloacina-sqlite = { path = "../cloacina/crates/cloacina-sqlite" }
steps = { path = "../steps" }
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
"#;

static USER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("user");
    let orders = format!("{}steps = {{ path = \"../steps\" }}\n", dependencies());
    let orders = [
        ("Cargo.toml", package("orders", &orders)),
        ("src/main.rs", include_str!("../user/orders.rs").to_owned()),
    ];
    let steps = [
        ("Cargo.toml", package("steps", STEPS)),
        ("src/lib.rs", include_str!("../user/steps.rs").to_owned()),
    ];
    let bare = [
        ("Cargo.toml", package("bare", BARE)),
        ("src/main.rs", include_str!("../user/bare.rs").to_owned()),
    ];
    for (name, files) in [("orders", orders), ("steps", steps), ("bare", bare)] {
        fs::create_dir_all(folder.join(name).join("src")).unwrap();
        for (file, text) in files {
            fs::write(folder.join(name).join(file), text).unwrap();
        }
    }
    fs::write(folder.join("Cargo.toml"), WORKSPACE).unwrap();
    // The versions that this workspace was built with: no others are known to be on this machine.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    folder
});

/// What the README's complete program depends on.
fn dependencies() -> String {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, section) = readme.split_once("\n## A complete program\n").unwrap();
    let (_, block) = section.split_once("\n```toml\n").unwrap();
    let (block, _) = block.split_once("\n```\n").unwrap();
    format!("{block}\n")
}

/// The manifest of a package with these dependencies, on this checkout.
fn package(name: &str, dependencies: &str) -> String {
    assert!(dependencies.contains(CHECKOUT), "{name} uses no crate of the checkout");
    let dependencies = dependencies.replace(CHECKOUT, &format!("{}/", NEWCOMER.clone.display()));
    format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n\n{dependencies}")
}

/// Builds a program of the workspace and runs it in a folder of its own; what it prints.
fn run(program: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut cargo = cargo("run", &USER);
    let ended = cargo.args(["--package", program]).current_dir(folder.path()).output().unwrap();
    let (said, errors) =
        (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "`{program}`: {}\n{errors}\n{said}", ended.status);
    said.into_owned()
}

/// Runs cargo on the workspace of a folder, as if that were no part of this build.
pub(crate) fn cargo(what: &str, workspace: &Path) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([what, "--offline"]).stdin(Stdio::null());
    cargo.arg("--manifest-path").arg(workspace.join("Cargo.toml"));
    cargo.arg("--target-dir").arg(workspace.join("target"));
    without_this_build(&mut cargo);
    cargo
}

fn without_this_build(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_this_build(name)) {
        command.env_remove(name);
    }
}

/// Reports whether a variable is about the build that this test belongs to: flags, and what cargo tells a test.
fn is_of_this_build(name: &OsStr) -> bool {
    const PREFIXES: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
    const NAMES: [&str; 6] = [
        "CARGO_BUILD_TARGET",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_DIR",
        "CARGO_TARGET_TMPDIR",
        "RUSTFLAGS",
    ];
    let name = name.to_string_lossy();
    NAMES.contains(&&*name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// What became of a newcomer.
struct Newcomer {
    /// Where they have the repository. All use it under that name: under another, cargo would build it anew.
    clone: PathBuf,
    ended: Output,
}

static NEWCOMER: LazyLock<Newcomer> = LazyLock::new(|| {
    // Outside of this repository, whose workspace would take their packages in, and at the same place in each run.
    let mut hasher = DefaultHasher::new();
    root().hash(&mut hasher);
    let folder = std::env::temp_dir().join(format!("cloacina-newcomer-{:x}", hasher.finish()));
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    let mut script = Command::new("bash");
    script.arg(root().join("docs/newcomer.sh")).arg(&folder).stdin(Stdio::null());
    without_this_build(&mut script);
    // As the workspace above has it, so that what they build is built once.
    script.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("user/target"));
    script.envs([("CARGO_PROFILE_DEV_DEBUG", "false"), ("CARGO_INCREMENTAL", "0")]);
    let ended = script.env("CARGO_NET_OFFLINE", "true").output().unwrap();
    Newcomer { clone: folder.join("cloacina"), ended }
});

#[cfg(unix)]
#[test]
fn the_readme_and_the_first_pages_of_the_guide_do_what_they_show() {
    let ended = &NEWCOMER.ended;
    let (said, errors) =
        (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{}\n{said}\n{errors}", ended.status);
    // The README and three pages.
    assert_eq!(said.matches("prints what the page shows").count(), 4, "{said}");
}

#[test]
fn a_workflow_may_take_its_tasks_from_several_crates() {
    let expected = "\
known: [\"orders\", \"stock\"]
orders: completed, total Some(Number(42))
stock: completed, counted Some(Number(3))
";
    assert_eq!(run("orders"), expected);
}

#[test]
fn core_a_back_end_and_tokio_are_all_that_a_program_needs() {
    let expected = "known: [\"count\", \"stock\"]\ncompleted: Some(Number(7)) after 2 attempts\n";
    assert_eq!(run("bare"), expected);
}
