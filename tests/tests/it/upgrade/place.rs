//! Databases made from fixtures, to be opened by the crates and to be looked at past them.

use std::fs;
use std::path::PathBuf;

use cloacina_core::{Backend as _, BackendError, Connect, UnifiedExecutor, UnifiedExecutorBuilder};
use cloacina_postgres::{PostgresBackend, PostgresOptions};
use cloacina_sqlite::{SqliteBackend, SqliteOptions};
use cloacina_testing::postgres::{schema_name, server};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use tempfile::TempDir;

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// The rows of each table, and which columns of it.
pub(super) type Rows = Vec<(String, Vec<String>)>;

/// A database of one kind.
pub(super) trait Place: Sized + Sync {
    type Backend: Connect;

    const KIND: Kind;

    /// Makes one of the fixture of a version, or an empty one.
    async fn new(version: Option<u32>) -> Self;

    fn builder(&self) -> UnifiedExecutorBuilder<Self::Backend>;

    /// Opens and closes it, which migrates it.
    async fn open(&self) -> Result<(), BackendError>;

    /// Names the tables with their columns, as a query names them.
    async fn columns(&self) -> Vec<(String, String)>;

    /// Reads the rows of these columns, sorted.
    async fn rows(&self, columns: &[(String, String)]) -> Rows;

    /// Describes what the tables are made of.
    async fn structure(&self) -> Vec<String>;

    /// The migrations that it has seen, one by one if it has a ledger.
    async fn seen(&self) -> Vec<u32>;

    /// Says that a program has been here which knows that version.
    async fn pretend(&self, version: u32);

    fn fixture(version: u32) -> String {
        let path = super::fixtures(Self::KIND).join(format!("{version:04}.sql"));
        fs::read_to_string(path).unwrap()
    }
}

/// A SQLite file, in a folder of its own.
pub(super) struct File {
    folder: TempDir,
}

impl File {
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("app.db")
    }

    async fn connect(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path()).create_if_missing(true);
        // In the order of the alphabet a row may come before what it refers to.
        options.foreign_keys(false).disable_statement_logging().connect().await.unwrap()
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        let mut connection = self.connect().await;
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

impl Place for File {
    type Backend = SqliteBackend;

    const KIND: Kind = Kind::Sqlite;

    async fn new(version: Option<u32>) -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap() };
        if let Some(version) = version {
            file.texts(&Self::fixture(version)).await;
        }
        file
    }

    fn builder(&self) -> UnifiedExecutorBuilder<SqliteBackend> {
        UnifiedExecutor::builder().database_url(format!("sqlite://{}", self.path().display()))
    }

    async fn open(&self) -> Result<(), BackendError> {
        SqliteBackend::open(SqliteOptions::new(self.path())).await?.close().await;
        Ok(())
    }

    async fn columns(&self) -> Vec<(String, String)> {
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1";
        let mut columns = Vec::new();
        for table in self.texts(tables).await {
            let sql = format!("SELECT 'quote(' || name || ')' FROM pragma_table_info('{table}')");
            columns.push((table, self.texts(&sql).await.join(" || ' ' || ")));
        }
        columns
    }

    async fn rows(&self, columns: &[(String, String)]) -> Rows {
        let mut rows = Vec::new();
        for (table, columns) in columns {
            let sql = format!("SELECT {columns} FROM {table} ORDER BY 1");
            rows.push((table.clone(), self.texts(&sql).await));
        }
        rows
    }

    async fn structure(&self) -> Vec<String> {
        self.texts("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").await
    }

    async fn seen(&self) -> Vec<u32> {
        let version = self.texts("SELECT CAST(user_version AS TEXT) FROM pragma_user_version");
        (1..=version.await[0].parse().unwrap()).collect()
    }

    async fn pretend(&self, version: u32) {
        self.texts(&format!("PRAGMA user_version = {version}")).await;
    }
}

/// A schema, on the server of all tests unless it is said otherwise.
pub(super) struct Schema {
    url: String,
    pub(super) name: String,
}

impl Schema {
    pub(super) async fn on(url: &str, version: Option<u32>) -> Self {
        let schema = Self { url: url.to_owned(), name: schema_name() };
        if let Some(version) = version {
            schema.texts(&Self::fixture(version)).await;
        }
        schema
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        let options: PgConnectOptions = self.url.parse().unwrap();
        let mut connection: PgConnection =
            options.disable_statement_logging().connect().await.unwrap();
        let sql = sql.replace("the_fixture", &self.name);
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        // Statements of other kinds return what is no text.
        rows.iter().filter_map(|row| row.try_get(0).ok()).collect()
    }
}

impl Place for Schema {
    type Backend = PostgresBackend;

    const KIND: Kind = Kind::Postgres;

    async fn new(version: Option<u32>) -> Self {
        Self::on(server().url(), version).await
    }

    fn builder(&self) -> UnifiedExecutorBuilder<PostgresBackend> {
        UnifiedExecutor::builder().database_url(&self.url).schema(self.name.clone())
    }

    async fn open(&self) -> Result<(), BackendError> {
        let options = PostgresOptions::from_url(&self.url)?.schema(&self.name)?.pool_size(2);
        PostgresBackend::open(options).await?.close().await;
        Ok(())
    }

    async fn columns(&self) -> Vec<(String, String)> {
        let tables =
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'the_fixture' ORDER BY 1";
        let mut columns = Vec::new();
        for table in self.texts(tables).await {
            let sql = format!(
                "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute \
                 WHERE attrelid = 'the_fixture.{table}'::regclass AND attnum > 0 AND NOT attisdropped"
            );
            let names = self.texts(&sql).await.concat();
            columns.push((table, names));
        }
        columns
    }

    async fn rows(&self, columns: &[(String, String)]) -> Rows {
        let mut rows = Vec::new();
        for (table, columns) in columns {
            let sql = format!("SELECT ROW({columns})::text FROM the_fixture.{table} ORDER BY 1");
            rows.push((table.clone(), self.texts(&sql).await));
        }
        rows
    }

    async fn structure(&self) -> Vec<String> {
        let mut parts = Vec::new();
        for sql in [
            "SELECT concat_ws(' ', table_name, ordinal_position, column_name, data_type, is_nullable, column_default) \
             FROM information_schema.columns WHERE table_schema = 'the_fixture' ORDER BY 1",
            "SELECT conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid) \
             FROM pg_constraint WHERE connamespace = 'the_fixture'::regnamespace ORDER BY 1",
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'the_fixture' ORDER BY 1",
        ] {
            parts.extend(self.texts(sql).await);
        }
        parts.into_iter().map(|part| part.replace(&self.name, "the_fixture")).collect()
    }

    async fn seen(&self) -> Vec<u32> {
        let sql = "SELECT version::text FROM the_fixture.cloacina_migrations ORDER BY version";
        self.texts(sql).await.iter().map(|version| version.parse().unwrap()).collect()
    }

    async fn pretend(&self, version: u32) {
        let sql = "INSERT INTO the_fixture.cloacina_migrations (version) VALUES";
        self.texts(&format!("{sql} ({version})")).await;
    }
}
