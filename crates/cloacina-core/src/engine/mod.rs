//! The engine: compiled once, over `dyn Backend`.
//!
//! [`driver`] drives one execution, [`attempt`] runs one body, [`committer`] batches writes, [`steward`] keeps the
//! worker alive and finds work, [`restore`] turns records into states. All tasks run on one tracker, under two tokens:
//! `stop` ends the taking up of work, `kill` ends everything.

mod attempt;
mod committer;
mod driver;
mod held;
mod metrics;
mod restore;
mod steward;
mod waiters;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, RwLock, Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::{
    Backend, BackendError, Control, ControlVerdict, ExecutionSnapshot, NewExecution, NewWorker,
    SubmitVerdict, WorkflowKey,
};
use crate::workflow::{Structure, Workflows};
use crate::{
    ExecutionId, ExecutorConfig, ExecutorError, PipelineResult, PipelineStatus, TaskId, WorkerId,
    Workflow,
};
use committer::Committer;
use driver::{Driver, Order};
use held::{AllHeld, Load};
pub use metrics::ExecutorMetrics;
pub(crate) use waiters::Answer;
use waiters::Waiters;

/// Whether an executor runs workflows or only submits them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Takes up executions and runs their tasks.
    Worker,
    /// Submits, waits, and controls; others run.
    Client,
}

#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) config: ExecutorConfig,
    pub(crate) workflows: Workflows,
    role: Role,
    /// Changes when the worker was declared dead and registers anew.
    worker: Mutex<WorkerId>,
    committer: Committer,
    slots: Arc<Semaphore>,
    /// Shared by ordinary attempts, exclusive to those that have to run alone.
    quarantine: Arc<RwLock<()>>,
    held: AllHeld,
    waiters: Waiters,
    metrics: metrics::Counters,
    /// How many other workers there are.
    peers: std::sync::atomic::AtomicU32,
    /// There may be executions that nobody owns.
    unowned: AtomicBool,
    claim_wake: Notify,
    /// Orders and the reading of standings exclude each other, so that no driver acts on what has been overtaken.
    control: tokio::sync::Mutex<()>,
    tracker: TaskTracker,
    stop: CancellationToken,
    kill: CancellationToken,
}

/// A submit as the user asked for it, checked.
pub(crate) struct Submission {
    pub(crate) workflow: Workflow,
    pub(crate) input: crate::backend::JsonText,
    pub(crate) idempotency_key: Option<Arc<str>>,
    pub(crate) delay: Option<Duration>,
    pub(crate) retry_of: Option<ExecutionId>,
}

impl Engine {
    /// Starts an engine: registers the worker, frees what dead ones held, and begins to take up work.
    pub(crate) async fn start(
        backend: Arc<dyn Backend>,
        config: ExecutorConfig,
        workflows: Workflows,
        role: Role,
    ) -> Result<Arc<Self>, BackendError> {
        let tracker = TaskTracker::new();
        let kill = CancellationToken::new();
        let (committer, work) = Committer::new(Arc::clone(&backend), kill.clone());
        let engine = Arc::new(Self {
            backend,
            role,
            worker: Mutex::new(WorkerId::new()),
            committer,
            slots: Arc::new(Semaphore::new(config.max_concurrent_tasks)),
            quarantine: Arc::default(),
            held: AllHeld::default(),
            waiters: Waiters::default(),
            metrics: metrics::Counters::default(),
            peers: std::sync::atomic::AtomicU32::new(0),
            unowned: AtomicBool::new(true),
            claim_wake: Notify::new(),
            control: tokio::sync::Mutex::new(()),
            tracker: tracker.clone(),
            stop: kill.child_token(),
            kill,
            config,
            workflows,
        });
        engine.backend.define_workflows(&engine.workflows.definitions()).await?;
        if role == Role::Worker {
            engine.backend.register_worker(&engine.new_worker()).await?;
            engine.beat_once().await;
            engine.bury().await;
            tracker.spawn(steward::keep_alive(Arc::clone(&engine)));
            tracker.spawn(steward::claim(Arc::clone(&engine)));
            engine.note_unowned();
        }
        tracker.spawn(work);
        tracker.spawn(steward::watch(Arc::clone(&engine)));
        Ok(engine)
    }

    fn new_worker(&self) -> NewWorker {
        NewWorker { id: self.worker(), lease_ttl: self.config.lease_ttl }
    }

