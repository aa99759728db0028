//! The lease of this worker, as far as is known here: others may go by the store's clock, and know better.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Until when the lease holds at least. While it may be over, somebody else may have taken over.
#[derive(Debug)]
pub(super) struct Lease {
    until: Mutex<Instant>,
    renewed: Notify,
}

impl Lease {
    /// Begins without one.
    pub(super) fn new() -> Self {
        Self { until: Mutex::new(Instant::now()), renewed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Instant> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the store took a sign of life that was sent then.
    pub(super) fn renew(&self, sent: Instant, ttl: Duration) {
        *self.lock() = sent + ttl;
        self.renewed.notify_waiters();
    }

    /// Notes that it is over: the worker is no longer registered.
    pub(super) fn lose(&self) {
        *self.lock() = Instant::now();
    }

    /// Tells until when it holds at least.
    pub(super) fn until(&self) -> Instant {
        *self.lock()
    }

    /// Reports whether it holds.
    pub(super) fn holds(&self) -> bool {
        Instant::now() < *self.lock()
    }

    /// Waits until it holds.
    pub(super) async fn held(&self) {
        loop {
            let renewed = self.renewed.notified();
            if self.holds() {
                return;
            }
            renewed.await;
        }
    }
}
