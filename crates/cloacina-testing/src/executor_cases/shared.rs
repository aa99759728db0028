//! An executor's own end of a back end whose type is not known.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloacina_core::backend::{
    Backend, BackendError, Batch, BatchVerdicts, Burial, ClaimRequest, Claims, Control,
    ControlVerdict, Counts, EventRecord, ExecutionQuery, ExecutionRecord, ExecutionSnapshot,
    Heartbeat, JsonText, NewWorker, Pulse, Release, Standing, Survival, WorkflowDefinition,
    WorkflowKey,
};
use cloacina_core::{ExecutionId, WorkerId};

/// A handle on a store of any kind, as a [`Backend`] with a type, which an executor wants. Clones are one handle.
#[derive(Debug, Clone)]
pub struct SharedBackend(Arc<dyn Backend>, Stall);

/// Keeps commits from being made while its lock is held: a store that is slow, for as long as a case likes.
pub(crate) type Stall = Arc<tokio::sync::Mutex<()>>;

impl SharedBackend {
    /// Wraps a handle.
    #[must_use]
    pub fn new(handle: Arc<dyn Backend>) -> Self {
        Self(handle, Stall::default())
    }

    /// Returns what holds up its commits.
    pub(crate) fn stall(&self) -> Stall {
        Arc::clone(&self.1)
    }
}

#[async_trait]
impl Backend for SharedBackend {
    async fn register_worker(&self, worker: &NewWorker) -> Result<(), BackendError> {
        self.0.register_worker(worker).await
    }

    async fn heartbeat(&self, beat: &Heartbeat) -> Result<Pulse, BackendError> {
        self.0.heartbeat(beat).await
    }

    async fn retire_worker(&self, worker: WorkerId) -> Result<(), BackendError> {
        self.0.retire_worker(worker).await
    }

    async fn bury_dead_workers(&self, by: WorkerId) -> Result<Vec<Burial>, BackendError> {
        self.0.bury_dead_workers(by).await
    }

    async fn acquit(&self, survivals: &[Survival]) -> Result<(), BackendError> {
        self.0.acquit(survivals).await
    }

    async fn define_workflows(
        &self,
        definitions: &[WorkflowDefinition],
    ) -> Result<(), BackendError> {
        self.0.define_workflows(definitions).await
    }

    async fn definition(&self, key: &WorkflowKey) -> Result<Option<JsonText>, BackendError> {
        self.0.definition(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<BatchVerdicts, BackendError> {
        drop(self.1.lock().await);
        self.0.commit(batch).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claims, BackendError> {
        self.0.claim(request).await
    }

    async fn release(&self, releases: &[Release]) -> Result<(), BackendError> {
        self.0.release(releases).await
    }

    async fn control(
        &self,
        execution: ExecutionId,
        order: &Control,
    ) -> Result<ControlVerdict, BackendError> {
        self.0.control(execution, order).await
    }

    async fn standing(&self, ids: &[ExecutionId]) -> Result<Vec<Option<Standing>>, BackendError> {
        self.0.standing(ids).await
    }

    async fn load(&self, id: ExecutionId) -> Result<Option<ExecutionSnapshot>, BackendError> {
        self.0.load(id).await
    }

    async fn list(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionRecord>, BackendError> {
        self.0.list(query).await
    }

    async fn events(&self, execution: ExecutionId) -> Result<Vec<EventRecord>, BackendError> {
        self.0.events(execution).await
    }

    async fn counts(&self) -> Result<Counts, BackendError> {
        self.0.counts().await
    }

    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, BackendError> {
        self.0.prune(age, limit).await
    }

    async fn changed(&self, poll: Duration) {
        self.0.changed(poll).await;
    }

    async fn close(&self) {
        self.0.close().await;
    }
}
