//! Errors of `anyhow` in tasks.

use anyhow::Context as _;
use cloacina_core::TaskError;

fn port(text: &str) -> anyhow::Result<u16> {
    text.parse().with_context(|| format!("`{text}` is no port"))
}

fn task(text: &str) -> Result<u16, TaskError> {
    Ok(port(text)?)
}

#[test]
fn an_error_of_anyhow_is_recorded_with_its_causes() {
    assert_eq!(task("80").unwrap(), 80);
    let error = task("http").unwrap_err();
    assert_eq!(error.message(), "`http` is no port: invalid digit found in string");
    assert!(!error.is_permanent());
    assert!(TaskError::permanent(port("x").unwrap_err()).is_permanent());
}

#[test]
fn a_cause_within_an_error_of_anyhow_is_found_by_its_type() {
    let error = task("x").unwrap_err();
    assert!(error.downcast_ref::<std::num::ParseIntError>().is_some());
    assert!(error.downcast_ref::<std::fmt::Error>().is_none());
}
