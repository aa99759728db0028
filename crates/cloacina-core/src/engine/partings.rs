//! What this worker does not hold any more, should a death have been counted against it: it lives, and takes that back.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Engine;
use crate::backend::Survival;

/// More than this is not remembered: a suspicion too many does less harm than memory without bounds.
const MOST: usize = 65_536;

/// More than this is not acquitted in one transaction: it would hold the others up.
const AT_ONCE: usize = 512;

/// How an execution was parted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parting {
    /// It was found to belong to somebody else.
    Lost,
    /// It was given back, which a store passes over where the worker was declared dead before.
    Given,
}

/// The executions that were parted with and may have to be acquitted.
#[derive(Debug, Default)]
pub(super) struct Partings {
    lists: Mutex<Lists>,
    /// Something was lost.
    noted: Notify,
}

#[derive(Debug, Default)]
struct Lists {
    lost: BTreeSet<Survival>,
    /// Given back since the last heartbeat that found this worker alive, in order.
    given: Vec<Survival>,
}

impl Partings {
    fn lock(&self) -> MutexGuard<'_, Lists> {
        // The lists are consistent between any two statements, so a panic elsewhere does not spoil them.
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, survival: Survival, parting: Parting) {
        let mut lists = self.lock();
        if lists.lost.len() + lists.given.len() >= MOST {
            return;
        }
        match parting {
            Parting::Lost => {
                lists.lost.insert(survival);
                self.noted.notify_one();
            }
            Parting::Given => lists.given.push(survival),
        }
    }

    /// How many were given back so far: a heartbeat that is sent now vouches for these.
    pub(super) fn given(&self) -> usize {
        self.lock().given.len()
    }

    /// The worker was alive when it gave back the first `count`: they were its own.
    pub(super) fn vouch(&self, count: usize) {
        let mut lists = self.lock();
        let count = count.min(lists.given.len());
        lists.given.drain(..count);
    }

    /// The worker was declared dead, perhaps before it gave back what it did since the last heartbeat.
    pub(super) fn doubt(&self) {
        let mut lists = self.lock();
        let given = std::mem::take(&mut lists.given);
        lists.lost.extend(given);
        self.noted.notify_one();
    }

    fn next_lost(&self) -> Vec<Survival> {
        self.lock().lost.iter().take(AT_ONCE).copied().collect()
    }

    fn forget(&self, lost: &[Survival]) {
        let mut lists = self.lock();
        for survival in lost {
            lists.lost.remove(survival);
        }
    }
}

/// Takes back the deaths that were counted against this worker as soon as it knows, before the next one can be counted.
pub(super) async fn take_back(engine: Arc<Engine>) {
    let kill = engine.kill.clone();
    loop {
        tokio::select! {
            biased;
            () = kill.cancelled() => return,
            () = engine.partings.noted.notified() => {}
        }
        engine.acquit().await;
        if engine.partings.next_lost().is_empty() {
            continue;
        }
        tokio::select! {
            biased;
            () = kill.cancelled() => return,
            () = tokio::time::sleep(engine.config.poll_interval) => engine.partings.noted.notify_one(),
        }
    }
}

impl Engine {
    /// Takes back the deaths that were counted against this worker. What the store cannot take now waits for the next call.
    pub(super) async fn acquit(&self) {
        loop {
            let lost = self.partings.next_lost();
            if lost.is_empty() {
                return;
            }
            if let Err(error) = self.backend.acquit(&lost).await {
                tracing::warn!(%error, "telling that this worker lives failed");
                if error.is_transient() {
                    return;
                }
            }
            self.partings.forget(&lost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExecutionId;

    fn survival() -> Survival {
        Survival { execution: ExecutionId::new(), epoch: 1 }
    }

    #[test]
    fn what_was_given_back_is_in_doubt_only_until_the_next_sign_of_life() {
        let partings = Partings::default();
        partings.note(survival(), Parting::Given);
        let before = partings.given();
        let late = survival();
        partings.note(late, Parting::Given);
        partings.vouch(before);
        assert!(partings.next_lost().is_empty());
        partings.doubt();
        assert_eq!(partings.next_lost(), [late]);
        assert_eq!(partings.given(), 0);
    }

    #[test]
    fn what_was_lost_is_kept_until_it_is_acquitted() {
        let partings = Partings::default();
        let lost = survival();
        partings.note(lost, Parting::Lost);
        partings.note(lost, Parting::Lost);
        partings.vouch(10);
        assert_eq!(partings.next_lost(), [lost]);
        partings.forget(&[lost]);
        assert!(partings.next_lost().is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let partings = Partings::default();
        for _ in 0..=MOST {
            partings.note(survival(), Parting::Lost);
        }
        assert_eq!(partings.lock().lost.len(), MOST);
        assert_eq!(partings.next_lost().len(), AT_ONCE);
    }
}
