//! Opens a file, having made sure that it is ours before anything is written.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cloacina_core::BackendError;
use cloacina_core::backend::BoxError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use crate::SqliteOptions;
use crate::connections::{Connections, READER_PATIENCE, patiently};
use crate::error::{Context as _, is_not_a_database, refused, refused_by};
use crate::migrate::{self, Identity};
use crate::url::Mode;

/// Older ones may corrupt a file that two connections write to.
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];

/// One page of the smallest size.
pub(crate) const SMALLEST_DATABASE: u64 = 512;

/// POSIX drops all locks that a process has on a file when it closes any handle of that file, SQLite's too. So while
/// one of ours is open, no connection of this process may be.
static CREATING: Mutex<()> = Mutex::new(());

/// A file that was opened.
pub(crate) struct Opened {
    /// Its path without symbolic links.
    pub(crate) path: PathBuf,
    pub(crate) connections: Arc<Connections>,
    /// Whether it held nothing before.
    pub(crate) is_new: bool,
}

/// Opens the connections and brings the tables up to date.
pub(crate) async fn open(options: &SqliteOptions) -> Result<Opened, BackendError> {
    let path = prepare(&options.path, options.mode)?;
    let named = path.display().to_string();
    inspect(&path).await?;
    let settings = settings(&path, options);
    let what = format!("open `{named}`");
    let mut writer = settings.connect().await.during(&what)?;
    let is_new = match set_up(&mut writer, &path, options.mode).await {
        Ok(seen) => seen == 0,
        Err(error) => {
            if let Err(error) = writer.close().await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "closing a refused file failed"
                );
            }
            return Err(error);
        }
    };
    let readers = SqlitePoolOptions::new()
        .max_connections(options.readers)
        .min_connections(0)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(READER_PATIENCE)
        .connect_lazy_with(settings.pragma("query_only", "ON"));
    let connections = Connections::new(writer, readers, path.clone());
    Ok(Opened { path, connections, is_new })
}

/// Makes sure that there is a file, and resolves its path.
fn prepare(path: &Path, mode: Mode) -> Result<PathBuf, BackendError> {
    let path = std::path::absolute(path)
        .map_err(|error| refused_by("the working directory cannot be read", error))?;
    let named = path.display();
    if mode == Mode::Rwc {
        create(&path)?;
    }
    let found = fs::metadata(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => refused(format!("`{named}` does not exist")),
        _ => refused_by(&format!("`{named}` cannot be opened"), error),
    })?;
    if found.is_dir() {
        return Err(refused(format!("`{named}` is a folder, expected a file")));
    }
    if !found.is_file() {
        return Err(refused(format!("`{named}` is not a regular file")));
    }
    let path = fs::canonicalize(&path)
        .map_err(|error| refused_by(&format!("`{named}` cannot be resolved"), error))?;
    if path.to_str().is_none() {
        return Err(refused(format!("the path `{}` is not UTF-8", path.display())));
    }
    Ok(path)
}

/// Creates an empty file that only its owner may read, unless there is something.
fn create(path: &Path) -> Result<(), BackendError> {
    let _creating = CREATING.lock().unwrap_or_else(PoisonError::into_inner);
    if fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let named = path.display();
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(refused_by(
            &format!("`{named}` cannot be created, its folder does not exist"),
            error,
        )),
        Err(error) => Err(refused_by(&format!("`{named}` cannot be created"), error)),
    }
}

