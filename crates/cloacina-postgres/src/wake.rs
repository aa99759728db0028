//! The session on which a handle hears from others, and whose locks prove to them that its workers live.
//!
//! PostgreSQL drops a session's advisory locks when the session ends, also when its process was killed. So whoever can take a
//! worker's lock knows that the worker's session has ended. A session may also end under a living worker. Then the worker says
//! on another connection that its lock proves nothing for now, and takes the lock back on a new session: a death is proved by
//! two looks some time apart.

use std::sync::Arc;
use std::time::Duration;

use cloacina_core::{BackendError, WorkerId};
use sqlx::postgres::{PgConnection, PgListener, PgPool};
use sqlx::{Executor as _, Row as _};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connections::{Connections, FAREWELL};
use crate::error::Context as _;
use crate::queries::Queries;
use crate::schema::SchemaName;

/// The wait before a lost session is opened again, and the longest one if that fails.
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// How long to try to connect before beginning again. The waits between a pool's own tries grow with it.
pub(crate) const CONNECTING: Duration = Duration::from_secs(1);

/// How long a worker waits for its lock. Without it, its lease is what others go by.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a session may be silent before it is asked whether it is still there.
const CHECK: Duration = Duration::from_secs(30);

/// The session of one handle, where sessions are not shared.
#[derive(Debug)]
pub(crate) struct Session(Option<Own>);

#[derive(Debug)]
struct Own {
    orders: mpsc::UnboundedSender<Order>,
    changed: Arc<Notify>,
    tracker: TaskTracker,
    stop: CancellationToken,
    pool: PgPool,
}

impl Drop for Own {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[derive(Debug)]
enum Order {
    /// Take a lock for a worker and keep it.
    Hold(WorkerId, i64, oneshot::Sender<()>),
    LetGo(i64),
}

/// Names the channel on which the processes of a schema tell each other that something has changed. It carries nothing else.
pub(crate) fn channel(schema: &SchemaName) -> String {
    format!("cloacina_{}", schema.as_str())
}

impl Session {
    /// Opens the session, on a pool of one connection.
    pub(crate) fn open(pool: PgPool, connections: Arc<Connections>, channel: String) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let changed = Arc::new(Notify::new());
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let keeper = Keeper {
            pool: pool.clone(),
            connections,
            channel,
            inbox,
            changed: Arc::clone(&changed),
            held: Vec::new(),
        };
        let stopped = stop.clone();
        tracker.spawn(async move {
            tokio::select! {
                () = keeper.keep() => {}
                () = stopped.cancelled() => {}
            }
        });
        Self(Some(Own { orders, changed, tracker, stop, pool }))
    }

    /// Makes do without: others are looked for at intervals, and leases tell who is dead.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Takes a lock for a worker and returns its key; none if the session cannot be had now.
    pub(crate) async fn hold(&self, worker: WorkerId) -> Option<i64> {
        let own = self.0.as_ref()?;
        // Random, so that nobody guesses it and holds it for somebody else.
        let (high, low) = WorkerId::new().as_uuid().as_u64_pair();
        let key = (high ^ low).cast_signed();
        let (held, taken) = oneshot::channel();
        own.orders.send(Order::Hold(worker, key, held)).ok()?;
        match tokio::time::timeout(PATIENCE, taken).await {
            Ok(Ok(())) => Some(key),
            _ => {
                let _ = own.orders.send(Order::LetGo(key));
                None
            }
        }
    }

    /// Gives up a lock.
    pub(crate) fn let_go(&self, key: i64) {
        if let Some(own) = &self.0 {
            // A session that has ended holds nothing.
            let _ = own.orders.send(Order::LetGo(key));
        }
    }

    /// Waits until somebody tells that something has changed, but not longer than that.
    pub(crate) async fn changed(&self, poll: Duration) {
        match &self.0 {
            Some(own) => drop(tokio::time::timeout(poll, own.changed.notified()).await),
            None => tokio::time::sleep(poll).await,
        }
    }

    /// Ends the session.
    pub(crate) async fn close(&self) {
        let Some(own) = &self.0 else { return };
        own.stop.cancel();
        own.tracker.close();
        own.tracker.wait().await;
        // A connection that has fallen silent does not take its leave.
        let _ = tokio::time::timeout(FAREWELL, own.pool.close()).await;
    }
}

/// Keeps the session open.
struct Keeper {
    pool: PgPool,
    connections: Arc<Connections>,
    channel: String,
    inbox: mpsc::UnboundedReceiver<Order>,
    changed: Arc<Notify>,
    held: Vec<(WorkerId, i64)>,
}

