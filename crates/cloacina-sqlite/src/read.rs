//! What is read and never written.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use cloacina_core::backend::{
    Counts, EventRecord, ExecutionRecord, ExecutionSnapshot, JsonText, Standing, WorkflowKey,
};
use cloacina_core::{BackendError, ExecutionId, ExecutionQuery, PipelineStatus, WorkerId};
use sqlx::sqlite::SqliteConnection;

use crate::clock::Clock;
use crate::error::Context as _;
use crate::{json, queries, rows, writes};

/// Greater than every id: they have 16 bytes.
const AFTER_ALL_IDS: [u8; 17] = [0xff; 17];

/// Loads executions with all that belongs to them, in order of their ids, in three statements.
pub(crate) async fn snapshots(
    connection: &mut SqliteConnection,
    clock: Clock,
    ids: &[ExecutionId],
) -> Result<Vec<ExecutionSnapshot>, BackendError> {
    let what = "load executions";
    let ids = json::ids(ids.iter().copied())?;
    let mut loaded: HashMap<ExecutionId, ExecutionSnapshot> = HashMap::new();
    let query = sqlx::query(queries::EXECUTIONS_LOAD).bind(&ids);
    for row in query.fetch_all(&mut *connection).await.during(what)? {
        let snapshot = ExecutionSnapshot {
            record: rows::execution(&row)?,
            input: rows::input(&row)?,
            tasks: Vec::new(),
            attempts: Vec::new(),
            now: clock.timestamp(),
        };
        loaded.insert(snapshot.record.id, snapshot);
    }
    let query = sqlx::query(queries::TASKS_LOAD).bind(&ids);
    for row in query.fetch_all(&mut *connection).await.during(what)? {
        let (id, task) = rows::task(&row)?;
        if let Some(snapshot) = loaded.get_mut(&id) {
            snapshot.tasks.push(task);
        }
    }
    let query = sqlx::query(queries::ATTEMPTS_LOAD).bind(&ids);
    for row in query.fetch_all(&mut *connection).await.during(what)? {
        let (id, attempt) = rows::attempt(&row)?;
        if let Some(snapshot) = loaded.get_mut(&id) {
            snapshot.attempts.push(attempt);
        }
    }
    let mut snapshots: Vec<ExecutionSnapshot> = loaded.into_values().collect();
    snapshots.sort_unstable_by_key(|snapshot| snapshot.record.id);
    for snapshot in &mut snapshots {
        // Stable: tasks of one ordinal stay in order of their names.
        snapshot.tasks.sort_by_key(|task| task.ordinal);
        snapshot
            .attempts
            .sort_by_key(|attempt| (attempt.started_at, attempt.epoch, attempt.attempt));
    }
    Ok(snapshots)
}

/// Reads where executions stand. Those that do not exist are not in the answer.
pub(crate) async fn standings(
    connection: &mut SqliteConnection,
    ids: &[ExecutionId],
) -> Result<HashMap<ExecutionId, Standing>, BackendError> {
    let nothing: Vec<_> = ids.iter().map(|id| (*id, None)).collect();
    let found = other_standings(connection, &nothing).await?;
    Ok(found.into_iter().filter_map(|(id, standing)| Some((id, standing?))).collect())
}

/// Reads where executions stand that do not stand as expected: running under that owner and epoch, or not there at all.
pub(crate) async fn other_standings(
    connection: &mut SqliteConnection,
    expected: &[(ExecutionId, Option<Standing>)],
) -> Result<Vec<(ExecutionId, Option<Standing>)>, BackendError> {
    let rows: Vec<_> = expected
        .iter()
        .map(|(id, standing)| match standing {
            Some(Standing { owner, epoch, .. }) => (*id, *owner, writes::number(*epoch)),
            None => (*id, None, 0),
        })
        .collect();
    let what = "read where executions stand";
    let found = queries::EXECUTIONS_STANDING.fetch(connection, what, &rows).await?;
    let mut others = Vec::new();
    for row in found {
        others.append(&mut rows::standings(&row)?);
    }
    Ok(others)
}

