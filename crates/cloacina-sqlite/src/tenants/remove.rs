//! Removes a tenant that nobody uses.
//!
//! Nothing is left half: the log goes into the file first, then what lies beside it goes, then the file itself. Whatever
//! cuts this off leaves a tenant that is whole, which the next call removes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::backend::BoxError;
use cloacina_core::{BackendError, Removal};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::folder;
use super::look::{Found, look_locked};
use crate::connections::blocking;
use crate::error::{Context as _, is_busy, refused_by};
use crate::locks::Locks;

/// What became of an attempt.
pub(super) enum Attempt {
    Done(Removal),
    /// It is open somewhere, in a connection that was dropped a moment ago, it may be.
    InUse(BackendError),
}

/// Removes the tenant in a file, unless it is in use. The lock of the folder is held alone.
pub(super) async fn remove(file: PathBuf) -> Result<Attempt, BackendError> {
    match look_locked(&file).await? {
        Found::Nothing => return Ok(Attempt::Done(Removal::Absent)),
        Found::Tenant(_) => {}
        Found::Unknown(error) | Found::Foreign(error) => return Err(error),
    }
    let locks = Arc::new(Locks::new(file.clone()));
    let living = Arc::clone(&locks);
    if let Some(worker) = blocking(move || living.living()).await? {
        let reason = format!("worker {worker} uses `{}`, it was not removed", file.display());
        return Err(BackendError::Unavailable { reason, source: None });
    }
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(false)
        .busy_timeout(Duration::ZERO)
        .disable_statement_logging();
    let mut connection = options.connect().await.during("remove a tenant")?;
    let attempt = match seize(&mut connection).await {
        Ok(()) => {
            let removed = blocking(move || remove_files(&file, &locks)).await;
            removed.and_then(|removed| removed).map(|()| Attempt::Done(Removal::Removed))
        }
        Err(error) if is_busy(&error) => {
            let reason = format!("`{}` is in use, it was not removed", file.display());
            let source = Some(Box::new(error) as BoxError);
            Ok(Attempt::InUse(BackendError::Unavailable { reason, source }))
        }
        Err(error) => Err(error).during("remove a tenant"),
    };
    if let Err(error) = connection.close().await {
        let error = &error as &dyn std::error::Error;
        tracing::debug!(error, "closing a removed tenant failed");
    }
    attempt
}

/// Takes hold of a file that nobody else has open, and puts its log into it.
async fn seize(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    // Leaving WAL mode succeeds only if no other connection is open, of whatever process, and removes the log.
    for statement in ["PRAGMA journal_mode = DELETE", "BEGIN EXCLUSIVE"] {
        connection.execute(statement).await?;
    }
    Ok(())
}

fn remove_files(file: &Path, locks: &Locks) -> Result<(), BackendError> {
    locks.remove_all();
    folder::remove(file)
        .map_err(|error| refused_by(&format!("`{}` cannot be removed", file.display()), error))
}
