//! The database past all crates: an audit that triggers keep, and the server's own views.

use std::collections::HashMap;

use cloacina_tests::montage::Made;
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Postgres, Row as _, Transaction};

/// Notes who changes what, in the order in which it happens. Sessions are told apart by their application names.
const AUDIT: &str = "
CREATE SCHEMA {audit};
CREATE TABLE {audit}.workers (
    seq bigint GENERATED ALWAYS AS IDENTITY, worker uuid, session text
);
CREATE TABLE {audit}.ownership (
    seq bigint GENERATED ALWAYS AS IDENTITY, execution uuid, owner uuid, epoch bigint, status text
);
CREATE TABLE {audit}.results (
    execution uuid, task text, owner uuid, epoch bigint, session text
);
CREATE TABLE {audit}.changes (execution uuid, task text);

CREATE FUNCTION {audit}.worker() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO {audit}.workers (worker, session)
    VALUES (NEW.id, current_setting('application_name'));
    RETURN NULL;
END $$;
CREATE FUNCTION {audit}.ownership() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO {audit}.ownership (execution, owner, epoch, status)
    VALUES (NEW.id, NEW.owner, NEW.epoch, NEW.status);
    RETURN NULL;
END $$;
CREATE FUNCTION {audit}.result() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO {audit}.results
    SELECT NEW.execution_id, NEW.task, e.owner, e.epoch, current_setting('application_name')
    FROM {schema}.executions AS e WHERE e.id = NEW.execution_id;
    RETURN NULL;
END $$;
CREATE FUNCTION {audit}.change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO {audit}.changes VALUES (OLD.execution_id, OLD.task);
    RETURN NULL;
END $$;

CREATE TRIGGER audit AFTER INSERT ON {schema}.workers
FOR EACH ROW EXECUTE FUNCTION {audit}.worker();
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON {schema}.executions
FOR EACH ROW EXECUTE FUNCTION {audit}.ownership();
CREATE TRIGGER audit AFTER INSERT ON {schema}.tasks
FOR EACH ROW EXECUTE FUNCTION {audit}.result();
CREATE TRIGGER audit_changes AFTER UPDATE OR DELETE ON {schema}.tasks
FOR EACH ROW EXECUTE FUNCTION {audit}.change();
";

/// A task's row, with who committed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) execution: String,
    pub(crate) task: String,
    pub(crate) state: String,
    pub(crate) attempts: i64,
    /// What the task returned; none if it failed.
    pub(crate) made: Option<Made>,
    /// The owner of the execution in the transaction that wrote the row.
    pub(crate) owner: String,
    pub(crate) epoch: i64,
    /// The process whose session wrote it.
    pub(crate) pid: u32,
}

/// An execution's row after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ownership {
    pub(crate) execution: String,
    pub(crate) owner: Option<String>,
    pub(crate) epoch: i64,
    pub(crate) status: String,
}

/// An event's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) execution: String,
    pub(crate) kind: String,
    pub(crate) task: Option<String>,
    pub(crate) detail: String,
}

/// A session of a worker process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) backend: i32,
    /// The process.
    pub(crate) pid: u32,
}

pub(crate) struct Database {
    pool: PgPool,
    schema: String,
}

impl Database {
    /// Begins to watch a schema.
    pub(crate) async fn watch(url: &str, schema: &str) -> Self {
        let pool = PgPoolOptions::new().max_connections(2).connect(url).await.unwrap();
        let database = Self { pool, schema: schema.to_owned() };
        sqlx::raw_sql(AssertSqlSafe(database.render(AUDIT))).execute(&database.pool).await.unwrap();
        database
    }

    fn render(&self, sql: &str) -> String {
        let audit = format!("{}_audit", self.schema);
        sql.replace("{schema}", &self.schema).replace("{audit}", &audit)
    }

    pub(crate) async fn rows(&self, sql: &str) -> Vec<PgRow> {
        sqlx::query(AssertSqlSafe(self.render(sql))).fetch_all(&self.pool).await.unwrap()
    }

    pub(crate) async fn number(&self, sql: &str) -> usize {
        let rows = self.rows(sql).await;
        usize::try_from(rows[0].get::<i64, _>(0)).unwrap()
    }

    pub(crate) async fn ended(&self) -> usize {
        self.number("SELECT count(*) FROM {schema}.executions WHERE finished_at IS NOT NULL").await
    }

    pub(crate) async fn registered(&self) -> usize {
        self.number("SELECT count(*) FROM {schema}.workers").await
    }

    /// Lists the ids under which a process has registered, in order.
    pub(crate) async fn workers_of(&self, pid: u32) -> Vec<String> {
        let workers = self.workers().await.into_iter().filter(|(_, of)| *of == pid);
        workers.map(|(worker, _)| worker).collect()
    }

    /// Lists all workers with their processes, in the order of their first registrations.
    pub(crate) async fn workers(&self) -> Vec<(String, u32)> {
        // A worker that registered again is one worker still.
        let sql = "SELECT worker::text, session FROM {audit}.workers \
            GROUP BY worker, session ORDER BY min(seq)";
        let rows = self.rows(sql).await;
        rows.iter().map(|row| (row.get(0), pid_of(row.get(1)))).collect()
    }

