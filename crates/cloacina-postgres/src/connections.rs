//! The connections. Every use of one is a transaction in a task of its own that is never dropped half-way, whatever becomes
//! of the caller.

mod at_hand;
mod statement;

use std::future::Future;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use cloacina_core::BackendError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnection;
use sqlx::{Executor as _, Postgres, SqlStr};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use at_hand::AtHand;

use crate::begin::{Scope, begin, begin_read, start};
use crate::clock::{Clock, Clocks};
use crate::error::{Context as _, is_lost, is_refusal, is_slow, not_begun, refused, silent};
use crate::pools::{self, Pool, Pools};
use crate::queries::Queries;

/// What an operation on a connection returns.
pub(crate) type Operation<'c, T> =
    Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'c>>;

/// How long a statement of a transaction that writes may take, and how long the transaction may be idle, unless a lease is
/// shorter: what a stopped worker has locked is free by the time its lease ends.
const LONGEST: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_secs(2);

/// The same for signs of life over a connection that others need for theirs.
const BRIEF: Duration = Duration::from_secs(1);

/// How long a connection may take to begin a transaction before another is tried.
const ANSWER: Duration = Duration::from_secs(5);

/// How many connections of a pool that others use as well a handle may use at once.
const TURNS: usize = 2;

/// How long to wait for a whole transaction that reads. The server gives each statement a little less.
const READ_PATIENCE: Duration = Duration::from_secs(60);

/// Whose the pools are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// They close with the handle.
    Own,
    /// Others use them as well.
    Shared,
}

/// The connections of one handle.
pub(crate) struct Connections {
    pools: Arc<Pools>,
    ownership: Ownership,
    scope: Scope,
    longest: Mutex<Duration>,
    /// Where others use the pools as well: how many connections this handle may still use.
    turns: Semaphore,
    /// Its last statement took too long: it is not to keep others waiting.
    slow: AtomicBool,
    tracker: TaskTracker,
    clocks: Clocks,
    /// For statements that are transactions by themselves.
    at_hand: AtHand,
    /// `close` was called.
    closing: Notify,
    pub(crate) queries: Queries,
}

impl Connections {
    pub(crate) fn new(
        pools: Arc<Pools>,
        ownership: Ownership,
        scope: Scope,
        queries: Queries,
    ) -> Arc<Self> {
        let turns = match ownership {
            Ownership::Own => Semaphore::MAX_PERMITS,
            Ownership::Shared => TURNS,
        };
        let at_hand = half(&pools);
        Arc::new(Self {
            pools,
            ownership,
            scope,
            longest: Mutex::new(LONGEST),
            turns: Semaphore::new(turns),
            slow: AtomicBool::new(false),
            tracker: TaskTracker::new(),
            clocks: Clocks::default(),
            at_hand: AtHand::new(at_hand),
            closing: Notify::new(),
            queries,
        })
    }

    /// Keeps transactions shorter than a lease.
    pub(crate) fn limit_by(&self, lease_ttl: Duration) {
        let mut longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        *longest = longest.min((lease_ttl * 2 / 3).max(SHORTEST));
    }

    /// How many batches may be in flight: half of the connections that are its own, and two at most, so that one gathers and is
    /// decided here while the server writes the other. More would be smaller, each with costs of its own.
    pub(crate) fn lines(&self) -> NonZeroUsize {
        let lines = match self.ownership {
            Ownership::Own => half(&self.pools),
            Ownership::Shared => 1,
        };
        NonZeroUsize::new(lines).unwrap_or(NonZeroUsize::MIN)
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
        let begin = begin(longest, &self.scope);
        self.transaction(Pools::general, what, begin, longest * 2, operation).await
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
        if self.ownership == Ownership::Own || !self.slow.load(Ordering::Relaxed) {
            let longest = match self.ownership {
                Ownership::Own => self.longest(),
                Ownership::Shared => BRIEF,
            };
            let begin = begin(longest, &self.scope);
            return self.transaction(Pools::vital, what, begin, longest * 2, operation).await;
        }
        self.write(what, operation).await
    }

    /// Runs an operation in a write transaction that may take long, and that does not wait behind others of this handle.
    pub(crate) async fn urgent<T, F>(
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
        match self.ownership {
            Ownership::Own => self.vital(what, operation).await,
            Ownership::Shared => self.write(what, operation).await,
        }
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
        let begin = begin_read(&self.scope);
        self.transaction(Pools::general, what, begin, READ_PATIENCE, operation).await
    }