/// Refuses what is not ours, without leaving a trace.
///
/// SQLite itself reads the file: a handle of our own would drop SQLite's locks when it closes.
async fn inspect(path: &Path) -> Result<(), BackendError> {
    let unreadable = |error| refused_by(&format!("`{}` cannot be read", path.display()), error);
    match fs::metadata(path).map_err(unreadable)?.len() {
        0 => return Ok(()),
        // SQLite takes a file of one byte for an empty one.
        1..SMALLEST_DATABASE => return Err(not_a_database(path, None)),
        _ => {}
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let has_log = || fs::metadata(&log).is_ok_and(|log| log.len() > 0);
    let had_log = has_log();
    let plain =
        SqliteConnectOptions::new().filename(path).read_only(true).disable_statement_logging();
    let first = look(plain.clone().immutable(true), path).await;
    // If there is a log, the file may be out of date or half written: then only a look through the log is certain. But
    // that one may leave a trace, so what is another's beyond doubt does not get it.
    match first.and_then(|identity| identity.check(path)) {
        Err(error @ BackendError::Refused { .. }) => Err(error),
        Ok(_) | Err(_) if had_log || has_log() => look(plain, path).await?.check(path).map(drop),
        other => other.map(drop),
    }
}

async fn look(options: SqliteConnectOptions, path: &Path) -> Result<Identity, BackendError> {
    let read = async {
        let mut connection = options.connect().await?;
        let identity = Identity::read(&mut connection).await;
        connection.close().await?;
        identity
    };
    read.await.map_err(|error| {
        if is_not_a_database(&error) {
            return not_a_database(path, Some(Box::new(error)));
        }
        crate::error::translate(&format!("look into `{}`", path.display()), error)
    })
}

pub(crate) fn not_a_database(path: &Path, source: Option<BoxError>) -> BackendError {
    let path = path.display();
    let reason = format!("`{path}` is not a SQLite database, it was left untouched");
    BackendError::Refused { reason, source }
}

/// What each connection is set to.
fn settings(path: &Path, options: &SqliteOptions) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(options.mode == Mode::Ro)
        .create_if_missing(false)
        .busy_timeout(options.busy_timeout)
        .foreign_keys(true)
        .pragma("synchronous", options.synchronous.as_str())
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        // All that there are: those over rows are prepared once for each of their sizes.
        .statement_cache_capacity(200)
        .disable_statement_logging()
}

/// Checks the library, sets the journal mode and migrates. Returns how many migrations the file had seen.
async fn set_up(
    connection: &mut SqliteConnection,
    path: &Path,
    mode: Mode,
) -> Result<i32, BackendError> {
    check_library(connection).await?;
    let what = format!("open `{}`", path.display());
    if mode == Mode::Ro {
        let seen = Identity::read(connection).await.during(&what)?.check(path)?;
        if seen < migrate::VERSION {
            return Err(refused(format!(
                "`{}` has version {seen}, this program needs version {}: open it for writing once",
                path.display(),
                migrate::VERSION
            )));
        }
        return Ok(seen);
    }
    if journal_mode(connection).await.during(&what)? != "wal" {
        patiently(connection, "PRAGMA journal_mode = WAL").await.during(&what)?;
        let mode = journal_mode(connection).await.during(&what)?;
        if mode != "wal" {
            return Err(refused(format!(
                "`{}` lies where SQLite cannot keep a write-ahead log, its journal mode stays `{mode}`",
                path.display()
            )));
        }
    }
    migrate::migrate(connection, path).await
}

async fn journal_mode(connection: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    sqlx::query("PRAGMA journal_mode").fetch_one(connection).await?.try_get(0)
}

pub(crate) async fn check_library(connection: &mut SqliteConnection) -> Result<(), BackendError> {
    let what = "ask for the library's version";
    let row = sqlx::query("SELECT sqlite_version()").fetch_one(connection).await.during(what)?;
    let version: String = row.try_get(0).during(what)?;
    if is_recent(&version) {
        return Ok(());
    }
    let [major, minor, patch] = OLDEST_SQLITE;
    Err(refused(format!(
        "this program was built with SQLite {version}, which may corrupt a shared file: at least \
         {major}.{minor}.{patch} is needed"
    )))
}

fn is_recent(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let version: [u32; 3] = std::array::from_fn(|_| parts.next().unwrap_or(0));
    version >= OLDEST_SQLITE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (version, recent) in [
            ("3.51.3", true),
            ("3.51.2", false),
            ("3.52.0", true),
            ("4.0", true),
            ("3.6.23.1", false),
        ] {
            assert_eq!(is_recent(version), recent, "{version}");
        }
    }
}
