//! Orders of users, releases and deletions.

use cloacina_core::backend::{
    Control, ControlVerdict, ExecutionRecord, Release, WorkflowDefinition,
};
use cloacina_core::{BackendError, ExecutionId, TaskId, TaskState};
use sqlx::sqlite::SqliteConnection;

use crate::clock::Clock;
use crate::error::Context as _;
use crate::json::{self, Hex};
use crate::writes::TaskRow;
use crate::{queries, read, rows};

/// Carries out an order, within a transaction.
pub(crate) async fn control(
    connection: &mut SqliteConnection,
    clock: Clock,
    execution: ExecutionId,
    order: &Control,
) -> Result<ControlVerdict, BackendError> {
    let Some(ExecutionRecord { status, started_at, .. }) = record(connection, execution).await?
    else {
        return Ok(ControlVerdict::NotFound);
    };
    let Some((next, event)) = order.transition(status, started_at) else {
        return Ok(ControlVerdict::Unchanged(status));
    };
    if let Control::Cancel { tasks } = order {
        cancel_tasks(connection, clock, execution, tasks).await?;
    }
    let what = "carry out an order";
    let id = execution.as_uuid().as_bytes().as_slice();
    let update = sqlx::query(queries::EXECUTIONS_CONTROL)
        .bind(id)
        .bind(next.as_str())
        .bind(next.is_terminal().then_some(clock.now()));
    update.execute(&mut *connection).await.during(what)?;
    let insert = sqlx::query(queries::EVENTS_CONTROL)
        .bind(id)
        .bind(clock.now())
        .bind(event.as_str())
        .bind(format!("it was {status}"));
    insert.execute(&mut *connection).await.during(what)?;
    Ok(ControlVerdict::Applied(next))
}

/// Reads an execution that is about to change.
async fn record(
    connection: &mut SqliteConnection,
    execution: ExecutionId,
) -> Result<Option<ExecutionRecord>, BackendError> {
    let query = sqlx::query(queries::EXECUTIONS_LOAD).bind(json::ids([execution])?);
    let row = query.fetch_optional(connection).await.during("read an execution")?;
    row.map(|row| rows::execution(&row)).transpose()
}

/// Writes the rows of tasks that a cancel keeps from ending otherwise.
async fn cancel_tasks(
    connection: &mut SqliteConnection,
    clock: Clock,
    execution: ExecutionId,
    tasks: &[(TaskId, u32)],
) -> Result<(), BackendError> {
    let (state, now) = (TaskState::Cancelled.as_str(), clock.now());
    let tasks: Vec<TaskRow<'_>> = tasks
        .iter()
        .map(|(task, ordinal)| {
            let task = task.as_str();
            (execution, task, *ordinal, state, 0, now, now, None, None, None, None, None)
        })
        .collect();
    queries::TASKS_INSERT.execute(connection, "cancel tasks", &tasks).await
}

/// Gives executions back, within a transaction.
pub(crate) async fn release(
    connection: &mut SqliteConnection,
    clock: Clock,
    releases: &[Release],
) -> Result<(), BackendError> {
    let what = "release executions";
    let releases: Vec<(Hex, Hex, u64, Option<i64>)> = releases
        .iter()
        .map(|release| {
            let due_at = release.due_in.map(|wait| clock.after(wait));
            (release.execution.into(), release.worker.into(), release.epoch, due_at)
        })
        .collect();
    let releases = json::rows(&releases)?;
    let query = sqlx::query(queries::ATTEMPTS_RELEASE).bind(&releases).bind(clock.now());
    query.execute(&mut *connection).await.during(what)?;
    let query = sqlx::query(queries::EXECUTIONS_RELEASE).bind(&releases);
    query.execute(&mut *connection).await.during(what).map(drop)
}

/// Deletes executions that ended by `cutoff`, within a transaction.
pub(crate) async fn prune(
    connection: &mut SqliteConnection,
    cutoff: i64,
    limit: u32,
) -> Result<u64, BackendError> {
    let ids = read::prunable(connection, cutoff, limit).await?;
    let query = sqlx::query(queries::EXECUTIONS_DELETE).bind(json::ids(ids)?);
    Ok(query.execute(connection).await.during("delete executions")?.rows_affected())
}

/// Puts the structure of workflows on record; what is there stays.
pub(crate) async fn define(
    connection: &mut SqliteConnection,
    definitions: &[WorkflowDefinition],
) -> Result<(), BackendError> {
    let definitions: Vec<(&str, &str, &str)> = definitions
        .iter()
        .map(|one| (&*one.key.name, &*one.key.version, one.structure.as_str()))
        .collect();
    let query = sqlx::query(queries::WORKFLOWS_DEFINE).bind(json::rows(&definitions)?);
    query.execute(connection).await.during("define workflows").map(drop)
}
