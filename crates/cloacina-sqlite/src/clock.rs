//! The one place that reads the host's clock. A file belongs to one host, so this is the store's clock.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// The time of a transaction, read once, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    micros: i64,
    instant: Instant,
}

impl Clock {
    /// Reads both clocks.
    #[expect(clippy::disallowed_methods, reason = "this is the store's clock")]
    pub(crate) fn read() -> Self {
        let micros = match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => micros(since),
            Err(before) => -micros(before.duration()),
        };
        Self { micros, instant: Instant::now() }
    }

    /// Makes a time, for tests of what comes of it.
    #[cfg(test)]
    pub(crate) fn at_micros(micros: i64) -> Self {
        Self { micros, instant: Instant::now() }
    }

    /// Returns the time in microseconds since 1970.
    pub(crate) const fn now(&self) -> i64 {
        self.micros
    }

    /// Returns the time as a timestamp.
    pub(crate) fn timestamp(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.micros).unwrap_or_default()
    }

    /// Turns an instant into microseconds since 1970.
    pub(crate) fn at(&self, instant: Instant) -> i64 {
        match self.instant.checked_duration_since(instant) {
            Some(ago) => self.micros.saturating_sub(micros(ago)),
            None => self.micros.saturating_add(micros(instant.duration_since(self.instant))),
        }
    }

    /// Returns the time so long from now.
    pub(crate) fn after(&self, delay: Duration) -> i64 {
        later(self.micros, delay)
    }

    /// Returns the time so long ago.
    pub(crate) fn before(&self, age: Duration) -> i64 {
        self.micros.saturating_sub(micros(age))
    }
}

/// Adds a duration, stopping at the last time that chrono can show.
pub(crate) fn later(at: i64, delay: Duration) -> i64 {
    at.saturating_add(micros(delay)).min(DateTime::<Utc>::MAX_UTC.timestamp_micros())
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
