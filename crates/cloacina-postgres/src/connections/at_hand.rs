//! Connections that are used again and again are kept at hand.
//!
//! One that goes back to its pool is tested by the driver first, and cleaned: two round trips, in which the next statement takes
//! another connection, and so one server process after the other gets a share of what one could do alone. So what a statement leaves
//! as good as it was stays at hand, for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use tokio::time::Instant;

/// How long a connection that nobody uses stays at hand.
pub(super) const REST: Duration = Duration::from_secs(1);

/// How long one stays that is used: its pool limits for how long it lives, and others wait there in the order in which they came.
const LONGEST: Duration = Duration::from_secs(1);

/// Some connections of a pool.
pub(super) struct AtHand {
    most: usize,
    inner: Mutex<Inner>,
}

struct Inner {
    kept: Vec<Kept>,
    /// Somebody looks after them.
    watched: bool,
}

/// A connection without a transaction.
pub(super) struct Kept {
    pub(super) connection: PoolConnection<Postgres>,
    /// When it was taken from its pool.
    taken: Instant,
    /// When it was used last.
    used: Instant,
}

impl Kept {
    /// Takes a connection that has come from its pool.
    pub(super) fn new(connection: PoolConnection<Postgres>) -> Self {
        let now = Instant::now();
        Self { connection, taken: now, used: now }
    }
}

impl AtHand {
    /// Keeps so many at most.
    pub(super) const fn new(most: usize) -> Self {
        Self { most, inner: Mutex::new(Inner { kept: Vec::new(), watched: false }) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Consistent between any two statements, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the one that was used last.
    pub(super) fn take(&self) -> Option<Kept> {
        self.lock().kept.pop()
    }

    /// Keeps a connection that was used, unless there are enough or it was away from its pool for long. True if nobody looks after
    /// what is kept: the caller is to see to that.
    pub(super) fn keep(&self, mut one: Kept) -> bool {
        one.used = Instant::now();
        let mut inner = self.lock();
        if inner.kept.len() >= self.most || one.used - one.taken > LONGEST {
            return false;
        }
        inner.kept.push(one);
        !std::mem::replace(&mut inner.watched, true)
    }

    /// Gives back to the pool what has not been used for so long. False if none is left to be looked after.
    pub(super) fn give_back(&self, rest: Duration) -> bool {
        let mut inner = self.lock();
        let is_due = |one: &mut Kept| one.used.elapsed() >= rest;
        let due: Vec<_> = inner.kept.extract_if(.., is_due).collect();
        inner.watched = !inner.kept.is_empty();
        let watched = inner.watched;
        drop(inner);
        drop(due);
        watched
    }
}

impl Drop for AtHand {
    fn drop(&mut self) {
        // Nobody may be there any more who could carry out a return to the pool.
        for one in self.lock().kept.drain(..) {
            drop(one.connection.detach());
        }
    }
}
