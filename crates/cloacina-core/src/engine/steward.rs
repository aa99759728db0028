//! Keeps the worker alive, frees what dead workers held, finds work, and notices what others did.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Engine;
use super::driver::Order;
use super::strangers::Strangers;
use crate::backend::{
    ClaimRequest, ClaimScope, ExecutionQuery, Heartbeat, Outlook, ProofOfDeath, Pulse, Release,
};
use crate::{BackendError, ExecutionId, WorkerId};

/// More executions than this are not claimed in one transaction: it would hold the others up.
const CLAIM_MAX: usize = 512;

/// How long others count as being at work after they were seen: longer than a store may keep it to itself, see
/// [`Backend::changed`](crate::Backend::changed).
const STANDBY: Duration = Duration::from_secs(10);

/// Renews the lease. Nothing else: whatever takes long must not make a living worker look dead.
pub(super) async fn keep_alive(engine: Arc<Engine>) {
    loop {
        tokio::select! {
            biased;
            () = engine.kill.cancelled() => return,
            () = tokio::time::sleep(engine.beat()) => engine.beat_once().await,
        }
        engine.beaten.notify_one();
    }
}

/// Sweeps after each heartbeat for what that found: dead workers, executions of other versions, and what this worker owns
/// without knowing. Where there is nothing, the heartbeat is all that the store is asked.
pub(super) async fn sweep(engine: Arc<Engine>) {
    let (mut strangers, mut unknown) = (Strangers::default(), BTreeSet::new());
    let mut outlook = Outlook::UNKNOWN;
    loop {
        // With or without peers: a submit may have been committed after its worker was buried.
        if outlook.of_others || outlook.expired {
            engine.bury().await;
        }
        if outlook.unowned {
            engine.note_unowned();
            engine.claim_all_strangers(&mut strangers).await;
        }
        if outlook.own {
            engine.give_back_unknown(&mut unknown).await;
        }
        loop {
            // A dead peer can be told from a living one at small cost, so peers at work are looked after more often than the
            // lease.
            let looks = engine.stands_by() || engine.is_full();
            let look = looks.then_some(engine.config.poll_interval);
            tokio::select! {
                biased;
                () = engine.kill.cancelled() => return,
                () = engine.beaten.notified() => break,
                () = tokio::time::sleep(look.unwrap_or(engine.beat())) => {}
            }
            engine.give_back_excess();
            if engine.stands_by() {
                engine.bury().await;
            }
        }
        outlook = engine.outlook();
    }
}

/// Claims executions whenever there is room and there may be some.
pub(super) async fn claim(engine: Arc<Engine>) {
    let mut next_due: Option<Instant> = None;
    loop {
        let due = async {
            match next_due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = engine.stop.cancelled() => return,
            () = engine.claim_wake.notified() => {}
            () = due => {
                // Once: if there is no room now, whatever ends will ask again.
                next_due = None;
                engine.unowned.store(true, Ordering::SeqCst);
            }
        }
        if engine.room() == 0 {
            continue;
        }
        engine.claiming.store(true, Ordering::SeqCst);
        let claimed = match engine.unowned.swap(false, Ordering::SeqCst) {
            true => Some(engine.claim_once().await),
            false => None,
        };
        engine.claiming.store(false, Ordering::SeqCst);
        let Some(claimed) = claimed else { continue };
        match claimed {
            Ok(due_in) => next_due = due_in.map(|wait| Instant::now() + wait),
            Err(error) => {
                tracing::warn!(%error, "looking for work failed");
                tokio::select! {
                    biased;
                    () = engine.stop.cancelled() => return,
                    () = tokio::time::sleep(engine.config.poll_interval) => {}
                }
                engine.note_unowned();
            }
        }
    }
}

/// Notices what other processes did.
pub(super) async fn watch(engine: Arc<Engine>) {
    loop {
        tokio::select! {
            biased;
            () = engine.kill.cancelled() => return,
            () = engine.backend.changed(engine.config.poll_interval) => {}
            // Should a change go unnoticed, or looking fail.
            () = tokio::time::sleep(engine.beat()) => {
                engine.compare().await;
                continue;
            }
        }
        if engine.role == super::Role::Worker {
            engine.note_others_work();
            engine.bury().await;
            engine.note_unowned();
        }
        engine.compare().await;
        // Others may write all the time; looking once a poll is enough.
        let _ =
            tokio::time::timeout(engine.config.poll_interval / 4, engine.kill.cancelled()).await;
    }
}

/// What a claim gave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claimed {
    /// For how many executions there was a place.
    pub(super) places: usize,
    pub(super) taken: usize,
    /// The wait until the next delayed execution falls due.
    next_due: Option<Duration>,
}

