//! Notices what other processes write.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cloacina_core::BackendError;
use sqlx::sqlite::SqliteConnection;
use tokio::time::{Instant, sleep_until};

use crate::connections::Connections;
use crate::error::Context as _;
use crate::mark::{LOG, Mark, beside};
use crate::rows;

/// What was seen last.
#[derive(Debug)]
pub(crate) struct Wake {
    /// Whoever commits writes to it.
    log: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    version: i64,
    /// What the log looked like before the version was read, if whoever wrote from then on changed that.
    log: Option<Mark>,
    looked: Instant,
}

impl Wake {
    /// Starts from a version of a database.
    pub(crate) fn new(version: i64, database: &Path) -> Self {
        let seen = Seen { version, log: None, looked: Instant::now() };
        Self { log: beside(database, LOG), seen: Mutex::new(seen) }
    }

    /// Waits until another connection has written since the last call. While nobody writes, that is a look at the file of the
    /// log now and then; the database is not asked.
    ///
    /// The time of the last look is kept, so that a caller that gives up early again and again still gets to look.
    pub(crate) async fn changed(&self, connections: &Arc<Connections>, poll: Duration) {
        loop {
            let next = self.seen().looked.checked_add(poll);
            let Some(next) = next else { return std::future::pending().await };
            sleep_until(next).await;
            let log = Mark::at(&self.log).filter(Mark::is_settled);
            {
                let mut seen = self.seen();
                seen.looked = Instant::now();
                if log.is_some() && log == seen.log {
                    continue;
                }
            }
            let version = connections.on_writer(|connection| Box::pin(version(connection))).await;
            // An error is for the next call to report: whoever woke up makes one.
            let Ok(version) = version else { return };
            let mut seen = self.seen();
            seen.log = log;
            if seen.version != version {
                seen.version = version;
                return;
            }
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a number that differs whenever another connection has written.
pub(crate) async fn version(connection: &mut SqliteConnection) -> Result<i64, BackendError> {
    let row = sqlx::query("PRAGMA data_version").fetch_one(connection).await;
    rows::value(&row.during("look for changes")?, "data_version")
}
