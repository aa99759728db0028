//! The executor: what users hold.

mod builder;
mod execution;
mod explain;
mod options;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::{Control, EventRecord, JsonText};
use crate::engine::{Engine, Submission};
use crate::result::ExecutionSummary;
use crate::{
    Backend, BackendError, Connect, ConnectSchema, Context, ExecutionId, ExecutionQuery,
    ExecutorConfig, ExecutorError, ExecutorMetrics, PipelineResult, PipelineStatus, Workflow,
};

pub(crate) use builder::Prepared;
pub use builder::UnifiedExecutorBuilder;
pub use execution::PipelineExecution;
pub use options::ExecuteOptions;

/// Runs workflows, durably, on one back end that holds one tenant. Cheap to clone; all clones are one executor.
///
/// Use the alias of the back end's crate, such as `cloacina_sqlite::UnifiedExecutor`. When the last clone, and the
/// last [`PipelineExecution`], are gone without a [`shutdown`](Self::shutdown), everything stops where it is, and the next
/// executor on that store takes it up.
pub struct UnifiedExecutor<B> {
    handle: Arc<Handle>,
    backend: PhantomData<fn() -> B>,
}

/// Stops the engine when the last handle is gone.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) engine: Arc<Engine>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.engine.abandon();
    }
}

impl<B> Clone for UnifiedExecutor<B> {
    fn clone(&self) -> Self {
        Self { handle: Arc::clone(&self.handle), backend: PhantomData }
    }
}

impl<B> std::fmt::Debug for UnifiedExecutor<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnifiedExecutor").field("backend", &self.handle.engine.backend).finish()
    }
}

impl<B: Connect> UnifiedExecutor<B> {
    /// Opens the store at that address and runs the workflows that `workflow!` registered.
    ///
    /// # Errors
    ///
    /// An [`ExecutorError`] that says what is wrong with the address, the store, or a workflow.
    pub async fn new(url: &str) -> Result<Self, ExecutorError> {
        Self::builder().database_url(url).build().await
    }

    /// As [`new`](Self::new), with settings.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and a setting that is not allowed.
    pub async fn with_config(url: &str, config: ExecutorConfig) -> Result<Self, ExecutorError> {
        Self::builder().database_url(url).config(config).build().await
    }
}

impl<B: ConnectSchema> UnifiedExecutor<B> {
    /// Opens one schema of the database at that address.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and a schema that may not be used.
    pub async fn with_schema(url: &str, schema: &str) -> Result<Self, ExecutorError> {
        Self::builder().database_url(url).schema(schema).build().await
    }
}

impl<B: Backend> UnifiedExecutor<B> {
    /// Starts with the default settings.
    pub fn builder() -> UnifiedExecutorBuilder<B> {
        UnifiedExecutorBuilder::new()
    }

    pub(crate) fn from_engine(engine: Arc<Engine>) -> Self {
        Self { handle: Arc::new(Handle { engine }), backend: PhantomData }
    }

    /// Reports whether this is the only handle: nobody else can submit, wait or ask.
    pub(crate) fn is_only_handle(&self) -> bool {
        Arc::strong_count(&self.handle) == 1
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.handle.engine
    }

    /// Submits an execution and waits until it has ended.
    ///
    /// A workflow that fails is `Ok`, with [`PipelineStatus::Failed`]. If this future is dropped, the execution goes on.
    ///
    /// Where too many submits wait for their commit already, it waits before it submits, or is refused, as
    /// [`overload`](ExecutorConfig::overload) says. If it is dropped in that wait, nothing was submitted.
    ///
    /// # Errors
    ///
    /// An unknown workflow, an input that is refused, [`ExecutorError::Overloaded`], a store that failed. After
    /// [`BackendError::Unavailable`] the execution may exist; with an idempotency key the submit can be repeated.
    pub async fn execute(
        &self,
        workflow: &str,
        input: Context,
    ) -> Result<PipelineResult, ExecutorError> {
        self.execute_async(workflow, input).await?.wait().await
    }

