//! A database of its own on a PostgreSQL server, whose commits wait for the disk.

use anyhow::{Context as _, Result, ensure};
use cloacina_testing::postgres::{Server, schema_name};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use url::Url;

/// What sessions are called that count what others do.
pub(crate) const HARNESS: &str = "cloacina-bench";

/// As many files of 16 MiB as a server keeps at most, by its default `max_wal_size`.
const LOG_FILES: u32 = 64;

/// A database on the server at an address, or on a throw-away one.
pub(crate) struct Database {
    /// Of the server.
    admin: String,
    url: String,
    name: String,
    /// Stops with this.
    server: Option<Server>,
}

impl Database {
    /// Makes a database on the server at that address; `postgres` stands for a throw-away one.
    pub(crate) async fn new(address: &str) -> Result<Self> {
        let (admin, server) = if address == "postgres" {
            let server = Server::start_durable()?;
            (server.url().to_owned(), Some(server))
        } else {
            (address.to_owned(), None)
        };
        let name = schema_name();
        // An error that shows the address would show the password.
        let mut url = Url::parse(&admin).context("the address of the server is malformed")?;
        url.set_path(&name);
        let database = Self { admin, url: url.into(), name, server };
        let create = format!("CREATE DATABASE {}", database.name);
        connect(&database.admin, HARNESS).await?.execute(AssertSqlSafe(create)).await?;
        if database.is_own() {
            let mut connection = database.connect().await?;
            for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
                let found = show(&mut connection, setting).await?;
                ensure!(found == "on", "`{setting}` is `{found}`: nothing would be durable");
            }
            make_log_files(&mut connection).await?;
            touch_buffers(&mut connection).await?;
        }
        Ok(database)
    }

    /// Returns its address, with the password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Tells whether the server was started here.
    pub(crate) fn is_own(&self) -> bool {
        self.server.is_some()
    }

    /// Opens a session in it.
    pub(crate) async fn connect(&self) -> Result<PgConnection> {
        self.connect_as(HARNESS).await
    }

    /// Opens a session in it under a name of its own.
    pub(crate) async fn connect_as(&self, name: &str) -> Result<PgConnection> {
        connect(&self.url, name).await
    }

    pub(crate) async fn remove(&self) -> Result<()> {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let mut connection = connect(&self.admin, HARNESS).await?;
        connection.execute(AssertSqlSafe(drop)).await?;
        Ok(connection.close().await?)
    }
}

async fn connect(url: &str, name: &str) -> Result<PgConnection> {
    let options = url.parse::<PgConnectOptions>()?.application_name(name);
    Ok(options.disable_statement_logging().connect().await?)
}

/// Lets a new server make as many files of its log as it will use. One that has been at work uses them over again; to make one costs a
/// tenth of what it costs to fill it, and would be paid by whoever is measured first.
async fn make_log_files(connection: &mut PgConnection) -> Result<()> {
    connection.execute("ALTER SYSTEM SET min_wal_size = '1GB'").await?;
    connection.execute("SELECT pg_reload_conf()").await?;
    for _ in 0..LOG_FILES {
        // A file in which nothing stands is not left.
        connection.execute("SELECT pg_logical_emit_message(false, '', '')").await?;
        connection.execute("SELECT pg_switch_wal()").await?;
    }
    connection.execute("CHECKPOINT").await?;
    Ok(())
}

/// Lets a new server touch all of its shared memory. One that has been at work has it; a page that is new to it costs more than what is
/// written there, and would be paid by whoever is measured first.
async fn touch_buffers(connection: &mut PgConnection) -> Result<()> {
    connection.execute("CREATE UNLOGGED TABLE touched (page text)").await?;
    connection.execute("ALTER TABLE touched ALTER COLUMN page SET STORAGE PLAIN").await?;
    let pages = "SELECT setting::int FROM pg_settings WHERE name = 'shared_buffers'";
    let fill = "INSERT INTO touched SELECT repeat('x', 5000) FROM generate_series(1, $1)";
    let pages: i32 = sqlx::query_scalar(pages).fetch_one(&mut *connection).await?;
    sqlx::query(fill).bind(pages).execute(&mut *connection).await?;
    connection.execute("DROP TABLE touched").await?;
    Ok(())
}

/// Reads a setting of the server.
pub(crate) async fn show(connection: &mut PgConnection, setting: &str) -> Result<String> {
    let query = sqlx::query_scalar("SELECT current_setting($1)").bind(setting);
    Ok(query.fetch_one(connection).await?)
}