pub(crate) async fn list(
    connection: &mut SqliteConnection,
    query: &ExecutionQuery,
) -> Result<Vec<ExecutionRecord>, BackendError> {
    let statement = match (query.unowned, query.owner) {
        (Some(_), _) => queries::EXECUTIONS_LIST_UNOWNED,
        (None, Some(_)) => queries::EXECUTIONS_LIST_OWNED,
        (None, None) => queries::EXECUTIONS_LIST,
    };
    let before = query.before.as_ref().map_or(&AFTER_ALL_IDS[..], |id| id.as_uuid().as_bytes());
    let statuses: Vec<&str> = query.statuses.iter().map(|status| status.as_str()).collect();
    let statuses = (!statuses.is_empty()).then(|| json::rows(&statuses)).transpose()?;
    let excluding: Vec<(&str, &str)> =
        query.excluding.iter().map(|key| (&*key.name, &*key.version)).collect();
    let excluding = (!excluding.is_empty()).then(|| json::rows(&excluding)).transpose()?;
    let found = sqlx::query(statement)
        .bind(before)
        .bind(statuses)
        .bind(query.workflow.as_deref())
        .bind(query.limit.map_or(-1, i64::from))
        .bind(excluding)
        .bind(query.owner.as_ref().map(|owner| owner.as_uuid().as_bytes().as_slice()));
    let found = found.fetch_all(connection).await.during("list executions")?;
    found.iter().map(rows::execution).collect()
}

pub(crate) async fn events(
    connection: &mut SqliteConnection,
    execution: ExecutionId,
) -> Result<Vec<EventRecord>, BackendError> {
    let id = execution.as_uuid().as_bytes().as_slice();
    let query = sqlx::query(queries::EVENTS_LOAD).bind(id);
    let found = query.fetch_all(connection).await.during("list events")?;
    found.iter().map(|row| rows::event(execution, row)).collect()
}

pub(crate) async fn lease(
    connection: &mut SqliteConnection,
    worker: WorkerId,
) -> Result<Option<DateTime<Utc>>, BackendError> {
    let id = worker.as_uuid().as_bytes().as_slice();
    let query = sqlx::query(queries::WORKERS_LEASE).bind(id);
    let found = query.fetch_optional(connection).await.during("read a lease")?;
    found.as_ref().map(rows::lease).transpose()
}

pub(crate) async fn counts(connection: &mut SqliteConnection) -> Result<Counts, BackendError> {
    let found = sqlx::query(queries::EXECUTIONS_COUNT).fetch_all(connection).await;
    let mut counts = Counts::default();
    let (mut measured, mut micros) = (0_u32, 0.0_f64);
    for row in found.during("count executions")? {
        let executions: i64 = rows::value(&row, "executions")?;
        let executions = u64::try_from(executions).unwrap_or(0);
        match rows::status(&row)? {
            PipelineStatus::Pending => counts.pending = executions,
            PipelineStatus::Running => counts.running = executions,
            PipelineStatus::Paused => counts.paused = executions,
            PipelineStatus::Completed => counts.completed = executions,
            PipelineStatus::Failed => counts.failed = executions,
            PipelineStatus::Cancelled => counts.cancelled = executions,
        }
        measured = measured.saturating_add(rows::value::<u32>(&row, "measured")?);
        micros += rows::value::<f64>(&row, "duration")?;
    }
    if measured > 0 {
        let mean = micros / f64::from(measured) / 1e6;
        // A clock that was set back gives a negative mean, which is no duration.
        counts.mean_duration = Some(Duration::try_from_secs_f64(mean).unwrap_or_default());
    }
    Ok(counts)
}

/// Returns the one snapshot of an execution.
pub(crate) async fn snapshot(
    connection: &mut SqliteConnection,
    clock: Clock,
    id: ExecutionId,
) -> Result<Option<ExecutionSnapshot>, BackendError> {
    Ok(snapshots(connection, clock, &[id]).await?.pop())
}

/// Finds executions that ended by `cutoff`, oldest first.
pub(crate) async fn prunable(
    connection: &mut SqliteConnection,
    cutoff: i64,
    limit: u32,
) -> Result<Vec<ExecutionId>, BackendError> {
    let query = sqlx::query(queries::EXECUTIONS_PRUNABLE).bind(cutoff).bind(limit);
    let found = query.fetch_all(connection).await.during("look for what can be deleted")?;
    found.iter().map(rows::execution_id).collect()
}

/// Reads the structure of a version of a workflow.
pub(crate) async fn definition(
    connection: &mut SqliteConnection,
    key: &WorkflowKey,
) -> Result<Option<JsonText>, BackendError> {
    let query = sqlx::query(queries::WORKFLOWS_STRUCTURE).bind(&*key.name).bind(&*key.version);
    let row = query.fetch_optional(connection).await.during("read a workflow's structure")?;
    let structure = row.map(|row| rows::value::<String>(&row, "structure")).transpose()?;
    Ok(structure.map(JsonText::new))
}
