//! Runs attempts: by no more tasks of the runtime than there are slots, each one attempt after the other.
//!
//! An attempt that would only wait for a slot waits in a queue: that costs no task of its own, and no wake-up.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use tokio::task::coop::consume_budget;
use tracing::{Instrument as _, Span};

use super::Engine;
use super::attempt::Attempt;
use crate::panics::{discard, text_of};
use crate::task::Wait;

/// An attempt to be made, and the span within which it is.
type Job = (Box<Attempt>, Span);

/// The runners of an executor, and what waits for one.
#[derive(Debug)]
pub(super) struct Runners {
    limit: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// As many as may be while something waits.
    running: usize,
    queue: VecDeque<Job>,
}

impl Runners {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Consistent between any two statements, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job, or gives it back if it needs another runner.
    fn admit(&self, job: Job) -> Option<Job> {
        let mut inner = self.lock();
        if inner.running >= self.limit {
            job.0.signs.wait_for(Wait::Slot);
            inner.queue.push_back(job);
            return None;
        }
        inner.running += 1;
        Some(job)
    }

    /// Takes the next job for a runner; one for which there is none has ended.
    fn next(&self) -> Option<Job> {
        let mut inner = self.lock();
        let job = inner.queue.pop_front();
        if job.is_none() {
            inner.running -= 1;
        }
        job
    }

    /// Takes out a runner that was dropped on its way: its runtime has ended, and with the last one what waits is dropped.
    fn abandon(&self) {
        let mut inner = self.lock();
        inner.running -= 1;
        if inner.running == 0 {
            let waiting = std::mem::take(&mut inner.queue);
            drop(inner);
            drop(waiting);
        }
    }
}

impl Engine {
    /// Makes an attempt, as soon as there is a runner for it.
    pub(super) fn run(self: &Arc<Self>, attempt: Box<Attempt>, span: Span) {
        if let Some(job) = self.runners.admit((attempt, span)) {
            self.spawn(run(Arc::clone(self), job));
        }
    }
}

/// Counts as a runner until it is disarmed.
struct Running<'a>(Option<&'a Runners>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(runners) = self.0 {
            runners.abandon();
        }
    }
}

/// Makes one attempt after the other.
async fn run(engine: Arc<Engine>, first: Job) {
    let mut running = Running(Some(&engine.runners));
    let mut next = Some(first);
    while let Some((attempt, span)) = next {
        let made = AssertUnwindSafe(attempt.run().instrument(span)).catch_unwind();
        if let Err(panic) = made.await {
            tracing::error!(panic = text_of(&*panic), "an attempt panicked outside of its body");
            discard(panic);
        }
        // Others who share the thread get their turn.
        consume_budget().await;
        next = engine.runners.next();
    }
    running.0 = None;
}
