//! The time of a transaction. Times are the database's: several hosts never compare their own clocks.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tokio::time::Instant;

/// The time of a transaction, read once, with the moment on this process's own clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    now: DateTime<Utc>,
    instant: Instant,
}

impl Clock {
    /// Takes the database's time of this moment.
    pub(crate) fn new(now: DateTime<Utc>) -> Self {
        Self { now, instant: Instant::now() }
    }

    /// Returns the time.
    pub(crate) const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Turns an instant into a time.
    pub(crate) fn at(&self, instant: Instant) -> DateTime<Utc> {
        match self.instant.checked_duration_since(instant) {
            Some(ago) => self.before(ago),
            None => self.after(instant.duration_since(self.instant)),
        }
    }

    /// Returns the time so long from now.
    pub(crate) fn after(&self, delay: Duration) -> DateTime<Utc> {
        later(self.now, delay)
    }

    /// Returns the time so long ago.
    pub(crate) fn before(&self, age: Duration) -> DateTime<Utc> {
        self.now
            .checked_sub_signed(delta(age))
            .map_or(DateTime::UNIX_EPOCH, |at| at.max(DateTime::UNIX_EPOCH))
    }
}

/// Adds a duration, stopping at the end of the year 9999: later years are written differently by everybody.
pub(crate) fn later(at: DateTime<Utc>, delay: Duration) -> DateTime<Utc> {
    let last = NaiveDate::from_ymd_opt(9999, 12, 31).and_then(|day| day.and_hms_opt(23, 59, 59));
    let last = last.map_or(DateTime::<Utc>::MAX_UTC, |last| last.and_utc());
    at.checked_add_signed(delta(delay)).map_or(last, |later| later.min(last))
}

/// Turns a duration into whole microseconds, which is what the database keeps.
fn delta(duration: Duration) -> TimeDelta {
    i64::try_from(duration.as_micros()).map_or(TimeDelta::MAX, TimeDelta::microseconds)
}
