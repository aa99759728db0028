//! The past of a schema.

use anyhow::Result;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _};

use super::{all_tasks, first_task, ranges};
use crate::limit::Template;

/// Lets half of the executions have begun, and given back after their first task.
pub(crate) async fn begin_half(
    connection: &mut PgConnection,
    schema: &str,
    template: &Template,
) -> Result<()> {
    let begin = format!(
        "UPDATE {schema}.executions SET status = 'running', epoch = 1, started_at = created_at \
         WHERE right(id::text, 1) IN ('0', '2', '4', '6', '8', 'a', 'c', 'e')"
    );
    connection.execute(AssertSqlSafe(begin)).await?;
    complete(connection, schema, "running", &first_task(template)).await
}

/// Writes the rows of completed tasks for all executions in a status.
async fn complete(
    connection: &mut PgConnection,
    schema: &str,
    status: &str,
    tasks: &str,
) -> Result<()> {
    let insert = format!(
        "INSERT INTO {schema}.tasks (execution_id, task, ordinal, state, attempts, started_at, \
         ended_at, changes, output) \
         SELECT e.id, j.value ->> 0, (j.value ->> 1)::bigint, 'completed', 1, e.started_at, \
         e.started_at, j.value ->> 2, j.value ->> 3 \
         FROM {schema}.executions AS e, json_array_elements($1::json) AS j (value) \
         WHERE e.status = $2 ORDER BY e.id"
    );
    sqlx::query(AssertSqlSafe(insert)).bind(tasks).bind(status).execute(connection).await?;
    Ok(())
}

/// Puts in executions that have completed, one a millisecond until an hour ago, and lets the server tidy up after it.
pub(crate) async fn fill(
    connection: &mut PgConnection,
    schema: &str,
    template: &Template,
    count: usize,
) -> Result<()> {
    let id = "(lpad(to_hex(extract(epoch FROM now())::bigint * 1000 - 3600000 - $3 + n), 12, '0') \
        || '70008' || lpad(to_hex(n), 15, '0'))::uuid";
    let executions = format!(
        "INSERT INTO {schema}.executions (id, workflow, version, status, owner, epoch, \
         created_at, started_at, finished_at, input) \
         SELECT {id}, $4, $5, 'completed', $6, 1, at, at, at, $7 \
         FROM generate_series($1::bigint, $2::bigint) AS n, \
         LATERAL (SELECT now() - interval '1 hour' - ($3 - n) * interval '1 ms' AS at) AS t"
    );
    connection.execute("SET synchronous_commit = off").await?;
    // Foreign keys are not checked for what is known to be right; only a superuser may say so.
    let _ = connection.execute("SET session_replication_role = replica").await;
    let count = i64::try_from(count)?;
    for (first, last) in ranges(count) {
        let query = sqlx::query(AssertSqlSafe(executions.clone()))
            .bind(first)
            .bind(last)
            .bind(count)
            .bind(&template.workflow)
            .bind(&template.version)
            .bind(template.owner)
            .bind(&template.input);
        query.execute(&mut *connection).await?;
    }
    complete(&mut *connection, schema, "completed", &all_tasks(template)).await?;
    for table in ["executions", "tasks"] {
        let vacuum = format!("VACUUM (ANALYZE) {schema}.{table}");
        connection.execute(AssertSqlSafe(vacuum)).await?;
    }
    // So that it does not come while something is measured; not every role may ask for it.
    let _ = connection.execute("CHECKPOINT").await;
    Ok(())
}
