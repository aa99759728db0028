//! The session on which a process hears from others, and whose locks prove to them that its workers live. The handles that
//! work at one address share it, each with a seat of its own.
//!
//! PostgreSQL drops a session's advisory locks when the session ends, also when its process was killed. So whoever can take a
//! worker's lock knows that the worker's session has ended. A session may also end under a living worker. Then the worker says
//! on another connection that its lock proves nothing for now, and takes the lock back on a new session: a death is proved by
//! two looks some time apart.

mod keeper;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloacina_core::{BackendError, WorkerId};
use sqlx::postgres::PgConnection;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connections::{Connections, Ownership};
use crate::error::Context as _;
use crate::heard::Heard;
use crate::pools::{OwnPids, Pool};
use crate::queries::Queries;
use crate::schema::SchemaName;
use keeper::Keeper;

/// How long to try to connect before beginning again. The waits between a pool's own tries grow with it.
pub(crate) const CONNECTING: Duration = Duration::from_secs(1);

/// How long a worker waits for its lock. Without it, its lease is what others go by.
const PATIENCE: Duration = Duration::from_secs(5);

/// The channel on which the name of each schema is told in which something has changed.
const ALL: &str = "cloacina";

/// The session of the handles at one address, where sessions are not shared with others.
pub(crate) struct Session(Option<Own>);

struct Own {
    orders: mpsc::UnboundedSender<Order>,
    next_seat: AtomicU64,
    /// Whether what others tell is heard.
    connected: Arc<AtomicBool>,
    tracker: TaskTracker,
    stop: CancellationToken,
    pool: Arc<Pool>,
}

impl Drop for Own {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

enum Order {
    /// Listen for a handle.
    Join(u64, Place),
    /// Listen for it no more, and let go of its locks.
    Leave(u64),
    /// Listen to what is told of all schemas.
    JoinAll(Arc<Heard>, oneshot::Sender<()>),
    /// Take a lock for a worker of a handle and keep it.
    Hold(u64, WorkerId, oneshot::Sender<()>),
    LetGo(u64, WorkerId),
}

/// In whose name a handle tells the others.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    /// The name of its schema.
    schema: Arc<str>,
    /// Its own news carry this, and are none to itself.
    mark: Arc<str>,
}

impl Sender {
    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    pub(crate) fn mark(&self) -> &str {
        &self.mark
    }
}

/// What the session keeps for a handle.
struct Place {
    channel: String,
    mark: Arc<str>,
    changed: Arc<Notify>,
    connections: Arc<Connections>,
    keys: Arc<Keys>,
}

/// The keys of the locks that prove that the workers of a handle live. A worker whose lock is lost has none for a while.
#[derive(Debug, Default)]
struct Keys(Mutex<BTreeMap<WorkerId, Option<i64>>>);

impl Keys {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<WorkerId, Option<i64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Opens the session, on a pool of one connection. What `own` told of all schemas is no news.
    pub(crate) fn open(pool: Pool, own: Arc<OwnPids>) -> Arc<Self> {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (stop, tracker, pool) = (CancellationToken::new(), TaskTracker::new(), Arc::new(pool));
        let (places, connected) = (BTreeMap::new(), Arc::new(AtomicBool::new(false)));
        let keeper = Keeper {
            pool: Arc::clone(&pool),
            inbox,
            places,
            all: None,
            connected: Arc::clone(&connected),
            proofs: tracker.clone(),
            own,
        };
        let stopped = stop.clone();
        tracker.spawn(async move {
            tokio::select! {
                () = keeper.keep() => {}
                () = stopped.cancelled() => {}
            }
        });
        Arc::new(Self(Some(Own {
            orders,
            next_seat: AtomicU64::new(0),
            connected,
            tracker,
            stop,
            pool,
        })))
    }

    /// Makes do without: others are looked for at intervals, and leases tell who is dead.
    pub(crate) fn none() -> Arc<Self> {
        Arc::new(Self(None))
    }

