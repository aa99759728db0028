//! Looks into files without opening them as tenants: nothing is created, and no connection stays.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cloacina_core::{BackendError, TenantId};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions as _, Connection as _};

use super::folder::{Folder, Hold, marks};
use crate::clock::Clock;
use crate::error::{Context as _, is_not_a_database, translate};
use crate::migrate::Identity;
use crate::open::{SMALLEST_DATABASE, not_a_database};
use crate::{queries, rows};

/// How long SQLite waits for somebody who puts a log in order.
const BUSY: Duration = Duration::from_secs(5);

/// The unfinished work in a file that is not on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) owned: bool,
    pub(super) next_due: Option<Duration>,
}

/// What a look into a file finds.
#[derive(Debug)]
pub(super) enum Found {
    /// No file, or an empty one, such as a creation leaves that was cut off.
    Nothing,
    /// A tenant, with its work if that was asked for.
    Tenant(Option<Work>),
    /// A tenant that this program does not know how to read.
    Unknown(BackendError),
    /// What is no tenant.
    Foreign(BackendError),
}

/// What a look is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Whose file it is.
    Owner,
    /// What work there is.
    Work,
}

/// A connection to which files are attached, one after the other: a connection each would be a thread each.
struct Glass<'f> {
    connection: SqliteConnection,
    /// The folder, unless its lock is held.
    unlocked: Option<&'f Folder>,
}

/// Finds out whose file a tenant's is.
pub(super) async fn look(folder: &Folder, tenant: &TenantId) -> Result<Found, BackendError> {
    look_with(Glass::new(Some(folder)).await?, &folder.file(tenant)).await
}

/// Finds out whose a file is, while the lock of its folder is held.
pub(super) async fn look_locked(file: &Path) -> Result<Found, BackendError> {
    look_with(Glass::new(None).await?, file).await
}

async fn look_with(mut glass: Glass<'_>, file: &Path) -> Result<Found, BackendError> {
    let found = glass.look(file, Ask::Owner).await;
    glass.close().await;
    found
}

/// Looks into the files of tenants, a few at a time, in no order.
pub(super) async fn look_at_all(
    folder: &Folder,
    tenants: Vec<TenantId>,
    ask: Ask,
) -> Result<Vec<(TenantId, Found)>, BackendError> {
    let queue = Mutex::new(tenants.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let lane = async || {
        let mut all = Vec::new();
        let Some(mut tenant) = next() else { return Ok(all) };
        let mut glass = Glass::new(Some(folder)).await?;
        loop {
            match glass.look(&folder.file(&tenant), ask).await {
                Ok(found) => all.push((tenant, found)),
                // It may have work: whoever opens it tries again.
                Err(error) if ask == Ask::Work && error.is_transient() => {
                    leave_out(&tenant, &error);
                    let work = Work { owned: true, next_due: None };
                    all.push((tenant, Found::Tenant(Some(work))));
                }
                Err(error) => leave_out(&tenant, &error),
            }
            let Some(following) = next() else { break };
            tenant = following;
        }
        glass.close().await;
        Ok(all)
    };
    let (one, two, three, four) = tokio::join!(lane(), lane(), lane(), lane());
    let mut all = one?;
    for lane in [two?, three?, four?] {
        all.extend(lane);
    }
    Ok(all)
}

/// Tells of a tenant that cannot be read.
pub(super) fn leave_out(tenant: &TenantId, error: &BackendError) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(%tenant, error, "a tenant cannot be read");
}

impl<'f> Glass<'f> {
    async fn new(unlocked: Option<&'f Folder>) -> Result<Self, BackendError> {
        let options = SqliteConnectOptions::new()
            .filename(":memory:")
            .busy_timeout(BUSY)
            .pragma("trusted_schema", "OFF")
            .pragma("cell_size_check", "ON")
            .disable_statement_logging();
        let connection = options.connect().await.during("look into the files of tenants")?;
        Ok(Self { connection, unlocked })
    }

