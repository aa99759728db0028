//! What is read and never written.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use cloacina_core::backend::{
    Counts, EventRecord, ExecutionRecord, ExecutionSnapshot, JsonText, Standing, WorkflowKey,
};
use cloacina_core::{BackendError, ExecutionId, ExecutionQuery, PipelineStatus, WorkerId};
use sqlx::postgres::PgConnection;

use crate::clock::Clock;
use crate::error::Context as _;
use crate::queries::Queries;
use crate::{json, rows};

/// Loads executions with all that belongs to them, in order of their ids, in three statements.
pub(crate) async fn snapshots(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    ids: &[ExecutionId],
) -> Result<Vec<ExecutionSnapshot>, BackendError> {
    let what = "load executions";
    let ids = json::ids(ids.iter().copied());
    let mut loaded: HashMap<ExecutionId, ExecutionSnapshot> = HashMap::new();
    let query = queries.executions_load.query().bind(&ids);
    for row in query.fetch_all(&mut *connection).await.during(what)? {
        let snapshot = ExecutionSnapshot {
            record: rows::execution(&row)?,
            input: rows::input(&row)?,
            tasks: Vec::new(),
            attempts: Vec::new(),
            now: clock.now(),
        };
        loaded.insert(snapshot.record.id, snapshot);
    }
    let query = queries.tasks_load.query().bind(&ids);
    for row in query.fetch_all(&mut *connection).await.during(what)? {
        let (id, task) = rows::task(&row)?;
        if let Some(snapshot) = loaded.get_mut(&id) {
            snapshot.tasks.push(task);
        }
    }
    let query = queries.attempts_load.query().bind(&ids);
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
    connection: &mut PgConnection,
    queries: &Queries,
    ids: impl IntoIterator<Item = ExecutionId>,
) -> Result<HashMap<ExecutionId, Standing>, BackendError> {
    let query = queries.executions_standing.query().bind(json::ids(ids));
    let found = query.fetch_all(connection).await.during("read where executions stand")?;
    found.iter().map(rows::standing).collect()
}

/// Reads where executions stand and keeps others from changing that until the transaction ends.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    queries: &Queries,
    ids: impl IntoIterator<Item = ExecutionId>,
) -> Result<HashMap<ExecutionId, Standing>, BackendError> {
    let query = queries.executions_lock.query().bind(json::ids(ids));
    let found = query.fetch_all(connection).await.during("lock executions")?;
    found.iter().map(rows::standing).collect()
}

pub(crate) async fn list(
    connection: &mut PgConnection,
    queries: &Queries,
    query: &ExecutionQuery,
) -> Result<Vec<ExecutionRecord>, BackendError> {
    let statuses: Vec<&str> = query.statuses.iter().map(|status| status.as_str()).collect();
    let excluding: Vec<(&str, &str)> =
        query.excluding.iter().map(|key| (&*key.name, &*key.version)).collect();
    let excluding = (!excluding.is_empty()).then(|| json::rows(&excluding)).transpose()?;
    let found = queries
        .executions_list
        .query()
        .bind(query.before.map(|id| *id.as_uuid()))
        .bind((!statuses.is_empty()).then_some(statuses))
        .bind(query.workflow.as_deref())
        .bind(query.limit.map(i64::from))
        .bind(excluding)
        .bind(query.owner.map(|owner| *owner.as_uuid()))
        .bind(query.unowned.is_some());
    let found = found.fetch_all(connection).await.during("list executions")?;
    found.iter().map(rows::execution).collect()
}

pub(crate) async fn events(
    connection: &mut PgConnection,
    queries: &Queries,
    execution: ExecutionId,
) -> Result<Vec<EventRecord>, BackendError> {
    let query = queries.events_load.query().bind(*execution.as_uuid());
    let found = query.fetch_all(connection).await.during("list events")?;
    found.iter().map(|row| rows::event(execution, row)).collect()
}

pub(crate) async fn lease(
    connection: &mut PgConnection,
    queries: &Queries,
    worker: WorkerId,
) -> Result<Option<DateTime<Utc>>, BackendError> {
    let query = queries.workers_lease.query().bind(*worker.as_uuid());
    let found = query.fetch_optional(connection).await.during("read a lease")?;
    found.map(|row| rows::value(&row, "expires_at")).transpose()
}

pub(crate) async fn counts(
    connection: &mut PgConnection,
    queries: &Queries,
) -> Result<Counts, BackendError> {
    let found = queries.executions_count.query().fetch_all(connection).await;
    let mut counts = Counts::default();
    let (mut measured, mut seconds) = (0_i64, 0.0_f64);
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
        measured += rows::value::<i64>(&row, "measured")?;
        seconds += rows::value::<f64>(&row, "duration")?;
    }
    if let Ok(measured @ 1..) = u32::try_from(measured) {
        let mean = seconds / f64::from(measured);
        // A clock that was set back gives a negative mean, which is no duration.
        counts.mean_duration = Some(Duration::try_from_secs_f64(mean).unwrap_or_default());
    }
    Ok(counts)
}

/// Returns the one snapshot of an execution.
pub(crate) async fn snapshot(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    id: ExecutionId,
) -> Result<Option<ExecutionSnapshot>, BackendError> {
    Ok(snapshots(connection, queries, clock, &[id]).await?.pop())
}

/// Finds executions that ended by `cutoff`, oldest first.
pub(crate) async fn prunable(
    connection: &mut PgConnection,
    queries: &Queries,
    cutoff: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<ExecutionId>, BackendError> {
    let query = queries.executions_prunable.query().bind(cutoff).bind(i64::from(limit));
    let found = query.fetch_all(connection).await.during("look for what can be deleted")?;
    found.iter().map(rows::execution_id).collect()
}

/// Finds which of the workflows are not on record.
pub(crate) async fn unknown_workflows(
    connection: &mut PgConnection,
    queries: &Queries,
    keys: &[WorkflowKey],
) -> Result<HashSet<WorkflowKey>, BackendError> {
    let what = "look for workflows";
    let keys: Vec<(&str, &str)> = keys.iter().map(|key| (&*key.name, &*key.version)).collect();
    let query = queries.workflows_unknown.query().bind(json::rows(&keys)?);
    let mut unknown = HashSet::new();
    for row in query.fetch_all(connection).await.during(what)? {
        let (name, version): (String, String) =
            (rows::value(&row, "name")?, rows::value(&row, "version")?);
        unknown.insert(WorkflowKey { name: name.into(), version: version.into() });
    }
    Ok(unknown)
}

/// Reads the structure of a version of a workflow.
pub(crate) async fn definition(
    connection: &mut PgConnection,
    queries: &Queries,
    key: &WorkflowKey,
) -> Result<Option<JsonText>, BackendError> {
    let query = queries.workflows_structure.query().bind(&*key.name).bind(&*key.version);
    let row = query.fetch_optional(connection).await.during("read a workflow's structure")?;
    let structure = row.map(|row| rows::value::<String>(&row, "structure")).transpose()?;
    Ok(structure.map(JsonText::new))
}