    fn worker(&self) -> WorkerId {
        *self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_peers(&self) -> bool {
        self.peers.load(Ordering::Relaxed) > 0
    }

    /// The time between two heartbeats: two may be missed before the lease is over.
    fn beat(&self) -> Duration {
        self.config.lease_ttl / 3
    }

    /// Submits an execution and, if this worker has room for it, takes it up at once.
    ///
    /// What was begun goes on if the caller stops waiting.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        id: ExecutionId,
        submission: Submission,
    ) -> Result<ExecutionId, ExecutorError> {
        if self.stop.is_cancelled() {
            return Err(ExecutorError::ShuttingDown);
        }
        let Submission { workflow, input, idempotency_key, delay, retry_of } = submission;
        let place = if delay.is_some() || retry_of.is_some() { None } else { self.take_place() };
        let new = NewExecution {
            id,
            workflow: workflow.key().clone(),
            input,
            idempotency_key: idempotency_key.clone(),
            owner: place.as_ref().map(|_| self.worker()),
            delay,
            retry_of,
        };
        let verdict = match place {
            Some(place) => {
                let (acknowledge, acknowledged) = oneshot::channel();
                let run =
                    Arc::clone(self).submit_and_run(workflow.clone(), new, place, acknowledge);
                self.tracker.spawn(run);
                acknowledged.await
            }
            None => {
                let verdict = self.committer.submit(new).await;
                self.note_unowned();
                verdict.map(|timed| timed.map(|(verdict, _)| verdict))
            }
        };
        match verdict {
            Ok(Ok(SubmitVerdict::Created)) => Ok(id),
            Ok(Ok(SubmitVerdict::Existing { id, workflow: of })) if &*of == workflow.name() => {
                Ok(id)
            }
            Ok(Ok(SubmitVerdict::Existing { id, workflow })) => {
                Err(ExecutorError::IdempotencyConflict {
                    key: idempotency_key.as_deref().unwrap_or_default().to_owned(),
                    execution: id,
                    workflow: workflow.to_string(),
                })
            }
            Ok(Err(error)) => Err(ExecutorError::Backend(error)),
            Err(_) => Err(ExecutorError::ShuttingDown),
        }
    }

    /// Takes a place for an execution if there is work for a slot to do without delay.
    ///
    /// Alone, a worker takes more than it has slots: whatever waits for a commit needs none. Where others could run
    /// it sooner, it takes only as much as its slots.
    fn take_place(&self) -> Option<Load> {
        (self.role == Role::Worker && self.room() > 0).then(|| self.held.reserve())
    }

    fn room(&self) -> usize {
        let most = self.config.max_held_executions;
        let most = if self.has_peers() { most.min(self.config.max_concurrent_tasks) } else { most };
        // What waits for a retry is held but is no load.
        let held = self.config.max_held_executions * 4;
        most.saturating_sub(self.held.load()).min(held.saturating_sub(self.held.len()))
    }

    async fn submit_and_run(
        self: Arc<Self>,
        workflow: Workflow,
        new: NewExecution,
        place: Load,
        acknowledge: oneshot::Sender<Result<SubmitVerdict, Arc<BackendError>>>,
    ) {
        let worker = self.worker();
        let mut snapshot = snapshot_of(&new);
        let Ok(verdict) = self.committer.submit(new).await else { return };
        let (verdict, at) = match verdict {
            Ok(verdict) => verdict,
            Err(error) => return drop(acknowledge.send(Err(error))),
        };
        if verdict != SubmitVerdict::Created {
            return drop(acknowledge.send(Ok(verdict)));
        }
        snapshot.now = at;
        snapshot.record.created_at = at;
        snapshot.record.started_at = Some(at);
        match restore::take_up(&workflow, snapshot, &self.config) {
            Ok(taken_up) => {
                let driver = Driver::new(Arc::clone(&self), worker, taken_up);
                drop(place);
                // The caller may have gone; the execution runs all the same.
                let _ = acknowledge.send(Ok(verdict));
                driver.run().await;
            }
            Err(error) => drop(acknowledge.send(Err(Arc::new(error)))),
        }
    }

    /// Notes that there may be work that nobody owns, and looks for it.
    fn note_unowned(&self) {
        self.unowned.store(true, Ordering::Relaxed);
        self.claim_wake.notify_one();
    }