    async fn close(self) {
        if let Err(error) = self.connection.close().await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "closing a connection that looked at tenants failed");
        }
    }

    async fn look(&mut self, file: &Path, ask: Ask) -> Result<Found, BackendError> {
        let before = match marks(file) {
            Ok(marks) => marks,
            Err(error @ BackendError::Refused { .. }) => return Ok(Found::Foreign(error)),
            Err(error) => return Err(error),
        };
        match before.database.map(|database| database.len) {
            None | Some(0) => return Ok(Found::Nothing),
            Some(1..SMALLEST_DATABASE) => return Ok(Found::Foreign(not_a_database(file, None))),
            Some(_) => {}
        }
        // While there is no log, the file alone tells everything, and nothing need be locked or created.
        let is_alone = before.log.is_none() && before.are_settled();
        let first = self.attach(file, "immutable=1", if is_alone { ask } else { Ask::Owner }).await;
        if is_alone && marks(file)? == before || matches!(first, Ok(Found::Foreign(_))) {
            return first;
        }
        // SQLite goes by the name of a log. While one tenant is removed and another takes its name, it would put the log of
        // the one into the file of the other.
        let _kept = match self.unlocked {
            Some(folder) => Some(folder.lock(Hold::Shared).await?),
            None => None,
        };
        if marks(file)?.database.is_none() {
            return Ok(Found::Nothing);
        }
        // Leaves no trace in what is ours, and changes nothing in what may be another's.
        let mode = match first {
            Ok(Found::Tenant(_) | Found::Unknown(_)) => "mode=rw",
            _ => "mode=ro",
        };
        self.attach(file, mode, ask).await
    }

    /// Looks into a file that is there.
    async fn attach(
        &mut self,
        file: &Path,
        parameters: &str,
        ask: Ask,
    ) -> Result<Found, BackendError> {
        let failed = |error| {
            if is_not_a_database(&error) {
                return Ok(Found::Foreign(not_a_database(file, Some(Box::new(error)))));
            }
            Err(translate(&format!("look into `{}`", file.display()), error))
        };
        let address = format!("{}?{parameters}", address(file));
        let attach = sqlx::query("ATTACH ?1 AS tenant").bind(address).persistent(false);
        if let Err(error) = attach.execute(&mut self.connection).await {
            return failed(error);
        }
        let found = match Identity::read_attached(&mut self.connection).await {
            Ok(identity) => self.read(file, identity, ask).await,
            Err(error) => failed(error),
        };
        let detach = sqlx::query("DETACH tenant").persistent(false);
        if let Err(error) = detach.execute(&mut self.connection).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "a connection that looked at tenants is given up"
            );
            *self = Self::new(self.unlocked).await?;
        }
        found
    }

    async fn read(
        &mut self,
        file: &Path,
        identity: Identity,
        ask: Ask,
    ) -> Result<Found, BackendError> {
        match identity.check(file) {
            // What an interrupted creation left, or one that goes on in the log.
            Ok(0) => Ok(Found::Nothing),
            Ok(_) if ask == Ask::Work => Ok(Found::Tenant(Some(self.work(file).await?))),
            Ok(_) => Ok(Found::Tenant(None)),
            Err(error) if identity.is_ours() => Ok(Found::Unknown(error)),
            Err(error) => Ok(Found::Foreign(error)),
        }
    }

    async fn work(&mut self, file: &Path) -> Result<Work, BackendError> {
        let what = format!("look for work in `{}`", file.display());
        let clock = Clock::read();
        let query = sqlx::query(queries::EXECUTIONS_WORK).bind(clock.now()).persistent(false);
        let row: SqliteRow = query.fetch_one(&mut self.connection).await.during(&what)?;
        let due: Option<i64> = rows::value(&row, "due_at")?;
        let wait = |due: i64| u64::try_from(due.saturating_sub(clock.now())).unwrap_or(0);
        let next_due = due.map(|due| Duration::from_micros(wait(due)));
        Ok(Work { owned: rows::value(&row, "owned")?, next_due })
    }
}

/// Writes a path as an address in which no character means anything.
pub(super) fn address(file: &Path) -> String {
    let mut address = String::from("file:");
    for byte in file.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.') {
            address.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(address, "%{byte:02x}");
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_of_a_path_means_anything() {
        for (path, expected) in [
            ("/data/a-b_c.db", "file:/data/a-b_c.db"),
            ("/a?b#c%20/ä.db", "file:/a%3fb%23c%2520/%c3%a4.db"),
        ] {
            assert_eq!(address(Path::new(path)), expected);
        }
    }
}
