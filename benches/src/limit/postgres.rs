//! The limit of PostgreSQL: a statement a transaction, rows as arrays.

use std::sync::Arc;

use anyhow::Result;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _, SqlStr};
use uuid::Uuid;

use super::{TaskRow, Template, Writer};

/// Writes over one connection.
pub(crate) struct PostgresWriter {
    connection: PgConnection,
    template: Arc<Template>,
    submit: SqlStr,
    level: SqlStr,
    last: SqlStr,
}

impl PostgresWriter {
    pub(super) fn statements(schema: &str) -> [SqlStr; 3] {
        let submit = format!(
            "INSERT INTO {schema}.executions (id, workflow, version, status, owner, epoch, \
             created_at, started_at, input) \
             SELECT u.id, $3, $4, 'running', $5, 1, now(), now(), u.input \
             FROM unnest($1::uuid[], $2::text[]) AS u (id, input)"
        );
        let level = format!(
            "INSERT INTO {schema}.tasks (execution_id, task, ordinal, state, attempts, \
             started_at, ended_at, changes, output) \
             SELECT u.id, u.task, u.ordinal, 'completed', 1, now(), now(), u.changes, u.output \
             FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[]) \
             AS u (id, task, ordinal, changes, output)"
        );
        let last = format!(
            "WITH written AS ({level}) UPDATE {schema}.executions \
             SET status = 'completed', finished_at = now() WHERE id = ANY($6)"
        );
        // Nothing but the name of a schema was put into them.
        [submit, level, last].map(|sql| AssertSqlSafe(sql).into_sql_str())
    }

    /// Takes a connection. Plans are made while the tables are small and kept while they grow, so there is no choice.
    pub(crate) async fn new(
        mut connection: PgConnection,
        schema: &str,
        template: Arc<Template>,
    ) -> Result<Self> {
        connection.execute("SET synchronous_commit = on").await?;
        connection.execute("SET enable_seqscan = off").await?;
        connection.execute("SET jit = off").await?;
        let [submit, level, last] = Self::statements(schema);
        Ok(Self { connection, template, submit, level, last })
    }
}

impl Writer for PostgresWriter {
    async fn submit(&mut self, ids: &[Uuid]) -> Result<()> {
        let template = &*self.template;
        let query = sqlx::query(self.submit.clone())
            .bind(ids)
            .bind(vec![template.input.as_str(); ids.len()])
            .bind(&template.workflow)
            .bind(&template.version)
            .bind(template.owner);
        query.execute(&mut self.connection).await?;
        Ok(())
    }

    async fn level(&mut self, ids: &[Uuid], level: usize) -> Result<()> {
        let is_last = level + 1 == self.template.levels.len();
        let tasks = &self.template.levels[level];
        let statement = if is_last { &self.last } else { &self.level };
        let owners: Vec<Uuid> = ids.iter().flat_map(|id| vec![*id; tasks.len()]).collect();
        let rows = || ids.iter().flat_map(|_| tasks);
        let texts = |text: fn(&TaskRow) -> Option<&str>| rows().map(text).collect::<Vec<_>>();
        let query = sqlx::query(statement.clone())
            .bind(owners)
            .bind(texts(|row| Some(&row.task)))
            .bind(rows().map(|row| row.ordinal).collect::<Vec<_>>())
            .bind(texts(|row| row.changes.as_deref()))
            .bind(texts(|row| row.output.as_deref()));
        let query = if is_last { query.bind(ids) } else { query };
        query.execute(&mut self.connection).await?;
        Ok(())
    }
}