    /// Submits an execution and returns once that is committed.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    pub async fn execute_async(
        &self,
        workflow: &str,
        input: Context,
    ) -> Result<PipelineExecution, ExecutorError> {
        self.execute_with(workflow, input, ExecuteOptions::new()).await
    }

    /// As [`execute_async`](Self::execute_async), with an idempotency key or a delay: it returns once the execution is on record, and
    /// [`PipelineExecution::wait`] waits for its end.
    ///
    /// A key that an execution of the same workflow has is answered with that execution, whatever its input was.
    ///
    /// Each attempt of a task runs in a span `attempt` with the fields `tenant`, `execution_id`, `task` and `attempt`. While the execution
    /// stays with the executor that it was submitted to, and that took it up at once, those are children of the span in which this is called,
    /// which is not closed before the execution has ended.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute), and a key that is malformed or belongs to an execution of another workflow.
    pub async fn execute_with(
        &self,
        workflow: &str,
        input: Context,
        options: ExecuteOptions,
    ) -> Result<PipelineExecution, ExecutorError> {
        let workflow = self.workflow(workflow)?.clone();
        if let Some((task, type_name, source)) = workflow.input_mismatch(&input) {
            let (workflow, task) = (workflow.name().to_owned(), task.id().clone());
            return Err(ExecutorError::InputMismatch { workflow, task, type_name, source });
        }
        let limit = self.engine().config.max_context_bytes;
        let text = input.to_json(limit).map_err(ExecutorError::InvalidInput)?;
        if let Some(key) = &options.idempotency_key
            && !crate::dag::is_storable_name(key)
        {
            let key = key.chars().take(64).collect();
            return Err(ExecutorError::InvalidIdempotencyKey { key });
        }
        let delay = options.delay.filter(|delay| !delay.is_zero());
        let submission = Submission {
            workflow,
            input: JsonText::new(text),
            values: delay.is_none().then(|| input.into_values().into()),
            idempotency_key: options.idempotency_key.map(Into::into),
            delay,
            retry_of: None,
        };
        self.submit(submission).await
    }

    async fn submit(&self, submission: Submission) -> Result<PipelineExecution, ExecutorError> {
        let ticket = self.engine().admit(&submission).await?;
        let id = ExecutionId::new();
        let ended = self.engine().wait(id);
        let submitted = self.engine().submit(id, submission, ticket).await;
        let ended = if submitted.as_ref().is_ok_and(|submitted| *submitted == id) {
            Some(ended)
        } else {
            drop(ended);
            self.engine().forget_waiters(id);
            None
        };
        Ok(PipelineExecution::new(Arc::clone(&self.handle), submitted?, ended))
    }

    fn workflow(&self, name: &str) -> Result<&Workflow, ExecutorError> {
        let workflows = &self.engine().workflows;
        workflows.get(name).ok_or_else(|| ExecutorError::UnknownWorkflow {
            name: name.to_owned(),
            known: workflows.names(),
        })
    }

    /// Returns a handle on an execution that was submitted before, here or elsewhere. It need not exist.
    #[must_use]
    pub fn execution(&self, id: ExecutionId) -> PipelineExecution {
        PipelineExecution::new(Arc::clone(&self.handle), id, None)
    }

    /// Reads the status of an execution.
    ///
    /// # Errors
    ///
    /// [`ExecutorError::UnknownExecution`], or a store that failed.
    pub async fn get_execution_status(
        &self,
        id: ExecutionId,
    ) -> Result<PipelineStatus, ExecutorError> {
        let standing = self.engine().backend.standing(&[id]).await?;
        let standing = standing.into_iter().next().flatten();
        standing.map(|standing| standing.status).ok_or(ExecutorError::UnknownExecution(id))
    }

    /// Reads an execution as it stands, whether it has ended or not.
    ///
    /// # Errors
    ///
    /// [`ExecutorError::UnknownExecution`], or a store that failed.
    pub async fn get_execution_result(
        &self,
        id: ExecutionId,
    ) -> Result<PipelineResult, ExecutorError> {
        self.engine().result(id).await
    }

    /// Lists all executions, newest first. For many, page with [`find_executions`](Self::find_executions).
    ///
    /// # Errors
    ///
    /// A store that failed.
    pub async fn list_executions(&self) -> Result<Vec<ExecutionSummary>, ExecutorError> {
        self.find_executions(&ExecutionQuery::new()).await
    }

    /// Lists the executions that a query selects, newest first.
    ///
    /// # Errors
    ///
    /// A store that failed.
    pub async fn find_executions(
        &self,
        query: &ExecutionQuery,
    ) -> Result<Vec<ExecutionSummary>, ExecutorError> {
        let records = self.engine().backend.list(query).await?;
        Ok(records.into_iter().map(Into::into).collect())
    }

    /// Lists what the rows of an execution do not tell: retries, recoveries, orders, conflicts; oldest first.
    ///
    /// # Errors
    ///
    /// A store that failed. An unknown execution has no events.
    pub async fn list_events(&self, id: ExecutionId) -> Result<Vec<EventRecord>, ExecutorError> {
        Ok(self.engine().backend.events(id).await?)
    }

    /// Cancels an execution and returns its status afterwards; one that has ended stays as it is.
    ///
    /// From then on nothing of it starts. Running tasks get their token and are dropped after `cancel_grace`.
    ///
    /// # Errors
    ///
    /// [`ExecutorError::UnknownExecution`], or a store that failed.
    pub async fn cancel_execution(&self, id: ExecutionId) -> Result<PipelineStatus, ExecutorError> {
        self.engine().cancel(id).await
    }

    /// Pauses an execution: nothing of it starts until it is resumed; what runs may finish. Twice is no error.
    ///
    /// # Errors
    ///
    /// [`ExecutorError::WrongState`] if it has ended, [`ExecutorError::UnknownExecution`], or a store that failed.
    pub async fn pause_execution(&self, id: ExecutionId) -> Result<(), ExecutorError> {
        let status = self.engine().order(id, Control::Pause).await?;
        unless_ended(id, status, "paused")
    }

    /// Resumes a paused execution. One that is not paused goes on as it did.
    ///
    /// # Errors
    ///
    /// [`ExecutorError::WrongState`] if it has ended, [`ExecutorError::UnknownExecution`], or a store that failed.
    pub async fn resume_execution(&self, id: ExecutionId) -> Result<(), ExecutorError> {
        let status = self.engine().order(id, Control::Resume).await?;
        unless_ended(id, status, "resumed")
    }

    /// Repeats an execution that failed or was cancelled: a new execution with the same input, in which the completed
    /// tasks keep their results.
    ///
    /// A completed task keeps its result also if something that it depends on runs again, as where it ran because that had failed,
    /// or in any case: it does not run again itself. What failed runs again even if another task handled that.
    ///
    /// # Errors
    ///
    /// [`ExecutorError::WrongState`] if it has not ended or has completed, [`ExecutorError::IncompatibleVersion`] if
    /// its completed tasks no longer fit the workflow, an unknown execution or workflow, [`ExecutorError::Overloaded`], or a
    /// store that failed.
    pub async fn retry_execution(
        &self,
        id: ExecutionId,
    ) -> Result<PipelineExecution, ExecutorError> {
        let snapshot = self.engine().load(id).await?;
        let status = snapshot.record.status;
        if !matches!(status, PipelineStatus::Failed | PipelineStatus::Cancelled) {
            return Err(ExecutorError::WrongState { execution: id, status, action: "retried" });
        }
        let workflow = self.workflow(&snapshot.record.workflow.name)?.clone();
        self.engine().check_fit(&workflow, &snapshot).await?;
        let submission = Submission {
            workflow,
            input: snapshot.input,
            values: None,
            idempotency_key: None,
            delay: None,
            retry_of: Some(id),
        };
        self.submit(submission).await
    }

    /// Deletes executions that ended at least `age` ago, and returns how many.
    ///
    /// # Errors
    ///
    /// A store that failed; what was deleted before stays deleted.
    pub async fn prune_executions(&self, age: Duration) -> Result<u64, ExecutorError> {
        const AT_ONCE: u32 = 500;
        let mut total = 0;
        loop {
            let deleted = self.engine().backend.prune(age, AT_ONCE).await?;
            total += deleted;
            if deleted < u64::from(AT_ONCE) {
                return Ok(total);
            }
        }
    }

    /// Tells what this executor did since it started and what it holds now. Reads memory only.
    #[must_use]
    pub fn metrics(&self) -> ExecutorMetrics {
        self.engine().metrics()
    }

    /// Returns the workflows that this executor knows, by name.
    #[must_use]
    pub fn workflow_names(&self) -> Vec<String> {
        self.engine().workflows.names()
    }

    /// Stops: nothing new starts and running tasks may finish within `shutdown_grace`; then they are stopped, and all that
    /// has not ended is given back for others at once. Twice is no error, on any clone.
    ///
    /// Whoever still waits for an execution gets [`ExecutorError::ShuttingDown`]. If this future is dropped, nothing new
    /// starts any more, and calling it again goes on.
    ///
    /// # Errors
    ///
    /// A store that failed; then the lease, or the proof of this worker's death, frees what it held.
    pub async fn shutdown(&self) -> Result<(), ExecutorError> {
        Ok(self.engine().shutdown().await?)
    }
}

fn unless_ended(
    execution: ExecutionId,
    status: PipelineStatus,
    action: &'static str,
) -> Result<(), ExecutorError> {
    if status.is_terminal() {
        return Err(ExecutorError::WrongState { execution, status, action });
    }
    Ok(())
}

impl From<Arc<BackendError>> for ExecutorError {
    fn from(error: Arc<BackendError>) -> Self {
        Self::Backend(error)
    }
}
