//! An executor's own end of a back end whose type is not known.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use cloacina_core::backend::{
    Backend, BackendError, Batch, BatchVerdicts, Burial, ClaimRequest, ClaimScope, Claims, Control,
    ControlVerdict, Counts, EventRecord, ExecutionQuery, ExecutionRecord, ExecutionSnapshot,
    Heartbeat, JsonText, NewWorker, Pulse, Release, Standing, Survival, WorkflowDefinition,
    WorkflowKey,
};
use cloacina_core::{ExecutionId, WorkerId};

/// A handle on a store of any kind, as a [`Backend`] with a type, which an executor wants. Clones are one handle.
#[derive(Debug, Clone)]
pub struct SharedBackend {
    handle: Arc<dyn Backend>,
    stall: Stall,
    /// Commits find no room.
    full: Arc<AtomicBool>,
    /// Keeps heartbeats from being made.
    silence: Stall,
    /// If set, each look for work takes so long, and changes are reported without end.
    busy: Arc<OnceLock<Duration>>,
    calls: Calls,
}

/// Keeps calls from being made while its lock is held: a store that is slow, for as long as a case likes.
pub(crate) type Stall = Arc<tokio::sync::Mutex<()>>;

/// The calls of an executor to its store, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<&'static str>>>);

impl Calls {
    fn lock(&self) -> MutexGuard<'_, Vec<&'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, call: &'static str) {
        self.lock().push(call);
    }

    /// Returns the calls since the last time.
    pub(crate) fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.lock())
    }

    /// Counts the calls of one kind since they were taken.
    pub(crate) fn count(&self, call: &str) -> usize {
        self.lock().iter().filter(|made| **made == call).count()
    }
}

impl SharedBackend {
    /// Wraps a handle.
    #[must_use]
    pub fn new(handle: Arc<dyn Backend>) -> Self {
        let (stall, silence) = (Stall::default(), Stall::default());
        let (full, busy, calls) = (Arc::default(), Arc::default(), Calls::default());
        Self { handle, stall, full, silence, busy, calls }
    }

    /// Returns what holds up its commits.
    pub(crate) fn stall(&self) -> Stall {
        Arc::clone(&self.stall)
    }

    /// Decides whether commits find no room.
    pub(crate) fn full(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.full)
    }

    /// Returns what holds up its heartbeats.
    pub(crate) fn silence(&self) -> Stall {
        Arc::clone(&self.silence)
    }

    /// From now on each look for work takes so long, and changes never cease.
    pub(crate) fn is_busy(&self, claim: Duration) {
        self.busy.set(claim).expect("it is busy once");
    }

    /// Returns what notes its calls.
    pub(crate) fn calls(&self) -> Calls {
        self.calls.clone()
    }
}

#[async_trait]
impl Backend for SharedBackend {
    async fn register_worker(&self, worker: &NewWorker) -> Result<(), BackendError> {
        self.calls.note("register_worker");
        self.handle.register_worker(worker).await
    }

    async fn heartbeat(&self, beat: &Heartbeat) -> Result<Pulse, BackendError> {
        drop(self.silence.lock().await);
        self.calls.note("heartbeat");
        self.handle.heartbeat(beat).await
    }

    async fn lease(&self, worker: WorkerId) -> Result<Option<DateTime<Utc>>, BackendError> {
        self.calls.note("lease");
        self.handle.lease(worker).await
    }

    async fn retire_worker(&self, worker: WorkerId) -> Result<(), BackendError> {
        self.calls.note("retire_worker");
        self.handle.retire_worker(worker).await
    }

    async fn bury_dead_workers(&self, by: WorkerId) -> Result<Vec<Burial>, BackendError> {
        self.calls.note("bury_dead_workers");
        self.handle.bury_dead_workers(by).await
    }

    async fn acquit(&self, survivals: &[Survival]) -> Result<(), BackendError> {
        self.calls.note("acquit");
        self.handle.acquit(survivals).await
    }

    async fn define_workflows(
        &self,
        definitions: &[WorkflowDefinition],
    ) -> Result<(), BackendError> {
        self.calls.note("define_workflows");
        self.handle.define_workflows(definitions).await
    }

    async fn definition(&self, key: &WorkflowKey) -> Result<Option<JsonText>, BackendError> {
        self.calls.note("definition");
        self.handle.definition(key).await
    }

    async fn commit(&self, batch: Arc<Batch>) -> Result<BatchVerdicts, BackendError> {
        drop(self.stall.lock().await);
        self.calls.note("commit");
        if self.full.load(Ordering::Relaxed) {
            let reason = "commit a batch: there is no room".to_owned();
            return Err(BackendError::Full { reason, source: None });
        }
        self.handle.commit(batch).await
    }

    fn lines(&self) -> NonZeroUsize {
        self.handle.lines()
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claims, BackendError> {
        self.calls.note("claim");
        if let (Some(time), ClaimScope::Workflows(_)) = (self.busy.get(), &request.scope) {
            tokio::time::sleep(*time).await;
        }
        self.handle.claim(request).await
    }

    async fn release(&self, releases: &[Release]) -> Result<(), BackendError> {
        self.calls.note("release");
        self.handle.release(releases).await
    }

    async fn control(
        &self,
        execution: ExecutionId,
        order: &Control,
    ) -> Result<ControlVerdict, BackendError> {
        self.calls.note("control");
        self.handle.control(execution, order).await
    }

    async fn standing(&self, ids: &[ExecutionId]) -> Result<Vec<Option<Standing>>, BackendError> {
        self.calls.note("standing");
        self.handle.standing(ids).await
    }

    async fn load(&self, id: ExecutionId) -> Result<Option<ExecutionSnapshot>, BackendError> {
        self.calls.note("load");
        self.handle.load(id).await
    }

    async fn list(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionRecord>, BackendError> {
        self.calls.note("list");
        self.handle.list(query).await
    }

    async fn events(&self, execution: ExecutionId) -> Result<Vec<EventRecord>, BackendError> {
        self.calls.note("events");
        self.handle.events(execution).await
    }

    async fn counts(&self) -> Result<Counts, BackendError> {
        self.calls.note("counts");
        self.handle.counts().await
    }

    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, BackendError> {
        self.calls.note("prune");
        self.handle.prune(age, limit).await
    }

    async fn changed(&self, poll: Duration) {
        self.calls.note("changed");
        if self.busy.get().is_none() {
            self.handle.changed(poll).await;
        }
    }

    async fn close(&self) {
        self.calls.note("close");
        self.handle.close().await;
    }
}
