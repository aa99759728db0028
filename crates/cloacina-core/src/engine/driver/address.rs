//! How a driver is reached: whoever brings an event takes the lock and turns the machine himself.
//!
//! So a commit that is answered, a body that ends and an order cost a lock, not a message and a wake-up. No code of a task runs
//! under the lock, and nothing is waited for. **Order of locks:** a driver's comes before all others of the engine, so nobody
//! tells a driver anything while holding one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::{Driver, End};
use crate::panics::{discard, text_of};

/// Where a driver is reached. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Address(Arc<Mutex<Place>>);

/// Where a driver is; none is there any more once its work has come to its end.
type Place = Option<Driver>;

impl Address {
    /// Makes an address, and the driver that is to be there.
    pub(super) fn new(driver: impl FnOnce(Self) -> Driver) -> Self {
        let address = Self(Arc::default());
        let driver = driver(address.clone());
        *address.lock() = Some(driver);
        address
    }

    /// Makes one where no driver is.
    #[cfg(test)]
    pub(in crate::engine) fn vacant() -> Self {
        Self(Arc::default())
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        // Panics are caught inside of the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether a driver was there and has gone, as far as that is seen without waiting: so other locks may be held.
    pub(in crate::engine) fn is_vacant(&self) -> bool {
        match self.0.try_lock() {
            Ok(place) => place.is_none(),
            Err(TryLockError::Poisoned(place)) => place.into_inner().is_none(),
            Err(TryLockError::WouldBlock) => false,
        }
    }

    /// Lets the driver take in what happened; false if there is none any more.
    pub(in crate::engine) fn tell(&self, event: impl FnOnce(&mut Driver) -> Option<End>) -> bool {
        let mut place = self.lock();
        let Some(driver) = &mut *place else { return false };
        let end = catch_unwind(AssertUnwindSafe(|| {
            let end = event(driver);
            if end.is_none() {
                driver.settle();
            }
            end
        }));
        let end = end.unwrap_or_else(|panic| {
            // A bug, of which only this execution may suffer.
            tracing::error!(execution_id = %driver.id, panic = text_of(&*panic), "a driver panicked");
            discard(panic);
            Some(End::Refused)
        });
        let Some(end) = end else { return true };
        let driver = place.take();
        drop(place);
        if let Some(driver) = driver {
            driver.end(end);
        }
        true
    }

    /// Asks the driver something; nothing if there is none any more.
    pub(in crate::engine) fn ask<T>(&self, question: impl FnOnce(&Driver) -> T) -> Option<T> {
        self.lock().as_ref().map(question)
    }
}
