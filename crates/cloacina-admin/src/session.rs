//! A session of the admin: opened for one operation, closed after it. Operations run on tasks that are never dropped half-way.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _};
use tokio::sync::OwnedSemaphorePermit;

use crate::AdminError;
use crate::address::Address;
use crate::error::Context as _;
use crate::sql::run;

/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often to ask what became of a transaction, and how long to wait between.
const ASKED: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// How long to wait for others that work on the same tenant, or on the group of all; `BEGIN` sets it.
pub(crate) const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// What it needs of the session it sets itself: the role may have other defaults. Names without a schema are PostgreSQL's own.
const BEGIN: &str = "\
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
    SET LOCAL search_path = pg_catalog, pg_temp; \
    SET LOCAL lock_timeout = '30s'; \
    SET LOCAL statement_timeout = '10min'; \
    SET LOCAL idle_in_transaction_session_timeout = '60s'; \
    SET LOCAL synchronous_commit = on";

/// One connection.
pub(crate) struct Session {
    pub(crate) connection: PgConnection,
    address: Address,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Session {
    pub(crate) async fn open(
        address: Address,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<Self, AdminError> {
        let connection = connect(address.options(), &address.place()).await?;
        Ok(Self { connection, address, _permit: permit })
    }

    /// Takes leave of the server.
    pub(crate) async fn close(self) {
        let _ = tokio::time::timeout(PATIENCE, self.connection.close()).await;
    }

    /// Begins a transaction, which `end` ends.
    pub(crate) async fn begin(&mut self) -> Result<(), AdminError> {
        self.connection.execute(BEGIN).await.during("begin a transaction").map(drop)
    }

    /// Commits if all went well, otherwise rolls back. An error of a commit says nothing about whether it happened, so the
    /// server is asked on another connection.
    pub(crate) async fn end<T>(
        &mut self,
        what: &str,
        done: Result<T, AdminError>,
    ) -> Result<T, AdminError> {
        let value = match done {
            Ok(value) => value,
            Err(error) => {
                // Whoever cannot roll back has no connection, and the server rolls back.
                let _ = self.connection.execute("ROLLBACK").await;
                return Err(error);
            }
        };
        let current =
            sqlx::query("SELECT pg_current_xact_id_if_assigned()::text").persistent(false);
        let row = current.fetch_one(&mut self.connection).await.during(what)?;
        let transaction: Option<String> = row.try_get(0).during(what)?;
        let Err(error) = self.connection.execute("COMMIT").await.during(what) else {
            return Ok(value);
        };
        match transaction {
            Some(transaction) if self.is_committed(&transaction, what).await? => Ok(value),
            _ => Err(error),
        }
    }

    /// Finds out what became of a transaction, and goes on with a new connection.
    async fn is_committed(&mut self, transaction: &str, what: &str) -> Result<bool, AdminError> {
        let unknown = |source: Option<AdminError>| AdminError::Unavailable {
            reason: format!(
                "{what}: the connection broke while it was committed, and nobody knows whether it was"
            ),
            source: source.map(|source| Box::new(source) as _),
        };
        self.connection = connect(self.address.options(), &self.address.place())
            .await
            .map_err(|error| unknown(Some(error)))?;
        for _ in 0..ASKED {
            let status = sqlx::query("SELECT pg_xact_status($1::text::xid8)").persistent(false);
            let row = status.bind(transaction).fetch_one(&mut self.connection).await;
            let status: Option<String> = row
                .and_then(|row| row.try_get(0))
                .during(what)
                .map_err(|error| unknown(Some(error)))?;
            match status.as_deref() {
                Some("committed") => return Ok(true),
                Some("aborted") => return Ok(false),
                // The server has not noticed yet that nobody is there.
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
        Err(unknown(None))
    }
}

/// Chooses how long the statements that follow in the transaction wait for locks.
pub(crate) async fn wait_for_locks(
    connection: &mut PgConnection,
    longest: Duration,
) -> Result<(), AdminError> {
    let statement = include_str!("../queries/sessions/lock_timeout.sql");
    let values = [("lock_timeout", milliseconds(longest))];
    run(connection, "limit the wait for locks", statement, &values).await
}

/// A time as the server's settings want it: it counts in 32 bits with a sign, and 0 is no limit.
pub(crate) fn milliseconds(time: Duration) -> String {
    time.as_millis().clamp(1, i32::MAX.unsigned_abs().into()).to_string()
}

/// Opens a connection.
pub(crate) async fn connect(
    options: &PgConnectOptions,
    place: &str,
) -> Result<PgConnection, AdminError> {
    let what = format!("connect to {place}");
    match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(connected) => {
            let mut connection = connected.during(&what)?;
            // Whatever others have put into `public` is not to be found by a name without a schema, in no transaction and in none.
            connection.execute("SET search_path = pg_catalog, pg_temp").await.during(&what)?;
            Ok(connection)
        }
        Err(_) => Err(AdminError::Unavailable {
            reason: format!("{what}: no answer within {PATIENCE:?}"),
            source: None,
        }),
    }
}
