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
fn what_an_error_of_anyhow_holds_is_found_unless_something_was_added() {
    let plain: TaskError = anyhow::Error::from("x".parse::<u16>().unwrap_err()).into();
    assert!(plain.downcast_ref::<std::num::ParseIntError>().is_some());
    assert!(task("x").unwrap_err().downcast_ref::<std::num::ParseIntError>().is_none());
}
