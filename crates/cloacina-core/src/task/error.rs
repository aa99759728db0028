//! Why a task failed.

use std::fmt;
use std::time::Duration;

/// Why a task failed, and what that means for its retries.
///
/// Whatever implements `std::error::Error` turns into one with `?`, so a body may return `Result<_, TaskError>` and use what
/// it likes inside. For that reason it is not itself a `std::error::Error`. A `String`, a `Box<dyn Error>` or an
/// `anyhow::Error` is none either: `.map_err(TaskError::new)` turns it into one.
///
/// ```
/// use cloacina_core::TaskError;
///
/// fn parse(text: &str) -> Result<u32, TaskError> {
///     Ok(text.parse::<u32>()?)
/// }
/// let error = parse("x").unwrap_err();
/// assert_eq!(error.to_string(), "invalid digit found in string");
/// assert!(TaskError::permanent("no such customer").is_permanent());
/// ```
#[derive(Debug, Clone)]
pub struct TaskError {
    message: String,
    retry: Retry,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Retry {
    ByPolicy,
    Never,
    After(Duration),
}

impl TaskError {
    /// Makes an error that is retried as the task's policy says.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), retry: Retry::ByPolicy }
    }

    /// Makes an error that is not retried, whatever the policy says.
    pub fn permanent(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), retry: Retry::Never }
    }

    /// Makes this error one that is retried after the given wait in place of the policy's, attempts permitting.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry = Retry::After(delay);
        self
    }

    /// Cuts the text to so many bytes, and says that it did.
    pub(crate) fn limited(mut self, bytes: usize) -> Self {
        if self.message.len() > bytes {
            let whole = self.message.len();
            self.message.truncate(self.message.floor_char_boundary(bytes));
            self.message.push_str(&format!("… (cut, {whole} bytes in all)"));
        }
        self
    }

    /// Returns what went wrong, with its causes.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Reports whether it is never retried.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.retry == Retry::Never
    }

    pub(crate) const fn delay(&self) -> Option<Duration> {
        match self.retry {
            Retry::After(delay) => Some(delay),
            Retry::ByPolicy | Retry::Never => None,
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: std::error::Error> From<E> for TaskError {
    /// Keeps the error's text and those of its sources, joined by `: `; a text that repeats its source is kept once.
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !message.ends_with(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = cause.source();
        }
        Self::new(message)
    }
}
