//! Copies and examines a tenant while it runs.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cloacina_core::{BackendError, TenantError, TenantId};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use super::folder::{Folder, Hold, flush};
use super::look::{Found, look_locked};
use crate::connections::blocking;
use crate::error::{Context as _, refused, refused_by};
use crate::mark::beside;

/// Connects to a tenant for reading, in such a way that nobody removes it meanwhile.
async fn connect(folder: &Folder, tenant: &TenantId) -> Result<SqliteConnection, TenantError> {
    let file = folder.file(tenant);
    // Held until the connection has read, and so holds SQLite's own lock.
    let _opening = folder.lock(Hold::Shared).await?;
    match look_locked(&file).await? {
        Found::Nothing => return Err(TenantError::UnknownTenant(tenant.clone())),
        Found::Tenant(_) => {}
        Found::Unknown(error) | Found::Foreign(error) => return Err(error.into()),
    }
    let what = format!("open `{}`", file.display());
    let mut connection = options(&file).connect().await.during(&what)?;
    let read = sqlx::query("SELECT count(*) FROM sqlite_schema").fetch_one(&mut connection).await;
    read.during(&what)?;
    Ok(connection)
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .busy_timeout(Duration::from_secs(10))
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .disable_statement_logging()
}

/// Says what is wrong with a tenant.
pub(super) async fn check(folder: &Folder, tenant: &TenantId) -> Result<Vec<String>, TenantError> {
    let mut connection = connect(folder, tenant).await?;
    let found = defects(&mut connection).await;
    close(connection).await;
    Ok(found?)
}

/// Copies a tenant to a path at which there is nothing.
pub(super) async fn back_up(
    folder: &Folder,
    tenant: &TenantId,
    to: &Path,
) -> Result<(), TenantError> {
    let to = std::path::absolute(to)
        .map_err(|error| refused_by("the working directory cannot be read", error))?;
    let mut connection = connect(folder, tenant).await?;
    let copied = copy(&mut connection, to).await;
    close(connection).await;
    Ok(copied?)
}

/// Writes the copy under a name beside its own, so that what bears its own is whole.
async fn copy(connection: &mut SqliteConnection, to: PathBuf) -> Result<(), BackendError> {
    let partial = beside(&to, ".partial");
    let (name, place) = (partial.clone(), to.clone());
    blocking(move || begin(&name, &place)).await??;
    let written = match fill(connection, &partial).await {
        Ok(()) => {
            let name = partial.clone();
            blocking(move || finish(&name, &to)).await.and_then(|finished| finished)
        }
        Err(error) => Err(error),
    };
    if written.is_err() {
        blocking(move || fs::remove_file(partial)).await?.unwrap_or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the rest of a copy that failed stays behind");
        });
    }
    written
}

/// Creates an empty file that only its owner may read: SQLite would let others read the copy.
fn begin(partial: &Path, to: &Path) -> Result<(), BackendError> {
    let cannot = |error| refused_by(&format!("`{}` cannot be created", to.display()), error);
    match fs::symlink_metadata(to) {
        Ok(_) => {
            return Err(refused(format!("`{}` exists, it was left untouched", to.display())));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(cannot(error)),
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(partial) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(refused(format!(
            "`{}` exists: a copy is being written there, or one was cut off, then remove it",
            partial.display()
        ))),
        Err(error) => Err(cannot(error)),
    }
}

async fn fill(connection: &mut SqliteConnection, partial: &Path) -> Result<(), BackendError> {
    let what = format!("write the copy `{}`", partial.display());
    let Some(name) = partial.to_str() else {
        return Err(refused(format!("the path `{}` is not UTF-8", partial.display())));
    };
    let copy = sqlx::query("VACUUM INTO ?1").bind(name).persistent(false);
    copy.execute(connection).await.during(&what)?;
    let mut copy = options(partial).immutable(true).connect().await.during(&what)?;
    let found = defects(&mut copy).await;
    close(copy).await;
    match found?.first() {
        None => Ok(()),
        Some(defect) => {
            Err(BackendError::Corrupt { reason: format!("{what}: {defect}"), source: None })
        }
    }
}

/// Makes the copy durable and gives it its name. No connection to it is open: closing our handle would drop its locks.
fn finish(partial: &Path, to: &Path) -> Result<(), BackendError> {
    let folder = to.parent().unwrap_or(Path::new("/"));
    let finished = OpenOptions::new()
        .write(true)
        .open(partial)
        .and_then(|file| file.sync_all())
        // Not by renaming it, which would replace what came to be there meanwhile.
        .and_then(|()| fs::hard_link(partial, to))
        .and_then(|()| fs::remove_file(partial))
        .and_then(|()| flush(folder));
    finished.map_err(|error| refused_by(&format!("`{}` cannot be written", to.display()), error))
}

/// Reads the whole file and says what is wrong with it.
async fn defects(connection: &mut SqliteConnection) -> Result<Vec<String>, BackendError> {
    match find_defects(connection).await.during("check a tenant's file") {
        // Where SQLite gives up there is nothing more to be found.
        Err(BackendError::Corrupt { reason, .. }) => Ok(vec![reason]),
        found => found,
    }
}

async fn find_defects(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let mut defects = Vec::new();
    for row in sqlx::query("PRAGMA integrity_check").fetch_all(&mut *connection).await? {
        let said: String = row.try_get(0)?;
        if said != "ok" {
            defects.push(said);
        }
    }
    for row in sqlx::query("PRAGMA foreign_key_check").fetch_all(connection).await? {
        let (table, parent): (String, String) = (row.try_get(0)?, row.try_get(2)?);
        defects.push(format!("a row of table `{table}` belongs to none of table `{parent}`"));
    }
    Ok(defects)
}

async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        let error = &error as &dyn std::error::Error;
        tracing::debug!(error, "closing a connection that read a tenant failed");
    }
}
