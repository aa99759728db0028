//! The state of one execution, as a pure machine: `apply(event) -> commands`.
//!
//! No clock, no I/O, no randomness: instants and random numbers arrive with the events. The rim starts bodies, commits
//! checkpoints and keeps timers, as the commands say.
//!
//! A task is *settled* when its outcome is known, and *committed* when that is in the store. Whatever follows from an
//! outcome without running anything (skips, the end of the execution) is settled at once and travels in the same
//! checkpoint; bodies start only when what they depend on is committed, unless that is pipelined. At most one checkpoint is on
//! its way; what happens meanwhile gathers in the next.

mod conflicts;
mod decide;
mod explain;
#[cfg_attr(not(debug_assertions), allow(dead_code, reason = "only debug builds check them"))]
pub(crate) mod invariants;
mod record;
mod types;
mod writes;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::backend::{AttemptFailure, EventKind, Finish, JsonText, NewEvent, TaskEnd};
use crate::dag::to_ordinal;
use crate::task::Upstream;
use crate::{SkipReason, TaskError, TaskId, TaskState, Workflow};

pub(crate) use explain::Why;
use record::Record;
use types::Ordinals;
pub(crate) use types::{AttemptResult, Command, Commands, Draft, Event, Given, Outcome, Recorded};
use writes::{Change, Writes};
pub(crate) use writes::{ContextView, InputValues};

/// The state of one execution.
#[derive(Debug)]
pub(crate) struct ExecutionState {
    workflow: Workflow,
    input: InputValues,
    /// By ordinal.
    slots: Vec<Slot>,
    unsettled: usize,
    running: usize,
    paused: bool,
    /// Tasks that may run now: all that they depend on is committed.
    startable: Ordinals,
    /// What gathers for the next checkpoint.
    next: Draft,
    /// What follows once `next` is committed.
    next_effects: Effects,
    /// What follows once the checkpoint on its way is committed; `None` if none is.
    on_its_way: Option<Effects>,
}

/// What a checkpoint sets going.
#[derive(Debug, Default)]
struct Effects {
    /// Tasks that may run then.
    ready: Ordinals,
    /// Retries whose wait begins then.
    waits: Vec<(u32, Instant, Duration)>,
    /// The execution is at its end then.
    finish: Option<Finish>,
    /// Tasks whose ends it holds: nothing that depends on them starts before.
    ends: Ordinals,
}

#[derive(Debug)]
struct Slot {
    phase: Phase,
    /// How many dependencies are not settled.
    missing: u32,
    /// What was on record of it, and its failed attempts; nothing for most.
    recorded: Option<Box<Recorded>>,
    /// What it got, from the decision until it is settled.
    before: Option<Arc<Writes>>,
    /// How its dependencies ended, if it has any, from the decision until it is settled.
    upstream: Option<Arc<[Upstream]>>,
    /// What it hands on, until the last dependent took it.
    after: Option<Arc<Writes>>,
    /// What it returned, until the last dependent took it.
    output: Option<JsonText>,
    takers: u32,
    record: Record,
    changes: Box<[Change]>,
    /// The failed tasks because of which it runs, if that is why.
    because_of: Box<[TaskId]>,
    /// The failed tasks behind a skip.
    roots: Option<Arc<BTreeSet<TaskId>>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    /// Not all dependencies are settled.
    Waiting,
    /// To be started.
    Ready,
    /// A body runs, or waits for a slot.
    Running,
    /// The next attempt is due then.
    RetryWait { due: Instant },
    /// The outcome is known.
    Settled(Settled),
}

#[derive(Debug, Clone, PartialEq)]
enum Settled {
    Completed,
    Failed(String),
    Skipped(SkipReason),
    Cancelled,
}

impl Slot {
    fn failed_attempts(&self) -> u32 {
        self.recorded.as_ref().map_or(0, |recorded| recorded.failed_attempts)
    }
}

