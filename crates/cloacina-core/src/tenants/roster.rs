//! The tenants that are active, each with its executor: started once, stopped when nothing is to be done.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{OwnedMutexGuard, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::caretaker::{self, News};
use super::entry::{Entry, Place, Standing};
use super::{Creation, Removal, TenantError, TenantMetrics, TenantStore};
use crate::engine::{Role, Shared};
use crate::executor::Prepared;
use crate::{Backend, ExecutorError, TenantId, UnifiedExecutor, UnifiedExecutorBuilder};

/// How many executors are stopped at once, of those that have nothing to do.
const STOPS: usize = 32;

/// What a manager was told.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) weights: HashMap<TenantId, NonZeroU32>,
    pub(super) idle_timeout: Duration,
    pub(super) sweep_interval: Duration,
    pub(super) poll_interval: Duration,
}

/// All that a manager has.
pub(super) struct Roster<S: TenantStore> {
    pub(super) store: S,
    prepared: OnceLock<Prepared<S::Backend>>,
    shared: Shared,
    pub(super) settings: Settings,
    entries: Mutex<HashMap<TenantId, Arc<Entry<S::Backend>>>>,
    pub(super) news: News,
    pub(super) tracker: TaskTracker,
    pub(super) stop: CancellationToken,
    begun: AtomicBool,
    /// Bounds how many executors are stopped at once.
    pub(super) stops: Semaphore,
}

/// The lock of an entry that is on the roster.
type Guard<B> = OwnedMutexGuard<Place<B>>;

