//! What only PostgreSQL has: sessions that can be listed and ended, and locks that can be looked at.

use sqlx::{AssertSqlSafe, Postgres, Transaction};

use super::audit;
use super::database::{Database, Store, number, pid_of, text};

/// A session of a worker process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The server's process.
    pub backend: i32,
    /// The worker's process.
    pub pid: u32,
}

impl Database {
    /// Locks the row of a worker as a process does that is stopped while it claims. Until the transaction ends.
    ///
    /// # Panics
    ///
    /// If there is no such row, or the store is not PostgreSQL.
    pub async fn lock_row(&self, worker: &str) -> Transaction<'static, Postgres> {
        let Store::Postgres { pool, schema } = &self.store else { panic!("no PostgreSQL") };
        let mut transaction = pool.begin().await.unwrap();
        let lock = format!("SELECT 1 FROM {{schema}}.workers WHERE id = '{worker}' FOR KEY SHARE");
        let lock = AssertSqlSafe(audit::postgres(&lock, schema));
        let locked = sqlx::query(lock).execute(&mut *transaction).await;
        assert_eq!(locked.unwrap().rows_affected(), 1);
        transaction
    }

    /// Reads when the lease of a worker runs out, and whether it has.
    pub async fn lease(&self, worker: &str) -> Option<(String, bool)> {
        let sql = format!(
            "SELECT expires_at::text, (expires_at < clock_timestamp())::text \
             FROM {{schema}}.workers WHERE id = '{worker}'"
        );
        let rows = self.rows(&sql).await;
        rows.first().map(|row| (text(&row[0]), row[1].as_deref() == Some("true")))
    }

    /// Lists the sessions of the worker processes.
    pub async fn sessions(&self) -> Vec<Session> {
        let sql = "SELECT pid::text, application_name FROM pg_stat_activity \
            WHERE starts_with(application_name, '{schema}.') ORDER BY pid";
        let rows = self.rows(sql).await;
        let sessions = rows
            .iter()
            .map(|row| Session { backend: number(&row[0]), pid: pid_of(&text(&row[1])) });
        sessions.collect()
    }

    /// Ends a session.
    pub async fn terminate(&self, session: &Session) {
        self.rows(&format!("SELECT pg_terminate_backend({})::text", session.backend)).await;
    }

    /// Counts the advisory locks that sessions of the worker processes hold beyond a transaction.
    pub async fn locks(&self) -> usize {
        self.count(
            "pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.granted AND a.xact_start IS NULL \
             AND starts_with(a.application_name, '{schema}.')",
        )
        .await
    }

    /// Counts the sessions of the worker processes that sit in a transaction which nobody goes on with.
    pub async fn stale_transactions(&self) -> usize {
        self.count(
            "pg_stat_activity WHERE state LIKE 'idle in transaction%' \
             AND state_change < clock_timestamp() - interval '5 s' \
             AND starts_with(application_name, '{schema}.')",
        )
        .await
    }

    /// Tells what all sessions do and wait for, one a line.
    pub async fn activity(&self) -> Vec<String> {
        let sql = "SELECT concat_ws(' ', a.pid, a.application_name, a.state, \
                a.wait_event_type, a.wait_event, now() - a.state_change, \
                (SELECT string_agg(l.locktype || ':' || l.mode || ':' || l.granted, ',') \
                 FROM pg_locks AS l WHERE l.pid = a.pid), left(a.query, 120)) \
            FROM pg_stat_activity AS a WHERE a.datname IS NOT NULL ORDER BY a.pid";
        match &self.store {
            Store::Postgres { .. } => {
                self.rows(sql).await.iter().map(|row| text(&row[0])).collect()
            }
            Store::Sqlite { .. } => Vec::new(),
        }
    }

    /// Removes what was watched and the audit; a file is left to its folder.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub async fn remove(&self) {
        let (pool, schema) = match &self.store {
            Store::Postgres { pool, schema } => (pool, schema),
            Store::Sqlite { pool, .. } => return pool.close().await,
        };
        let sql = "DROP SCHEMA {audit} CASCADE; DROP SCHEMA {schema} CASCADE";
        let drop = audit::postgres(sql, schema);
        // A session whose process has gone may be at its last statement, and the server then ends one of the two.
        while let Err(error) = sqlx::raw_sql(AssertSqlSafe(&*drop)).execute(pool).await {
            let code = error.as_database_error().and_then(|error| error.code());
            assert_eq!(code.as_deref(), Some("40P01"), "{error}");
        }
        pool.close().await;
    }
}
