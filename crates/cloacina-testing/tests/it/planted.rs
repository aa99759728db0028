//! A store with a bug: what the suite and the comparison are there to find.

use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use cloacina_core::backend::{
    Backend, BackendError, Batch, BatchVerdicts, Burial, ClaimRequest, Claims, Control,
    ControlVerdict, Counts, EventRecord, ExecutionQuery, ExecutionRecord, ExecutionSnapshot,
    Heartbeat, JsonText, NewWorker, Pulse, Release, Standing, Survival, Suspicion,
    WorkflowDefinition, WorkflowKey,
};
use cloacina_core::{ExecutionId, PipelineStatus, WorkerId};
use cloacina_testing::MemoryBackend;
use cloacina_testing::conformance::Harness;

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Checkpoints are committed whatever their epoch.
    IgnoresEpoch,
    /// Checkpoints are committed whoever sends them.
    IgnoresWorker,
    /// Any checkpoint lifts the suspicion.
    ForgetsTakeovers,
    /// A second execution is made for a key that is taken.
    IgnoresKeys,
    /// A claim gives one more than it may.
    ExceedsLimit,
    /// A page begins with the last one of the page before.
    OverlappingPages,
    /// Releases by those who own nothing take effect.
    ReleasesForAnyone,
    /// Retirement leaves behind what was owned.
    KeepsOnRetirement,
    /// Events are not written.
    DropsEvents,
    /// Executions start before they are due.
    IgnoresDelay,
    /// A resume is a no-op.
    NeverResumes,
    /// A retry begins with nothing.
    ForgetsResults,
    /// The takeovers of owners that live go on counting.
    AcquitsNobody,
}

impl Bug {
    pub(crate) const ALL: [Self; 13] = [
        Self::IgnoresEpoch,
        Self::IgnoresWorker,
        Self::ForgetsTakeovers,
        Self::IgnoresKeys,
        Self::ExceedsLimit,
        Self::OverlappingPages,
        Self::ReleasesForAnyone,
        Self::KeepsOnRetirement,
        Self::DropsEvents,
        Self::IgnoresDelay,
        Self::NeverResumes,
        Self::ForgetsResults,
        Self::AcquitsNobody,
    ];
}

/// Runs something to its end and returns what it says when it panics.
pub(crate) fn panic_of(work: impl AsyncFnOnce()) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let run = AssertUnwindSafe(|| runtime.block_on(work()));
    let panic = std::panic::catch_unwind(run).err()?;
    Some(panic.downcast::<String>().map_or_else(|_| String::new(), |text| *text))
}

/// Makes faulty stores.
pub(crate) struct PlantedHarness {
    store: MemoryBackend,
    bug: Bug,
}

impl PlantedHarness {
    pub(crate) fn new(bug: Bug) -> Self {
        Self { store: MemoryBackend::new(), bug }
    }
}

#[async_trait]
impl Harness for PlantedHarness {
    async fn start() -> Self {
        Self::new(Bug::IgnoresEpoch)
    }

    async fn handle(&self) -> Arc<dyn Backend> {
        Arc::new(Planted { inner: self.store.another_handle(), bug: self.bug })
    }

    async fn finish(self) {}
}

#[derive(Debug)]
struct Planted {
    inner: MemoryBackend,
    bug: Bug,
}

impl Planted {
    async fn standing_of(&self, id: ExecutionId) -> Option<Standing> {
        self.inner.standing(&[id]).await.ok()?.pop()?
    }

    async fn spoil(&self, batch: &mut Batch) {
        for submit in &mut batch.submits {
            match self.bug {
                Bug::IgnoresKeys => submit.idempotency_key = None,
                Bug::IgnoresDelay => submit.delay = None,
                Bug::ForgetsResults => submit.retry_of = None,
                _ => {}
            }
        }
        for checkpoint in &mut batch.checkpoints {
            let standing = self.standing_of(checkpoint.execution).await;
            match (self.bug, standing) {
                (Bug::IgnoresEpoch, Some(standing)) => checkpoint.epoch = standing.epoch,
                (Bug::IgnoresWorker, Some(Standing { owner: Some(owner), .. })) => {
                    checkpoint.worker = owner;
                }
                (Bug::ForgetsTakeovers, _) => checkpoint.suspicion = Suspicion::Clear,
                (Bug::DropsEvents, _) => checkpoint.events.clear(),
                _ => {}
            }
        }
    }
}

