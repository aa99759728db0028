//! Those who wait for executions to end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::{BackendError, ExecutionId, PipelineResult};

/// The result, or why it could not be read.
pub(crate) type Answer = Result<PipelineResult, Arc<BackendError>>;

/// All waiters, by execution.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    by_id: Mutex<BTreeMap<ExecutionId, Vec<oneshot::Sender<Answer>>>>,
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ExecutionId, Vec<oneshot::Sender<Answer>>>> {
        // The map is consistent between any two statements, so a panic elsewhere does not spoil it.
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a waiter.
    pub(super) fn add(&self, id: ExecutionId) -> oneshot::Receiver<Answer> {
        let (answer, receiver) = oneshot::channel();
        self.lock().entry(id).or_default().push(answer);
        receiver
    }

    /// Reports whether somebody waits for an execution.
    pub(super) fn has(&self, id: ExecutionId) -> bool {
        let mut waiters = self.lock();
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
        waiters.retain(|_, senders| {
            senders.retain(|sender| !sender.is_closed());
            !senders.is_empty()
        });
        waiters.keys().copied().collect()
    }

    /// Tells everybody who waits for an execution.
    pub(super) fn tell(&self, id: ExecutionId, answer: Answer) {
        let Some(mut senders) = self.lock().remove(&id) else { return };
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
