//! Places on SQLite: files in a folder.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context as _, Result};
use cloacina_core::{Backend as _, Workflow};
use cloacina_sqlite::{SqliteBackend, SqliteOptions};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use super::{Place, Store};
use crate::counters::{Counters, Settled};
use crate::limit::{Method, SqliteWriter, TaskRow, Template};
use crate::{past, process};

/// Where SQLite counts commits: `iChange` in the header of the index of the log, <https://sqlite.org/walformat.html>.
const CHANGES: u64 = 8;

/// Indexes of logs that were read. POSIX drops all locks that a process has on a file when it closes any handle of that file,
/// SQLite's too, so none of these is closed before the process ends.
static INDEXES: Mutex<Vec<Arc<File>>> = Mutex::new(Vec::new());

/// A folder for files.
pub(crate) struct Sqlite {
    folder: PathBuf,
}

impl Sqlite {
    /// Takes a folder, or the one for temporary files.
    pub(crate) fn new(folder: Option<&Path>) -> Self {
        Self { folder: folder.map_or_else(std::env::temp_dir, Path::to_owned) }
    }
}

impl Store for Sqlite {
    type Place = SqliteFile;

    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn describe(&self) -> Result<Value> {
        let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await?;
        let version = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut connection);
        let version: String = version.await?;
        let file_system = process::file_system(&self.folder);
        Ok(json!({
            "version": version,
            "durability": "full: journal_mode=WAL, synchronous=FULL",
            "file_system": file_system,
        }))
    }

    async fn place(&self) -> Result<SqliteFile> {
        let folder = TempDir::with_prefix_in("cloacina-bench-", &self.folder)
            .with_context(|| format!("no folder can be made in `{}`", self.folder.display()))?;
        let path = folder.path().join("bench.db");
        Ok(SqliteFile { path, index: OnceLock::new(), folder })
    }

    fn methods(&self) -> &'static [Method] {
        &[Method::Json, Method::Values]
    }
}

/// A file in a folder of its own.
pub(crate) struct SqliteFile {
    path: PathBuf,
    /// The index of the log.
    index: OnceLock<Arc<File>>,
    folder: TempDir,
}

impl SqliteFile {
    /// Opens a connection past the engine, with the engine's settings.
    async fn connect(&self) -> Result<SqliteConnection> {
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .foreign_keys(true)
            .pragma("synchronous", "FULL")
            .disable_statement_logging();
        Ok(options.connect().await?)
    }

    /// Counts the transactions that wrote, since the log was opened.
    fn commits(&self) -> Result<u64> {
        let index = match self.index.get() {
            Some(index) => index,
            None => {
                let path = self.folder.path().join("bench.db-shm");
                let file = File::open(&path)
                    .with_context(|| format!("`{}` cannot be read", path.display()))?;
                let file = Arc::new(file);
                INDEXES.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&file));
                self.index.get_or_init(|| file)
            }
        };
        let mut changes = [0; 4];
        index.read_exact_at(&mut changes, CHANGES)?;
        Ok(u32::from_ne_bytes(changes).into())
    }
}

impl Place for SqliteFile {
    type Backend = SqliteBackend;
    type Writer = SqliteWriter;

    async fn open(&self) -> Result<SqliteBackend> {
        Ok(SqliteBackend::open(SqliteOptions::new(&self.path)).await?)
    }

    async fn counters(&self) -> Result<Counters> {
        Ok(Counters {
            commits: self.commits()?,
            log_bytes: process::written(),
            cpu: process::cpu(),
            server_cpu: None,
        })
    }

    async fn settled(&self) -> Result<Settled> {
        const SQL: &str = "SELECT (SELECT count(*) FROM executions) + (SELECT count(*) FROM tasks) \
            + (SELECT count(*) FROM attempts) + (SELECT count(*) FROM events)";
        if !self.path.exists() {
            return Ok(Settled::default());
        }
        let mut connection = self.connect().await?;
        let rows: i64 = sqlx::query_scalar(SQL).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(Settled { inserted: rows.try_into()?, updated: None, transactions: None })
    }

    async fn template(&self, workflow: &Workflow) -> Result<Template> {
        const EXECUTION: &str = "SELECT id, input FROM executions WHERE workflow = ? LIMIT 1";
        const TASKS: &str =
            "SELECT task, ordinal, changes, output FROM tasks WHERE execution_id = ?";
        let mut connection = self.connect().await?;
        let execution = sqlx::query_as(EXECUTION).bind(workflow.name());
        let (id, input): (Vec<u8>, String) = execution.fetch_one(&mut connection).await?;
        let tasks: Vec<TaskRow> = sqlx::query_as(TASKS).bind(id).fetch_all(&mut connection).await?;
        connection.close().await?;
        Template::new(workflow, input, tasks)
    }

    async fn writers(&self, template: &Arc<Template>, method: Method) -> Result<Vec<SqliteWriter>> {
        // Makes the tables.
        self.open().await?.close().await;
        Ok(vec![SqliteWriter::new(self.connect().await?, Arc::clone(template), method)])
    }

    async fn begin_half(&self, template: &Template) -> Result<()> {
        let mut connection = self.connect().await?;
        past::sqlite::begin_half(&mut connection, template).await?;
        Ok(connection.close().await?)
    }

    async fn fill(&self, template: &Template, count: usize) -> Result<()> {
        let mut connection = self.connect().await?;
        past::sqlite::fill(&mut connection, template, count).await?;
        Ok(connection.close().await?)
    }

    async fn remove(self) -> Result<()> {
        Ok(self.folder.close()?)
    }
}
