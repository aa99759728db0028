//! The hot path: a batch of submits and checkpoints in a fixed number of statements.
//!
//! The verdicts are found here, from where the executions stood before the batch; what is committed goes out as one
//! statement a table.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cloacina_core::backend::{
    Batch, BatchVerdicts, Checkpoint, CheckpointVerdict, EventKind, NewExecution, Standing,
    SubmitVerdict, Suspicion,
};
use cloacina_core::{BackendError, ExecutionId, PipelineStatus, WorkerId};
use sqlx::sqlite::SqliteConnection;

use crate::clock::{Clock, later};
use crate::error::Context as _;
use crate::json::{self, Hex};
use crate::{queries, read, rows};

type SubmitRow<'b> = (
    Hex,
    &'b str,
    &'b str,
    &'static str,
    Option<&'b str>,
    Option<Hex>,
    Option<Hex>,
    u8,
    Option<i64>,
    Option<i64>,
    &'b str,
);
type TaskRow<'b> = (
    Hex,
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
type StartRow<'b> = (Hex, &'b str, u32, u64, &'static str, i64, Option<&'b str>);
type FailureRow<'b> = (Hex, &'b str, u32, u64, i64, i64, i64, &'b str);
/// An event, and the key that lets it be written once.
type EventRow<'b> = (Hex, &'static str, Option<&'b str>, Cow<'b, str>, String);
type UpdateRow<'b> = (Hex, Option<&'static str>, Option<&'b str>, bool);

/// What a batch writes.
#[derive(Default)]
struct Writes<'b> {
    submits: Vec<SubmitRow<'b>>,
    copies: Vec<(Hex, Hex)>,
    tasks: Vec<TaskRow<'b>>,
    starts: Vec<StartRow<'b>>,
    failures: Vec<FailureRow<'b>>,
    events: Vec<EventRow<'b>>,
    /// One an execution: later checkpoints add to it.
    updates: Vec<UpdateRow<'b>>,
    updated: HashMap<ExecutionId, usize>,
    fenced: HashSet<(ExecutionId, WorkerId, u64)>,
}

/// Where the executions of a batch stand, kept up to date as its items are decided.
struct Standings {
    by_id: HashMap<ExecutionId, Standing>,
    by_key: HashMap<Arc<str>, (ExecutionId, Arc<str>)>,
}

/// Commits a batch, within a transaction.
pub(crate) async fn commit(
    connection: &mut SqliteConnection,
    clock: Clock,
    batch: &Batch,
) -> Result<BatchVerdicts, BackendError> {
    let mut standings = standings(connection, batch).await?;
    let mut writes = Writes::default();
    let submits =
        batch.submits.iter().map(|new| submit(new, clock, &mut standings, &mut writes)).collect();
    let mut checkpoints = Vec::with_capacity(batch.checkpoints.len());
    let mut rest = &batch.checkpoints[..];
    while let Some((checkpoint, later)) = rest.split_first() {
        checkpoints.push(decide(checkpoint, later, clock, &mut standings, &mut writes));
        rest = later;
    }
    writes.send(connection, clock).await?;
    Ok(BatchVerdicts { at: clock.timestamp(), submits, checkpoints })
}

/// Reads where the executions of a batch stand before it.
async fn standings(
    connection: &mut SqliteConnection,
    batch: &Batch,
) -> Result<Standings, BackendError> {
    let ids: HashSet<ExecutionId> = (batch.submits.iter().map(|new| new.id))
        .chain(batch.checkpoints.iter().map(|checkpoint| checkpoint.execution))
        .collect();
    let by_id = read::standings(&mut *connection, ids).await?;
    let mut by_key = HashMap::new();
    let keys: Vec<&str> =
        batch.submits.iter().filter_map(|new| new.idempotency_key.as_deref()).collect();
    if !keys.is_empty() {
        let found = sqlx::query(queries::EXECUTIONS_BY_KEY).bind(json::rows(&keys)?);
        for row in found.fetch_all(&mut *connection).await.during("look for keys")? {
            let (key, id, workflow) = rows::keyed(&row)?;
            by_key.insert(key, (id, workflow));
        }
    }
    Ok(Standings { by_id, by_key })
}

