//! Orders of users, releases and deletions.

use std::collections::BTreeMap;

use cloacina_core::backend::{
    Control, ControlVerdict, ExecutionRecord, Release, Standing, WorkflowDefinition,
};
use cloacina_core::{BackendError, ExecutionId, TaskId, TaskState, WorkerId};
use sqlx::postgres::PgConnection;

use crate::clock::Clock;
use crate::error::{Context as _, unexpected};
use crate::queries::Queries;
use crate::writes::{self, TaskRow};
use crate::{json, liveness, read, rows};

/// Carries out an order, within a transaction.
///
/// # Errors
///
/// [`is_unexpected`](crate::error::is_unexpected) if a worker claims the execution meanwhile: it is to be tried again.
pub(crate) async fn control(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    execution: ExecutionId,
    order: &Control,
) -> Result<ControlVerdict, BackendError> {
    let Some(ExecutionRecord { status, started_at, .. }) =
        record(connection, queries, execution).await?
    else {
        return Ok(ControlVerdict::NotFound);
    };
    let Some((next, event)) = order.transition(status, started_at) else {
        return Ok(ControlVerdict::Unchanged(status));
    };
    if let Control::Cancel { tasks } = order {
        cancel_tasks(connection, queries, clock, execution, tasks).await?;
    }
    let what = "carry out an order";
    let id = *execution.as_uuid();
    let update = queries
        .executions_control
        .query()
        .bind(id)
        .bind(next.as_str())
        .bind(next.is_terminal().then_some(clock.now()));
    update.execute(&mut *connection).await.during(what)?;
    let insert = queries
        .events_control
        .query()
        .bind(id)
        .bind(clock.now())
        .bind(event.as_str())
        .bind(format!("it was {status}"));
    insert.execute(&mut *connection).await.during(what)?;
    Ok(ControlVerdict::Applied(next))
}

/// Reads an execution that is about to change, and keeps everybody from changing it: its owner, by halting that, and others.
async fn record(
    connection: &mut PgConnection,
    queries: &Queries,
    execution: ExecutionId,
) -> Result<Option<ExecutionRecord>, BackendError> {
    let standing = read::standings(&mut *connection, queries, [execution]).await?;
    let owner = standing.get(&execution).and_then(owner_at_work);
    if let Some(owner) = owner {
        liveness::halt(&mut *connection, queries, owner).await?;
    }
    // After the owner's row: a batch that it commits locks them in this order.
    let standing = read::lock(&mut *connection, queries, [execution]).await?;
    if standing.get(&execution).and_then(owner_at_work).is_some_and(|now| Some(now) != owner) {
        return Err(unexpected());
    }
    let query = queries.executions_load.query().bind(json::ids([execution]));
    let row = query.fetch_optional(connection).await.during("read an execution")?;
    row.map(|row| rows::execution(&row)).transpose()
}

/// Tells who may commit to an execution, unless it has ended.
fn owner_at_work(standing: &Standing) -> Option<WorkerId> {
    standing.owner.filter(|_| !standing.status.is_terminal())
}

/// Writes the rows of tasks that a cancel keeps from ending otherwise.
async fn cancel_tasks<'t>(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    execution: ExecutionId,
    tasks: &'t [(TaskId, u32)],
) -> Result<(), BackendError> {
    let (id, now) = (*execution.as_uuid(), clock.now());
    let state = TaskState::Cancelled.as_str();
    let cancelled = |(task, ordinal): &'t (TaskId, u32)| -> TaskRow<'t> {
        let ordinal = i64::from(*ordinal);
        (id, task.as_str(), ordinal, state, 0, now, now, None, None, None, None, None)
    };
    let rows: Vec<_> = tasks.iter().map(cancelled).collect();
    writes::insert_tasks(connection, queries, "cancel tasks", &rows).await
}

/// Gives executions back, within a transaction.
pub(crate) async fn release(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    releases: &[Release],
) -> Result<(), BackendError> {
    let what = "release executions";
    let standings =
        read::lock(&mut *connection, queries, releases.iter().map(|one| one.execution)).await?;
    let owned = |release: &&Release| {
        standings.get(&release.execution).is_some_and(|standing| {
            standing.owner == Some(release.worker)
                && standing.epoch == release.epoch
                && !standing.status.is_terminal()
        })
    };
    let owned: BTreeMap<ExecutionId, _> =
        releases.iter().filter(owned).map(|one| (one.execution, one.due_in)).collect();
    let ids = json::ids(owned.keys().copied());
    let rows: Vec<_> =
        owned.into_iter().map(|(id, due_in)| (id, due_in.map(|wait| clock.after(wait)))).collect();
    let query = queries.attempts_release.query().bind(&ids).bind(clock.now());
    query.execute(&mut *connection).await.during(what)?;
    let query = queries.executions_release.query().bind(json::rows(&rows)?).bind(&ids);
    query.execute(&mut *connection).await.during(what).map(drop)
}

/// Deletes executions that have ended, within a transaction.
pub(crate) async fn prune(
    connection: &mut PgConnection,
    queries: &Queries,
    ids: Vec<ExecutionId>,
) -> Result<u64, BackendError> {
    let what = "delete executions";
    let query = queries.executions_delete.query().bind(json::ids(ids));
    let deleted = query.fetch_all(&mut *connection).await.during(what)?;
    let deleted: Vec<ExecutionId> =
        deleted.iter().map(rows::execution_id).collect::<Result<_, _>>()?;
    let count = deleted.len() as u64;
    let query = queries.tasks_delete.query().bind(json::ids(deleted));
    query.execute(connection).await.during(what)?;
    Ok(count)
}

/// Puts the structure of workflows on record; what is there stays.
pub(crate) async fn define(
    connection: &mut PgConnection,
    queries: &Queries,
    definitions: &[WorkflowDefinition],
) -> Result<(), BackendError> {
    let definitions: Vec<(&str, &str, &str)> = definitions
        .iter()
        .map(|one| (&*one.key.name, &*one.key.version, one.structure.as_str()))
        .collect();
    let query = queries.workflows_define.query().bind(json::rows(&definitions)?);
    query.execute(connection).await.during("define workflows").map(drop)
}