#[async_trait]
impl Backend for Planted {
    async fn register_worker(&self, worker: &NewWorker) -> Result<(), BackendError> {
        self.inner.register_worker(worker).await
    }

    async fn heartbeat(&self, beat: &Heartbeat) -> Result<Pulse, BackendError> {
        self.inner.heartbeat(beat).await
    }

    async fn lease(&self, worker: WorkerId) -> Result<Option<DateTime<Utc>>, BackendError> {
        self.inner.lease(worker).await
    }

    async fn retire_worker(&self, worker: WorkerId) -> Result<(), BackendError> {
        match self.bug {
            Bug::KeepsOnRetirement => Ok(()),
            _ => self.inner.retire_worker(worker).await,
        }
    }

    async fn bury_dead_workers(&self, by: WorkerId) -> Result<Vec<Burial>, BackendError> {
        self.inner.bury_dead_workers(by).await
    }

    async fn acquit(&self, survivals: &[Survival]) -> Result<(), BackendError> {
        match self.bug {
            Bug::AcquitsNobody => Ok(()),
            _ => self.inner.acquit(survivals).await,
        }
    }

    async fn define_workflows(
        &self,
        definitions: &[WorkflowDefinition],
    ) -> Result<(), BackendError> {
        self.inner.define_workflows(definitions).await
    }

    async fn definition(&self, key: &WorkflowKey) -> Result<Option<JsonText>, BackendError> {
        self.inner.definition(key).await
    }

    async fn commit(&self, batch: Arc<Batch>) -> Result<BatchVerdicts, BackendError> {
        let mut batch = Arc::unwrap_or_clone(batch);
        self.spoil(&mut batch).await;
        self.inner.commit(batch.into()).await
    }

    fn lines(&self) -> NonZeroUsize {
        self.inner.lines()
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claims, BackendError> {
        let mut request = request.clone();
        request.limit += u32::from(self.bug == Bug::ExceedsLimit);
        self.inner.claim(&request).await
    }

    async fn release(&self, releases: &[Release]) -> Result<(), BackendError> {
        let mut releases = releases.to_vec();
        for release in &mut releases {
            if self.bug == Bug::ReleasesForAnyone
                && let Some(standing) = self.standing_of(release.execution).await
            {
                release.worker = standing.owner.unwrap_or(release.worker);
                release.epoch = standing.epoch;
            }
        }
        self.inner.release(&releases).await
    }

    async fn control(
        &self,
        execution: ExecutionId,
        order: &Control,
    ) -> Result<ControlVerdict, BackendError> {
        if self.bug == Bug::NeverResumes && matches!(order, Control::Resume) {
            return Ok(ControlVerdict::Unchanged(PipelineStatus::Paused));
        }
        self.inner.control(execution, order).await
    }

    async fn standing(&self, ids: &[ExecutionId]) -> Result<Vec<Option<Standing>>, BackendError> {
        self.inner.standing(ids).await
    }

    async fn load(&self, id: ExecutionId) -> Result<Option<ExecutionSnapshot>, BackendError> {
        self.inner.load(id).await
    }

    async fn list(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionRecord>, BackendError> {
        let mut query = query.clone();
        if self.bug == Bug::OverlappingPages {
            query.before = None;
        }
        self.inner.list(&query).await
    }

    async fn events(&self, execution: ExecutionId) -> Result<Vec<EventRecord>, BackendError> {
        self.inner.events(execution).await
    }

    async fn counts(&self) -> Result<Counts, BackendError> {
        self.inner.counts().await
    }

    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, BackendError> {
        self.inner.prune(age, limit).await
    }

    async fn changed(&self, poll: Duration) {
        self.inner.changed(poll).await;
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
