//! The task that keeps the session open: it hears, obeys, and takes its locks again after a loss.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloacina_core::{BackendError, WorkerId};
use futures_util::future::join_all;
use sqlx::postgres::{PgListener, PgNotification};
use sqlx::{Executor as _, Row as _};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::{ALL, CONNECTING, Keys, Order, PATIENCE, Place};
use crate::connections::Connections;
use crate::error::Context as _;
use crate::heard::Heard;
use crate::pools::{OwnPids, Pool, Renewal};

/// The wait before a lost session is opened again, and the longest one if that fails.
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// More locks than this are not taken: the server has room for some thousands in all. Leases serve the workers beyond.
const MOST_LOCKS: usize = 1_000;

/// How long a session may be silent before it is asked whether it is still there.
const CHECK: Duration = Duration::from_secs(30);

/// Keeps the session open.
pub(super) struct Keeper {
    pub(super) pool: Arc<Pool>,
    pub(super) inbox: mpsc::UnboundedReceiver<Order>,
    pub(super) places: BTreeMap<u64, Place>,
    pub(super) all: Option<Arc<Heard>>,
    pub(super) connected: Arc<AtomicBool>,
    pub(super) proofs: TaskTracker,
    pub(super) own: Arc<OwnPids>,
}

impl Keeper {
    pub(super) async fn keep(mut self) {
        let mut wait = FIRST_WAIT;
        loop {
            match self.connect().await {
                Ok(listener) => {
                    wait = FIRST_WAIT;
                    self.connected.store(true, Ordering::Release);
                    // Whatever happened meanwhile went unheard.
                    self.tell_all();
                    if let Some(all) = &self.all {
                        all.note_anywhere();
                    }
                    if let Err(error) = self.serve(listener).await {
                        tracing::warn!(%error, "the session for news was lost");
                    }
                    self.connected.store(false, Ordering::Release);
                    // Who waits to be told has to look for itself now.
                    self.tell_all();
                    self.unprove().await;
                }
                Err(BackendError::Closed) => return,
                Err(error) => tracing::debug!(%error, "no session for news yet"),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn tell_all(&self) {
        self.places.values().for_each(|place| place.changed.notify_one());
    }

    /// Opens a session and takes the locks.
    async fn connect(&mut self) -> Result<PgListener, BackendError> {
        let what = "open a session for news";
        let connected = PgListener::connect_with(self.pool.inner()).await.during(what);
        let mut listener = match connected {
            Err(error) if self.pool.renew_after(&error).await? == Renewal::Renewed => {
                PgListener::connect_with(self.pool.inner()).await.during(what)?
            }
            connected => connected?,
        };
        listener.eager_reconnect(false);
        let channels = self.places.values().map(|place| place.channel.as_str());
        listener.listen_all(channels.chain(self.all.iter().map(|_| ALL))).await.during(what)?;
        for place in self.places.values() {
            let workers: Vec<_> = place.keys.lock().keys().copied().collect();
            for worker in workers {
                // A new key: in the meantime anybody may have come to hold the old one.
                let key = lock(&mut listener).await?;
                place.keys.lock().insert(worker, Some(key));
                // Beside: one whose tables are locked, or gone, keeps nobody waiting. Until it is said, its lease alone tells.
                let keys = Arc::clone(&place.keys);
                self.proofs.spawn(prove(Arc::clone(&place.connections), keys, worker, key));
            }
        }
        Ok(listener)
    }

    /// Says that the locks prove nothing for now. If there is no way to say it, a death is what it looks like.
    async fn unprove(&self) {
        let said = self.places.values().filter_map(|place| {
            let mut keys = place.keys.lock();
            let workers: Vec<_> = keys.keys().map(|worker| *worker.as_uuid()).collect();
            keys.values_mut().for_each(|key| *key = None);
            let said = place.connections.vital("withdraw a proof", {
                let workers = workers.clone();
                move |connection, queries, _| {
                    Box::pin(async move {
                        let query = queries.workers_unprove.query().bind(workers);
                        query.execute(connection).await.during("withdraw a proof").map(drop)
                    })
                }
            });
            (!workers.is_empty()).then_some(said)
        });
        let said: Vec<_> = said.collect();
        let _ = tokio::time::timeout(CONNECTING, join_all(said)).await;
    }

    /// Hears and obeys until the session is lost.
    async fn serve(&mut self, mut listener: PgListener) -> Result<(), BackendError> {
        let what = "wait for news";
        loop {
            tokio::select! {
                order = self.inbox.recv() => match order {
                    Some(order) => self.obey(&mut listener, order).await?,
                    // All handles are gone.
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
                    Some(news) => self.hear(&news),
                    None => return Err(lost("the connection was closed")),
                },
            }
        }
    }

    fn hear(&self, news: &PgNotification) {
        if news.channel() == ALL {
            if let Some(all) = &self.all
                && !self.own.has(news.process_id())
            {
                all.note(news.payload());
            }
            return;
        }
        let others = self
            .places
            .values()
            .filter(|place| place.channel == news.channel() && &*place.mark != news.payload());
        others.for_each(|place| place.changed.notify_one());
    }

    async fn obey(&mut self, listener: &mut PgListener, order: Order) -> Result<(), BackendError> {
        let what = "listen for news";
        match order {
            Order::Join(seat, place) => {
                let channel = place.channel.clone();
                let changed = Arc::clone(&place.changed);
                self.places.insert(seat, place);
                listener.listen(&channel).await.during(what)?;
                // Whatever happened before went unheard.
                changed.notify_one();
            }
            Order::JoinAll(heard, listens) => {
                self.all = Some(heard);
                listener.listen(ALL).await.during(what)?;
                // One who stopped waiting looks everywhere.
                let _ = listens.send(());
            }
            Order::Leave(seat) => {
                let Some(place) = self.places.remove(&seat) else { return Ok(()) };
                let keys = std::mem::take(&mut *place.keys.lock());
                for key in keys.into_values().flatten() {
                    unlock(listener, key).await?;
                }
                if self.places.values().all(|other| other.channel != place.channel) {
                    listener.unlisten(&place.channel).await.during(what)?;
                }
            }
            Order::Hold(seat, worker, held) => {
                let locks: usize = self.places.values().map(|place| place.keys.lock().len()).sum();
                let Some(place) = self.places.get(&seat).filter(|_| locks < MOST_LOCKS) else {
                    return Ok(());
                };
                let key = lock(listener).await?;
                place.keys.lock().insert(worker, Some(key));
                // One who stopped waiting lets go of it.
                let _ = held.send(());
            }
            Order::LetGo(seat, worker) => {
                let Some(place) = self.places.get(&seat) else { return Ok(()) };
                let key = place.keys.lock().remove(&worker);
                if let Some(Some(key)) = key {
                    unlock(listener, key).await?;
                }
            }
        }
        Ok(())
    }
}

/// Says that the lock of a worker is held again.
async fn prove(connections: Arc<Connections>, keys: Arc<Keys>, worker: WorkerId, key: i64) {
    let what = "prove that a worker lives";
    let proved = connections.vital(what, move |connection, queries, _| {
        Box::pin(async move {
            // The session may have been lost again meanwhile.
            if keys.lock().get(&worker) != Some(&Some(key)) {
                return Ok(());
            }
            let query = queries.workers_prove.query().bind(*worker.as_uuid()).bind(key);
            query.execute(connection).await.during(what).map(drop)
        })
    });
    if let Err(error) = proved.await {
        tracing::debug!(%worker, %error, "a worker is known to live by its lease alone");
    }
}

fn lost(reason: &str) -> BackendError {
    BackendError::Unavailable { reason: reason.to_owned(), source: None }
}

/// Takes a lock under a key that nobody can guess, so that nobody holds it for somebody else.
async fn lock(listener: &mut PgListener) -> Result<i64, BackendError> {
    let what = "take the lock of a worker";
    let (high, low) = WorkerId::new().as_uuid().as_u64_pair();
    let key = (high ^ low).cast_signed();
    let query = sqlx::query("SELECT pg_try_advisory_lock($1)").bind(key);
    let row = query.fetch_one(listener).await.during(what)?;
    if row.try_get(0).during(what)? { Ok(key) } else { Err(lost("a new key is held by somebody")) }
}

async fn unlock(listener: &mut PgListener, key: i64) -> Result<(), BackendError> {
    let query = sqlx::query("SELECT pg_advisory_unlock($1)").bind(key);
    query.execute(listener).await.during("let go of a lock").map(drop)
}
