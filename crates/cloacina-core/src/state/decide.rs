//! Settling tasks: what follows from an outcome.

use std::collections::BTreeSet;
use std::sync::Arc;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::writes::{Writes, applied, apply, merge, value_of};
use super::{ExecutionState, Ordinals, Outcome, Phase, Settled};
use crate::backend::{EventKind, Finish, NewEvent, TaskEnd};
use crate::dag::to_ordinal;
use crate::rule::{Decision, Dependency, View};
use crate::task::Upstream;
use crate::{NotCompleted, PipelineStatus, SkipReason, TaskId};

impl ExecutionState {
    /// Decides the tasks without dependencies; what is on record follows from there.
    pub(super) fn begin(&mut self, at: Instant) {
        let mut settled = Ordinals::new();
        for index in 0..self.slots.len() {
            if self.workflow.dag().dependencies[index].is_empty() {
                self.decide(to_ordinal(index), at, &mut settled);
            }
        }
        self.propagate(settled, at);
    }

    /// Notes an outcome that a body brought about, and settles all that follows.
    pub(super) fn settle(&mut self, ordinal: u32, outcome: Outcome, at: Instant) {
        self.note(ordinal, outcome);
        self.propagate(Ordinals::from_iter([ordinal]), at);
    }

    fn propagate(&mut self, mut settled: Ordinals, at: Instant) {
        while let Some(ordinal) = settled.pop() {
            for place in 0..self.workflow.dag().dependents[ordinal as usize].len() {
                let dependent = self.workflow.dag().dependents[ordinal as usize][place];
                let slot = self.slot_mut(dependent);
                slot.missing -= 1;
                if slot.missing == 0 {
                    self.decide(dependent, at, &mut settled);
                }
            }
        }
        if self.unsettled == 0 {
            self.finish();
        }
    }

    /// Decides a task whose dependencies are all settled. What is on record counts before what the rule says.
    fn decide(&mut self, ordinal: u32, at: Instant, settled: &mut Ordinals) {
        let upstream = self.upstream(ordinal);
        let before = self.take_before(ordinal);
        let decision = self.rule_decision(ordinal, &before);
        let slot = self.slot_mut(ordinal);
        slot.before = Some(before);
        let skip = match decision {
            Decision::Run { because_of } => {
                slot.because_of = because_of.into_iter().collect();
                None
            }
            Decision::Skip(reason) => Some(reason),
        };
        let outcome = slot.recorded.as_mut().and_then(|recorded| recorded.outcome.take());
        if let Some(outcome) = outcome {
            self.note(ordinal, *outcome);
            settled.push(ordinal);
            return;
        }
        match skip {
            Some(reason) => {
                let outcome = Outcome::Skipped(reason.clone());
                let end = self.end(ordinal, outcome.state(), 0, (at, at));
                self.put_on_record(TaskEnd { skip: Some(reason), ..end });
                self.note(ordinal, outcome);
                settled.push(ordinal);
            }
            None => {
                self.slot_mut(ordinal).upstream = upstream;
                self.schedule(ordinal, at, settled);
            }
        }
    }

    /// Lets a task run: now, when its retry is due, or not at all if it was given up.
    fn schedule(&mut self, ordinal: u32, at: Instant, settled: &mut Ordinals) {
        let slot = self.slot_mut(ordinal);
        let attempts = slot.failed_attempts();
        let mut recorded = slot.recorded.as_mut();
        let abandoned = recorded.as_mut().and_then(|recorded| recorded.abandoned.take());
        let retry_in = recorded.and_then(|recorded| recorded.retry_in.take());
        if let Some(error) = abandoned.map(String::from) {
            let end = self.end(ordinal, crate::TaskState::Failed, attempts + 1, (at, at));
            self.next.events.push(NewEvent {
                kind: EventKind::Abandoned,
                task: Some(end.task.clone()),
                detail: error.clone(),
            });
            self.put_on_record(TaskEnd { error: Some(error.clone()), ..end });
            self.note(ordinal, Outcome::Failed { error });
            settled.push(ordinal);
        } else if let Some(delay) = retry_in {
            self.slot_mut(ordinal).phase = Phase::RetryWait { due: at + delay };
            self.next_effects.waits.push((ordinal, at, delay));
        } else {
            self.slot_mut(ordinal).phase = Phase::Ready;
            match self.has_to_wait_for_a_commit(ordinal) {
                true => self.next_effects.ready.push(ordinal),
                false => self.startable.push(ordinal),
            }
        }
    }

    /// Collects what the parents hand on. The last dependent takes it away, so that a chain never copies it.
    fn take_before(&mut self, ordinal: u32) -> Arc<Writes> {
        let Self { workflow, slots, .. } = self;
        let parents = &workflow.dag().dependencies[ordinal as usize];
        let handed_on = parents.iter().filter_map(|&parent| {
            let slot = &mut slots[parent as usize];
            slot.takers -= 1;
            if slot.takers > 0 {
                return slot.after.clone();
            }
            slot.output = None;
            slot.after.take()
        });
        merge(handed_on.collect())
    }

