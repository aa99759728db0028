//! When others are told of commits: of many at once, since a transaction that tells holds a lock of the whole database while it
//! commits.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The least time between two transactions that tell.
const LEAST: Duration = Duration::from_millis(20);

/// How often to say that there is work which has an owner. A fraction of the time after which somebody looks away.
const ANNOUNCE: Duration = Duration::from_secs(5);

/// Bounds how often a handle tells.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    /// When others were last told of work that has an owner.
    announced: Option<Instant>,
    /// Something was committed that is still to be told.
    owing: bool,
}

impl Pace {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports whether a transaction that is about to begin is to tell. It tells of all that was committed before.
    pub(crate) fn takes_turn(&self) -> bool {
        let mut state = self.lock();
        let due = state.last.is_none_or(|last| last.elapsed() >= LEAST);
        if due {
            (state.last, state.owing) = (Some(Instant::now()), false);
        }
        due
    }

    /// Reports whether a transaction that begins to own something is to tell that somebody works: the last time is a while
    /// ago. Others stand by then, should the owner die.
    pub(crate) fn announces(&self) -> bool {
        let mut state = self.lock();
        let due = state.announced.is_none_or(|at| at.elapsed() >= ANNOUNCE);
        if due {
            state.announced = Some(Instant::now());
        }
        due
    }

    /// Notes that it was not told after all: the next one is to.
    pub(crate) fn announces_anew(&self) {
        self.lock().announced = None;
    }

    /// Notes that something was committed without telling. When to tell of it, unless that is seen to already.
    pub(crate) fn owe(&self) -> Option<Instant> {
        let mut state = self.lock();
        if std::mem::replace(&mut state.owing, true) {
            return None;
        }
        Some(state.last.map_or_else(Instant::now, |last| last + LEAST))
    }

    /// Reports whether something is still to be told, by the caller.
    pub(crate) fn pays(&self) -> bool {
        let mut state = self.lock();
        let owing = std::mem::take(&mut state.owing);
        if owing {
            state.last = Some(Instant::now());
        }
        owing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn of_many_commits_the_first_tells_and_one_tells_of_the_rest() {
        let pace = Pace::default();
        assert!(pace.takes_turn(), "the first");
        assert!(!pace.takes_turn(), "too early");
        let due = pace.owe().unwrap();
        assert_eq!(pace.owe(), None, "it is seen to already");
        assert_eq!(due, Instant::now() + LEAST);
        tokio::time::sleep_until(due).await;
        assert!(pace.pays());
        assert!(!pace.pays(), "all is told");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_told_is_told_by_the_next_one() {
        let pace = Pace::default();
        assert!(pace.announces(), "the first");
        assert!(!pace.announces(), "others know");
        pace.announces_anew();
        assert!(pace.announces(), "others were not told");
    }

    #[tokio::test(start_paused = true)]
    async fn a_transaction_that_tells_tells_of_all_before_it() {
        let pace = Pace::default();
        pace.takes_turn();
        pace.owe().unwrap();
        tokio::time::sleep(LEAST).await;
        assert!(pace.takes_turn());
        assert!(!pace.pays());
    }
}