impl ExecutionState {
    /// Makes the state of an execution that is about to be taken up. `recorded` is what is on record, by ordinal;
    /// tasks without a record are left out.
    pub(crate) fn new(
        workflow: Workflow,
        input: InputValues,
        recorded: impl IntoIterator<Item = (u32, Recorded)>,
    ) -> Self {
        let dag = workflow.dag();
        let mut slots: Vec<Slot> = (0..dag.len())
            .map(|ordinal| Slot {
                phase: Phase::Waiting,
                missing: to_ordinal(dag.dependencies[ordinal].len()),
                recorded: None,
                before: None,
                upstream: None,
                after: None,
                output: None,
                takers: to_ordinal(dag.dependents[ordinal].len()),
                record: Record::InStore,
                changes: Box::default(),
                because_of: Box::default(),
                roots: None,
            })
            .collect();
        for (ordinal, recorded) in recorded {
            slots[ordinal as usize].recorded = Some(Box::new(recorded));
        }
        Self {
            unsettled: slots.len(),
            workflow,
            input,
            slots,
            running: 0,
            paused: false,
            startable: Ordinals::new(),
            next: Draft::default(),
            next_effects: Effects::default(),
            on_its_way: None,
        }
    }

    pub(crate) fn workflow(&self) -> &Workflow {
        &self.workflow
    }

    /// Takes in an event and tells what to do, in order.
    pub(crate) fn apply(&mut self, event: Event) -> Commands {
        let mut commands = Commands::new();
        match event {
            Event::Begun { at } => self.begin(at),
            Event::AttemptEnded { ordinal, started, ended, result } => {
                self.attempt_ended(ordinal, started, ended, result);
            }
            Event::NotStarted { ordinal } => {
                if self.slot(ordinal).phase == Phase::Running {
                    self.running -= 1;
                    self.slot_mut(ordinal).phase = Phase::Ready;
                    self.startable.push(ordinal);
                }
            }
            Event::RetryDue { ordinal } => {
                if matches!(self.slot(ordinal).phase, Phase::RetryWait { .. }) {
                    self.slot_mut(ordinal).phase = Phase::Ready;
                    self.startable.push(ordinal);
                }
            }
            Event::Committed => {
                let effects = self.on_its_way.take().unwrap_or_default();
                for &ordinal in &effects.ends {
                    self.slot_mut(ordinal).record = Record::InStore;
                }
                if let Some(finish) = effects.finish {
                    return Commands::from_iter([Command::Ended(finish)]);
                }
                self.take_effect(effects, &mut commands);
            }
            Event::Paused => self.paused = true,
            Event::Resumed => self.paused = false,
            Event::DeadlinePassed { at, limit } => {
                if self.unsettled > 0 {
                    self.cancel_unsettled(at, limit);
                    commands.push(Command::StopAttempts);
                }
            }
        }
        self.drive(&mut commands);
        #[cfg(debug_assertions)]
        invariants::assert_small(self);
        commands
    }

    /// Sends off what has gathered, and starts what may run.
    fn drive(&mut self, commands: &mut Commands) {
        if self.on_its_way.is_none() {
            let effects = std::mem::take(&mut self.next_effects);
            if self.next.is_empty() {
                self.take_effect(effects, commands);
            } else {
                let draft = std::mem::take(&mut self.next);
                let ends = draft.tasks.iter().map(|end| end.ordinal).collect();
                self.on_its_way = Some(Effects { finish: draft.finish.clone(), ends, ..effects });
                commands.push(Command::Commit(draft));
            }
        }
        if self.paused {
            if self.running == 0 && self.on_its_way.is_none() && self.unsettled > 0 {
                commands.push(Command::Release);
            }
            return;
        }
        for ordinal in std::mem::take(&mut self.startable) {
            self.slot_mut(ordinal).phase = Phase::Running;
            self.running += 1;
            commands.push(Command::Start { ordinal });
        }
    }

    fn take_effect(&mut self, effects: Effects, commands: &mut Commands) {
        self.startable.extend(effects.ready);
        for (ordinal, since, delay) in effects.waits {
            commands.push(Command::WaitForRetry { ordinal, since, delay });
        }
    }

    /// Reports whether a task could be started at once, were the execution not on hold.
    pub(crate) fn has_startable(&self) -> bool {
        !self.startable.is_empty()
    }

    /// Reports how many bodies run or wait for a slot.
    pub(crate) const fn running(&self) -> usize {
        self.running
    }

    /// Reports whether nothing is to be done before a retry falls due.
    pub(crate) fn is_idle(&self) -> bool {
        self.running == 0 && self.on_its_way.is_none()
    }