    /// Collects how the parents ended, for the task's body; nothing without parents.
    fn upstream(&self, ordinal: u32) -> Option<Arc<[Upstream]>> {
        let parents = &self.workflow.dag().dependencies[ordinal as usize];
        if parents.is_empty() {
            return None;
        }
        let upstream = parents.iter().map(|&parent| {
            let task = self.workflow.task_at(parent).id().clone();
            let slot = self.slot(parent);
            let ended = match &slot.phase {
                Phase::Settled(Settled::Completed) => Ok(slot.output.clone()),
                Phase::Settled(Settled::Skipped(reason)) => {
                    Err(NotCompleted::Skipped { task: task.clone(), reason: reason.clone() })
                }
                Phase::Settled(Settled::Failed(error)) => {
                    Err(NotCompleted::Failed { task: task.clone(), error: error.clone() })
                }
                _ => Err(NotCompleted::Failed { task: task.clone(), error: String::new() }),
            };
            Upstream { task, ended }
        });
        Some(upstream.collect())
    }

    fn rule_decision(&self, ordinal: u32, before: &Writes) -> Decision {
        let parents = &self.workflow.dag().dependencies[ordinal as usize];
        let dependencies: SmallVec<[(&TaskId, Dependency); 4]> = parents
            .iter()
            .map(|&parent| (self.workflow.task_at(parent).id(), self.dependency(parent)))
            .collect();
        let read = |key: &str| value_of(&self.input, before, key).cloned();
        let view = View { dependencies: &dependencies, context: &read };
        self.workflow.task_at(ordinal).rule.decide(&view)
    }

    /// Tells how a settled task looks to the rules of those that depend on it.
    fn dependency(&self, ordinal: u32) -> Dependency {
        let slot = self.slot(ordinal);
        match &slot.phase {
            Phase::Settled(Settled::Completed) => Dependency::Completed,
            Phase::Settled(Settled::Skipped(SkipReason::UpstreamFailed(_))) => {
                Dependency::UpstreamFailed(slot.roots.clone().unwrap_or_default())
            }
            Phase::Settled(Settled::Skipped(_)) => Dependency::Skipped,
            _ => Dependency::Failed,
        }
    }

    fn note(&mut self, ordinal: u32, outcome: Outcome) {
        let roots = match &outcome {
            Outcome::Skipped(SkipReason::UpstreamFailed(root)) => {
                Some(self.failed_roots(ordinal, root))
            }
            _ => None,
        };
        let slot = self.slot_mut(ordinal);
        slot.roots = roots;
        let before = slot.before.take().unwrap_or_default();
        slot.upstream = None;
        slot.phase = Phase::Settled(match outcome {
            Outcome::Completed { changes, output } => {
                slot.changes = applied(changes, &before);
                slot.output = output.filter(|_| slot.takers > 0);
                Settled::Completed
            }
            Outcome::Failed { error } => Settled::Failed(error),
            Outcome::Skipped(reason) => Settled::Skipped(reason),
            Outcome::Cancelled => Settled::Cancelled,
        });
        if slot.takers > 0 {
            slot.after = Some(apply(before, &slot.changes, ordinal));
        }
        self.unsettled -= 1;
    }

    /// Collects the failed tasks behind a skipped task: its failed dependencies, and what is behind its skipped ones.
    fn failed_roots(&self, ordinal: u32, root: &TaskId) -> Arc<BTreeSet<TaskId>> {
        let mut roots: Arc<BTreeSet<TaskId>> = Arc::default();
        for &parent in &self.workflow.dag().dependencies[ordinal as usize] {
            match self.dependency(parent) {
                Dependency::Failed => {
                    Arc::make_mut(&mut roots).insert(self.workflow.task_at(parent).id().clone());
                }
                // Shared as long as possible: below a wide failure the sets are long, and all are one.
                Dependency::UpstreamFailed(further) if roots.is_subset(&further) => roots = further,
                Dependency::UpstreamFailed(further) if !further.is_subset(&roots) => {
                    Arc::make_mut(&mut roots).extend(further.iter().cloned());
                }
                Dependency::UpstreamFailed(_) | Dependency::Completed | Dependency::Skipped => {}
            }
        }
        if !roots.contains(root) {
            Arc::make_mut(&mut roots).insert(root.clone());
        }
        roots
    }

    /// Ends the execution: it failed if a failure was not handled, that is if no task that ran because of it completed.
    fn finish(&mut self) {
        let handled: BTreeSet<&TaskId> = self
            .slots
            .iter()
            .filter(|slot| matches!(slot.phase, Phase::Settled(Settled::Completed)))
            .flat_map(|slot| &slot.because_of)
            .collect();
        let unhandled = self.slots.iter().zip(self.workflow.tasks()).find_map(|(slot, task)| {
            match &slot.phase {
                Phase::Settled(Settled::Failed(error)) if !handled.contains(task.id()) => {
                    Some(format!("task `{}` failed: {error}", task.id()))
                }
                _ => None,
            }
        });
        let status =
            if unhandled.is_some() { PipelineStatus::Failed } else { PipelineStatus::Completed };
        let conflicts = self.conflicts();
        self.next.events.extend(conflicts);
        self.next.finish = Some(Finish { status, error: unhandled });
    }
}
