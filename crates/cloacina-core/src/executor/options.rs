//! How an execution is submitted.

use std::time::Duration;

/// How an execution is submitted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecuteOptions {
    /// A second submit with the same key returns the first execution, however that ended and whatever its input, as long
    /// as it has not been pruned. At most 255 bytes.
    pub idempotency_key: Option<String>,
    /// How long it must not start, counted from the commit of the submit.
    pub delay: Option<Duration>,
}

impl ExecuteOptions {
    /// Starts with no key and no delay.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a second submit with the same key return the first execution.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Delays the start.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }
}
