//! What a batch writes: rows by table, one statement each, which takes each column as an array.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use cloacina_core::backend::{Checkpoint, EventKind, JsonText, NewExecution, Suspicion};
use cloacina_core::{BackendError, ExecutionId, PipelineStatus, WorkerId};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::clock::{Clock, later};
use crate::error::Context as _;
use crate::queries::Queries;
use crate::rows;

pub(crate) type Time = DateTime<Utc>;
/// An execution to be inserted.
pub(crate) type SubmitRow<'b> = (
    Uuid,
    &'b str,
    &'b str,
    &'static str,
    Option<&'b str>,
    Option<Uuid>,
    Option<Uuid>,
    i64,
    Option<Time>,
    Option<Time>,
    &'b str,
);
/// A task that has ended.
pub(crate) type TaskRow<'b> = (
    Uuid,
    &'b str,
    i64,
    &'static str,
    i64,
    Time,
    Time,
    Option<&'static str>,
    Option<&'b str>,
    Option<&'b str>,
    Option<&'b str>,
    Option<&'b str>,
);
type StartRow<'b> = (Uuid, &'b str, i64, i64, &'static str, Time, Option<&'b str>);
type FailureRow<'b> = (Uuid, &'b str, i64, i64, Time, Time, Time, &'b str);
/// An event, and the key that lets it be written once.
type EventRow<'b> = (Uuid, &'static str, Option<&'b str>, String, String);
type UpdateRow<'b> = (Uuid, Option<&'static str>, Option<&'b str>, bool);
/// What names an attempt within an execution: a statement may write its row once only.
type AttemptKey<'b> = (ExecutionId, &'b str, u32, u64);

/// Binds columns of rows to a query, each as an array.
macro_rules! bind_columns {
    ($query:expr, $rows:expr, [$($column:tt)+]) => {
        $query$(.bind($rows.iter().map(|row| Clone::clone(&row.$column)).collect::<Vec<_>>()))+
    };
}

pub(crate) use bind_columns;

