//! A store on which a case starts executors, with short words for what most cases do.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::backend::{Backend, EventKind, EventRecord};
use cloacina_core::{
    Context, ExecutionId, PipelineExecution, PipelineResult, PipelineStatus, UnifiedExecutor,
    UnifiedExecutorBuilder, Workflow,
};
use serde_json::Value;
use tokio::time::Instant;

use super::SharedBackend;
use crate::conformance::{Fixture, Harness, PATIENCE, soon, take_a_breath};

/// An executor of the suite.
pub type Executor = UnifiedExecutor<SharedBackend>;

/// The builder of an executor of the suite.
pub type ExecutorBuilder = UnifiedExecutorBuilder<SharedBackend>;

/// A store, and executors on it that stand for processes.
pub struct ExecutorFixture {
    store: Fixture,
}

impl ExecutorFixture {
    /// Opens a handle on the store that belongs to no executor.
    pub async fn new(harness: Arc<dyn Harness>) -> Self {
        Self { store: Fixture::new(harness).await }
    }

    /// Closes all handles.
    pub async fn close(self) {
        self.store.close().await;
    }

    /// Returns the store, to be looked at past all executors.
    #[must_use]
    pub const fn store(&self) -> &Fixture {
        &self.store
    }

    /// Starts an executor on a handle of its own, as another process would.
    pub async fn process(&self, workflows: impl IntoIterator<Item = Workflow>) -> Process {
        self.process_with(workflows, |builder| builder).await
    }

    /// Starts an executor with settings of its own.
    pub async fn process_with(
        &self,
        workflows: impl IntoIterator<Item = Workflow>,
        settings: impl FnOnce(ExecutorBuilder) -> ExecutorBuilder,
    ) -> Process {
        self.process_and_backend(workflows, settings).await.0
    }

    /// The same, with its end of the store: that holds up its commits and notes its calls.
    pub(crate) async fn process_and_backend(
        &self,
        workflows: impl IntoIterator<Item = Workflow>,
        settings: impl FnOnce(ExecutorBuilder) -> ExecutorBuilder,
    ) -> (Process, SharedBackend) {
        let handle = self.store.another_handle().await;
        let builder = Executor::builder()
            .poll_interval(Duration::from_millis(20))
            .lease_ttl(Duration::from_secs(3))
            .cancel_grace(Duration::from_millis(50))
            .workflows(workflows);
        let backend = SharedBackend::new(Arc::clone(&handle));
        let own = backend.clone();
        let built = soon("the start of an executor", settings(builder).build_on(backend)).await;
        (Process { executor: built.expect("an executor starts"), handle }, own)
    }

    /// Reads what kinds of events an execution has, in their order.
    pub async fn events(&self, id: ExecutionId) -> Vec<EventKind> {
        self.store.events(id).await
    }

    /// Reads the events of one kind.
    pub async fn events_of(&self, id: ExecutionId, kind: EventKind) -> Vec<EventRecord> {
        let events = self.store.store().events(id).await.expect("events answers");
        events.into_iter().filter(|record| record.event.kind == kind).collect()
    }

    /// Waits until no worker holds an execution: nothing of it runs anywhere then.
    pub async fn until_unowned(&self, id: ExecutionId) {
        until("an execution was given back", async || self.store.record(id).await.owner.is_none())
            .await;
    }
}

impl fmt::Debug for ExecutorFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutorFixture").field("store", &self.store).finish()
    }
}

/// An executor on a handle of its own, which stands for a process.
#[derive(Debug)]
pub struct Process {
    executor: Executor,
    handle: Arc<dyn Backend>,
}

impl Deref for Process {
    type Target = Executor;

    fn deref(&self) -> &Executor {
        &self.executor
    }
}

impl Process {
    /// Dies: stops where it is and loses its proof of life. No [`PipelineExecution`] of it may be left, for it would
    /// keep the executor alive.
    pub async fn crash(self) {
        let Self { executor, handle } = self;
        drop(executor);
        handle.close().await;
    }

    /// Returns a clone of the executor. While it lives, a crash is none.
    #[must_use]
    pub fn executor(&self) -> Executor {
        self.executor.clone()
    }

    /// Runs a workflow on an empty input to its end.
    pub async fn run(&self, workflow: &str) -> PipelineResult {
        self.run_on(workflow, Context::new()).await
    }

    /// Runs a workflow to its end.
    pub async fn run_on(&self, workflow: &str, input: Context) -> PipelineResult {
        let result = soon("the end of an execution", self.execute(workflow, input)).await;
        result.expect("an execution comes to its end")
    }

    /// Submits an execution on an empty input and keeps its handle.
    pub async fn start(&self, workflow: &str) -> PipelineExecution {
        let started = soon("a submit", self.execute_async(workflow, Context::new())).await;
        started.expect("a submit is accepted")
    }

    /// Submits an execution on an empty input.
    pub async fn submit(&self, workflow: &str) -> ExecutionId {
        self.start(workflow).await.execution_id
    }

    /// Waits until an execution has ended.
    pub async fn ended(&self, id: ExecutionId) -> PipelineResult {
        ended(&self.execution(id)).await
    }

    /// Waits until an execution has ended, and checks how.
    pub async fn ended_as(&self, id: ExecutionId, status: PipelineStatus) -> PipelineResult {
        let result = self.ended(id).await;
        assert_eq!(result.status, status, "how it ended: {result:?}");
        result
    }

    /// Reads the status of an execution that must exist.
    pub async fn status(&self, id: ExecutionId) -> PipelineStatus {
        self.get_execution_status(id).await.expect("an execution has a status")
    }
}

/// Waits until an execution has ended.
pub(crate) async fn ended(execution: &PipelineExecution) -> PipelineResult {
    let result = soon("the end of an execution", execution.wait()).await;
    result.expect("an execution comes to its end")
}

/// Looks again and again until a condition holds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "{what}: did not happen within {PATIENCE:?}");
        take_a_breath().await;
    }
}

/// Makes an input.
pub(crate) fn input(value: Value) -> Context {
    Context::from_value(value).expect("an input is an object")
}

/// Makes a workflow that must be well formed.
pub(crate) fn workflow(
    name: &str,
    tasks: impl IntoIterator<Item = cloacina_core::Task>,
) -> Workflow {
    Workflow::builder(name).tasks(tasks).build().expect("a workflow of the suite is well formed")
}
