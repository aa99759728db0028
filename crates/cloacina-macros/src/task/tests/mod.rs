//! What `#[task]` expands to, and what it refuses.

mod errors;
mod expansion;

use super::analyse;
use crate::errors::Errors;

/// A function that any attribute fits.
const FUNCTION: &str = "async fn f(context: &mut Context<Value>) {}";

/// Returns the output without white space, and the errors as `token: message`.
fn read(options: &str, item: &str) -> (String, Vec<String>) {
    let mut errors = Errors::default();
    let output = analyse(&options.parse().unwrap(), item.parse().unwrap(), &mut errors);
    (output.to_string().replace([' ', '\n'], ""), errors.into_texts())
}

/// Returns the output of a task without mistakes.
fn output(options: &str, item: &str) -> String {
    let (output, errors) = read(options, item);
    assert_eq!(errors, Vec::<String>::new(), "{options}");
    output
}
