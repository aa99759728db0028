//! The reference model of a back end: every rule of the contract, in maps under one lock.

mod claim;
mod commit;
mod control;
mod read;
mod store;
mod tenants;
mod worker;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use cloacina_core::backend::{
    Backend, BackendError, Batch, BatchVerdicts, Burial, ClaimRequest, Claims, Control,
    ControlVerdict, Counts, EventRecord, ExecutionQuery, ExecutionRecord, ExecutionSnapshot,
    Heartbeat, JsonText, NewWorker, Pulse, Release, Standing, Survival, WorkflowDefinition,
    WorkflowKey,
};
use cloacina_core::{ExecutionId, WorkerId};
use tokio::sync::Notify;

use store::{HandleId, Observer, State, StoreId};

pub use tenants::MemoryTenants;

/// A [`Backend`] that keeps everything in memory.
///
/// [`new`](Self::new) makes a store with one handle on it, [`another_handle`](Self::another_handle) opens a second
/// one, as another process would; a clone is the same handle. A handle that is closed or dropped without retiring
/// its workers leaves them dead, as a crash would. The store's clock starts at a fixed date and follows
/// [`tokio::time`], so it stands still and jumps where a test pauses and advances time.
///
/// ```
/// use cloacina_core::backend::{Backend, NewWorker};
/// use cloacina_core::WorkerId;
/// use cloacina_testing::MemoryBackend;
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let here = MemoryBackend::new();
/// let there = here.another_handle();
/// let worker = NewWorker { id: WorkerId::new(), lease_ttl: Duration::from_secs(30) };
/// here.register_worker(&worker).await.unwrap();
/// here.close().await;
///
/// let burials = there.bury_dead_workers(WorkerId::new()).await.unwrap();
/// assert_eq!(burials[0].worker, worker.id);
/// # });
/// ```
#[derive(Clone)]
pub struct MemoryBackend {
    handle: Arc<Handle>,
}

/// What the clones of one handle share.
struct Handle {
    id: HandleId,
    state: Arc<Mutex<State>>,
    /// Holds a permit when somebody else changed the store since the last wait.
    woken: Arc<Notify>,
}

impl MemoryBackend {
    /// Makes an empty store with one handle.
    #[must_use]
    pub fn new() -> Self {
        Self::open(Arc::new(Mutex::new(State::new())), None)
    }

    /// Makes an empty store that tells whenever something changed.
    fn observed(observer: Observer) -> Self {
        let store = Self::new();
        lock(&store.handle.state).observe(observer);
        store
    }

    /// Opens a second handle on the same store, as another process would.
    #[must_use]
    pub fn another_handle(&self) -> Self {
        Self::open(Arc::clone(&self.handle.state), None)
    }

    /// Opens a second handle, through what holds many stores.
    fn opened_through(&self, origin: StoreId) -> Self {
        Self::open(Arc::clone(&self.handle.state), Some(origin))
    }

    fn open(state: Arc<Mutex<State>>, origin: Option<StoreId>) -> Self {
        let woken = Arc::new(Notify::new());
        let id = lock(&state).open_handle(Arc::clone(&woken), origin);
        Self { handle: Arc::new(Handle { id, state, woken }) }
    }

    /// Reads all executions with their events, in one transaction.
    pub(crate) fn everything(&self) -> Vec<(ExecutionSnapshot, Vec<EventRecord>)> {
        let state = lock(&self.handle.state);
        let ids: Vec<_> = state.executions().keys().copied().collect();
        let read = |id| Some((state.snapshot(id)?, state.events(id)));
        ids.into_iter().filter_map(read).collect()
    }

    /// Lists the workers that are registered.
    pub(crate) fn registered(&self) -> Vec<WorkerId> {
        lock(&self.handle.state).workers.keys().copied().collect()
    }

    /// Reads the store's clock.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        lock(&self.handle.state).now()
    }

    /// Puts the store's clock so far ahead.
    pub(crate) fn put_clock_ahead(&self, by: Duration) {
        lock(&self.handle.state).clock.put_ahead(by);
    }

    /// Puts the store's clock so far back.
    pub(crate) fn put_clock_back(&self, by: Duration) {
        lock(&self.handle.state).clock.put_back(by);
    }

    /// Runs one transaction that reads, or writes what nobody waits for.
    fn quietly<T>(&self, work: impl FnOnce(&mut State) -> T) -> Result<T, BackendError> {
        let mut state = lock(&self.handle.state);
        if state.is_open(self.handle.id) { Ok(work(&mut state)) } else { Err(BackendError::Closed) }
    }

    /// Runs one transaction that writes, and wakes the other handles.
    fn write<T>(&self, work: impl FnOnce(&mut State) -> T) -> Result<T, BackendError> {
        self.quietly(|state| {
            let answer = work(state);
            state.wake_all_but(self.handle.id);
            answer
        })
    }
}