impl Engine {
    /// Sends one heartbeat. A worker that was declared dead lets go of everything and registers anew.
    pub(super) async fn beat_once(self: &Arc<Self>) {
        let beat = Heartbeat { worker: self.worker(), lease_ttl: self.config.lease_ttl };
        let (began, given) = (Instant::now(), self.partings.given());
        // However long nobody asks for it: what is told then is of the time just before.
        self.turnover.recent(began);
        let pulse = tokio::time::timeout(self.beat(), self.backend.heartbeat(&beat)).await;
        let pulse = pulse.unwrap_or_else(|_| {
            let reason = "the store did not take it before the next one".to_owned();
            Err(BackendError::Unavailable { reason, source: None })
        });
        let calm = pulse.is_ok() && began.elapsed() < self.beat() / 2;
        *self.calm.lock().unwrap_or_else(PoisonError::into_inner) = calm.then(Instant::now);
        match pulse {
            Ok(Pulse::Alive { peers, outlook }) => {
                self.note_outlook(outlook);
                self.lease.renew(began, self.config.lease_ttl);
                self.partings.vouch(given);
                self.note_peers(peers);
            }
            Ok(Pulse::Buried) => {
                self.metrics.meters.lease_losses.increment(1);
                tracing::warn!(worker = %beat.worker, "this worker was declared dead; it starts anew");
                // Before the new id is known: nothing is to be submitted for a worker that is not registered yet.
                self.lease.lose();
                self.held.order_all(Order::Lost);
                self.register_anew().await;
                // Under the new id nothing more is noted as given by the old one.
                self.partings.doubt();
                self.note_outlook(Outlook::UNKNOWN);
            }
            Err(error) => {
                tracing::warn!(%error, "a heartbeat failed");
                self.note_outlook(Outlook::UNKNOWN);
            }
        }
    }

    /// Reports whether the store takes heartbeats without delay, where there are any.
    pub(crate) fn is_calm(&self) -> bool {
        if self.role == super::Role::Client {
            return true;
        }
        let calm = *self.calm.lock().unwrap_or_else(PoisonError::into_inner);
        calm.is_some_and(|at| at.elapsed() < self.beat() * 2)
    }

    async fn register_anew(&self) {
        let id = WorkerId::new();
        *self.worker.lock().unwrap_or_else(PoisonError::into_inner) = id;
        let began = Instant::now();
        match self.backend.register_worker(&self.new_worker()).await {
            Ok(()) => self.lease.renew(began, self.config.lease_ttl),
            Err(error) => {
                tracing::warn!(%error, "registering failed; the next heartbeat tries again");
            }
        }
    }

    /// Frees what dead workers held.
    ///
    /// Not while the store is slow to take heartbeats: others who live may not have got through with theirs.
    pub(super) async fn bury(&self) {
        if !self.config.enable_recovery || !self.is_calm() {
            return;
        }
        match self.backend.bury_dead_workers(self.worker()).await {
            Ok(burials) => {
                for burial in &burials {
                    let proof = match burial.proof {
                        ProofOfDeath::Lock => "its lock was free",
                        ProofOfDeath::Lease => "its lease ran out",
                    };
                    let (worker, executions) = (burial.worker, burial.executions);
                    tracing::info!(%worker, executions, proof, "a worker is dead");
                }
                if !burials.is_empty() {
                    self.note_unowned();
                }
            }
            Err(error) => tracing::warn!(%error, "looking for dead workers failed"),
        }
    }

