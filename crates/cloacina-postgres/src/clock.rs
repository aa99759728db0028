//! The time of a transaction. Times are the database's: several hosts never compare their own clocks.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use cloacina_core::backend::BoxError;
use sqlx::postgres::{PgTypeInfo, PgValueFormat, PgValueRef, Postgres};
use sqlx::{Decode, Type};
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

/// A time as the server gives it.
///
/// The driver's own reading panics on what no calendar holds, such as `infinity`, and whoever may write a row can put that there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(pub(crate) DateTime<Utc>);

/// The first moment of the year 2000, from which the server counts, in microseconds of UNIX time.
const SERVERS_EPOCH: i64 = 946_684_800_000_000;

impl Type<Postgres> for Moment {
    fn type_info() -> PgTypeInfo {
        <DateTime<Utc> as Type<Postgres>>::type_info()
    }
}

impl<'r> Decode<'r, Postgres> for Moment {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxError> {
        if value.format() == PgValueFormat::Text {
            return Decode::<Postgres>::decode(value).map(Self);
        }
        let micros = <i64 as Decode<Postgres>>::decode(value)?;
        let unix = micros.checked_add(SERVERS_EPOCH);
        let time = unix.and_then(DateTime::from_timestamp_micros);
        time.map(Self).ok_or_else(|| "the time is infinite or out of range".into())
    }
}