/// What a batch writes beside what is ordinary.
#[derive(Default)]
pub(crate) struct Writes<'b> {
    pub(crate) submits: Vec<SubmitRow<'b>>,
    pub(crate) copies: Vec<(Uuid, Uuid)>,
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
        let detail = format!("worker {worker} tried to commit under epoch {theirs}");
        let key = format!("fenced {worker} {theirs} {epoch}");
        self.events.push((*execution.as_uuid(), EventKind::Fenced.as_str(), None, detail, key));
    }

    pub(crate) fn submit(&mut self, new: &'b NewExecution, clock: Clock) {
        let id = *new.id.as_uuid();
        let (workflow, version) = (&*new.workflow.name, &*new.workflow.version);
        let owner = new.owner.map(|owner| *owner.as_uuid());
        let status =
            if owner.is_some() { PipelineStatus::Running } else { PipelineStatus::Pending };
        self.submits.push((
            id,
            workflow,
            version,
            status.as_str(),
            new.idempotency_key.as_deref(),
            new.retry_of.map(|old| *old.as_uuid()),
            owner,
            i64::from(owner.is_some()),
            new.delay.map(|delay| clock.after(delay)),
            owner.map(|_| clock.now()),
            new.input.as_str(),
        ));
        if let Some(old) = new.retry_of {
            self.copies.push((id, *old.as_uuid()));
        }
    }

    pub(crate) fn checkpoint(&mut self, checkpoint: &'b Checkpoint, clock: Clock) {
        let execution = checkpoint.execution;
        let (id, epoch) = (*execution.as_uuid(), rows::number(checkpoint.epoch));
        self.tasks(checkpoint, clock);
        for start in &checkpoint.starts {
            let task = start.task.as_str();
            let next = self.starts.len();
            let place = *self
                .started
                .entry((execution, task, start.attempt, checkpoint.epoch))
                .or_insert(next);
            if let Some(row) = self.starts.get_mut(place) {
                row.6 = start.progress.as_deref().or(row.6);
                continue;
            }
            let (company, at) = (rows::company_name(start.company), clock.at(start.started));
            self.starts.push((
                id,
                task,
                i64::from(start.attempt),
                epoch,
                company,
                at,
                start.progress.as_deref(),
            ));
        }
        for failure in &checkpoint.failures {
            let task = failure.task.as_str();
            if !self.failed.insert((execution, task, failure.attempt, checkpoint.epoch)) {
                continue;
            }
            let ended = clock.at(failure.ended);
            self.failures.push((
                id,
                task,
                i64::from(failure.attempt),
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

    fn tasks(&mut self, checkpoint: &'b Checkpoint, clock: Clock) {
        let id = *checkpoint.execution.as_uuid();
        for end in &checkpoint.tasks {
            let changes = end.changes.as_ref().map(JsonText::as_str);
            let output = end.output.as_ref().map(JsonText::as_str);
            let (started, ended) = (clock.at(end.started), clock.at(end.ended));
            let (skip_kind, skip_task) = rows::skip_columns(end.skip.as_ref());
            self.tasks.push((
                id,
                end.task.as_str(),
                i64::from(end.ordinal),
                end.state.as_str(),
                i64::from(end.attempts),
                started,
                ended,
                skip_kind,
                skip_task,
                end.error.as_deref(),
                changes,
                output,
            ));
        }
    }

    fn events(&mut self, checkpoint: &'b Checkpoint) {
        let Checkpoint { execution, epoch, serial, events, .. } = checkpoint;
        self.events.extend(events.iter().enumerate().map(|(place, event)| {
            let task = event.task.as_ref().map(|task| task.as_str());
            let key = format!("{epoch} {serial} {place}");
            (*execution.as_uuid(), event.kind.as_str(), task, event.detail.clone(), key)
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
            self.updates.push((*checkpoint.execution.as_uuid(), None, None, false));
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
        if !self.copies.is_empty() {
            let query = bind_columns!(queries.tasks_copy.query(), self.copies, [0 1]);
            query.execute(&mut *connection).await.during("copy results")?;
        }
        if !self.tasks.is_empty() {
            insert_tasks(connection, queries, "write tasks", &self.tasks).await?;
        }
        if !self.starts.is_empty() {
            let query = queries.attempts_start.query();
            let query = bind_columns!(query, self.starts, [0 1 2 3 4 5 6]);
            query.execute(&mut *connection).await.during("write attempts")?;
        }
        if !self.failures.is_empty() {
            let query = queries.attempts_fail.query();
            let query = bind_columns!(query, self.failures, [0 1 2 3 4 5 6 7]);
            query.execute(&mut *connection).await.during("write attempts")?;
        }
        if !self.events.is_empty() {
            let query = queries.events_insert.query().bind(clock.now());
            let query = bind_columns!(query, self.events, [0 1 2 3 4]);
            query.execute(&mut *connection).await.during("write events")?;
        }
        if !self.updates.is_empty() {
            let query = queries.executions_update.query().bind(clock.now());
            let query = bind_columns!(query, self.updates, [0 1 2 3]);
            query.execute(&mut *connection).await.during("end executions")?;
        }
        Ok(())
    }
}

/// Inserts the executions; those that were not there before come back.
pub(crate) async fn insert_executions(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    rows: &[SubmitRow<'_>],
) -> Result<HashSet<ExecutionId>, BackendError> {
    let query = queries.executions_insert.query().bind(clock.now());
    let query = bind_columns!(query, rows, [0 1 2 3 4 5 6 7 8 9 10]);
    let created = query.fetch_all(connection).await.during("submit")?;
    created.iter().map(rows::execution_id).collect()
}

/// Writes the ends of tasks; a row that is there already stays.
pub(crate) async fn insert_tasks(
    connection: &mut PgConnection,
    queries: &Queries,
    what: &str,
    rows: &[TaskRow<'_>],
) -> Result<(), BackendError> {
    let query = bind_columns!(queries.tasks_insert.query(), rows, [0 1 2 3 4 5 6 7 8 9 10 11]);
    query.execute(connection).await.during(what).map(drop)
}
