//! Brings the tables of a file up to date.

use std::path::Path;

use cloacina_core::BackendError;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Executor as _, Row as _};

use crate::connections::transaction;
use crate::error::{Context as _, refused};

/// Marks a file as ours, in SQLite's header: "Cloa".
pub(crate) const APPLICATION_ID: i32 = 0x436c_6f61;

/// The version that this program writes: the number of migrations.
pub(crate) const VERSION: i32 = 3;

const MIGRATIONS: [&str; 3] = [
    include_str!("../migrations/0001_initial.sql"),
    include_str!("../migrations/0002_progress.sql"),
    include_str!("../migrations/0003_constraints.sql"),
];

/// What a file says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    application_id: i32,
    version: i32,
    /// Whether it holds anything at all.
    empty: bool,
}

/// What a file is asked: whose it is, of which version, and how much it holds.
type Questions = [&'static str; 3];

const OPEN: Questions = [
    "PRAGMA main.application_id",
    "PRAGMA main.user_version",
    "SELECT count(*) FROM main.sqlite_schema",
];

const ATTACHED: Questions = [
    "PRAGMA tenant.application_id",
    "PRAGMA tenant.user_version",
    "SELECT count(*) FROM tenant.sqlite_schema",
];

impl Identity {
    /// Reads it, all of one moment: another process may be migrating.
    pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        Self::read_by(connection, &OPEN).await
    }

    /// Reads that of a file that is attached as `tenant`.
    pub(crate) async fn read_attached(
        connection: &mut SqliteConnection,
    ) -> Result<Self, sqlx::Error> {
        Self::read_by(connection, &ATTACHED).await
    }

    async fn read_by(
        connection: &mut SqliteConnection,
        questions: &Questions,
    ) -> Result<Self, sqlx::Error> {
        connection.execute("BEGIN").await?;
        let identity = Self::read_within(connection, questions).await;
        connection.execute("ROLLBACK").await?;
        identity
    }

    /// Reads it within a transaction.
    async fn read_within(
        connection: &mut SqliteConnection,
        [owner, version, size]: &Questions,
    ) -> Result<Self, sqlx::Error> {
        let application_id = number(connection, owner).await?;
        let version = number(connection, version).await?;
        // The schema of what is ours is not looked at: a first look may come while another process checkpoints.
        let empty = application_id == 0 && version == 0 && number(connection, size).await? == 0;
        Ok(Self { application_id, version, empty })
    }

    /// Reports whether a program of ours has begun to write it.
    pub(crate) const fn is_ours(self) -> bool {
        self.application_id == APPLICATION_ID
    }

    /// Returns the number of migrations that the file has seen, or refuses it.
    pub(crate) fn check(self, path: &Path) -> Result<i32, BackendError> {
        let path = path.display();
        let Self { application_id, version, empty } = self;
        if empty {
            return Ok(0);
        }
        if application_id != APPLICATION_ID {
            return Err(refused(format!(
                "`{path}` is a database of another program (application id {application_id}, ours is \
                 {APPLICATION_ID}), it was left untouched"
            )));
        }
        if version > VERSION {
            return Err(refused(format!(
                "`{path}` has version {version}, this program knows versions up to {VERSION}: use a newer program, \
                 the file was left untouched"
            )));
        }
        if version < 1 {
            return Err(refused(format!(
                "`{path}` has version {version}, which no program writes, it was left untouched"
            )));
        }
        Ok(version)
    }
}

/// Applies what the file has not seen yet, all or nothing. Others may do the same at the same time.
///
/// Returns how many migrations the file had seen. Of all who find an empty file, one returns zero.
pub(crate) async fn migrate(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<i32, BackendError> {
    let seen = Identity::read(connection).await.during("read the version")?.check(path)?;
    if seen == VERSION {
        return Ok(seen);
    }
    let path = path.to_owned();
    transaction(connection, "migrate", |connection, _| Box::pin(apply(connection, path))).await
}

async fn apply(
    connection: &mut SqliteConnection,
    path: std::path::PathBuf,
) -> Result<i32, BackendError> {
    let identity = Identity::read_within(connection, &OPEN).await.during("read the version")?;
    let seen = identity.check(&path)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(seen).unwrap_or_default()) {
        sqlx::raw_sql(*migration).execute(&mut *connection).await.during("migrate")?;
    }
    for pragma in [
        format!("PRAGMA application_id = {APPLICATION_ID}"),
        format!("PRAGMA user_version = {VERSION}"),
    ] {
        // A pragma takes no parameters; both values are constants of this file.
        let pragma = sqlx::AssertSqlSafe(pragma);
        sqlx::raw_sql(pragma).execute(&mut *connection).await.during("migrate")?;
    }
    Ok(seen)
}

async fn number(
    connection: &mut SqliteConnection,
    query: &'static str,
) -> Result<i32, sqlx::Error> {
    sqlx::query(query).fetch_one(connection).await?.try_get(0)
}
