//! The limit of SQLite: one connection, since only one can write, and one call of it a transaction.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::Result;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments as _, AssertSqlSafe, SqlSafeStr as _, SqlStr};
use uuid::Uuid;

use super::{Method, TaskRow, Template, Writer};

/// How many rows a statement holds with a value for each column: SQLite takes 32,766 values.
const ROWS: usize = 1000;

const EXECUTIONS: &str = "INSERT INTO executions (id, workflow, version, status, owner, epoch, \
    created_at, started_at, input)";
const TASKS: &str = "INSERT INTO tasks (execution_id, task, ordinal, state, attempts, started_at, \
    ended_at, changes, output)";

/// Writes over one connection.
pub(crate) struct SqliteWriter {
    connection: SqliteConnection,
    template: Arc<Template>,
    method: Method,
}

/// A transaction: its statements, and their values in the order of their question marks.
#[derive(Default)]
struct Script {
    statements: Vec<String>,
    values: SqliteArguments,
}

impl SqliteWriter {
    pub(crate) fn new(
        connection: SqliteConnection,
        template: Arc<Template>,
        method: Method,
    ) -> Self {
        Self { connection, template, method }
    }

    async fn execute(&mut self, script: Script) -> Result<()> {
        let sql = script.text();
        sqlx::query_with(sql, script.values).execute(&mut self.connection).await?;
        Ok(())
    }
}

impl Script {
    /// One statement is a transaction by itself.
    fn text(&self) -> SqlStr {
        let sql = match &*self.statements {
            [one] => one.clone(),
            several => format!("BEGIN IMMEDIATE; {}; COMMIT", several.join("; ")),
        };
        // Nothing but question marks was put into it.
        AssertSqlSafe(sql).into_sql_str()
    }

    fn add<'v, T>(&mut self, value: T) -> Result<()>
    where
        T: sqlx::Encode<'v, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + 'v,
    {
        self.values.add(value).map_err(|error| anyhow::anyhow!(error))
    }

    /// Adds statements that insert that many rows of so many columns each.
    fn insert(&mut self, into: &str, row: &str, rows: usize) {
        let mut left = rows;
        while left > 0 {
            let count = left.min(ROWS);
            self.statements.push(format!("{into} VALUES {}", vec![row; count].join(", ")));
            left -= count;
        }
    }

    fn submit_values(&mut self, template: &Template, ids: &[Uuid]) -> Result<()> {
        self.insert(EXECUTIONS, "(?, ?, ?, 'running', ?, 1, ?, ?, ?)", ids.len());
        let now = now();
        for id in ids {
            self.add(*id)?;
            self.add(template.workflow.clone())?;
            self.add(template.version.clone())?;
            self.add(template.owner)?;
            self.add(now)?;
            self.add(now)?;
            self.add(template.input.clone())?;
        }
        Ok(())
    }

    fn submit_json(&mut self, template: &Template, ids: &[Uuid]) -> Result<()> {
        self.statements.push(format!(
            "{EXECUTIONS} SELECT unhex(j.value ->> 0), ?, ?, 'running', ?, 1, j.value ->> 1, j.value ->> 1, \
             j.value ->> 2 FROM jsonb_each(?) AS j"
        ));
        self.add(template.workflow.clone())?;
        self.add(template.version.clone())?;
        self.add(template.owner)?;
        let now = now();
        let rows = ids.iter().map(|id| (hex(id), now, &template.input));
        self.add(serde_json::to_string(&rows.collect::<Vec<_>>())?)
    }

    fn tasks_values(&mut self, tasks: &[TaskRow], ids: &[Uuid]) -> Result<()> {
        self.insert(TASKS, "(?, ?, ?, 'completed', 1, ?, ?, ?, ?)", ids.len() * tasks.len());
        let now = now();
        for (id, row) in ids.iter().flat_map(|id| tasks.iter().map(move |row| (id, row))) {
            self.add(*id)?;
            self.add(row.task.clone())?;
            self.add(row.ordinal)?;
            self.add(now)?;
            self.add(now)?;
            self.add(row.changes.clone())?;
            self.add(row.output.clone())?;
        }
        Ok(())
    }

    fn tasks_json(&mut self, tasks: &[TaskRow], ids: &[Uuid]) -> Result<()> {
        self.statements.push(format!(
            "{TASKS} SELECT unhex(j.value ->> 0), j.value ->> 1, j.value ->> 2, 'completed', 1, j.value ->> 3, \
             j.value ->> 3, j.value ->> 4, j.value ->> 5 FROM jsonb_each(?) AS j"
        ));
        let now = now();
        let rows = ids.iter().flat_map(|id| {
            let id = hex(id);
            tasks.iter().map(move |row| {
                (id.clone(), &row.task, row.ordinal, now, &row.changes, &row.output)
            })
        });
        self.add(serde_json::to_string(&rows.collect::<Vec<_>>())?)
    }

    fn end(&mut self, ids: &[Uuid]) -> Result<()> {
        self.statements.push(
            "UPDATE executions SET status = 'completed', finished_at = ? \
             WHERE id IN (SELECT unhex(j.value) FROM json_each(?) AS j)"
                .to_owned(),
        );
        self.add(now())?;
        let ids: Vec<String> = ids.iter().map(hex).collect();
        self.add(serde_json::to_string(&ids)?)
    }
}

impl Writer for SqliteWriter {
    async fn submit(&mut self, ids: &[Uuid]) -> Result<()> {
        let mut script = Script::default();
        match self.method {
            Method::Values => script.submit_values(&self.template, ids)?,
            Method::Json | Method::Connections(_) => script.submit_json(&self.template, ids)?,
        }
        self.execute(script).await
    }

    async fn level(&mut self, ids: &[Uuid], level: usize) -> Result<()> {
        let mut script = Script::default();
        let tasks = &self.template.levels[level];
        match self.method {
            Method::Values => script.tasks_values(tasks, ids)?,
            Method::Json | Method::Connections(_) => script.tasks_json(tasks, ids)?,
        }
        if level + 1 == self.template.levels.len() {
            script.end(ids)?;
        }
        self.execute(script).await
    }
}

fn hex(id: &Uuid) -> String {
    id.as_bytes().iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// Microseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "stands for the engine's clock in the rows")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_more_than_one_statement_is_one_transaction() {
        let mut script = Script::default();
        script.insert("INSERT INTO t", "(?)", 2);
        assert_eq!(script.text().as_str(), "INSERT INTO t VALUES (?), (?)");
        script.insert("INSERT INTO t", "(?)", ROWS + 1);
        assert_eq!(script.statements.len(), 3);
        let text = script.text();
        assert!(text.as_str().starts_with("BEGIN IMMEDIATE; "), "{text:?}");
        assert!(text.as_str().ends_with("; COMMIT"), "{text:?}");
    }
}
