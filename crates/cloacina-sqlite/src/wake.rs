//! Notices what other processes write.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cloacina_core::BackendError;
use sqlx::sqlite::SqliteConnection;
use tokio::time::{Instant, sleep_until};

use crate::connections::Connections;
use crate::error::Context as _;
use crate::rows;

/// What was seen last.
#[derive(Debug)]
pub(crate) struct Wake {
    seen: Mutex<Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    version: i64,
    looked: Instant,
}

impl Wake {
    /// Starts from a version.
    pub(crate) fn new(version: i64) -> Self {
        Self { seen: Mutex::new(Seen { version, looked: Instant::now() }) }
    }

    /// Waits until another connection has written since the last call.
    ///
    /// The time of the last look is kept, so that a caller that gives up early again and again still gets to look.
    pub(crate) async fn changed(&self, connections: &Arc<Connections>, poll: Duration) {
        loop {
            let next = self.seen().looked.checked_add(poll);
            let Some(next) = next else { return std::future::pending().await };
            sleep_until(next).await;
            self.seen().looked = Instant::now();
            let version = connections.on_writer(|connection| Box::pin(version(connection))).await;
            // An error is for the next call to report: whoever woke up makes one.
            let Ok(version) = version else { return };
            let mut seen = self.seen();
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
