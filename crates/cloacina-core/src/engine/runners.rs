//! Runs attempts: by hardly more tasks of the runtime than there are slots, each one attempt after the other.
//!
//! What would only wait for a slot waits in a queue, by the address of its driver: that costs no task of its own, no wake-up,
//! and hardly any memory. The attempt is made when its turn has come.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::coop::consume_budget;
use tokio::task::yield_now;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::Engine;
use super::driver::Address;
use crate::panics::{discard, text_of};

/// How long a runner goes on before others who share its thread get their turn.
const TURN: Duration = Duration::from_micros(100);

/// For fewer drivers that have gone the queue is not looked through.
const SHORT: usize = 64;

/// The runners of an executor, and what waits for one.
#[derive(Debug)]
pub(super) struct Runners {
    limit: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// As many as may be while something waits.
    running: usize,
    /// Whose turn it is; each has as many places as it has attempts to make, or more.
    queue: VecDeque<Address>,
    /// How many of them are of drivers that have gone, at most.
    vacant: usize,
}

impl Runners {
    pub(super) fn new(limit: usize) -> Self {
        let inner = Inner { running: 0, queue: VecDeque::new(), vacant: 0 };
        Self { limit, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Consistent between any two statements, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a driver that has an attempt to make; true if it needs another runner.
    fn admit(&self, driver: Address) -> bool {
        let mut inner = self.lock();
        let needs_another = inner.running < self.limit;
        if needs_another {
            inner.running += 1;
        }
        inner.queue.push_back(driver);
        needs_another
    }

    /// Notes that a driver has gone that has so many places in the queue: no runner may come by for long.
    pub(super) fn vacate(&self, places: usize) {
        let mut inner = self.lock();
        inner.vacant += places;
        if inner.vacant > SHORT.max(inner.queue.len() / 2) {
            inner.queue.retain(|driver| !driver.is_vacant());
            inner.vacant = 0;
        }
    }

    /// Takes the next driver for a runner; one for which there is none has ended.
    fn next(&self) -> Option<Address> {
        let mut inner = self.lock();
        let driver = inner.queue.pop_front();
        if driver.is_none() {
            inner.running -= 1;
        }
        driver
    }

    /// Tells whether what is queued now has to wait until another attempt has ended.
    pub(super) fn are_busy(&self) -> bool {
        self.lock().running >= self.limit
    }

    /// Drops what waits, once everything is stopped.
    pub(super) fn clear(&self) {
        let waiting = std::mem::take(&mut self.lock().queue);
        drop(waiting);
    }
}

impl Engine {
    /// Lets a driver make an attempt, as soon as there is a runner for it.
    pub(super) fn run(self: &Arc<Self>, driver: Address) {
        if self.runners.admit(driver) {
            self.spawn(run(Runner(Some(Arc::clone(self)))));
        }
    }
}

/// Counts as a runner until it has ended, or is dropped on its way: then its runtime has ended.
struct Runner(Option<Arc<Engine>>);

impl Runner {
    /// Takes the next driver, with the engine that both belong to.
    fn next(&mut self) -> Option<(&Engine, Address)> {
        let driver = self.0.as_ref()?.runners.next();
        if driver.is_none() {
            self.0 = None;
        }
        Some((self.0.as_deref()?, driver?))
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if let Some(engine) = &self.0 {
            engine.runners.lock().running -= 1;
        }
    }
}

/// Makes one attempt after the other, for the drivers in the order in which they came.
async fn run(mut runner: Runner) {
    let mut turn = Instant::now();
    let mut now = turn;
    while let Some((engine, address)) = runner.next() {
        // Whatever is dropped on the way is dropped in here.
        let made = AssertUnwindSafe(async {
            let mut next = None;
            address.tell(|driver| {
                next = driver.next_attempt(engine, &address, now);
                None
            });
            let Some((attempt, span)) = next else { return };
            let ended = attempt.run().instrument(span).await;
            let (ordinal, serial) = (attempt.ordinal, attempt.serial);
            // The driver goes on with what the task saw, and has it to itself.
            drop(attempt);
            // A driver that is gone has lost the execution.
            address.tell(|driver| match ended {
                Some(end) => driver.attempt_ended(end),
                None => driver.not_started(ordinal, serial),
            });
        });
        if let Err(panic) = made.catch_unwind().await {
            tracing::error!(panic = text_of(&*panic), "an attempt panicked outside of its body");
            discard(panic);
        }
        now = Instant::now();
        if now - turn < TURN {
            consume_budget().await;
        } else {
            yield_now().await;
            now = Instant::now();
            turn = now;
        }
    }
}
