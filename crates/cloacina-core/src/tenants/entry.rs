//! A tenant on the roster.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use crate::{Backend, UnifiedExecutor};

/// A tenant that is active, or about to be or not to be. Whoever starts or stops its executor holds the lock.
pub(super) struct Entry<B> {
    pub(super) place: Arc<AsyncMutex<Place<B>>>,
    /// Since when it was seen to have nothing to do.
    idle_since: Mutex<Option<Instant>>,
}

/// What is at an entry.
pub(super) enum Place<B> {
    Empty,
    Open(UnifiedExecutor<B>),
    /// The entry has left the roster: who waited for it looks there again.
    Left,
}

/// Whether a tenant's executor runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It does, and hears of work by itself.
    Running,
    /// It is being started or stopped, or the tenant created or removed.
    Changing,
    /// It does not.
    Resting,
}

impl<B: Backend> Entry<B> {
    pub(super) fn standing(&self) -> Standing {
        match self.place.try_lock().as_deref() {
            Ok(Place::Open(executor)) if executor.engine().is_running() => Standing::Running,
            Ok(_) => Standing::Resting,
            Err(_) => Standing::Changing,
        }
    }

    /// Returns the executor, if it runs and nobody is about to stop it.
    pub(super) fn executor(&self) -> Option<UnifiedExecutor<B>> {
        match &*self.place.try_lock().ok()? {
            Place::Open(executor) if executor.engine().is_running() => Some(executor.clone()),
            _ => None,
        }
    }

    /// Makes one at which there is nothing.
    pub(super) fn new() -> Self {
        Self { place: Arc::new(AsyncMutex::new(Place::Empty)), idle_since: Mutex::new(None) }
    }

    /// Notes whether it has nothing to do, and returns since when that has been so.
    pub(super) fn note_idle(&self, since: Option<Instant>) -> Option<Instant> {
        let mut idle_since = self.idle_since.lock().unwrap_or_else(PoisonError::into_inner);
        *idle_since = since.map(|now| idle_since.unwrap_or(now));
        *idle_since
    }

    /// Looks whether there is nothing to do, and reports whether that has been so for long enough.
    pub(super) fn is_idle(&self, now: Instant, enough: Duration) -> bool {
        let Ok(place) = self.place.try_lock() else { return false };
        let Place::Open(executor) = &*place else { return false };
        let rests = executor.is_only_handle() && executor.engine().rests();
        let since = self.note_idle(rests.then_some(now));
        since.is_some_and(|since| now.duration_since(since) >= enough)
    }
}
