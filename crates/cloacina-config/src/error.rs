//! What is wrong with the environment.

use std::path::PathBuf;

/// A variable, or the file `.env`, is not what it must be. Somebody has to correct it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvError {
    /// The variable is needed and not set.
    #[error("`{variable}` is not set, it must be {allowed}")]
    Missing {
        /// The variable.
        variable: &'static str,
        /// What is allowed.
        allowed: String,
    },
    /// The variable holds what is not allowed.
    #[error("`{variable}` is {value}, it must be {allowed}")]
    Invalid {
        /// The variable.
        variable: &'static str,
        /// What it held, in quotes; of an address only what cannot be a password.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// The file `.env` cannot be read, or a line of it is malformed.
    #[error("`{}` is refused: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it. Shows no value.
        reason: String,
        /// Why it cannot be read, if it cannot.
        source: Option<std::io::Error>,
    },
}