    async fn transaction<T, F>(
        self: &Arc<Self>,
        pool: fn(&Pools) -> &Pool,
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
        let this = Arc::clone(self);
        self.spawn(async move {
            let pool = pool(&this.pools);
            let _turn = this.turn(pool, what).await?;
            let (mut connection, now) = this.begun(pool, what, begin, patience).await?;
            let work =
                carry_out(&mut connection, &this.queries, what, this.clocks.read(now), operation);
            // The server limits each statement; a connection that has fallen silent it cannot tell us of.
            let (result, state) = match tokio::time::timeout(patience, work).await {
                Ok(done) => done,
                Err(_) => (Err(silent(what, patience)), Session::Unknown),
            };
            if state == Session::Unknown {
                // Nobody else may get it.
                connection.close_on_drop();
            }
            this.slow.store(result.as_ref().is_err_and(is_slow), Ordering::Relaxed);
            result
        })
        .await
    }

    /// Waits until this handle uses few enough of the connections that it shares: what it waits for at the server, such as
    /// locks on its own tables, must not keep all of them busy.
    async fn turn(
        &self,
        pool: &Pool,
        what: &str,
    ) -> Result<Option<SemaphorePermit<'_>>, BackendError> {
        if std::ptr::eq(pool, self.pools.vital()) {
            return Ok(None);
        }
        // One whose statements take long, such as behind locks of its own, has one connection until that is over.
        let turns = if self.slow.load(Ordering::Relaxed) { TURNS } else { 1 };
        let turns = self.turns.acquire_many(u32::try_from(turns).unwrap_or(1));
        match tokio::time::timeout(pools::PATIENCE, turns).await {
            Ok(turn) => Ok(turn.ok()),
            Err(_) => Err(BackendError::Unavailable {
                reason: format!(
                    "{what}: this tenant's {TURNS} connections did not become free in time"
                ),
                source: None,
            }),
        }
    }

    /// Begins a transaction on a connection of a pool. One that was lost while it was idle shows it now, and another takes its
    /// place: nothing was begun yet.
    async fn begun(
        &self,
        pool: &Pool,
        what: &'static str,
        begin: SqlStr,
        patience: Duration,
    ) -> Result<(PoolConnection<Postgres>, DateTime<Utc>), BackendError> {
        let (mut others, began) = (pool.size(), Instant::now());
        loop {
            let mut connection = pool.acquire(what).await?;
            let answer = patience.min(ANSWER);
            let started = tokio::time::timeout(answer, start(&mut connection, begin.clone()));
            let error = match started.await {
                Ok(Ok(begun)) if self.scope.fits(begun.schema) => {
                    self.pools.own().note(begun.pid);
                    return Ok((connection, begun.now));
                }
                Ok(Ok(_)) => {
                    self.roll_back(connection).await;
                    return Err(refused("the tenant was removed".to_owned()));
                }
                // The role is gone, and its tenant with it.
                Ok(Err(error)) if self.scope.role.is_some() && is_refusal(&error) => {
                    self.roll_back(connection).await;
                    return Err(error).during(what);
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    // It has fallen silent while it was idle, and nobody else may get it.
                    connection.close_on_drop();
                    if others == 0 || began.elapsed() > patience {
                        return Err(silent(what, answer));
                    }
                    others -= 1;
                    continue;
                }
            };
            connection.close_on_drop();
            if others == 0 || !is_lost(&error) {
                return Err(not_begun(what, error));
            }
            others -= 1;
        }
    }

    /// Ends a transaction that was of no use. The connection is as good as before.
    async fn roll_back(&self, mut connection: PoolConnection<Postgres>) {
        if connection.execute("ROLLBACK").await.is_err() {
            connection.close_on_drop();
        }
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

    /// Runs something beside, which `close` waits for.
    pub(crate) fn beside(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.tracker.spawn(task));
    }

    /// Reports whether `close` was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.tracker.is_closed()
    }

    /// Waits for what is under way and closes the connections.
    pub(crate) async fn close(&self) {
        self.tracker.close();
        self.closing.notify_waiters();
        self.tracker.wait().await;
        self.at_hand.give_back(Duration::ZERO);
        if self.ownership == Ownership::Own {
            self.pools.close().await;
        }
    }
}

/// Half of the connections that are its own, and two at most.
fn half(pools: &Pools) -> usize {
    (pools.general().most() / 2).min(2) as usize
}

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Session {
    /// It has no transaction.
    Idle,
    Unknown,
}

/// Carries out an operation in a transaction, and ends it.
async fn carry_out<T, F>(
    connection: &mut PgConnection,
    queries: &Queries,
    what: &'static str,
    clock: Clock,
    operation: F,
) -> (Result<T, BackendError>, Session)
where
    F: for<'c> FnOnce(&'c mut PgConnection, &'c Queries, Clock) -> Operation<'c, T>,
{
    let result = operation(&mut *connection, queries, clock).await;
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    match connection.execute(end).await {
        Ok(_) => (result, Session::Idle),
        Err(error) => (result.and_then(|_| Err(error).during(what)), Session::Unknown),
    }
}
