//! Runs attempts: by hardly more tasks of the runtime than there are slots, each one attempt after the other.
//!
//! An attempt that would only wait for a slot waits in a queue: that costs no task of its own, and no wake-up.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::coop::consume_budget;
use tokio::task::yield_now;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::Engine;
use super::attempt::Attempt;
use crate::panics::{discard, text_of};
use crate::task::Wait;

/// How long a runner goes on before others who share its thread get their turn.
const TURN: Duration = Duration::from_micros(100);

/// Shorter queues are not looked through for what was called off.
const SHORT: usize = 64;

/// An attempt to be made, and the span within which it is.
type Job = (Box<Attempt>, Span);

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
    queue: VecDeque<Job>,
    /// With so many waiting it is time to look for what was called off.
    mark: usize,
}

impl Runners {
    pub(super) fn new(limit: usize) -> Self {
        let inner = Inner { running: 0, queue: VecDeque::new(), mark: SHORT };
        Self { limit, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Consistent between any two statements, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job; true if it needs another runner.
    fn admit(&self, job: Job) -> bool {
        let mut inner = self.lock();
        let needs_another = inner.running < self.limit;
        if needs_another {
            inner.running += 1;
        } else {
            job.0.signs.wait_for(Wait::Slot);
        }
        inner.queue.push_back(job);
        needs_another
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

    /// Takes out what was called off, if much waits: no runner may come by for long.
    fn take_called_off(&self) -> Vec<Job> {
        let mut inner = self.lock();
        if inner.queue.len() < inner.mark {
            return Vec::new();
        }
        let queue = std::mem::take(&mut inner.queue);
        let (called_off, queue) =
            queue.into_iter().partition(|(attempt, _)| attempt.cancellation.is_cancelled());
        inner.queue = queue;
        inner.mark = SHORT.max(inner.queue.len() * 2);
        let called_off: VecDeque<Job> = called_off;
        called_off.into()
    }

    /// Drops what waits, once everything is stopped.
    pub(super) fn clear(&self) {
        let waiting = std::mem::take(&mut self.lock().queue);
        drop(waiting);
    }
}

impl Engine {
    /// Makes an attempt, as soon as there is a runner for it.
    pub(super) fn run(self: &Arc<Self>, attempt: Box<Attempt>, span: Span) {
        if self.runners.admit((attempt, span)) {
            self.spawn(run(Runner(Some(Arc::clone(self)))));
            return;
        }
        let called_off = self.runners.take_called_off();
        if !called_off.is_empty() {
            // Beside: a driver's lock is held here.
            self.spawn(async move { drop(called_off) });
        }
    }
}

/// Counts as a runner until it has ended, or is dropped on its way: then its runtime has ended.
struct Runner(Option<Arc<Engine>>);

impl Runner {
    fn next(&mut self) -> Option<Job> {
        let job = self.0.as_ref()?.runners.next();
        if job.is_none() {
            self.0 = None;
        }
        job
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if let Some(engine) = &self.0 {
            engine.runners.lock().running -= 1;
        }
    }
}

/// Makes one attempt after the other, in the order in which they came.
async fn run(mut runner: Runner) {
    let mut turn = Instant::now();
    while let Some((attempt, span)) = runner.next() {
        // Whatever is dropped on the way is dropped in here.
        let made = AssertUnwindSafe(async move { attempt.run().instrument(span).await });
        if let Err(panic) = made.catch_unwind().await {
            tracing::error!(panic = text_of(&*panic), "an attempt panicked outside of its body");
            discard(panic);
        }
        if turn.elapsed() < TURN {
            consume_budget().await;
        } else {
            yield_now().await;
            turn = Instant::now();
        }
    }
}
