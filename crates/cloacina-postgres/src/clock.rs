//! The time of a transaction. Times are the database's: several hosts never compare their own clocks.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use cloacina_core::backend::BoxError;
use sqlx::postgres::{PgTypeInfo, PgValueFormat, PgValueRef, Postgres};
use sqlx::{Decode, Type};
use tokio::time::Instant;

/// A slower answer than this, or a clock that was put so far, is told apart from one that was a little late.
const SLOWEST: TimeDelta = TimeDelta::milliseconds(100);

/// An answer that is late by less may have travelled for longer than the best one.
const ON_TIME: TimeDelta = TimeDelta::milliseconds(10);

/// Where no answer was on time for so long, the clock was put back.
const DOUBT: Duration = Duration::from_secs(60);

/// A moment on the database's clock and on this process's own, when it became known.
#[derive(Debug, Clone, Copy)]
struct Reading {
    time: DateTime<Utc>,
    instant: Instant,
}

impl Reading {
    fn at(self, instant: Instant) -> DateTime<Utc> {
        match self.instant.checked_duration_since(instant) {
            Some(ago) => earlier(self.time, ago),
            None => later(self.time, instant.duration_since(self.instant)),
        }
    }
}

/// How the two clocks go together.
///
/// A time is known here only after its answer has travelled, now for longer, now for less. So the reading that was fastest
/// counts for all: with one for each transaction a task might begin before that on which it depends has ended.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    known: Mutex<Option<Known>>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    /// The reading that was fastest.
    best: Reading,
    /// Since when no answer was on time, and the one of these that was fastest.
    doubt: Option<(Instant, Reading)>,
}

impl Known {
    const fn new(best: Reading) -> Self {
        Self { best, doubt: None }
    }

    /// Takes another reading into account.
    fn after(self, now: Reading) -> Self {
        let late = self.best.at(now.instant) - now.time;
        if !(TimeDelta::zero()..=SLOWEST).contains(&late) {
            return Self::new(now);
        }
        if late <= ON_TIME {
            return Self::new(self.best);
        }
        let (since, fastest) = self.doubt.unwrap_or((now.instant, now));
        let fastest = if fastest.at(now.instant) < now.time { now } else { fastest };
        if now.instant.duration_since(since) >= DOUBT {
            return Self::new(fastest);
        }
        Self { doubt: Some((since, fastest)), ..self }
    }
}

impl Clocks {
    /// Takes the database's time of this moment.
    pub(crate) fn read(&self, now: DateTime<Utc>) -> Clock {
        self.take(Reading { time: now, instant: Instant::now() })
    }

    /// Works out the database's time from the readings before; nothing before the first. It is as long behind as that answer
    /// travelled.
    pub(crate) fn estimate(&self) -> Option<Clock> {
        let best = (*self.known.lock().unwrap_or_else(PoisonError::into_inner))?.best;
        let instant = Instant::now();
        Some(Clock { now: Reading { time: best.at(instant), instant }, best })
    }

    fn take(&self, now: Reading) -> Clock {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let all = known.map_or(Known::new(now), |known| known.after(now));
        Clock { now, best: known.insert(all).best }
    }
}

/// The time of a transaction, read once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    now: Reading,
    best: Reading,
}

impl Clock {
    /// Returns the time.
    pub(crate) const fn now(&self) -> DateTime<Utc> {
        self.now.time
    }

    /// Turns an instant into a time. What is past is not later than now.
    pub(crate) fn at(&self, instant: Instant) -> DateTime<Utc> {
        let at = self.best.at(instant);
        if instant <= self.now.instant { at.min(self.now.time) } else { at }
    }

    /// Returns the time so long from now.
    pub(crate) fn after(&self, delay: Duration) -> DateTime<Utc> {
        later(self.now.time, delay)
    }

    /// Returns the time so long ago.
    pub(crate) fn before(&self, age: Duration) -> DateTime<Utc> {
        earlier(self.now.time, age)
    }
}

/// Subtracts a duration, stopping at the beginning of UNIX time.
fn earlier(at: DateTime<Utc>, age: Duration) -> DateTime<Utc> {
    at.checked_sub_signed(delta(age))
        .map_or(DateTime::UNIX_EPOCH, |at| at.max(DateTime::UNIX_EPOCH))
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

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// A reading of a database that is at `millis`, whose answer takes so long.
    fn reading(began: Instant, millis: u32, travels: u32) -> Reading {
        let time = later(DateTime::UNIX_EPOCH, Duration::from_secs(1_000) + MILLISECOND * millis);
        Reading { time, instant: began + MILLISECOND * (millis + travels) }
    }

    #[test]
    fn what_came_later_is_later_however_long_answers_travel() {
        let (clocks, began) = (Clocks::default(), Instant::now());
        let mut last = DateTime::UNIX_EPOCH;
        for (millis, travels) in [(0, 40), (50, 1), (60, 90), (200, 0), (210, 70), (400, 20)] {
            let now = reading(began, millis, travels);
            let clock = clocks.take(now);
            // Ended before it was asked, and began after the answer before.
            let ended = clock.at(began + MILLISECOND * millis);
            assert!(last <= ended && ended <= clock.now(), "{last} {ended} {}", clock.now());
            last = ended;
        }
    }

    #[test]
    fn an_estimate_goes_on_from_the_best_reading_and_keeps_its_order() {
        let (clocks, began) = (Clocks::default(), Instant::now());
        assert!(clocks.estimate().is_none(), "nothing is known yet");
        clocks.take(reading(began, 0, 40));
        let ended = clocks.take(reading(began, 50, 1)).at(began + MILLISECOND * 50);
        let estimate = clocks.estimate().unwrap();
        assert_eq!(estimate.at(began + MILLISECOND * 50), ended);
        assert_eq!(estimate.now(), estimate.at(estimate.now.instant));
    }

    #[test]
    fn a_clock_that_was_put_back_a_little_is_followed_after_a_while() {
        let (clocks, began) = (Clocks::default(), Instant::now());
        let (second, put_back) = (1_000, 80);
        clocks.take(reading(began, 0, 1));
        let mut ahead = Vec::new();
        for beat in (5..=70).step_by(5) {
            let now = reading(began, beat * second - put_back, 1 + beat % 2 + put_back);
            let clock = clocks.take(now);
            ahead.push((clock.at(now.instant + MILLISECOND) - now.time).num_milliseconds());
        }
        assert_eq!(ahead.first(), Some(&82), "it may have travelled");
        assert!(ahead.last().is_some_and(|ahead| *ahead <= 3), "it was put back: {ahead:?}");
    }

    #[test]
    fn answers_that_travel_longer_for_a_while_do_not_set_the_clock() {
        let (clocks, began) = (Clocks::default(), Instant::now());
        let first = clocks.take(reading(began, 0, 1)).at(began);
        for beat in 1..=40 {
            let travels = if beat % 8 == 0 { 3 } else { 60 };
            let clock = clocks.take(reading(began, beat * 5_000, travels));
            assert_eq!(clock.at(began), first, "after {beat} answers");
        }
    }

    #[test]
    fn a_clock_that_was_put_is_followed() {
        let (clocks, began) = (Clocks::default(), Instant::now());
        clocks.take(reading(began, 10_000, 0));
        for (back, at) in [(5_000, 11_000), (20_000, 12_000)] {
            let time = reading(began, back, 0).time;
            let clock = clocks.take(Reading { time, instant: began + MILLISECOND * at });
            assert_eq!(clock.at(began + MILLISECOND * at), time);
        }
    }
}