/// A panic in the middle of a transaction fails its own test; the lock stays usable, for the handles' drops.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Handle {
    fn drop(&mut self) {
        lock(&self.state).close_handle(self.id);
    }
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBackend").field("handle", &self.handle.id).finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    async fn register_worker(&self, worker: &NewWorker) -> Result<(), BackendError> {
        self.quietly(|state| state.register_worker(self.handle.id, worker))
    }

    async fn heartbeat(&self, beat: &Heartbeat) -> Result<Pulse, BackendError> {
        self.quietly(|state| state.heartbeat(beat))
    }

    async fn lease(&self, worker: WorkerId) -> Result<Option<DateTime<Utc>>, BackendError> {
        self.quietly(|state| state.lease(worker))
    }

    async fn retire_worker(&self, worker: WorkerId) -> Result<(), BackendError> {
        self.write(|state| state.retire_worker(worker))
    }

    async fn bury_dead_workers(&self, by: WorkerId) -> Result<Vec<Burial>, BackendError> {
        // Looking in vain must wake nobody: two handles would keep each other awake.
        self.quietly(|state| {
            let burials = state.bury_dead_workers(by);
            if !burials.is_empty() {
                state.wake_all_but(self.handle.id);
            }
            burials
        })
    }

    async fn acquit(&self, survivals: &[Survival]) -> Result<(), BackendError> {
        self.quietly(|state| state.acquit(survivals))
    }

    async fn define_workflows(
        &self,
        definitions: &[WorkflowDefinition],
    ) -> Result<(), BackendError> {
        self.quietly(|state| {
            for WorkflowDefinition { key, structure } in definitions {
                state.definitions.entry(key.clone()).or_insert_with(|| structure.clone());
            }
        })
    }

    async fn definition(&self, key: &WorkflowKey) -> Result<Option<JsonText>, BackendError> {
        self.quietly(|state| state.definitions.get(key).cloned())
    }

    async fn commit(&self, batch: Arc<Batch>) -> Result<BatchVerdicts, BackendError> {
        self.write(|state| state.commit(&batch))
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claims, BackendError> {
        self.quietly(|state| {
            let claims = state.claim(request);
            if !claims.executions.is_empty() {
                state.wake_all_but(self.handle.id);
            }
            claims
        })
    }

    async fn release(&self, releases: &[Release]) -> Result<(), BackendError> {
        self.write(|state| state.release(releases))
    }

    async fn control(
        &self,
        execution: ExecutionId,
        order: &Control,
    ) -> Result<ControlVerdict, BackendError> {
        self.write(|state| state.control(execution, order))
    }

    async fn standing(&self, ids: &[ExecutionId]) -> Result<Vec<Option<Standing>>, BackendError> {
        self.quietly(|state| ids.iter().map(|id| state.standing(*id)).collect())
    }

    async fn load(&self, id: ExecutionId) -> Result<Option<ExecutionSnapshot>, BackendError> {
        self.quietly(|state| state.snapshot(id))
    }

    async fn list(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionRecord>, BackendError> {
        self.quietly(|state| state.list(query))
    }

    async fn events(&self, execution: ExecutionId) -> Result<Vec<EventRecord>, BackendError> {
        self.quietly(|state| state.events(execution))
    }

    async fn counts(&self) -> Result<Counts, BackendError> {
        self.quietly(|state| state.counts())
    }

    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, BackendError> {
        self.write(|state| state.prune(age, limit))
    }

    async fn changed(&self, poll: Duration) {
        if lock(&self.handle.state).is_open(self.handle.id) {
            self.handle.woken.notified().await;
        } else {
            // Neither hangs nor spins whoever has not noticed the close yet.
            tokio::time::sleep(poll).await;
        }
    }

    async fn close(&self) {
        lock(&self.handle.state).close_handle(self.handle.id);
    }
}