    /// What the last heartbeat found; all there may be if it was not answered.
    fn outlook(&self) -> Outlook {
        *self.outlook.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_outlook(&self, outlook: Outlook) {
        *self.outlook.lock().unwrap_or_else(PoisonError::into_inner) = outlook;
        if outlook.of_others {
            self.note_others_work();
        }
    }

    fn note_others_work(&self) {
        *self.others_worked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Reports whether others are at work, who may die, as far as is known.
    fn stands_by(&self) -> bool {
        let worked = *self.others_worked.lock().unwrap_or_else(PoisonError::into_inner);
        self.has_peers() && worked.elapsed() < STANDBY.max(self.beat() * 2)
    }

    /// Notes how many others there are.
    fn note_peers(&self, peers: u32) {
        self.peers.store(peers, Ordering::Relaxed);
        self.give_back_excess();
    }

    /// Gives back executions that would wait long for a slot here, where others could run them.
    fn give_back_excess(&self) {
        if self.has_peers() {
            let excess = self.held.load().saturating_sub(self.own_share());
            self.held.hand_over(excess);
        }
    }

    /// Reports whether there is more than this worker has slots for, where others could run it.
    fn is_full(&self) -> bool {
        self.has_peers() && self.held.load() > self.config.max_concurrent_tasks
    }

    /// Claims as much as there is room for; the wait until the next delayed execution falls due.
    async fn claim_once(self: &Arc<Self>) -> Result<Option<Duration>, BackendError> {
        let scope = ClaimScope::Workflows(self.workflows.keys());
        let claimed = self.claim_scope(CLAIM_MAX, scope).await?;
        if claimed.taken == claimed.places {
            self.note_unowned();
        }
        Ok(claimed.next_due)
    }

    /// Gives back what this worker owns without knowing: a claim or a submit that seemed to fail may have happened, or
    /// happen yet.
    ///
    /// Only what was unknown one sweep ago as well: what has just ended may be on its way out.
    async fn give_back_unknown(&self, unknown: &mut BTreeSet<(ExecutionId, u64)>) {
        // No claim is under way meanwhile.
        let _control = self.control.lock().await;
        let worker = self.worker();
        let owned = match self.backend.list(&ExecutionQuery::new().owner(worker)).await {
            Ok(owned) => owned,
            Err(error) => return tracing::warn!(%error, "reading what this worker owns failed"),
        };
        let owned = owned.into_iter().map(|record| (record.id, record.epoch));
        let now: BTreeSet<_> = owned.filter(|(id, epoch)| !self.held.knows(*id, *epoch)).collect();
        let releases: Vec<_> = now
            .intersection(unknown)
            .map(|&(execution, epoch)| Release { execution, worker, epoch, due_in: None })
            .collect();
        *unknown = now;
        if releases.is_empty() {
            return;
        }
        tracing::warn!(executions = releases.len(), "this worker owned what it did not know of");
        if let Err(error) = self.backend.release(&releases).await {
            tracing::warn!(%error, "giving back what this worker does not hold failed");
        }
    }

    /// Claims up to `wanted` executions, as many as there are places for.
    pub(super) async fn claim_scope(
        self: &Arc<Self>,
        wanted: usize,
        scope: ClaimScope,
    ) -> Result<Claimed, BackendError> {
        let engine = Arc::clone(self);
        // One at once, before a submit takes it.
        let first = self.reserve(wanted.min(1));
        // On the tracker: what was claimed must be taken up even if the caller is stopped in between.
        let claimed = self.spawn(async move {
            // An order in between would find no driver, and the driver would not know of it.
            let _control = engine.control.lock().await;
            let worker = engine.worker();
            // The others under the lock: a claim before this one may have held all places. Submits do not take meanwhile what
            // may come.
            let mut places = engine.reserve(wanted - first.own());
            places.add(first);
            let limit = u32::try_from(places.own()).unwrap_or(u32::MAX);
            let mut claimed = Claimed { places: places.own(), taken: 0, next_due: None };
            if limit == 0 {
                return Ok(claimed);
            }
            let claims = engine.backend.claim(&ClaimRequest { worker, limit, scope }).await?;
            claimed.taken = claims.executions.len();
            claimed.next_due = claims.next_due;
            places.set(claimed.taken);
            engine.note_peers(claims.peers);
            for snapshot in &claims.executions {
                // Declared dead meanwhile, it owns nothing any more.
                if engine.worker() == worker {
                    engine.take_up(worker, snapshot, places.split_one());
                }
            }
            // Whoever looked for work meanwhile found no place.
            drop(places);
            engine.claim_more();
            Ok(claimed)
        });
        claimed.await.unwrap_or(Err(BackendError::Closed))
    }

    /// Compares what is held, and what is waited for, with where it stands in the store.
    async fn compare(&self) {
        let _control = self.control.lock().await;
        let worker = self.worker();
        let held = self.held.list();
        let waited: Vec<ExecutionId> =
            self.waiters.ids().into_iter().filter(|id| !self.held.contains(*id)).collect();
        let ids: Vec<_> = held.iter().map(|(id, _)| *id).chain(waited.iter().copied()).collect();
        if ids.is_empty() {
            return;
        }
        let standings = match self.backend.standing(&ids).await {
            Ok(standings) => standings,
            Err(error) => return tracing::warn!(%error, "comparing with the database failed"),
        };
        let (of_held, of_waited) = standings.split_at(held.len().min(standings.len()));
        for (held, standing) in held.into_iter().zip(of_held) {
            self.held.compare(worker, held, *standing);
        }
        for (id, standing) in waited.into_iter().zip(of_waited) {
            if standing.is_some_and(|standing| standing.status.is_terminal()) {
                self.look_for_now(id).await;
            }
        }
    }
}
