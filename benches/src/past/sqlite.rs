//! The past of a file.

use anyhow::Result;
use sqlx::Executor as _;
use sqlx::sqlite::SqliteConnection;

use super::{all_tasks, first_task, ranges};
use crate::limit::Template;

/// Lets half of the executions have begun, and given back after their first task.
pub(crate) async fn begin_half(
    connection: &mut SqliteConnection,
    template: &Template,
) -> Result<()> {
    const BEGIN: &str = "UPDATE executions SET status = 'running', epoch = 1, \
        started_at = created_at \
        WHERE substr(hex(id), 32) IN ('0', '2', '4', '6', '8', 'A', 'C', 'E')";
    connection.execute(BEGIN).await?;
    complete(connection, "running", &first_task(template)).await
}

/// Writes the rows of completed tasks for all executions in a status.
async fn complete(connection: &mut SqliteConnection, status: &str, tasks: &str) -> Result<()> {
    const INSERT: &str = "INSERT INTO tasks (execution_id, task, ordinal, state, attempts, \
        started_at, ended_at, changes, output) \
        SELECT e.id, j.value ->> 0, j.value ->> 1, 'completed', 1, e.started_at, e.started_at, \
        j.value ->> 2, j.value ->> 3 \
        FROM executions AS e CROSS JOIN jsonb_each(?) AS j WHERE e.status = ? ORDER BY e.id";
    sqlx::query(INSERT).bind(tasks).bind(status).execute(connection).await?;
    Ok(())
}

/// Puts in executions that have completed, one a millisecond until an hour ago, and empties the log.
pub(crate) async fn fill(
    connection: &mut SqliteConnection,
    template: &Template,
    count: usize,
) -> Result<()> {
    const EXECUTIONS: &str = "WITH RECURSIVE numbers (n) AS \
        (VALUES (?1) UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2), \
        times (n, at) AS (SELECT n, (unixepoch() - 3600) * 1000 - ?3 + n FROM numbers) \
        INSERT INTO executions (id, workflow, version, status, owner, epoch, created_at, \
        started_at, finished_at, input) \
        SELECT unhex(printf('%012x70008%015x', at, n)), ?4, ?5, 'completed', ?6, 1, \
        at * 1000, at * 1000, at * 1000, ?7 FROM times";
    // Nothing that is lost here would be missed.
    connection.execute("PRAGMA synchronous = OFF").await?;
    connection.execute("PRAGMA foreign_keys = OFF").await?;
    let count = i64::try_from(count)?;
    for (first, last) in ranges(count) {
        let query = sqlx::query(EXECUTIONS)
            .bind(first)
            .bind(last)
            .bind(count)
            .bind(&template.workflow)
            .bind(&template.version)
            .bind(template.owner)
            .bind(&template.input);
        query.execute(&mut *connection).await?;
    }
    complete(&mut *connection, "completed", &all_tasks(template)).await?;
    connection.execute("PRAGMA synchronous = FULL").await?;
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    Ok(())
}
