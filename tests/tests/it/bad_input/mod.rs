//! Bad input, as tables: what is given, and what it must get.
//!
//! `Ok` says how the input is read, `Err` holds the text of the error. Both are exact, so that a reader knows what a user sees,
//! and that nothing is lost on the way. What a store does with odd values and extreme times is in the suites that all stores
//! pass (`conformance/values.rs`, `executor_cases/{refused,values,keys,extremes,large}.rs`); what the macros refuse stands
//! beside their parsers, and in `crates/cloacina-macros/tests/ui`.

mod corpus;
mod ids;
mod json;
mod names;
mod oracles;
mod secrets;
mod settings;
mod shapes;
mod urls;

/// An input and what it must get.
type Case = (&'static str, Result<&'static str, &'static str>);

/// Compares what a table says with what happens, all of it at once.
#[track_caller]
fn check(cases: &[Case], read: impl Fn(&str) -> Result<String, String>) {
    let mut wrong = Vec::new();
    for (input, expected) in cases {
        let got = read(input);
        let same = match (expected, &got) {
            (Ok(expected), Ok(got)) => expected == got,
            (Err(expected), Err(got)) => expected == got,
            _ => false,
        };
        if !same {
            wrong.push(format!("{input:?}\n  must get {expected:?}\n  got      {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
