//! The connections. Every use of one is a transaction in a task of its own that is never dropped half-way, whatever becomes
//! of the caller.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use cloacina_core::BackendError;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Executor as _, Row as _};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::error::Context as _;
use crate::queries::Queries;

/// What an operation on a connection returns.
pub(crate) type Operation<'c, T> =
    Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'c>>;

/// Begins a transaction that writes. What it needs of the session it sets itself, to its own end: the session may be shared
/// with others by a pooler, and a role may have other defaults.
///
/// Statistics are older than the rows: a plan made for a small table would be kept while it grows. So there is no choice.
pub(crate) const BEGIN: &str = "\
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
    SET LOCAL enable_seqscan = off; \
    SET LOCAL synchronous_commit = on; \
    SET LOCAL lock_timeout = '5s'; \
    SET LOCAL statement_timeout = '10s'; \
    SET LOCAL idle_in_transaction_session_timeout = '10s'; \
    SET LOCAL timezone = 'UTC'; \
    SELECT clock_timestamp() AS now";

/// Begins a transaction that reads: all of one moment.
const BEGIN_READ: &str = "\
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
    SET LOCAL enable_seqscan = off; \
    SET LOCAL statement_timeout = '60s'; \
    SET LOCAL timezone = 'UTC'; \
    SELECT clock_timestamp() AS now";

/// The connections of one handle.
#[derive(Debug)]
pub(crate) struct Connections {
    pool: PgPool,
    tracker: TaskTracker,
    pub(crate) queries: Queries,
}

impl Connections {
    pub(crate) fn new(pool: PgPool, queries: Queries) -> Arc<Self> {
        Arc::new(Self { pool, tracker: TaskTracker::new(), queries })
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
        self.transaction(what, BEGIN, operation).await
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
        self.transaction(what, BEGIN_READ, operation).await
    }

    async fn transaction<T, F>(
        self: &Arc<Self>,
        what: &'static str,
        begin: &'static str,
        operation: F,
    ) -> Result<T, BackendError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut PgConnection, &'c Queries, Clock) -> Operation<'c, T>
            + Send
            + 'static,
    {
        let this = Arc::clone(self);
        self.spawn(async move {
            let mut connection = this.pool.acquire().await.during(what)?;
            let now = match start(&mut connection, begin).await {
                Ok(now) => now,
                Err(error) => {
                    connection.close_on_drop();
                    return Err(error).during(what);
                }
            };
            let result = operation(&mut connection, &this.queries, Clock::new(now)).await;
            let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
            if let Err(error) = connection.execute(end).await {
                // Its state is unknown: nobody else may get it.
                connection.close_on_drop();
                return result.and_then(|_| Err(error).during(what));
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
        self.pool.close().await;
    }
}

/// Begins a transaction and returns its time, in one round trip.
async fn start(
    connection: &mut PgConnection,
    begin: &'static str,
) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::raw_sql(begin).fetch_one(connection).await?.try_get("now")
}
