//! What a child process is told by its arguments: `KEY=NUMBER`.

use std::collections::HashMap;

/// Numbers by their keys.
#[derive(Debug)]
pub struct Settings(HashMap<String, u64>);

impl Settings {
    /// Reads the arguments that are left.
    ///
    /// # Errors
    ///
    /// One that is not `KEY=NUMBER`, or whose key is not among those that are known.
    pub fn read(arguments: impl Iterator<Item = String>, known: &[&str]) -> Result<Self, String> {
        let setting = |argument: &str| {
            let (key, number) = argument.split_once('=')?;
            known.contains(&key).then_some((key.to_owned(), number.parse().ok()?))
        };
        let read = |argument: String| {
            setting(&argument)
                .ok_or_else(|| format!("`{argument}` is not KEY=NUMBER with a key of {known:?}"))
        };
        arguments.map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Returns a number, or what it is if it was not set.
    #[must_use]
    pub fn number(&self, key: &str, default: u64) -> u64 {
        self.0.get(key).copied().unwrap_or(default)
    }
}
