//! The lease of this worker, as far as is known here: others may go by the store's clock, and know better.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Until when the lease holds at least. While it may be over, somebody else may have taken over.
#[derive(Debug)]
pub(super) struct Lease {
    begun: Instant,
    /// In nanoseconds since then. Not behind a lock, since every start of a task looks at it.
    until: AtomicU64,
    renewed: Notify,
}

impl Lease {
    /// Begins without one.
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), until: AtomicU64::new(0), renewed: Notify::new() }
    }

    fn set(&self, until: Instant) {
        let until = until.saturating_duration_since(self.begun).as_nanos();
        self.until.store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Notes that the store took a sign of life that was sent then.
    pub(super) fn renew(&self, sent: Instant, ttl: Duration) {
        self.set(sent + ttl);
        self.renewed.notify_waiters();
    }

    /// Notes that it is over: the worker is no longer registered.
    pub(super) fn lose(&self) {
        self.set(Instant::now());
    }

    /// Tells until when it holds at least.
    pub(super) fn until(&self) -> Instant {
        self.begun + Duration::from_nanos(self.until.load(Ordering::SeqCst))
    }

    /// Reports whether it holds.
    pub(super) fn holds(&self) -> bool {
        self.holds_at(Instant::now())
    }

    /// Reports whether it holds at a moment, as far as is known now.
    pub(super) fn holds_at(&self, now: Instant) -> bool {
        now < self.until()
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
