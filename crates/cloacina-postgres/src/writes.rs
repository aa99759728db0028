//! What a batch writes: rows by table, one statement each.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use cloacina_core::backend::{Checkpoint, EventKind, Suspicion};
use cloacina_core::{BackendError, ExecutionId, WorkerId};
use sqlx::postgres::PgConnection;

use crate::clock::{Clock, later};
use crate::error::Context as _;
use crate::queries::{Queries, Statement};
use crate::{json, rows};

pub(crate) type Time = DateTime<Utc>;
/// An execution to be inserted.
pub(crate) type SubmitRow<'b> = (
    ExecutionId,
    &'b str,
    &'b str,
    &'static str,
    Option<&'b str>,
    Option<ExecutionId>,
    Option<WorkerId>,
    u8,
    Option<Time>,
    Option<Time>,
    &'b str,
);
type TaskRow<'b> = (
    ExecutionId,
    &'b str,
    u32,
    &'static str,
    u32,
    Time,
    Time,
    Option<&'static str>,
    Option<&'b str>,
    Option<&'b str>,
    Option<&'b str>,
    Option<&'b str>,
);
type StartRow<'b> = (ExecutionId, &'b str, u32, u64, &'static str, Time, Option<&'b str>);
type FailureRow<'b> = (ExecutionId, &'b str, u32, u64, Time, Time, Time, &'b str);
/// An event, and the key that lets it be written once.
type EventRow<'b> = (ExecutionId, &'static str, Option<&'b str>, Cow<'b, str>, String);
type UpdateRow<'b> = (ExecutionId, Option<&'static str>, Option<&'b str>, bool);
/// What names an attempt within an execution: a statement may write its row once only.
type AttemptKey<'b> = (ExecutionId, &'b str, u32, u64);

/// What a batch writes.
#[derive(Default)]
pub(crate) struct Writes<'b> {
    pub(crate) submits: Vec<SubmitRow<'b>>,
    pub(crate) copies: Vec<(ExecutionId, ExecutionId)>,
    tasks: Vec<TaskRow<'b>>,
    starts: Vec<StartRow<'b>>,
    started: HashMap<AttemptKey<'b>, usize>,
    failures: Vec<FailureRow<'b>>,
    failed: HashSet<AttemptKey<'b>>,
    events: Vec<EventRow<'b>>,
    /// One an execution: later checkpoints add to it.
    updates: Vec<UpdateRow<'b>>,
    updated: HashMap<ExecutionId, usize>,
    fenced: HashSet<(ExecutionId, WorkerId, u64)>,
}

impl<'b> Writes<'b> {
    /// Notes that a former owner tried to commit, once for each of its epochs.
    pub(crate) fn fenced(&mut self, checkpoint: &Checkpoint, epoch: u64) {
        let Checkpoint { execution, worker, epoch: theirs, .. } = checkpoint;
        if !self.fenced.insert((*execution, *worker, *theirs)) {
            return;
        }
        let detail = format!("worker {worker} tried to commit under epoch {theirs}").into();
        let key = format!("fenced {worker} {theirs} {epoch}");
        self.events.push((*execution, EventKind::Fenced.as_str(), None, detail, key));
    }

    pub(crate) fn checkpoint(&mut self, checkpoint: &'b Checkpoint, clock: Clock) {
        let id = checkpoint.execution;
        let epoch = checkpoint.epoch;
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
            let task = start.task.as_str();
            let next = self.starts.len();
            let place = *self.started.entry((id, task, start.attempt, epoch)).or_insert(next);
            if let Some(row) = self.starts.get_mut(place) {
                row.6 = start.progress.as_deref().or(row.6);
                continue;
            }
            let (company, at) = (rows::company_name(start.company), clock.at(start.started));
            self.starts.push((
                id,
                task,
                start.attempt,
                epoch,
                company,
                at,
                start.progress.as_deref(),
            ));
        }
        for failure in &checkpoint.failures {
            if !self.failed.insert((id, failure.task.as_str(), failure.attempt, epoch)) {
                continue;
            }
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
        self.events(checkpoint);
        self.update(checkpoint);
    }

    fn events(&mut self, checkpoint: &'b Checkpoint) {
        let Checkpoint { execution, epoch, serial, events, .. } = checkpoint;
        self.events.extend(events.iter().enumerate().map(|(place, event)| {
            let task = event.task.as_ref().map(|task| task.as_str());
            let key = format!("{epoch} {serial} {place}");
            (*execution, event.kind.as_str(), task, event.detail.as_str().into(), key)
        }));
    }

    fn update(&mut self, checkpoint: &'b Checkpoint) {
        let finish = checkpoint.finish.as_ref();
        let clears = checkpoint.suspicion == Suspicion::Clear;
        if finish.is_none() && !clears {
            return;
        }
        let next = self.updates.len();
        let index = *self.updated.entry(checkpoint.execution).or_insert(next);
        if index == next {
            self.updates.push((checkpoint.execution, None, None, false));
        }
        let Some((_, status, error, cleared)) = self.updates.get_mut(index) else { return };
        *cleared |= clears;
        if let Some(finish) = finish {
            *status = Some(finish.status.as_str());
            *error = finish.error.as_deref();
        }
    }

    /// Writes everything but the submits, in the order in which the rows depend on each other.
    pub(crate) async fn send(
        &self,
        connection: &mut PgConnection,
        queries: &Queries,
        clock: Clock,
    ) -> Result<(), BackendError> {
        let at = Some(clock.now());
        send(connection, "copy results", &queries.tasks_copy, &self.copies, None).await?;
        send(connection, "write tasks", &queries.tasks_insert, &self.tasks, None).await?;
        send(connection, "write attempts", &queries.attempts_start, &self.starts, None).await?;
        send(connection, "write attempts", &queries.attempts_fail, &self.failures, None).await?;
        send(connection, "write events", &queries.events_insert, &self.events, at).await?;
        if self.updates.is_empty() {
            return Ok(());
        }
        let query = queries
            .executions_update
            .query()
            .bind(json::rows(&self.updates)?)
            .bind(clock.now())
            .bind(json::ids(self.updates.iter().map(|row| row.0)));
        query.execute(connection).await.during("end executions").map(drop)
    }
}

/// Executes a statement over rows, unless there are none.
async fn send<T: serde::Serialize>(
    connection: &mut PgConnection,
    what: &str,
    statement: &Statement,
    rows: &[T],
    at: Option<Time>,
) -> Result<(), BackendError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut query = statement.query().bind(json::rows(rows)?);
    if let Some(at) = at {
        query = query.bind(at);
    }
    query.execute(connection).await.during(what).map(drop)
}
