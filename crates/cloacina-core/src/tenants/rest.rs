//! Stops executors that have nothing to do, or nothing to work on any more.

use std::sync::Arc;

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use super::TenantStore;
use super::entry::{Entry, Place};
use super::roster::Roster;
use crate::{TenantId, UnifiedExecutor};

impl<S: TenantStore> Roster<S> {
    /// Stops the executors that have had nothing to do for a while.
    pub(super) fn stop_idle(self: &Arc<Self>) {
        let now = Instant::now();
        let idle: Vec<TenantId> = {
            let entries = self.lock();
            let idle =
                entries.iter().filter(|(_, entry)| entry.is_idle(now, self.settings.idle_timeout));
            idle.map(|(tenant, _)| tenant.clone()).collect()
        };
        for tenant in idle {
            // Each by itself: one that hangs keeps no other from stopping.
            let this = Arc::clone(self);
            self.tracker.spawn(async move {
                let Ok(_turn) = this.stops.acquire().await else { return };
                this.stop_one(&tenant).await;
            });
        }
    }

    async fn stop_one(&self, tenant: &TenantId) {
        let place = self.lock().get(tenant).map(|entry| Arc::clone(&entry.place));
        let Some(Ok(guard)) = place.map(AsyncMutex::try_lock_owned) else { return };
        let Place::Open(executor) = &*guard else { return };
        let rests = || executor.is_only_handle() && executor.engine().rests();
        // While the store takes no signs of life, giving up is no clean end.
        if !rests() || !executor.engine().is_calm() {
            return;
        }
        // From here on, what others give the tenant is news.
        self.news.note_rest(tenant);
        if self.is_needed(tenant, executor).await || !rests() {
            return;
        }
        if let Err(error) = executor.shutdown().await {
            tracing::warn!(%tenant, %error, "stopping the executor of a tenant failed");
        }
        // When what it gave back falls due, or at once should something have come meanwhile.
        self.news.hint([tenant.clone()]);
        self.leave(tenant, guard);
        tracing::debug!(%tenant, "the executor of a tenant at rest has stopped");
    }

    /// Stops the executors of tenants that somebody else has removed. Asks about those only that get no sign of life through.
    pub(super) async fn stop_vanished(self: &Arc<Self>) {
        let troubled = |entry: &Entry<S::Backend>| match entry.place.try_lock().as_deref() {
            Ok(Place::Open(executor)) => !executor.engine().is_calm(),
            _ => false,
        };
        let troubled: Vec<TenantId> = {
            let entries = self.lock();
            let troubled = entries.iter().filter(|(_, entry)| troubled(entry));
            troubled.map(|(tenant, _)| tenant.clone()).collect()
        };
        for tenant in troubled {
            if !matches!(self.store.exists(&tenant).await, Ok(false)) {
                continue;
            }
            tracing::info!(%tenant, "a tenant was removed elsewhere, its executor stops");
            let this = Arc::clone(self);
            let stopped = self.finish(async move {
                let mut guard = this.enter(&tenant).await;
                if let Place::Open(executor) = std::mem::replace(&mut *guard, Place::Empty) {
                    executor.engine().abandon();
                    executor.engine().backend.close().await;
                }
                this.news.forget(&tenant);
                this.leave(&tenant, guard);
                Ok(())
            });
            // Nothing that it does fails.
            let _ = stopped.await;
        }
    }

    /// Reports whether an executor has to stay because others own work of its tenant: should they die, it takes over.
    async fn is_needed(&self, tenant: &TenantId, executor: &UnifiedExecutor<S::Backend>) -> bool {
        let engine = executor.engine();
        if !engine.has_peers() {
            return false;
        }
        if engine.held_executions() > 0 {
            // What waits for its time waits in the store as well. Then it shows whether others own something.
            engine.give_back_what_waits();
            return true;
        }
        match self.store.work(Some(std::slice::from_ref(tenant))).await {
            Ok(work) => work.iter().any(|work| work.owned),
            Err(_) => true,
        }
    }
}
