//! Removes a tenant that nobody uses.
//!
//! Nothing is left half: the log goes into the file first, then what lies beside it goes, then the file itself. Whatever
//! cuts this off leaves a tenant that is whole, which the next call removes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::{BackendError, Removal};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::time::{Instant, sleep};

use super::folder;
use super::look::{Ask, Found, look};
use crate::connections::blocking;
use crate::error::{Context as _, is_busy, refused_by};
use crate::locks::Locks;

/// How long those may take who are about to leave the file, such as a connection that was dropped.
const PATIENCE: Duration = Duration::from_secs(2);

/// Removes the tenant in a file. Nobody opens one of the folder meanwhile.
pub(super) async fn remove(file: PathBuf) -> Result<Removal, BackendError> {
    match look(&file, Ask::Owner).await? {
        Found::Nothing => return Ok(Removal::Absent),
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
    let removed = match seize(&mut connection, &file).await {
        Ok(()) => blocking(move || remove_files(&file, &locks)).await.and_then(|removed| removed),
        Err(error) => Err(error),
    };
    if let Err(error) = connection.close().await {
        let error = &error as &dyn std::error::Error;
        tracing::debug!(error, "closing a removed tenant failed");
    }
    removed.map(|()| Removal::Removed)
}

/// Takes hold of a file that nobody else has open, and puts its log into it.
async fn seize(connection: &mut SqliteConnection, file: &Path) -> Result<(), BackendError> {
    let begun = Instant::now();
    // Leaving WAL mode succeeds only if no other connection is open, of whatever process, and removes the log.
    for statement in ["PRAGMA journal_mode = DELETE", "BEGIN EXCLUSIVE"] {
        loop {
            match connection.execute(statement).await {
                Ok(_) => break,
                Err(error) if is_busy(&error) && begun.elapsed() < PATIENCE => {
                    sleep(Duration::from_millis(20)).await;
                }
                Err(error) if is_busy(&error) => {
                    let reason = format!("`{}` is in use, it was not removed", file.display());
                    return Err(BackendError::Unavailable { reason, source: Some(error.into()) });
                }
                Err(error) => return Err(error).during("remove a tenant"),
            }
        }
    }
    Ok(())
}

fn remove_files(file: &Path, locks: &Locks) -> Result<(), BackendError> {
    locks.remove_all();
    folder::remove(file)
        .map_err(|error| refused_by(&format!("`{}` cannot be removed", file.display()), error))
}
