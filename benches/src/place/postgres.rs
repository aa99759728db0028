//! Places on PostgreSQL: schemas of a database.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use cloacina_core::{Backend as _, Workflow};
use cloacina_postgres::{PostgresBackend, PostgresOptions};
use cloacina_testing::postgres::schema_name;
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Place, Store};
use crate::counters::{Counters, Settled};
use crate::database::{Database, HARNESS, show};
use crate::limit::{Method, PostgresWriter, TaskRow, Template};
use crate::{past, process};

/// How long sessions that were closed may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A database.
pub(crate) struct Postgres {
    database: Arc<Database>,
}

impl Postgres {
    /// Makes a database on the server at that address; `postgres` stands for a throw-away one.
    pub(crate) async fn new(address: &str) -> Result<Self> {
        Ok(Self { database: Arc::new(Database::new(address).await?) })
    }

    pub(crate) async fn remove(&self) -> Result<()> {
        self.database.remove().await
    }
}

impl Store for Postgres {
    type Place = PostgresSchema;

    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn describe(&self) -> Result<Value> {
        let mut connection = self.database.connect().await?;
        let mut settings = serde_json::Map::new();
        for (name, setting) in [
            ("version", "server_version"),
            ("fsync", "fsync"),
            ("synchronous_commit", "synchronous_commit"),
            ("full_page_writes", "full_page_writes"),
            ("shared_buffers", "shared_buffers"),
            ("max_wal_size", "max_wal_size"),
        ] {
            settings.insert(name.to_owned(), show(&mut connection, setting).await?.into());
        }
        let is_on = |name: &str| settings.get(name).is_some_and(|value| value == "on");
        let is_full = is_on("fsync") && is_on("synchronous_commit") && is_on("full_page_writes");
        let durability = if is_full { "full" } else { "less than full: see the settings" };
        settings.insert("durability".to_owned(), durability.into());
        let file_system =
            self.database.is_own().then(|| process::file_system(&std::env::temp_dir()));
        settings.insert("file_system".to_owned(), json!(file_system.flatten()));
        Ok(settings.into())
    }

    async fn place(&self) -> Result<PostgresSchema> {
        let mut connection = self.database.connect().await?;
        let pid: i32 =
            sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await?;
        // Sessions are children of the postmaster.
        let server =
            if self.database.is_own() { process::parent(pid.unsigned_abs()) } else { None };
        let database = Arc::clone(&self.database);
        Ok(PostgresSchema {
            database,
            schema: schema_name(),
            connection: connection.into(),
            server,
        })
    }

    fn methods(&self) -> &'static [Method] {
        &[
            Method::Connections(1),
            Method::Connections(2),
            Method::Connections(4),
            Method::Connections(8),
        ]
    }
}

/// A schema.
pub(crate) struct PostgresSchema {
    database: Arc<Database>,
    schema: String,
    /// Asks for counts.
    connection: Mutex<PgConnection>,
    /// The first process of the server, if it was started here.
    server: Option<u32>,
}

impl PostgresSchema {
    /// Waits until nobody is connected but those who count: sessions hand in their counts when they end.
    async fn until_alone(&self, connection: &mut PgConnection) -> Result<()> {
        const SQL: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 \
            AND backend_type = 'client backend' AND application_name <> $2";
        let begun = Instant::now();
        loop {
            let others = sqlx::query_scalar(SQL).bind(self.database.name()).bind(HARNESS);
            let others: i64 = others.fetch_one(&mut *connection).await?;
            if others == 0 {
                return Ok(());
            }
            ensure!(begun.elapsed() < PATIENCE, "{others} sessions have not ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Place for PostgresSchema {
    type Backend = PostgresBackend;
    type Writer = PostgresWriter;

    async fn open(&self) -> Result<PostgresBackend> {
        let options = PostgresOptions::from_url(self.database.url())?.schema(&self.schema)?;
        Ok(PostgresBackend::open(options).await?)
    }

    async fn counters(&self) -> Result<Counters> {
        // Numbers of transactions are given to those that write only, at once. What `pg_stat_database` counts comes late.
        const SQL: &str = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, \
            pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint";
        let mut connection = self.connection.lock().await;
        let (commits, bytes): (i64, i64) = sqlx::query_as(SQL).fetch_one(&mut *connection).await?;
        Ok(Counters {
            commits: commits.try_into()?,
            log_bytes: Some(bytes.try_into()?),
            cpu: process::cpu(),
            server_cpu: self.server.and_then(process::cpu_with_children),
        })
    }

    async fn settled(&self) -> Result<Settled> {
        const SQL: &str = "SELECT coalesce(sum(n_tup_ins), 0)::bigint, \
            coalesce(sum(n_tup_upd), 0)::bigint, \
            (SELECT xact_commit FROM pg_stat_database WHERE datname = $2) \
            FROM pg_stat_user_tables WHERE schemaname = $1 \
            AND relname IN ('executions', 'tasks', 'attempts', 'events')";
        let mut connection = self.connection.lock().await;
        self.until_alone(&mut connection).await?;
        let counts = sqlx::query_as(SQL).bind(&self.schema).bind(self.database.name());
        let (inserted, updated, transactions): (i64, i64, i64) =
            counts.fetch_one(&mut *connection).await?;
        Ok(Settled {
            inserted: inserted.try_into()?,
            updated: Some(updated.try_into()?),
            transactions: Some(transactions.try_into()?),
        })
    }

    async fn template(&self, workflow: &Workflow) -> Result<Template> {
        let schema = &self.schema;
        let mut connection = self.connection.lock().await;
        let sql = format!("SELECT id, input FROM {schema}.executions WHERE workflow = $1 LIMIT 1");
        let execution = sqlx::query_as(AssertSqlSafe(sql)).bind(workflow.name());
        let (id, input): (Uuid, String) = execution.fetch_one(&mut *connection).await?;
        let sql = format!(
            "SELECT task, ordinal, changes, output FROM {schema}.tasks WHERE execution_id = $1"
        );
        let tasks = sqlx::query_as(AssertSqlSafe(sql)).bind(id);
        let tasks: Vec<TaskRow> = tasks.fetch_all(&mut *connection).await?;
        Template::new(workflow, input, tasks)
    }

    async fn writers(
        &self,
        template: &Arc<Template>,
        method: Method,
    ) -> Result<Vec<PostgresWriter>> {
        // Makes the tables.
        self.open().await?.close().await;
        let mut writers = Vec::new();
        for _ in 0..method.connections() {
            let connection = self.database.connect().await?;
            let writer = PostgresWriter::new(connection, &self.schema, Arc::clone(template));
            writers.push(writer.await?);
        }
        Ok(writers)
    }

    async fn begin_half(&self, template: &Template) -> Result<()> {
        let mut connection = self.database.connect_as("past").await?;
        past::postgres::begin_half(&mut connection, &self.schema, template).await?;
        Ok(connection.close().await?)
    }

    async fn fill(&self, template: &Template, count: usize) -> Result<()> {
        let mut connection = self.database.connect_as("past").await?;
        past::postgres::fill(&mut connection, &self.schema, template, count).await?;
        Ok(connection.close().await?)
    }

    async fn remove(self) -> Result<()> {
        let drop = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.schema);
        let mut connection = self.connection.into_inner();
        connection.execute(AssertSqlSafe(drop)).await?;
        Ok(())
    }
}
