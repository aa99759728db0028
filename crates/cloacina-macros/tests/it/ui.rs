//! The cases in `tests/ui`. After a change of a message, `TRYBUILD=overwrite` writes the new ones: read them as a user would.
//!
//! `pass` compiles and runs, `fail` is refused by the macros themselves, and `rustc` is what the compiler says about the
//! generated code, or about the constants in it.

use std::process::Command;

/// The compiler whose words the cases in `rustc` hold: another release may put them otherwise.
const REVIEWED_WITH: &str = "rustc 1.95.";

#[test]
fn users_are_told_what_is_wrong_where_it_is() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
    let version = version();
    if version.starts_with(REVIEWED_WITH) {
        cases.compile_fail("tests/ui/rustc/*.rs");
    } else {
        eprintln!("tests/ui/rustc is compared with {REVIEWED_WITH}x only, this is {version}");
    }
}

fn version() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("there is a compiler");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
