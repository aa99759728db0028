//! Why each unfinished task is not running, as far as the state tells. A question only: nothing changes.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::record::Record;
use super::{Event, ExecutionState, Phase};
use crate::dag::to_ordinal;

/// What an unfinished task waits for, by ordinals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// These dependencies are not settled.
    Dependencies(Vec<u32>),
    /// A checkpoint is not committed, which holds the ends of these dependencies, if of any.
    Commit(Vec<u32>),
    /// It is settled, and its own end is not committed.
    Ended,
    /// The next attempt is due then.
    Retry { attempt: u32, due: Instant },
    /// It could be started at once, were the execution not on hold.
    Startable,
    /// The rim was told to start it: its body runs, or waits for what the rim knows.
    Started,
}

impl ExecutionState {
    /// Takes the execution up on hold, to be asked only: what whoever drives it would have to do is of no interest.
    pub(crate) fn begun_on_hold(mut self, at: Instant) -> Self {
        self.paused = true;
        self.apply(Event::Begun { at });
        self
    }

    /// Tells of each task whose end is not in the store what it waits for, by ordinal.
    pub(crate) fn unfinished(&self) -> Vec<(u32, Why)> {
        let startable: BTreeSet<u32> = self.startable.iter().copied().collect();
        let ordinals = (0..self.slots.len()).map(to_ordinal);
        ordinals.filter_map(|ordinal| Some((ordinal, self.why(ordinal, &startable)?))).collect()
    }

    fn why(&self, ordinal: u32, startable: &BTreeSet<u32>) -> Option<Why> {
        let slot = self.slot(ordinal);
        Some(match slot.phase {
            Phase::Settled(_) if slot.record == Record::InStore => return None,
            Phase::Settled(_) => Why::Ended,
            Phase::Waiting => Why::Dependencies(self.dependencies_that(ordinal, |parent| {
                !matches!(self.slot(parent).phase, Phase::Settled(_))
            })),
            Phase::Ready if startable.contains(&ordinal) => Why::Startable,
            Phase::Ready => {
                Why::Commit(self.dependencies_that(ordinal, |parent| {
                    self.slot(parent).record == Record::OnItsWay
                }))
            }
            Phase::Running => Why::Started,
            Phase::RetryWait { due } => Why::Retry { attempt: slot.failed_attempts() + 1, due },
        })
    }

    fn dependencies_that(&self, ordinal: u32, holds: impl Fn(u32) -> bool) -> Vec<u32> {
        let parents = &self.workflow.dag().dependencies[ordinal as usize];
        parents.iter().copied().filter(|&parent| holds(parent)).collect()
    }
}
