//! Where the tenants are: a folder, or a database whose counters are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use cloacina_core::TenantStore;
use cloacina_postgres::{PostgresOptions, PostgresTenants};
use cloacina_sqlite::SqliteTenants;
use cloacina_testing::postgres::Server;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use tempfile::TempDir;

/// How many connections all tenants share.
const POOL: u32 = 10;

/// How often connections are counted.
const COUNT: Duration = Duration::from_millis(50);

/// A place for tenants.
pub(super) trait Place {
    type Store: TenantStore;

    fn store(&self) -> Result<Self::Store>;

    /// Counts the transactions so far, where the store counts them.
    async fn transactions(&self) -> Result<Option<i64>>;

    /// Begins to count connections.
    fn watch_connections(&self) -> Option<Watch>;

    /// Ends the count, and tells the highest one.
    async fn most_connections(&self, watch: Option<Watch>) -> Result<Option<u64>>;

    fn connections_bound(&self) -> Option<u64>;
}

/// A count under way.
pub(super) struct Watch {
    most: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<Result<()>>,
}

/// A folder of SQLite files.
pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn new() -> Result<Self> {
        Ok(Self(TempDir::new()?))
    }
}

impl Place for Folder {
    type Store = SqliteTenants;

    fn store(&self) -> Result<SqliteTenants> {
        Ok(SqliteTenants::new(self.0.path())?)
    }

    async fn transactions(&self) -> Result<Option<i64>> {
        Ok(None)
    }

    fn watch_connections(&self) -> Option<Watch> {
        None
    }

    async fn most_connections(&self, _: Option<Watch>) -> Result<Option<u64>> {
        Ok(None)
    }

    fn connections_bound(&self) -> Option<u64> {
        None
    }
}

/// A database of its own on a PostgreSQL server.
pub(super) struct Database {
    /// Of the server, for what is asked past the tenants.
    url: String,
    name: String,
    _server: Option<Server>,
}

impl Database {
    /// Makes a database on the server at that address, or on a throw-away one.
    pub(super) async fn new(url: &str) -> Result<Self> {
        let (url, server) = if url == "postgres" {
            let server = Server::start()?;
            (server.url().to_owned(), Some(server))
        } else {
            (url.to_owned(), None)
        };
        let name = cloacina_testing::postgres::schema_name();
        let place = Self { url, name, _server: server };
        let create = format!("CREATE DATABASE {}", place.name);
        place.connect().await?.execute(AssertSqlSafe(create)).await?;
        Ok(place)
    }

    pub(super) async fn remove(&self) -> Result<()> {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        self.connect().await?.execute(AssertSqlSafe(drop)).await?;
        Ok(())
    }

    async fn connect(&self) -> Result<PgConnection> {
        Ok(self.url.parse::<PgConnectOptions>()?.disable_statement_logging().connect().await?)
    }
}

async fn number(connection: &mut PgConnection, sql: &str, database: &str) -> Result<i64> {
    let query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(database);
    Ok(query.fetch_one(connection).await?)
}

impl Place for Database {
    type Store = PostgresTenants;

    fn store(&self) -> Result<PostgresTenants> {
        let (server, _) = self.url.rsplit_once('/').context("an address names a database")?;
        let options = PostgresOptions::from_url(&format!("{server}/{}", self.name))?;
        Ok(PostgresTenants::with_options(options.pool_size(POOL)))
    }

    async fn transactions(&self) -> Result<Option<i64>> {
        const SQL: &str =
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1";
        // A session that is idle tells its last counts only after ten seconds.
        tokio::time::sleep(Duration::from_secs(11)).await;
        Ok(Some(number(&mut self.connect().await?, SQL, &self.name).await?))
    }

    fn watch_connections(&self) -> Option<Watch> {
        const SQL: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
        let most = Arc::new(AtomicU64::new(0));
        let (url, name, highest) = (self.url.clone(), self.name.clone(), Arc::clone(&most));
        let watch = async move {
            let options = url.parse::<PgConnectOptions>()?.disable_statement_logging();
            let mut connection = options.connect().await?;
            loop {
                let count = number(&mut connection, SQL, &name).await?;
                highest.fetch_max(count.try_into()?, Ordering::Relaxed);
                tokio::time::sleep(COUNT).await;
            }
        };
        #[expect(clippy::disallowed_methods, reason = "`most_connections` ends it")]
        let task = tokio::spawn(watch);
        Some(Watch { most, task })
    }

    async fn most_connections(&self, watch: Option<Watch>) -> Result<Option<u64>> {
        let Some(Watch { most, task }) = watch else { return Ok(None) };
        if task.is_finished() {
            // It ends by itself only if it failed.
            task.await??;
        } else {
            task.abort();
        }
        Ok(Some(most.load(Ordering::Relaxed)))
    }

    fn connections_bound(&self) -> Option<u64> {
        Some(POOL.into())
    }
}
