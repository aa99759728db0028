//! Where the tenants are: a folder, or a database whose counters are read.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use cloacina_core::TenantStore;
use cloacina_postgres::{PostgresOptions, PostgresTenants};
use cloacina_sqlite::SqliteTenants;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use tempfile::TempDir;

use crate::database::Database;

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
    /// Makes it in a folder, or in the one for temporary files.
    pub(super) fn new(within: Option<&Path>) -> Result<Self> {
        Ok(Self(within.map_or_else(TempDir::new, TempDir::new_in)?))
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

/// Schemas of a database of its own on a PostgreSQL server.
pub(super) struct Schemas(Arc<Database>);

impl Schemas {
    /// Makes a database on the server at that address, or on a throw-away one.
    pub(super) async fn new(url: &str) -> Result<Self> {
        Ok(Self(Arc::new(Database::new(url).await?)))
    }

    pub(super) async fn remove(&self) -> Result<()> {
        self.0.remove().await
    }
}

async fn number(connection: &mut PgConnection, sql: &str, database: &str) -> Result<i64> {
    let query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(database);
    Ok(query.fetch_one(connection).await?)
}

impl Place for Schemas {
    type Store = PostgresTenants;

    fn store(&self) -> Result<PostgresTenants> {
        let options = PostgresOptions::from_url(self.0.url())?;
        Ok(PostgresTenants::with_options(options.pool_size(POOL)))
    }

    async fn transactions(&self) -> Result<Option<i64>> {
        const SQL: &str =
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1";
        // A session that is idle tells its last counts only after ten seconds.
        tokio::time::sleep(Duration::from_secs(11)).await;
        Ok(Some(number(&mut self.0.connect().await?, SQL, self.0.name()).await?))
    }

    fn watch_connections(&self) -> Option<Watch> {
        const SQL: &str = "SELECT count(*) FROM pg_stat_activity \
            WHERE datname = $1 AND backend_type = 'client backend'";
        let most = Arc::new(AtomicU64::new(0));
        let (database, highest) = (Arc::clone(&self.0), Arc::clone(&most));
        let watch = async move {
            let mut connection = database.connect().await?;
            loop {
                let count = number(&mut connection, SQL, database.name()).await?;
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