fn submit<'b>(
    new: &'b NewExecution,
    clock: Clock,
    standings: &mut Standings,
    writes: &mut Writes<'b>,
) -> SubmitVerdict {
    if standings.by_id.contains_key(&new.id) {
        return SubmitVerdict::Created;
    }
    if let Some(key) = &new.idempotency_key {
        if let Some((id, workflow)) = standings.by_key.get(key) {
            return SubmitVerdict::Existing { id: *id, workflow: Arc::clone(workflow) };
        }
        let carrier = (new.id, Arc::clone(&new.workflow.name));
        standings.by_key.insert(Arc::clone(key), carrier);
    }
    let (status, epoch) = match new.owner {
        Some(_) => (PipelineStatus::Running, 1),
        None => (PipelineStatus::Pending, 0),
    };
    let standing = Standing { status, owner: new.owner, epoch: u64::from(epoch) };
    standings.by_id.insert(new.id, standing);
    writes.submits.push((
        new.id.into(),
        &new.workflow.name,
        &new.workflow.version,
        status.as_str(),
        new.idempotency_key.as_deref(),
        new.retry_of.map(Hex::from),
        new.owner.map(Hex::from),
        epoch,
        new.delay.map(|delay| clock.after(delay)),
        new.owner.map(|_| clock.now()),
        new.input.as_str(),
    ));
    if let Some(old) = new.retry_of {
        writes.copies.push((new.id.into(), old.into()));
    }
    SubmitVerdict::Created
}

fn decide<'b>(
    checkpoint: &'b Checkpoint,
    later: &[Checkpoint],
    clock: Clock,
    standings: &mut Standings,
    writes: &mut Writes<'b>,
) -> CheckpointVerdict {
    let Some(standing) = standings.by_id.get_mut(&checkpoint.execution) else {
        return CheckpointVerdict::Fenced;
    };
    let verdict = CheckpointVerdict::decide(checkpoint, later, *standing);
    match verdict {
        CheckpointVerdict::Fenced => writes.fenced(checkpoint, standing.epoch),
        CheckpointVerdict::Committed { status } if !standing.status.is_terminal() => {
            writes.checkpoint(checkpoint, clock);
            standing.status = status;
        }
        CheckpointVerdict::Committed { .. } | CheckpointVerdict::Ended(_) => {}
    }
    verdict
}

impl<'b> Writes<'b> {
    /// Notes that a former owner tried to commit, once for each of its epochs.
    fn fenced(&mut self, checkpoint: &Checkpoint, epoch: u64) {
        let Checkpoint { execution, worker, epoch: theirs, .. } = checkpoint;
        if !self.fenced.insert((*execution, *worker, *theirs)) {
            return;
        }
        let detail = format!("worker {worker} tried to commit under epoch {theirs}").into();
        let key = format!("fenced {worker} {theirs} {epoch}");
        self.events.push(((*execution).into(), EventKind::Fenced.as_str(), None, detail, key));
    }

    fn checkpoint(&mut self, checkpoint: &'b Checkpoint, clock: Clock) {
        let id = Hex::from(checkpoint.execution);
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
        self.events(checkpoint);
        self.update(checkpoint);
    }

    fn events(&mut self, checkpoint: &'b Checkpoint) {
        let Checkpoint { execution, epoch, serial, events, .. } = checkpoint;
        self.events.extend(events.iter().enumerate().map(|(place, event)| {
            let task = event.task.as_ref().map(|task| task.as_str());
            let key = format!("{epoch} {serial} {place}");
            ((*execution).into(), event.kind.as_str(), task, event.detail.as_str().into(), key)
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
            self.updates.push((checkpoint.execution.into(), None, None, false));
        }
        let Some((_, status, error, cleared)) = self.updates.get_mut(index) else { return };
        *cleared |= clears;
        if let Some(finish) = finish {
            *status = Some(finish.status.as_str());
            *error = finish.error.as_deref();
        }
    }

    /// Writes everything, in the order in which the rows depend on each other.
    async fn send(
        &self,
        connection: &mut SqliteConnection,
        clock: Clock,
    ) -> Result<(), BackendError> {
        let at = Some(clock.now());
        send(connection, "submit", queries::EXECUTIONS_INSERT, &self.submits, at).await?;
        send(connection, "copy results", queries::TASKS_COPY, &self.copies, None).await?;
        send(connection, "write tasks", queries::TASKS_INSERT, &self.tasks, None).await?;
        send(connection, "write attempts", queries::ATTEMPTS_START, &self.starts, None).await?;
        send(connection, "write attempts", queries::ATTEMPTS_FAIL, &self.failures, None).await?;
        send(connection, "write events", queries::EVENTS_INSERT, &self.events, at).await?;
        send(connection, "end executions", queries::EXECUTIONS_UPDATE, &self.updates, at).await
    }
}

/// Executes a statement over rows, unless there are none.
async fn send<T: serde::Serialize>(
    connection: &mut SqliteConnection,
    what: &str,
    statement: &'static str,
    rows: &[T],
    at: Option<i64>,
) -> Result<(), BackendError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut query = sqlx::query(statement).bind(json::rows(rows)?);
    if let Some(at) = at {
        query = query.bind(at);
    }
    query.execute(connection).await.during(what).map(drop)
}
