//! How fast work turns over: what a worker may hold beyond its slots where others could run it.
//!
//! Whatever waits for a commit needs no slot, so slots are busy only if more is held than there are slots; how much more depends
//! on how long bodies and commits take. What ended within the last interval answers that without knowing either: as much again
//! gets its turn within the next one, about as soon as another worker would find it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What takes longer to get its turn is not held, however rarely others look for work.
pub(super) const LONGEST: Duration = Duration::from_millis(500);

/// Counts the attempts that end.
#[derive(Debug)]
pub(super) struct Turnover {
    interval: Duration,
    /// How many have ended in the window that is open.
    ended: AtomicUsize,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    /// How many ended in the interval before it.
    last: usize,
}

impl Turnover {
    pub(super) fn new(interval: Duration) -> Self {
        let window = Window { since: Instant::now(), last: 0 };
        Self { interval, ended: AtomicUsize::new(0), window: Mutex::new(window) }
    }

    /// Notes that an attempt has ended.
    pub(super) fn note(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// How many attempts ended within the last whole interval. A window that was open for longer counts by its average: who asks
    /// now and then is told of late.
    pub(super) fn recent(&self, now: Instant) -> usize {
        // Consistent between any two statements, so a panic elsewhere does not spoil it.
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let open = now.saturating_duration_since(window.since);
        if open >= self.interval && !open.is_zero() {
            let ended = self.ended.swap(0, Ordering::Relaxed) as u128;
            let ended = ended * self.interval.as_nanos() / open.as_nanos();
            let last = usize::try_from(ended).unwrap_or(usize::MAX);
            *window = Window { since: now, last };
        }
        window.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(500);

    #[test]
    fn what_ended_in_an_interval_counts_in_the_next() {
        let begun = Instant::now();
        let turnover = Turnover::new(INTERVAL);
        (0..100).for_each(|_| turnover.note());
        assert_eq!(turnover.recent(begun + INTERVAL / 2), 0, "the interval is not over");
        let over = begun + INTERVAL + INTERVAL / 100;
        assert!((98..=100).contains(&turnover.recent(over)));
        assert!((98..=100).contains(&turnover.recent(over + INTERVAL / 2)));
    }

    #[test]
    fn where_nothing_ends_nothing_counts_before_long() {
        let begun = Instant::now();
        let turnover = Turnover::new(INTERVAL);
        (0..100).for_each(|_| turnover.note());
        assert!(turnover.recent(begun + INTERVAL * 100) <= 1, "an average of a long time");
        assert_eq!(turnover.recent(begun + INTERVAL * 102), 0);
    }
}