impl<S: TenantStore> Roster<S> {
    pub(super) fn new(
        store: S,
        prepared: Option<Prepared<S::Backend>>,
        shared: Shared,
        settings: Settings,
    ) -> Self {
        Self {
            store,
            prepared: prepared.map_or_else(OnceLock::new, OnceLock::from),
            shared,
            settings,
            entries: Mutex::default(),
            news: News::default(),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            begun: AtomicBool::new(false),
            stops: Semaphore::new(STOPS),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Entry<S::Backend>>>> {
        // The map is consistent between any two statements, so a panic elsewhere does not spoil it.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to look after the tenants, if there is a runtime and nobody has.
    pub(super) fn begin(self: &Arc<Self>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.begun.swap(true, Ordering::Relaxed) {
            let role = self.prepared.get().map_or(Role::Worker, |prepared| prepared.role);
            caretaker::begin(self, role, &runtime);
        }
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Begins, unless it is over.
    pub(super) fn ready(self: &Arc<Self>) -> Result<(), TenantError> {
        if self.stop.is_cancelled() {
            return Err(TenantError::ShuttingDown);
        }
        self.begin();
        Ok(())
    }

    fn prepared(&self) -> Result<&Prepared<S::Backend>, ExecutorError> {
        match self.prepared.get() {
            Some(prepared) => Ok(prepared),
            None => {
                let prepared = UnifiedExecutorBuilder::new().prepare()?;
                Ok(self.prepared.get_or_init(|| prepared))
            }
        }
    }

    /// Tells whether the executor of a tenant runs.
    pub(super) fn standing(&self, tenant: &TenantId) -> Standing {
        self.lock().get(tenant).map_or(Standing::Resting, |entry| entry.standing())
    }

    pub(super) fn active(&self) -> Vec<TenantId> {
        let mut tenants: Vec<_> = self.lock().keys().cloned().collect();
        tenants.sort_unstable();
        tenants
    }

    /// Takes the lock of a tenant's entry, which is put on the roster if it is not there.
    pub(super) async fn enter(&self, tenant: &TenantId) -> Guard<S::Backend> {
        loop {
            let place = {
                let mut entries = self.lock();
                let entry = entries.entry(tenant.clone()).or_insert_with(|| Arc::new(Entry::new()));
                entry.note_idle(None);
                Arc::clone(&entry.place)
            };
            let guard = place.lock_owned().await;
            if !matches!(*guard, Place::Left) {
                return guard;
            }
        }
    }

    /// Takes a tenant off the roster.
    pub(super) fn leave(&self, tenant: &TenantId, mut guard: Guard<S::Backend>) {
        // In this order: who finds the entry gone makes a new one, and who has found it waits for the lock and sees that it left.
        self.lock().remove(tenant);
        *guard = Place::Left;
        drop(guard);
        // What was heard of it meanwhile waits.
        self.news.nudge();
    }

    /// Runs something to its end even if the caller goes away.
    pub(super) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, TenantError>> + Send + 'static,
    ) -> Result<T, TenantError> {
        match self.tracker.spawn(work).await {
            Ok(finished) => finished,
            Err(failure) => match failure.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(TenantError::ShuttingDown),
            },
        }
    }

    /// Returns the executor of a tenant, started if there is none.
    pub(super) async fn executor(
        self: &Arc<Self>,
        tenant: &TenantId,
    ) -> Result<UnifiedExecutor<S::Backend>, TenantError> {
        self.ready()?;
        if let Some(executor) = self.running(tenant) {
            return Ok(executor);
        }
        let (this, tenant) = (Arc::clone(self), tenant.clone());
        self.finish(async move { this.start(tenant).await }).await
    }

    /// Returns the executor of a tenant, if it runs and nobody is about to stop it.
    fn running(&self, tenant: &TenantId) -> Option<UnifiedExecutor<S::Backend>> {
        let entries = self.lock();
        let entry = entries.get(tenant)?;
        entry.note_idle(None);
        entry.executor()
    }

    async fn start(
        self: Arc<Self>,
        tenant: TenantId,
    ) -> Result<UnifiedExecutor<S::Backend>, TenantError> {
        let mut guard = self.enter(&tenant).await;
        if let Place::Open(executor) = &*guard {
            if executor.engine().is_running() {
                return Ok(executor.clone());
            }
            // Somebody who holds it has shut it down, or its runtime has ended.
            let _ = executor.shutdown().await;
            *guard = Place::Empty;
        }
        match self.open(&tenant).await {
            Ok(executor) if !self.stop.is_cancelled() => {
                *guard = Place::Open(executor.clone());
                Ok(executor)
            }
            Ok(executor) => {
                self.leave(&tenant, guard);
                executor.shutdown().await?;
                Err(TenantError::ShuttingDown)
            }
            Err(error) => {
                self.leave(&tenant, guard);
                Err(error)
            }
        }
    }

    async fn open(&self, tenant: &TenantId) -> Result<UnifiedExecutor<S::Backend>, TenantError> {
        let prepared = self.prepared()?;
        let backend = self.store.open(tenant).await?;
        let weight = self.settings.weights.get(tenant).copied().unwrap_or(NonZeroU32::MIN);
        let shared = Some(self.shared.clone());
        let executor = prepared.start(backend, Some(tenant.clone()), shared, weight).await?;
        tracing::debug!(%tenant, "the executor of a tenant has started");
        Ok(executor)
    }

    pub(super) async fn create(
        self: &Arc<Self>,
        tenant: &TenantId,
    ) -> Result<Creation, TenantError> {
        self.ready()?;
        let (this, tenant) = (Arc::clone(self), tenant.clone());
        let creation = async move {
            // Not while it is being removed: what is created then would go as well.
            let guard = this.enter(&tenant).await;
            let created = this.store.create(&tenant).await;
            if matches!(*guard, Place::Empty) {
                this.leave(&tenant, guard);
            }
            created
        };
        self.finish(creation).await
    }

    pub(super) async fn remove(
        self: &Arc<Self>,
        tenant: &TenantId,
    ) -> Result<Removal, TenantError> {
        self.ready()?;
        let (this, tenant) = (Arc::clone(self), tenant.clone());
        let removal = async move {
            let mut guard = this.enter(&tenant).await;
            let place = std::mem::replace(&mut *guard, Place::Empty);
            if let Place::Open(executor) = place
                && let Err(error) = executor.shutdown().await
            {
                // Nobody takes up what it held any more.
                tracing::warn!(%tenant, %error, "stopping the executor of a tenant failed");
            }
            let removed = this.store.remove(&tenant).await;
            match removed {
                Ok(_) => this.news.forget(&tenant),
                // What it was stopped for did not happen, so its work goes on.
                Err(_) => this.news.hint([tenant.clone()]),
            }
            this.leave(&tenant, guard);
            removed
        };
        self.finish(removal).await
    }

    pub(super) async fn metrics(
        self: &Arc<Self>,
        tenant: &TenantId,
    ) -> Result<TenantMetrics, TenantError> {
        self.ready()?;
        // Being looked at is no work: it may be stopped all the same.
        let running = self.lock().get(tenant).and_then(|entry| entry.executor());
        if let Some(backend) = running.map(|executor| Arc::clone(&executor.engine().backend))
            && let Ok(counts) = backend.counts().await
        {
            return Ok(counts.into());
        }
        let (this, tenant) = (Arc::clone(self), tenant.clone());
        let read = async move {
            let backend = this.store.open(&tenant).await?;
            let counts = backend.counts().await;
            backend.close().await;
            Ok(counts?.into())
        };
        self.finish(read).await
    }

    pub(super) async fn shutdown(self: &Arc<Self>) -> Result<(), TenantError> {
        self.stop.cancel();
        self.tracker.close();
        let entries: Vec<_> = self.lock().values().cloned().collect();
        let stopped = join_all(entries.into_iter().map(|entry| async move {
            // Whoever stops it as well waits here, and goes on should this call be dropped.
            let mut place = entry.place.lock().await;
            if let Place::Open(executor) = &*place {
                executor.shutdown().await?;
            }
            *place = Place::Left;
            Ok::<_, ExecutorError>(())
        }));
        let stopped = stopped.await;
        self.lock().clear();
        // What was on its way stops what it starts.
        self.tracker.wait().await;
        self.store.close().await;
        stopped.into_iter().collect::<Result<(), _>>().map_err(Into::into)
    }
}