    /// Gives a handle its seat.
    pub(crate) fn join(
        self: &Arc<Self>,
        schema: &SchemaName,
        connections: Arc<Connections>,
        ownership: Ownership,
    ) -> Seat {
        let changed = Arc::new(Notify::new());
        let id = self.0.as_ref().map_or(0, |own| own.next_seat.fetch_add(1, Ordering::Relaxed));
        let channel = format!("{ALL}_{}", schema.as_str());
        let sender =
            Sender { schema: schema.as_str().into(), mark: WorkerId::new().to_string().into() };
        let keys = Arc::<Keys>::default();
        let place = Place {
            channel,
            mark: Arc::clone(&sender.mark),
            changed: Arc::clone(&changed),
            connections,
            keys: Arc::clone(&keys),
        };
        self.order(Order::Join(id, place));
        Seat { session: Arc::clone(self), id, sender, changed, keys, ownership }
    }

    /// Listens to what is told of all schemas, from when this returns on; nothing where there is no session.
    pub(crate) async fn join_all(&self) -> Option<Arc<Heard>> {
        self.0.as_ref()?;
        let heard = Arc::new(Heard::default());
        let (listens, listening) = oneshot::channel();
        self.order(Order::JoinAll(Arc::clone(&heard), listens));
        if !matches!(tokio::time::timeout(PATIENCE, listening).await, Ok(Ok(()))) {
            heard.note_anywhere();
        }
        Some(heard)
    }

    fn order(&self, order: Order) {
        if let Some(own) = &self.0 {
            // A session that has ended neither listens nor holds anything.
            let _ = own.orders.send(order);
        }
    }

    /// Ends the session.
    pub(crate) async fn close(&self) {
        let Some(own) = &self.0 else { return };
        own.stop.cancel();
        own.tracker.close();
        own.tracker.wait().await;
        own.pool.close().await;
    }
}

/// A handle's part of the session. It listens no more, and lets go of its locks, when it is dropped.
pub(crate) struct Seat {
    session: Arc<Session>,
    id: u64,
    sender: Sender,
    changed: Arc<Notify>,
    keys: Arc<Keys>,
    ownership: Ownership,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.session.order(Order::Leave(self.id));
    }
}

impl Seat {
    pub(crate) const fn sender(&self) -> &Sender {
        &self.sender
    }

    /// Takes a lock for a worker, unless it has one, and returns its key; none if the session cannot be had now.
    pub(crate) async fn hold(&self, worker: WorkerId) -> Option<i64> {
        self.session.0.as_ref()?;
        if let Some(key) = self.keys.lock().get(&worker) {
            return *key;
        }
        let (held, taken) = oneshot::channel();
        self.session.order(Order::Hold(self.id, worker, held));
        match tokio::time::timeout(PATIENCE, taken).await {
            Ok(Ok(())) => self.keys.lock().get(&worker).copied().flatten(),
            _ => {
                self.let_go(worker);
                None
            }
        }
    }

    /// Gives up the lock of a worker, if it has one.
    pub(crate) fn let_go(&self, worker: WorkerId) {
        self.session.order(Order::LetGo(self.id, worker));
    }

    /// Waits until somebody tells that something has changed; while nobody can tell, not longer than that.
    pub(crate) async fn changed(&self, poll: Duration) {
        match &self.session.0 {
            // Whoever changes something tells, and a loss of the session ends the wait: nothing is to be polled for.
            Some(own) if own.connected.load(Ordering::Acquire) => self.changed.notified().await,
            Some(_) => drop(tokio::time::timeout(poll, self.changed.notified()).await),
            None => tokio::time::sleep(poll).await,
        }
    }

    /// Leaves the session, and ends it if it serves this handle only.
    pub(crate) async fn close(&self) {
        self.session.order(Order::Leave(self.id));
        if self.ownership == Ownership::Own {
            self.session.close().await;
        }
    }
}

/// Tells the other processes of a schema, when the transaction commits, that something has changed.
pub(crate) async fn tell(
    connection: &mut PgConnection,
    queries: &Queries,
    sender: &Sender,
) -> Result<(), BackendError> {
    let query = queries.sessions_tell.query().bind(&*sender.schema).bind(&*sender.mark);
    query.execute(connection).await.during("tell the others").map(drop)
}