    fn attempt_ended(
        &mut self,
        ordinal: u32,
        started: Instant,
        ended: Instant,
        result: AttemptResult,
    ) {
        if self.slot(ordinal).phase != Phase::Running {
            return;
        }
        self.running -= 1;
        let slot = self.slot_mut(ordinal);
        let attempt = slot.failed_attempts() + 1;
        match result {
            AttemptResult::Success { changes, changes_json, output } => {
                let end = self.end(ordinal, TaskState::Completed, attempt, (started, ended));
                let kept = output.clone();
                self.put_on_record(TaskEnd { changes: changes_json, output, ..end });
                self.let_dependents_go_on(ordinal);
                self.settle(ordinal, Outcome::Completed { changes, output: kept }, ended);
            }
            AttemptResult::Failure { error, random } => {
                let recorded = slot.recorded.get_or_insert_default();
                let first_started = *recorded.first_started.get_or_insert(started);
                let retry = self.workflow.task_at(ordinal).retry.clone();
                let elapsed = ended.saturating_duration_since(first_started);
                match retry.next_delay_if_wanted(attempt, &error, elapsed, random) {
                    Some(delay) => self.retry(ordinal, attempt, &error, (started, ended), delay),
                    None => {
                        let error = error.message().to_owned();
                        let end = self.end(ordinal, TaskState::Failed, attempt, (started, ended));
                        self.put_on_record(TaskEnd { error: Some(error.clone()), ..end });
                        self.let_dependents_go_on(ordinal);
                        self.settle(ordinal, Outcome::Failed { error }, ended);
                    }
                }
            }
        }
    }

    fn retry(
        &mut self,
        ordinal: u32,
        attempt: u32,
        error: &TaskError,
        (started, ended): (Instant, Instant),
        delay: Duration,
    ) {
        let task = self.workflow.task_at(ordinal).id().clone();
        self.next.events.push(NewEvent {
            kind: EventKind::Retried,
            task: Some(task.clone()),
            detail: format!("attempt {attempt} failed, the next is due in {delay:?}: {error}"),
        });
        self.next.failures.push(AttemptFailure {
            task,
            attempt,
            error: error.message().to_owned(),
            started,
            ended,
            retry_in: delay,
        });
        let slot = self.slot_mut(ordinal);
        slot.recorded.get_or_insert_default().failed_attempts = attempt;
        slot.phase = Phase::RetryWait { due: ended + delay };
        self.next_effects.waits.push((ordinal, ended, delay));
    }

    fn cancel_unsettled(&mut self, at: Instant, limit: Duration) {
        for index in 0..self.slots.len() {
            let ordinal = to_ordinal(index);
            if matches!(self.slots[index].phase, Phase::Settled(_)) {
                continue;
            }
            let slot = &mut self.slots[index];
            let attempts = slot.failed_attempts() + u32::from(slot.phase == Phase::Running);
            slot.phase = Phase::Settled(Settled::Cancelled);
            // What a retried execution took over keeps its row.
            if slot.recorded.take().is_none_or(|recorded| recorded.outcome.is_none()) {
                let end = self.end(ordinal, TaskState::Cancelled, attempts, (at, at));
                self.put_on_record(end);
            }
        }
        self.unsettled = 0;
        self.running = 0;
        self.startable.clear();
        self.next_effects = Effects::default();
        if let Some(effects) = &mut self.on_its_way {
            *effects = Effects { ends: std::mem::take(&mut effects.ends), ..Effects::default() };
        }
        self.next.finish = Some(Finish {
            status: crate::PipelineStatus::Failed,
            error: Some(format!("the execution took longer than its timeout of {limit:?}")),
        });
    }

    fn end(
        &self,
        ordinal: u32,
        state: TaskState,
        attempts: u32,
        (started, ended): (Instant, Instant),
    ) -> TaskEnd {
        TaskEnd {
            task: self.workflow.task_at(ordinal).id().clone(),
            ordinal,
            state,
            attempts,
            changes: None,
            output: None,
            error: None,
            skip: None,
            started,
            ended,
        }
    }

    fn slot(&self, ordinal: u32) -> &Slot {
        &self.slots[ordinal as usize]
    }

    fn slot_mut(&mut self, ordinal: u32) -> &mut Slot {
        &mut self.slots[ordinal as usize]
    }
}

#[cfg(test)]
mod tests;