    /// Looks for more work if there may be some.
    fn claim_more(&self) {
        if self.unowned.load(Ordering::Relaxed) {
            self.claim_wake.notify_one();
        }
    }

    /// Starts waiting for an execution, which need not exist yet.
    pub(crate) fn wait(&self, id: ExecutionId) -> oneshot::Receiver<Answer> {
        self.waiters.add(id)
    }

    /// Finds out whether an execution that somebody waits for has ended elsewhere.
    pub(crate) fn look_for(self: &Arc<Self>, id: ExecutionId) {
        let engine = Arc::clone(self);
        self.tracker.spawn(async move { engine.look_for_now(id).await });
    }

    async fn look_for_now(&self, id: ExecutionId) {
        match self.result(id).await {
            Ok(result) if result.status.is_terminal() => self.waiters.tell(id, Ok(result)),
            Ok(_) | Err(ExecutorError::UnknownExecution(_)) => {}
            Err(error) => {
                tracing::warn!(execution_id = %id, %error, "an execution could not be read");
            }
        }
    }

    /// Reads an execution.
    pub(crate) async fn load(&self, id: ExecutionId) -> Result<ExecutionSnapshot, ExecutorError> {
        self.backend.load(id).await?.ok_or(ExecutorError::UnknownExecution(id))
    }

    /// Reads an execution as users see it.
    pub(crate) async fn result(&self, id: ExecutionId) -> Result<PipelineResult, ExecutorError> {
        let snapshot = self.load(id).await?;
        let tasks = self.task_ids(&snapshot.record.workflow).await?;
        Ok(PipelineResult::from_snapshot(snapshot, &tasks)?)
    }

    /// Lists the tasks of a workflow in topological order, whether it is known here or only on record.
    async fn task_ids(&self, key: &WorkflowKey) -> Result<Vec<TaskId>, BackendError> {
        if let Some(workflow) = self.workflows.get(&key.name).filter(|known| known.key() == key) {
            return Ok(workflow.task_ids());
        }
        match self.backend.definition(key).await? {
            Some(structure) => Ok(Structure::read(&structure)?.ids().cloned().collect()),
            None => Ok(Vec::new()),
        }
    }

    /// Cancels an execution; its status afterwards.
    pub(crate) async fn cancel(
        self: &Arc<Self>,
        id: ExecutionId,
    ) -> Result<PipelineStatus, ExecutorError> {
        let snapshot = self.load(id).await?;
        let ids = self.task_ids(&snapshot.record.workflow).await?.into_iter().enumerate();
        let tasks = ids.map(|(index, id)| (id, crate::dag::to_ordinal(index))).collect();
        self.order(id, Control::Cancel { tasks }).await
    }

    /// Pauses or resumes an execution; its status afterwards.
    pub(crate) async fn order(
        self: &Arc<Self>,
        id: ExecutionId,
        order: Control,
    ) -> Result<PipelineStatus, ExecutorError> {
        let engine = Arc::clone(self);
        // On the tracker: once the store has changed, the driver must hear of it even if the caller stops waiting.
        let done = self.tracker.spawn(async move { engine.order_now(id, &order).await });
        done.await.unwrap_or(Err(ExecutorError::ShuttingDown))
    }

    async fn order_now(
        &self,
        id: ExecutionId,
        order: &Control,
    ) -> Result<PipelineStatus, ExecutorError> {
        let _control = self.control.lock().await;
        let (status, changed) = match self.backend.control(id, order).await? {
            ControlVerdict::Applied(status) => (status, true),
            ControlVerdict::Unchanged(status) => (status, false),
            ControlVerdict::NotFound => return Err(ExecutorError::UnknownExecution(id)),
        };
        if changed {
            let order = match status {
                PipelineStatus::Paused => Order::Pause,
                PipelineStatus::Pending | PipelineStatus::Running => Order::Resume,
                ended => Order::Ended(ended),
            };
            if !self.held.order(id, order) {
                self.note_unowned();
                if status.is_terminal() {
                    self.look_for_now(id).await;
                }
            }
        }
        Ok(status)
    }

    /// Counts what happened here.
    pub(crate) fn metrics(&self) -> ExecutorMetrics {
        let most = self.config.max_concurrent_tasks;
        ExecutorMetrics {
            held_executions: self.held.len(),
            running_tasks: most.saturating_sub(self.slots.available_permits()),
            max_concurrent_tasks: most,
            ..self.metrics.read()
        }
    }

