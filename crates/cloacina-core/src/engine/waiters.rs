//! Those who wait for executions to end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::{BackendError, ExecutionId, PipelineResult};

/// The result, or why it could not be read. In a box: each waiter keeps room for it.
pub(crate) type Answer = Result<Box<PipelineResult>, Arc<BackendError>>;

/// All waiters, by execution.
#[derive(Debug)]
pub(super) struct Waiters {
    by_id: Mutex<ById>,
}

/// `None` once nobody will be told anything any more.
type ById = Option<BTreeMap<ExecutionId, Senders>>;

/// Mostly one waits.
type Senders = SmallVec<[oneshot::Sender<Answer>; 1]>;

/// Those who wait for an execution. If they are not told, they wait on.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    waiters: &'a Waiters,
    id: ExecutionId,
    senders: Senders,
}

impl Waiting<'_> {
    /// Tells them.
    pub(super) fn tell(mut self, answer: Answer) {
        let mut senders = std::mem::take(&mut self.senders);
        let last = senders.pop();
        for sender in senders {
            // Whoever stopped waiting does not need it.
            let _ = sender.send(answer.clone());
        }
        if let Some(sender) = last {
            let _ = sender.send(answer);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.senders.is_empty()
            && let Some(waiters) = &mut *self.waiters.lock()
        {
            waiters.entry(self.id).or_default().append(&mut self.senders);
        }
    }
}

impl Default for Waiters {
    fn default() -> Self {
        Self { by_id: Mutex::new(Some(BTreeMap::new())) }
    }
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, ById> {
        // The map is consistent between any two statements, so a panic elsewhere does not spoil it.
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a waiter. It is let go at once if nobody will be told anything any more.
    pub(super) fn add(&self, id: ExecutionId) -> oneshot::Receiver<Answer> {
        let (answer, receiver) = oneshot::channel();
        if let Some(waiters) = &mut *self.lock() {
            waiters.entry(id).or_default().push(answer);
        }
        receiver
    }

    /// Reports whether somebody waits for an execution.
    pub(super) fn has(&self, id: ExecutionId) -> bool {
        let mut waiters = self.lock();
        let Some(waiters) = &mut *waiters else { return false };
        let Some(senders) = waiters.get_mut(&id) else { return false };
        senders.retain(|sender| !sender.is_closed());
        let some = !senders.is_empty();
        if !some {
            waiters.remove(&id);
        }
        some
    }

    /// Lists the executions that somebody waits for.
    pub(super) fn ids(&self) -> Vec<ExecutionId> {
        let mut waiters = self.lock();
        let Some(waiters) = &mut *waiters else { return Vec::new() };
        waiters.retain(|_, senders| {
            senders.retain(|sender| !sender.is_closed());
            !senders.is_empty()
        });
        waiters.keys().copied().collect()
    }

    /// Takes out those who wait for an execution, to be told; nothing if nobody does.
    pub(super) fn take(&self, id: ExecutionId) -> Option<Waiting<'_>> {
        let mut senders = self.lock().as_mut()?.remove(&id)?;
        senders.retain(|sender| !sender.is_closed());
        (!senders.is_empty()).then_some(Waiting { waiters: self, id, senders })
    }

    /// Tells everybody who waits for an execution.
    pub(super) fn tell(&self, id: ExecutionId, answer: Answer) {
        if let Some(waiting) = self.take(id) {
            waiting.tell(answer);
        }
    }

    /// Lets everybody go, now and later.
    pub(super) fn close(&self) {
        let waiters = self.lock().take();
        drop(waiters);
    }
}