    /// Counts the rows of workers that a process has.
    pub(crate) async fn rows_of(&self, pid: u32) -> usize {
        let session = format!("{}.{pid}", self.schema);
        self.number(&format!(
            "SELECT count(*) FROM {{schema}}.workers AS w WHERE EXISTS (\
                SELECT 1 FROM {{audit}}.workers AS a WHERE a.worker = w.id AND a.session = '{session}')"
        ))
        .await
    }

    /// Locks the row of a worker as a process does that is stopped while it claims. Until the transaction ends.
    pub(crate) async fn lock_row(&self, worker: &str) -> Transaction<'static, Postgres> {
        let mut transaction = self.pool.begin().await.unwrap();
        let lock = format!("SELECT 1 FROM {{schema}}.workers WHERE id = '{worker}' FOR KEY SHARE");
        let lock = sqlx::query(AssertSqlSafe(self.render(&lock))).execute(&mut *transaction).await;
        assert_eq!(lock.unwrap().rows_affected(), 1);
        transaction
    }

    /// Reads when the lease of a worker runs out, and whether it has.
    pub(crate) async fn lease(&self, worker: &str) -> Option<(String, bool)> {
        let sql = format!(
            "SELECT expires_at::text, expires_at < clock_timestamp() FROM {{schema}}.workers \
             WHERE id = '{worker}'"
        );
        self.rows(&sql).await.first().map(|row| (row.get(0), row.get(1)))
    }

    /// Reads the rows of all tasks.
    pub(crate) async fn committed(&self) -> Vec<Committed> {
        let sql = "SELECT t.execution_id::text, t.task, t.state, t.attempts, t.output, \
            r.owner::text, r.epoch, r.session \
            FROM {schema}.tasks AS t LEFT JOIN {audit}.results AS r \
            ON r.execution = t.execution_id AND r.task = t.task ORDER BY 1, 2";
        let rows = self.rows(sql).await;
        let read = |row: &PgRow| Committed {
            execution: row.get(0),
            task: row.get(1),
            state: row.get(2),
            attempts: row.get(3),
            made: row.get::<Option<&str>, _>(4).map(|output| serde_json::from_str(output).unwrap()),
            owner: row.get(5),
            epoch: row.get(6),
            pid: pid_of(row.get(7)),
        };
        rows.iter().map(read).collect()
    }

    /// Counts the changes of rows of tasks that were there already: none is legal.
    pub(crate) async fn changes(&self) -> usize {
        self.number("SELECT count(*) FROM {audit}.changes").await
    }

    /// Reads how each execution changed, in order.
    pub(crate) async fn histories(&self) -> HashMap<String, Vec<Ownership>> {
        let sql = "SELECT execution::text, owner::text, epoch, status \
            FROM {audit}.ownership ORDER BY seq";
        let mut histories: HashMap<String, Vec<Ownership>> = HashMap::new();
        for row in self.rows(sql).await {
            let (execution, owner, epoch, status) =
                (row.get::<String, _>(0), row.get(1), row.get(2), row.get(3));
            let key = execution.clone();
            histories.entry(key).or_default().push(Ownership { execution, owner, epoch, status });
        }
        histories
    }

    pub(crate) async fn events(&self, kind: &str) -> Vec<Event> {
        let sql = format!(
            "SELECT execution_id::text, kind, task, detail FROM {{schema}}.events \
             WHERE kind = '{kind}' ORDER BY seq"
        );
        let rows = self.rows(&sql).await;
        let read = |row: &PgRow| Event {
            execution: row.get(0),
            kind: row.get(1),
            task: row.get(2),
            detail: row.get(3),
        };
        rows.iter().map(read).collect()
    }

    /// Lists the sessions of the worker processes.
    pub(crate) async fn sessions(&self) -> Vec<Session> {
        let sql = "SELECT pid, application_name FROM pg_stat_activity \
            WHERE starts_with(application_name, '{schema}.') ORDER BY pid";
        let rows = self.rows(sql).await;
        let read = |row: &PgRow| Session { backend: row.get(0), pid: pid_of(row.get(1)) };
        rows.iter().map(read).collect()
    }

    pub(crate) async fn terminate(&self, session: &Session) {
        self.rows(&format!("SELECT pg_terminate_backend({})", session.backend)).await;
    }

    /// Counts the advisory locks that sessions of the worker processes hold beyond a transaction.
    pub(crate) async fn locks(&self) -> usize {
        self.number(
            "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.granted AND a.xact_start IS NULL \
             AND starts_with(a.application_name, '{schema}.')",
        )
        .await
    }

    /// Counts the sessions of the worker processes that sit in a transaction which nobody goes on with.
    pub(crate) async fn stale_transactions(&self) -> usize {
        self.number(
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' \
             AND state_change < clock_timestamp() - interval '5 s' \
             AND starts_with(application_name, '{schema}.')",
        )
        .await
    }

    pub(crate) async fn remove(&self) {
        let drop = self.render("DROP SCHEMA {schema} CASCADE; DROP SCHEMA {audit} CASCADE");
        // A session whose process has gone may be at its last statement, and the server then ends one of the two.
        while let Err(error) = sqlx::raw_sql(AssertSqlSafe(&*drop)).execute(&self.pool).await {
            let code = error.as_database_error().and_then(|error| error.code());
            assert_eq!(code.as_deref(), Some("40P01"), "{error}");
        }
        self.pool.close().await;
    }
}

/// Reads the process from the application name of a session.
fn pid_of(session: &str) -> u32 {
    session.rsplit('.').next().and_then(|pid| pid.parse().ok()).unwrap_or_default()
}