    /// Stops in two phases: nothing new starts and running bodies may finish; then they are stopped.
    pub(crate) async fn shutdown(self: &Arc<Self>) -> Result<(), BackendError> {
        self.stop.cancel();
        self.held.order_all(Order::HandOver);
        let deadline = Instant::now() + self.config.shutdown_grace;
        while self.held.len() > 0 && Instant::now() < deadline {
            let pause = Duration::from_secs(1).min(deadline - Instant::now());
            let _ = tokio::time::timeout(pause, self.held.empty()).await;
            // Submits that were under way when the stop came have begun since.
            self.held.order_all(Order::HandOver);
            if self.held.len() > 0 {
                let (executions, tasks) = (self.held.len(), self.metrics().running_tasks);
                tracing::info!(executions, tasks, "the shutdown waits for running tasks");
            }
        }
        self.kill.cancel();
        self.tracker.close();
        let _ = tokio::time::timeout(self.config.cancel_grace * 2, self.tracker.wait()).await;
        let retired = match self.role {
            Role::Worker => self.backend.retire_worker(self.worker()).await,
            Role::Client => Ok(()),
        };
        self.backend.close().await;
        match retired {
            // Somebody closed it before: the second of two shutdowns.
            Err(BackendError::Closed) => Ok(()),
            retired => retired,
        }
    }

    /// Waits until everything is stopped.
    pub(crate) async fn killed(&self) {
        self.kill.cancelled().await;
    }

    /// Reports whether everything is stopped.
    pub(crate) fn is_killed(&self) -> bool {
        self.kill.is_cancelled()
    }

    /// Checks that the completed tasks of an execution fit a workflow as it is now.
    pub(crate) async fn check_fit(
        &self,
        workflow: &Workflow,
        snapshot: &ExecutionSnapshot,
    ) -> Result<(), ExecutorError> {
        let reason = self.misfit(workflow, snapshot).await?;
        reason.map_or(Ok(()), |reason| {
            Err(ExecutorError::IncompatibleVersion {
                execution: snapshot.record.id,
                workflow: workflow.name().to_owned(),
                reason,
            })
        })
    }

    /// Tells why an execution cannot go on under a workflow, if it cannot.
    async fn misfit(
        &self,
        workflow: &Workflow,
        snapshot: &ExecutionSnapshot,
    ) -> Result<Option<String>, BackendError> {
        let key = &snapshot.record.workflow;
        if key == workflow.key() {
            return Ok(None);
        }
        let structure = self.backend.definition(key).await?;
        restore::misfit(workflow, structure.as_ref(), &snapshot.tasks)
    }

    /// Stops everything at once, as a crash would: somebody else recovers what was under way.
    pub(crate) fn abandon(&self) {
        self.kill.cancel();
    }

    /// Takes up executions that this worker has claimed.
    fn take_up(self: &Arc<Self>, worker: WorkerId, snapshot: ExecutionSnapshot) {
        let id = snapshot.record.id;
        let name = &snapshot.record.workflow.name;
        let Some(workflow) = self.workflows.get(name).cloned() else { return };
        if snapshot.record.takeovers > 0 {
            self.metrics.recovered();
            tracing::info!(execution_id = %id, workflow = %name, "recovered an execution");
        }
        match restore::take_up(&workflow, snapshot, &self.config) {
            Ok(taken_up) => {
                let driver = Driver::new(Arc::clone(self), worker, taken_up);
                self.tracker.spawn(driver.run());
            }
            Err(error) => {
                tracing::error!(execution_id = %id, %error, "an execution cannot be taken up");
            }
        }
    }
}

fn snapshot_of(new: &NewExecution) -> ExecutionSnapshot {
    let unset = chrono::DateTime::UNIX_EPOCH;
    ExecutionSnapshot {
        record: crate::backend::ExecutionRecord {
            id: new.id,
            workflow: new.workflow.clone(),
            status: PipelineStatus::Running,
            idempotency_key: new.idempotency_key.clone(),
            retry_of: new.retry_of,
            owner: new.owner,
            epoch: 1,
            takeovers: 0,
            error: None,
            created_at: unset,
            due_at: None,
            started_at: None,
            finished_at: None,
        },
        input: new.input.clone(),
        tasks: Vec::new(),
        attempts: Vec::new(),
        now: unset,
    }
}
