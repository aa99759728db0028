//! What a batch writes: rows by table, one kind of statement each.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use cloacina_core::backend::{Checkpoint, EventKind, NewExecution, Standing, Suspicion};
use cloacina_core::{BackendError, ExecutionId, WorkerId};
use sqlx::sqlite::SqliteConnection;

use crate::clock::{Clock, later};
use crate::{queries, rows};

type SubmitRow<'b> = (
    ExecutionId,
    &'b str,
    &'b str,
    &'static str,
    Option<&'b str>,
    Option<ExecutionId>,
    Option<WorkerId>,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    &'b str,
);
/// A task that has ended.
pub(crate) type TaskRow<'b> = (
    ExecutionId,
    &'b str,
    u32,
    &'static str,
    u32,
    i64,
    i64,
    Option<&'static str>,
    Option<&'b str>,
    Option<&'b str>,
    Option<&'b str>,
    Option<&'b str>,
);
type StartRow<'b> = (ExecutionId, &'b str, u32, i64, &'static str, i64, Option<&'b str>);
type FailureRow<'b> = (ExecutionId, &'b str, u32, i64, i64, i64, i64, &'b str);
/// An event, and the key that lets it be written once.
type EventRow<'b> = (ExecutionId, i64, &'static str, Option<&'b str>, Cow<'b, str>, String);
type UpdateRow<'b> = (ExecutionId, Option<&'static str>, Option<&'b str>, bool, Option<i64>);

/// What a batch writes.
#[derive(Default)]
pub(crate) struct Writes<'b> {
    submits: Vec<SubmitRow<'b>>,
    copies: Vec<(ExecutionId, ExecutionId)>,
    tasks: Vec<TaskRow<'b>>,
    starts: Vec<StartRow<'b>>,
    failures: Vec<FailureRow<'b>>,
    events: Vec<EventRow<'b>>,
    /// One an execution: later checkpoints add to it.
    updates: Vec<UpdateRow<'b>>,
    updated: HashMap<ExecutionId, usize>,
    fenced: HashSet<(ExecutionId, WorkerId, u64)>,
}

impl<'b> Writes<'b> {
    pub(crate) fn submit(&mut self, new: &'b NewExecution, standing: Standing, clock: Clock) {
        self.submits.push((
            new.id,
            &new.workflow.name,
            &new.workflow.version,
            standing.status.as_str(),
            new.idempotency_key.as_deref(),
            new.retry_of,
            new.owner,
            number(standing.epoch),
            clock.now(),
            new.delay.map(|delay| clock.after(delay)),
            new.owner.map(|_| clock.now()),
            new.input.as_str(),
        ));
        if let Some(old) = new.retry_of {
            self.copies.push((new.id, old));
        }
    }

    /// Notes that a former owner tried to commit, once for each of its epochs.
    pub(crate) fn fenced(&mut self, checkpoint: &Checkpoint, epoch: u64, clock: Clock) {
        let Checkpoint { execution, worker, epoch: theirs, .. } = checkpoint;
        if !self.fenced.insert((*execution, *worker, *theirs)) {
            return;
        }
        let detail = format!("worker {worker} tried to commit under epoch {theirs}").into();
        let key = format!("fenced {worker} {theirs} {epoch}");
        let kind = EventKind::Fenced.as_str();
        self.events.push((*execution, clock.now(), kind, None, detail, key));
    }

    pub(crate) fn checkpoint(&mut self, checkpoint: &'b Checkpoint, clock: Clock) {
        let (id, epoch) = (checkpoint.execution, number(checkpoint.epoch));
        for end in &checkpoint.tasks {
            let (skip_kind, skip_task) = rows::skip_columns(end.skip.as_ref());
            self.tasks.push((
                id,
                end.task.as_str(),
                end.ordinal,
                end.state.as_str(),
                end.attempts,
                clock.at(end.started),
                clock.at(end.ended),
                skip_kind,
                skip_task,
                end.error.as_deref(),
                end.changes.as_ref().map(|changes| changes.as_str()),
                end.output.as_ref().map(|output| output.as_str()),
            ));
        }
        for start in &checkpoint.starts {
            let company = rows::company_name(start.company);
            self.starts.push((
                id,
                start.task.as_str(),
                start.attempt,
                epoch,
                company,
                clock.at(start.started),
                start.progress.as_deref(),
            ));
        }
        for failure in &checkpoint.failures {
            let ended = clock.at(failure.ended);
            self.failures.push((
                id,
                failure.task.as_str(),
                failure.attempt,
                epoch,
                clock.at(failure.started),
                ended,
                later(ended, failure.retry_in),
                &failure.error,
            ));
        }
        self.events(checkpoint, clock);
        self.update(checkpoint, clock);
    }

    fn events(&mut self, checkpoint: &'b Checkpoint, clock: Clock) {
        let Checkpoint { execution, epoch, serial, events, .. } = checkpoint;
        self.events.extend(events.iter().enumerate().map(|(place, event)| {
            let task = event.task.as_ref().map(|task| task.as_str());
            let key = format!("{epoch} {serial} {place}");
            let detail = event.detail.as_str().into();
            (*execution, clock.now(), event.kind.as_str(), task, detail, key)
        }));
    }

    fn update(&mut self, checkpoint: &'b Checkpoint, clock: Clock) {
        let finish = checkpoint.finish.as_ref();
        let clears = checkpoint.suspicion == Suspicion::Clear;
        if finish.is_none() && !clears {
            return;
        }
        let next = self.updates.len();
        let index = *self.updated.entry(checkpoint.execution).or_insert(next);
        if index == next {
            self.updates.push((checkpoint.execution, None, None, false, None));
        }
        let Some((_, status, error, cleared, ended)) = self.updates.get_mut(index) else { return };
        *cleared |= clears;
        if let Some(finish) = finish {
            *status = Some(finish.status.as_str());
            *error = finish.error.as_deref();
            *ended = Some(clock.now());
        }
    }

    /// Writes everything, in the order in which the rows depend on each other.
    pub(crate) async fn send(&self, connection: &mut SqliteConnection) -> Result<(), BackendError> {
        queries::EXECUTIONS_INSERT.execute(connection, "submit", &self.submits).await?;
        queries::TASKS_COPY.execute(connection, "copy results", &self.copies).await?;
        queries::TASKS_INSERT.execute(connection, "write tasks", &self.tasks).await?;
        queries::ATTEMPTS_START.execute(connection, "write attempts", &self.starts).await?;
        queries::ATTEMPTS_FAIL.execute(connection, "write attempts", &self.failures).await?;
        queries::EVENTS_INSERT.execute(connection, "write events", &self.events).await?;
        queries::EXECUTIONS_UPDATE.execute(connection, "end executions", &self.updates).await
    }
}

/// A count as the database takes it.
pub(crate) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
