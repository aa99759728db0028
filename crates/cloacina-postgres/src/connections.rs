//! The connections. Every use of one is a transaction in a task of its own that is never dropped half-way, whatever becomes
//! of the caller.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use cloacina_core::BackendError;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Executor as _, Row as _, SqlSafeStr as _, SqlStr};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::error::{Context as _, not_begun};
use crate::queries::Queries;

/// What an operation on a connection returns.
pub(crate) type Operation<'c, T> =
    Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'c>>;

/// How long a statement of a transaction that writes may take, and how long the transaction may be idle, unless a lease is
/// shorter: what a stopped worker has locked is free by the time its lease ends.
const LONGEST: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_secs(2);

/// How long to wait for a whole transaction that reads. The server gives each statement a little less.
const READ_PATIENCE: Duration = Duration::from_secs(60);

/// How long connections may take to close.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);

/// Begins a transaction that writes. What it needs of the session it sets itself, to its own end: the session may be shared
/// with others by a pooler, and a role may have other defaults.
///
/// Statistics are older than the rows: a plan made for a small table would be kept while it grows. So there is no choice.
pub(crate) fn begin(longest: Duration) -> SqlStr {
    let (longest, locked) = (longest.as_millis(), longest.as_millis() / 2);
    let sql = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
         SET LOCAL enable_seqscan = off; \
         SET LOCAL jit = off; \
         SET LOCAL synchronous_commit = on; \
         SET LOCAL lock_timeout = {locked}; \
         SET LOCAL statement_timeout = {longest}; \
         SET LOCAL idle_in_transaction_session_timeout = {longest}; \
         SET LOCAL timezone = 'UTC'; \
         SELECT clock_timestamp() AS now"
    );
    // Nothing but numbers of our own was put into it.
    AssertSqlSafe(sql).into_sql_str()
}

/// Begins a transaction that reads: all of one moment.
const BEGIN_READ: &str = "\
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
    SET LOCAL enable_seqscan = off; \
    SET LOCAL jit = off; \
    SET LOCAL statement_timeout = '50s'; \
    SET LOCAL timezone = 'UTC'; \
    SELECT clock_timestamp() AS now";

/// The connections of one handle.
pub(crate) struct Connections {
    pool: PgPool,
    /// One connection for what keeps a worker alive: it does not wait behind the others.
    vital: PgPool,
    longest: Mutex<Duration>,
    tracker: TaskTracker,
    pub(crate) queries: Queries,
}

impl Connections {
    pub(crate) fn new(pool: PgPool, vital: PgPool, queries: Queries) -> Arc<Self> {
        let longest = Mutex::new(LONGEST);
        Arc::new(Self { pool, vital, longest, tracker: TaskTracker::new(), queries })
    }

    /// Keeps transactions shorter than a lease.
    pub(crate) fn limit_by(&self, lease_ttl: Duration) {
        let mut longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        *longest = longest.min((lease_ttl * 2 / 3).max(SHORTEST));
    }

    fn longest(&self) -> Duration {
        *self.longest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs an operation in a write transaction.
    pub(crate) async fn write<T, F>(
        self: &Arc<Self>,
        what: &'static str,
        operation: F,
    ) -> Result<T, BackendError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut PgConnection, &'c Queries, Clock) -> Operation<'c, T>
            + Send
            + 'static,
    {
        let longest = self.longest();
        self.transaction(&self.pool, what, begin(longest), longest * 2, operation).await
    }

    /// Runs an operation in a write transaction on the connection that is kept for what cannot wait.
    pub(crate) async fn vital<T, F>(
        self: &Arc<Self>,
        what: &'static str,
        operation: F,
    ) -> Result<T, BackendError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut PgConnection, &'c Queries, Clock) -> Operation<'c, T>
            + Send
            + 'static,
    {
        let longest = self.longest();
        self.transaction(&self.vital, what, begin(longest), longest * 2, operation).await
    }

    /// Runs an operation in a transaction that only reads: all that it reads is of one moment.
    pub(crate) async fn read<T, F>(
        self: &Arc<Self>,
        what: &'static str,
        operation: F,
    ) -> Result<T, BackendError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut PgConnection, &'c Queries, Clock) -> Operation<'c, T>
            + Send
            + 'static,
    {
        let begin = BEGIN_READ.into_sql_str();
        self.transaction(&self.pool, what, begin, READ_PATIENCE, operation).await
    }

    async fn transaction<T, F>(
        self: &Arc<Self>,
        pool: &PgPool,
        what: &'static str,
        begin: SqlStr,
        patience: Duration,
        operation: F,
    ) -> Result<T, BackendError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut PgConnection, &'c Queries, Clock) -> Operation<'c, T>
            + Send
            + 'static,
    {
        let (this, pool) = (Arc::clone(self), pool.clone());
        self.spawn(async move {
            let mut connection = pool.acquire().await.during(what)?;
            let work = carry_out(&mut connection, &this.queries, what, begin, operation);
            // The server limits each statement; a connection that has fallen silent it cannot tell us of.
            let (result, state) = match tokio::time::timeout(patience, work).await {
                Ok(done) => done,
                Err(_) => (Err(silent(what, patience)), Session::Unknown),
            };
            if state == Session::Unknown {
                // Nobody else may get it.
                connection.close_on_drop();
            }
            result
        })
        .await
    }

    /// Runs a task to its end even if the caller goes away.
    pub(crate) async fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = Result<T, BackendError>> + Send + 'static,
    ) -> Result<T, BackendError> {
        match self.tracker.spawn(task).await {
            Ok(result) => result,
            Err(failure) => match failure.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(cancelled) => Err(BackendError::Unavailable {
                    reason: "the runtime is shutting down".to_owned(),
                    source: Some(Box::new(cancelled)),
                }),
            },
        }
    }

    /// Reports whether `close` was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.tracker.is_closed()
    }

    /// Waits for what is under way and closes the connections.
    pub(crate) async fn close(&self) {
        self.tracker.close();
        self.tracker.wait().await;
        for pool in [&self.vital, &self.pool] {
            // A connection that has fallen silent does not take its leave.
            let _ = tokio::time::timeout(FAREWELL, pool.close()).await;
        }
    }
}

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Session {
    /// It has no transaction.
    Idle,
    Unknown,
}

/// Begins a transaction, carries out an operation in it, and ends it.
async fn carry_out<T, F>(
    connection: &mut PgConnection,
    queries: &Queries,
    what: &'static str,
    begin: SqlStr,
    operation: F,
) -> (Result<T, BackendError>, Session)
where
    F: for<'c> FnOnce(&'c mut PgConnection, &'c Queries, Clock) -> Operation<'c, T>,
{
    let now = match start(connection, begin).await {
        Ok(now) => now,
        Err(error) => return (Err(not_begun(what, error)), Session::Unknown),
    };
    let result = operation(&mut *connection, queries, Clock::new(now)).await;
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    match connection.execute(end).await {
        Ok(_) => (result, Session::Idle),
        Err(error) => (result.and_then(|_| Err(error).during(what)), Session::Unknown),
    }
}

/// Begins a transaction and returns its time, in one round trip.
async fn start(connection: &mut PgConnection, begin: SqlStr) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::raw_sql(begin).fetch_one(connection).await?.try_get("now")
}

fn silent(what: &str, patience: Duration) -> BackendError {
    let reason = format!("{what}: the server did not answer within {patience:?}");
    BackendError::Unavailable { reason, source: None }
}