impl Keeper {
    async fn keep(mut self) {
        let mut wait = FIRST_WAIT;
        loop {
            match self.connect().await {
                Ok(listener) => {
                    wait = FIRST_WAIT;
                    // Whatever happened meanwhile went unheard.
                    self.changed.notify_one();
                    if let Err(error) = self.serve(listener).await {
                        tracing::warn!(%error, "the session for news was lost");
                    }
                    self.unprove().await;
                }
                Err(BackendError::Closed) => return,
                Err(error) => tracing::debug!(%error, "no session for news yet"),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Opens a session and takes the locks.
    async fn connect(&mut self) -> Result<PgListener, BackendError> {
        let what = "open a session for news";
        let mut listener = PgListener::connect_with(&self.pool).await.during(what)?;
        listener.eager_reconnect(false);
        for &(_, key) in &self.held {
            lock(&mut listener, key).await?;
        }
        listener.listen(&self.channel).await.during(what)?;
        for &(worker, key) in &self.held {
            let proved = self.connections.vital(
                "prove that a worker lives",
                move |connection, queries, _| {
                    Box::pin(async move {
                        let query = queries.workers_prove.query().bind(*worker.as_uuid()).bind(key);
                        query
                            .execute(connection)
                            .await
                            .during("prove that a worker lives")
                            .map(drop)
                    })
                },
            );
            proved.await?;
        }
        Ok(listener)
    }

    /// Says that the locks prove nothing for now. If there is no way to say it, a death is what it looks like.
    async fn unprove(&self) {
        let workers: Vec<_> = self.held.iter().map(|(worker, _)| *worker.as_uuid()).collect();
        if workers.is_empty() {
            return;
        }
        let said = self.connections.vital("withdraw a proof", move |connection, queries, _| {
            Box::pin(async move {
                let query = queries.workers_unprove.query().bind(workers);
                query.execute(connection).await.during("withdraw a proof").map(drop)
            })
        });
        let _ = tokio::time::timeout(CONNECTING, said).await;
    }

    /// Hears and obeys until the session is lost.
    async fn serve(&mut self, mut listener: PgListener) -> Result<(), BackendError> {
        let what = "wait for news";
        loop {
            tokio::select! {
                order = self.inbox.recv() => match order {
                    Some(Order::Hold(worker, key, held)) => {
                        self.held.push((worker, key));
                        lock(&mut listener, key).await?;
                        // One who stopped waiting lets go of it.
                        let _ = held.send(());
                    }
                    Some(Order::LetGo(key)) => {
                        self.held.retain(|&(_, other)| other != key);
                        let query = sqlx::query("SELECT pg_advisory_unlock($1)").bind(key);
                        query.execute(&mut listener).await.during("let go of a lock")?;
                    }
                    // The handle is gone.
                    None => return std::future::pending().await,
                },
                () = tokio::time::sleep(CHECK) => {
                    let check = tokio::time::timeout(PATIENCE, listener.execute("SELECT 1"));
                    match check.await {
                        Ok(answered) => {
                            answered.during(what)?;
                        }
                        Err(_) => return Err(lost("it does not answer")),
                    }
                }
                // Cancel safe: what was read of a message stays in the buffer of the connection.
                news = listener.try_recv() => match news.during(what)? {
                    Some(_) => self.changed.notify_one(),
                    None => return Err(lost("the connection was closed")),
                },
            }
        }
    }
}

fn lost(reason: &str) -> BackendError {
    BackendError::Unavailable { reason: reason.to_owned(), source: None }
}

async fn lock(listener: &mut PgListener, key: i64) -> Result<(), BackendError> {
    let what = "take the lock of a worker";
    let query = sqlx::query("SELECT pg_try_advisory_lock($1)").bind(key);
    let row = query.fetch_one(listener).await.during(what)?;
    if row.try_get(0).during(what)? {
        return Ok(());
    }
    let reason = format!("{what}: another session has it still");
    Err(BackendError::Unavailable { reason, source: None })
}

/// Tells the other processes of a schema, when the transaction commits, that something has changed.
pub(crate) async fn tell(
    connection: &mut PgConnection,
    queries: &Queries,
    channel: &str,
) -> Result<(), BackendError> {
    let query = queries.sessions_tell.query().bind(channel);
    query.execute(connection).await.during("tell the others").map(drop)
}
