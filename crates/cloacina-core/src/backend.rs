//! The contract between the engine and a store: one [`Backend`] holds one tenant.
//!
//! Each method is one transaction and one legal transition, with no default bodies. What all methods share:
//!
//! - **Batches.** Writes of the hot path take many items and answer one verdict an item: one item that is refused
//!   must not take the others down.
//! - **Idempotence.** An error from a commit says nothing about whether it happened, so the engine sends the same
//!   call again; a repeated call must change nothing and give the same verdict.
//! - **Fencing.** Whatever an owner writes to an execution is written only while `owner` and `epoch` are its own,
//!   checked under the row's lock in the same transaction.
//! - **Finality.** A row in a terminal status is never changed.
//! - **Cancellation.** Any returned future may be dropped at any point; the statement it began either happens
//!   whole or not at all, and the next call finds a sane connection.
//! - **Time.** All timestamps are the store's clock. [`Instant`]s that come in are turned into timestamps by their
//!   distance from now; durations that come in are added to the store's now.
//!
//! `cloacina-testing` has the reference model, `MemoryBackend`, and the conformance suite that every implementation
//! passes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{ExecutionId, PipelineStatus, SkipReason, TaskId, TaskState, WorkerId};

/// A JSON document as text, as it is stored. Drivers carry it and never look inside.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonText(Arc<str>);

impl JsonText {
    /// Wraps text that is known to be JSON.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for JsonText {
    /// Shows the size only: a context may hold what belongs in no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonText({} bytes)", self.0.len())
    }
}

/// A workflow's name and the hash of its content.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkflowKey {
    /// The name that users submit by.
    pub name: Arc<str>,
    /// The content hash, in hexadecimal.
    pub version: Arc<str>,
}

/// The structure of one version of a workflow, so that any process can tell what its executions consist of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowDefinition {
    /// The workflow and its version.
    pub key: WorkflowKey,
    /// Its tasks and their dependencies, as core writes them.
    pub structure: JsonText,
}

/// A worker that is about to take work.
#[derive(Debug, Clone)]
pub struct NewWorker {
    /// Its id, made for this start.
    pub id: WorkerId,
    /// How long its leases hold without a heartbeat.
    pub lease_ttl: Duration,
}

/// A sign of life.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// Who is alive.
    pub worker: WorkerId,
    /// How long its leases hold from now.
    pub lease_ttl: Duration,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// The lease is renewed.
    Alive {
        /// How many other workers are registered, dead ones that nobody buried yet included.
        peers: u32,
    },
    /// The worker was declared dead: it owns nothing any more and must register again under a new id.
    Buried,
}

/// How a worker's death was established.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProofOfDeath {
    /// What the operating system or the database drops with the process was free.
    Lock,
    /// Its lease had run out.
    Lease,
}

/// A dead worker whose executions are free again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burial {
    /// The dead worker.
    pub worker: WorkerId,
    /// How its death was established.
    pub proof: ProofOfDeath,
    /// How many unfinished executions it owned.
    pub executions: u64,
}

/// An execution to be created.
#[derive(Debug, Clone)]
pub struct NewExecution {
    /// Its id, made by the submitter: the key that makes a repeated submit a no-op.
    pub id: ExecutionId,
    /// The workflow and its version.
    pub workflow: WorkflowKey,
    /// The input: a JSON object.
    pub input: JsonText,
    /// At most one execution of a tenant carries a given key.
    pub idempotency_key: Option<Arc<str>>,
    /// The worker that owns it from the start (status `Running`, epoch 1), or nobody (status `Pending`, epoch 0).
    pub owner: Option<WorkerId>,
    /// How long it must not start, from the commit on. Only without an owner.
    pub delay: Option<Duration>,
    /// The execution whose completed tasks are copied into this one.
    pub retry_of: Option<ExecutionId>,
}

/// What became of a submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitVerdict {
    /// The execution exists now, also if an earlier try of the same submit made it.
    Created,
    /// Another execution carries the idempotency key; nothing was made.
    Existing {
        /// The execution that has the key.
        id: ExecutionId,
        /// Its workflow.
        workflow: Arc<str>,
    },
}

/// What an owner commits of an execution, whole or not at all.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The execution.
    pub execution: ExecutionId,
    /// Who claims to own it.
    pub worker: WorkerId,
    /// The epoch under which it does.
    pub epoch: u64,
    /// Tasks that ended: each gets its one row. A row that exists already stays as it is.
    pub tasks: Vec<TaskEnd>,
    /// Attempts that begin and must be on record before their body runs.
    pub starts: Vec<AttemptStart>,
    /// Attempts that failed and will be followed by another.
    pub failures: Vec<AttemptFailure>,
    /// What the rows do not tell.
    pub events: Vec<NewEvent>,
    /// Whether the execution is still suspected of crashing workers.
    pub suspicion: Suspicion,
    /// Ends the execution, after everything above.
    pub finish: Option<Finish>,
}

/// Whether a checkpoint clears an execution of suspicion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Suspicion {
    /// `takeovers` stays as it is.
    #[default]
    Keep,
    /// `takeovers` becomes 0.
    Clear,
}

/// The end of a task.
#[derive(Debug, Clone)]
pub struct TaskEnd {
    /// The task.
    pub task: TaskId,
    /// Its place in the topological order of its workflow.
    pub ordinal: u32,
    /// The final state.
    pub state: TaskState,
    /// How many attempts were made, 0 for a task that never ran.
    pub attempts: u32,
    /// What it did to the context; see [``crate::state``].
    pub changes: Option<JsonText>,
    /// What it returned.
    pub output: Option<JsonText>,
    /// Why it failed.
    pub error: Option<String>,
    /// Why it was skipped.
    pub skip: Option<SkipReason>,
    /// When its last attempt began; for a task that never ran, when it was decided.
    pub started: Instant,
    /// When it ended.
    pub ended: Instant,
}

/// The beginning of an attempt.
#[derive(Debug, Clone)]
pub struct AttemptStart {
    /// The task.
    pub task: TaskId,
    /// Counts from 1. A crash does not use an attempt up: the next owner repeats the number under its own epoch.
    pub attempt: u32,
    /// When it began.
    pub started: Instant,
    /// Whether anything else may run on the same worker meanwhile.
    pub company: Company,
}

/// Whether an attempt shares its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Company {
    /// Other attempts may run beside it.
    Shared,
    /// Nothing else runs on that worker: a crash is its doing.
    Alone,
}

/// A failed attempt that is to be retried.
#[derive(Debug, Clone)]
pub struct AttemptFailure {
    /// The task.
    pub task: TaskId,
    /// Counts from 1.
    pub attempt: u32,
    /// What went wrong.
    pub error: String,
    /// When it began.
    pub started: Instant,
    /// When it failed.
    pub ended: Instant,
    /// The next attempt is due this long after the failure.
    pub retry_in: Duration,
}

/// The end of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// `Completed` or `Failed`.
    pub status: PipelineStatus,
    /// Why it failed.
    pub error: Option<String>,
}

/// What became of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointVerdict {
    /// It is committed, also if an earlier try of the same checkpoint did it.
    Committed {
        /// The status after it: `Running`, `Paused`, or what `finish` said.
        status: PipelineStatus,
    },
    /// Somebody else owns the execution, or nobody, or it does not exist. Nothing was written but a `Fenced` event.
    Fenced,
    /// The execution had ended in another way, for example by a cancel. Nothing was written.
    Ended(PipelineStatus),
}

/// Writes that share one transaction.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Executions to be created, applied first.
    pub submits: Vec<NewExecution>,
    /// Checkpoints, applied in order.
    pub checkpoints: Vec<Checkpoint>,
}

/// What became of a [`Batch`], item by item.
#[derive(Debug, Clone)]
pub struct BatchVerdicts {
    /// The store's clock in that transaction.
    pub at: DateTime<Utc>,
    /// One verdict a submit, in order.
    pub submits: Vec<SubmitVerdict>,
    /// One verdict a checkpoint, in order.
    pub checkpoints: Vec<CheckpointVerdict>,
}

/// A call for work.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Who wants to own it.
    pub worker: WorkerId,
    /// At most so many executions.
    pub limit: u32,
    /// Which ones may be given.
    pub scope: ClaimScope,
}

/// Which executions a claim may give.
#[derive(Debug, Clone)]
pub enum ClaimScope {
    /// Those of exactly these workflows and versions, oldest first.
    Workflows(Vec<WorkflowKey>),
    /// These, whatever their version: the caller has looked and found them compatible.
    Executions(Vec<ExecutionId>),
}

/// What a claim got.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// The executions that the worker owns now.
    pub executions: Vec<ExecutionSnapshot>,
    /// When the next delayed execution in scope falls due, if there is one.
    pub next_due: Option<Duration>,
}

/// An execution with everything that is on record about it.
#[derive(Debug, Clone)]
pub struct ExecutionSnapshot {
    /// The execution's row.
    pub record: ExecutionRecord,
    /// Its input.
    pub input: JsonText,
    /// The tasks that ended, by ordinal.
    pub tasks: Vec<TaskRecord>,
    /// Attempts on record, by time.
    pub attempts: Vec<AttemptRecord>,
    /// The store's clock when this was read.
    pub now: DateTime<Utc>,
}

/// An execution's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionRecord {
    /// Its id.
    pub id: ExecutionId,
    /// The workflow, and the version under which it was submitted.
    pub workflow: WorkflowKey,
    /// Its state.
    pub status: PipelineStatus,
    /// Its key, if it was given one.
    pub idempotency_key: Option<Arc<str>>,
    /// The execution that it repeats.
    pub retry_of: Option<ExecutionId>,
    /// Who owns it. Stays after the end.
    pub owner: Option<WorkerId>,
    /// How many times it was taken up. Each claim adds one.
    pub epoch: u64,
    /// How many owners in a row died while they owned it.
    pub takeovers: u32,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was submitted.
    pub created_at: DateTime<Utc>,
    /// It does not start before.
    pub due_at: Option<DateTime<Utc>>,
    /// When a worker first owned it.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A task's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRecord {
    /// The task.
    pub task: TaskId,
    /// Its place in the topological order of its workflow.
    pub ordinal: u32,
    /// The final state.
    pub state: TaskState,
    /// How many attempts were made.
    pub attempts: u32,
    /// What it did to the context.
    pub changes: Option<JsonText>,
    /// What it returned.
    pub output: Option<JsonText>,
    /// Why it failed.
    pub error: Option<String>,
    /// Why it was skipped.
    pub skip: Option<SkipReason>,
    /// When its last attempt began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
}

/// An attempt's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// The task.
    pub task: TaskId,
    /// Counts from 1.
    pub attempt: u32,
    /// The epoch of the owner that made it.
    pub epoch: u64,
    /// What became of it.
    pub state: AttemptState,
    /// Whether it shared its worker.
    pub company: Company,
    /// What went wrong.
    pub error: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// When the next attempt is due.
    pub retry_at: Option<DateTime<Utc>>,
}

/// What became of an attempt that is on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptState {
    /// It began; if the task has a row, that tells how it ended.
    Running,
    /// It failed and was followed by another.
    Failed,
    /// Its worker died.
    Lost,
    /// Its worker gave the execution back while it ran.
    Released,
}

/// Gives an execution back, so that any worker may claim it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The execution.
    pub execution: ExecutionId,
    /// Its owner.
    pub worker: WorkerId,
    /// The epoch under which it owns it.
    pub epoch: u64,
}

/// A user's order about an execution.
#[derive(Debug, Clone)]
pub enum Control {
    /// Ends it as `Cancelled`.
    Cancel {
        /// Tasks of the workflow with their ordinals: those without a row get one, in state `Cancelled`.
        tasks: Vec<(TaskId, u32)>,
    },
    /// Puts it on hold: `Pending` or `Running` becomes `Paused`.
    Pause,
    /// Lets it go on: `Paused` becomes `Running`, or `Pending` if it never started.
    Resume,
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlVerdict {
    /// The status changed to this.
    Applied(PipelineStatus),
    /// The status is this and stays.
    Unchanged(PipelineStatus),
    /// There is no such execution.
    NotFound,
}

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its status.
    pub status: PipelineStatus,
    /// Who owns it.
    pub owner: Option<WorkerId>,
    /// Under which epoch.
    pub epoch: u64,
}

/// Which executions to list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecutionQuery {
    /// Only those in one of these states; empty for all.
    pub statuses: Vec<PipelineStatus>,
    /// Only those of this workflow.
    pub workflow: Option<String>,
    /// Only those that no worker owns and that have not ended.
    pub unowned: Option<Unowned>,
    /// Only those that this worker owns and that have not ended.
    pub owner: Option<WorkerId>,
    /// None of exactly these workflows and versions.
    pub excluding: Vec<WorkflowKey>,
    /// Only those older than this one, by id: the last of the page before.
    pub before: Option<ExecutionId>,
    /// At most so many; no limit when absent.
    pub limit: Option<u32>,
}

/// Selects executions that wait for a worker. See [`ExecutionQuery::unowned`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unowned;

impl ExecutionQuery {
    /// Selects everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a status to those wanted.
    #[must_use]
    pub fn status(mut self, status: PipelineStatus) -> Self {
        self.statuses.push(status);
        self
    }

    /// Wants only executions of this workflow.
    #[must_use]
    pub fn workflow(mut self, name: impl Into<String>) -> Self {
        self.workflow = Some(name.into());
        self
    }

    /// Wants only executions that no worker owns and that have not ended.
    #[must_use]
    pub fn unowned(mut self) -> Self {
        self.unowned = Some(Unowned);
        self
    }

    /// Wants only executions that this worker owns and that have not ended.
    #[must_use]
    pub fn owner(mut self, worker: WorkerId) -> Self {
        self.owner = Some(worker);
        self
    }

    /// Leaves out executions of exactly these workflows and versions.
    #[must_use]
    pub fn excluding(mut self, keys: Vec<WorkflowKey>) -> Self {
        self.excluding = keys;
        self
    }

    /// Starts after this execution, the last one of the page before.
    #[must_use]
    pub fn before(mut self, id: ExecutionId) -> Self {
        self.before = Some(id);
        self
    }

    /// Takes at most so many.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// Something that the rows of executions and tasks do not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// The task it happened to.
    pub task: Option<TaskId>,
    /// More, in words.
    pub detail: String,
}

/// An event's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// The execution.
    pub execution: ExecutionId,
    /// When it was committed.
    pub at: DateTime<Utc>,
    /// What happened.
    pub event: NewEvent,
}

/// What an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// An attempt failed and another follows.
    Retried,
    /// The owner died and the execution is free again.
    Recovered,
    /// A former owner tried to commit.
    Fenced,
    /// The execution is under suspicion and runs with its starts on record.
    Suspected,
    /// It survived, and the suspicion is lifted.
    Cleared,
    /// A task was given up because it kept crashing its workers.
    Abandoned,
    /// Somebody cancelled the execution.
    Cancelled,
    /// Somebody paused it.
    Paused,
    /// Somebody resumed it.
    Resumed,
    /// Two concurrent tasks set one key to different values.
    ConflictingWrites,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Retried,
        Self::Recovered,
        Self::Fenced,
        Self::Suspected,
        Self::Cleared,
        Self::Abandoned,
        Self::Cancelled,
        Self::Paused,
        Self::Resumed,
        Self::ConflictingWrites,
    ];

    /// Returns the name that the databases store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retried => "retried",
            Self::Recovered => "recovered",
            Self::Fenced => "fenced",
            Self::Suspected => "suspected",
            Self::Cleared => "cleared",
            Self::Abandoned => "abandoned",
            Self::Cancelled => "cancelled",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::ConflictingWrites => "conflicting_writes",
        }
    }

    /// Finds the kind of that name; the inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// How many executions are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Submitted and not taken up.
    pub pending: u64,
    /// Taken up.
    pub running: u64,
    /// On hold.
    pub paused: u64,
    /// Ended well.
    pub completed: u64,
    /// Ended with an unhandled failure.
    pub failed: u64,
    /// Ended by a cancel.
    pub cancelled: u64,
    /// The mean time from start to end of those that ended after a start.
    pub mean_duration: Option<Duration>,
}

/// What went wrong in a store, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The store cannot be reached or is busy. The write may have happened; the same call may be made again.
    #[error("the database is unavailable: {reason}")]
    Unavailable {
        /// What was tried and how it failed.
        reason: String,
        /// The driver's error.
        #[source]
        source: Option<BoxError>,
    },
    /// There is no room left. Nothing was written; make room and try again.
    #[error("the database has no room left: {reason}")]
    Full {
        /// What was tried.
        reason: String,
        /// The driver's error.
        #[source]
        source: Option<BoxError>,
    },
    /// The address or an option is wrong. Correct it.
    #[error("{reason}")]
    Config {
        /// What is wrong, what it held, what is allowed.
        reason: String,
    },
    /// The store may not be used: it is not ours, it is of another version, or it may not be written. It is untouched.
    #[error("{reason}")]
    Refused {
        /// Which store, and why.
        reason: String,
        /// The driver's error.
        #[source]
        source: Option<BoxError>,
    },
    /// The store refused what was written. Trying again does not help.
    #[error("the database rejected a write: {reason}")]
    Rejected {
        /// What was tried and how it failed.
        reason: String,
        /// The driver's error.
        #[source]
        source: Option<BoxError>,
    },
    /// A stored value cannot be read.
    #[error("the database holds a value that cannot be read: {reason}")]
    Corrupt {
        /// Where, and what.
        reason: String,
        /// What failed on it.
        #[source]
        source: Option<BoxError>,
    },
    /// The back end has been closed.
    #[error("the back end is closed")]
    Closed,
}

/// Any error, as a source.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl BackendError {
    /// Reports whether the same call may succeed later without anybody correcting it.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Full { .. })
    }
}

/// A store that holds one tenant. See the [module](self) for what all methods share.
///
/// Each method lists the conformance cases of `cloacina-testing` that pin it down.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Records a worker with its first lease, and takes hold of what proves its death.
    ///
    /// Repeating it for the same id renews the lease. Cases: `worker_*`.
    async fn register_worker(&self, worker: &NewWorker) -> Result<(), BackendError>;

    /// Renews a worker's lease, also one that ran out but was not buried yet. Cases: `heartbeat_*`.
    async fn heartbeat(&self, beat: &Heartbeat) -> Result<Pulse, BackendError>;

    /// Gives back everything that a worker still owns, without suspicion, and removes it.
    ///
    /// Attempts on record as running become `Released`. An unknown worker is no error. Cases: `retire_*`.
    async fn retire_worker(&self, worker: WorkerId) -> Result<(), BackendError>;

    /// Finds the workers other than `by` that are dead and frees what they owned.
    ///
    /// An unfinished execution of a dead worker loses its owner, gets one more takeover and a `Recovered` event;
    /// its attempts on record as running become `Lost`. A worker that is not registered and still owns something is
    /// dead by lease: what it submitted came after its burial. Cases: `bury_*`.
    async fn bury_dead_workers(&self, by: WorkerId) -> Result<Vec<Burial>, BackendError>;

    /// Records the structure of workflows. One that is on record under its key stays as it is. Cases: `define_*`.
    async fn define_workflows(
        &self,
        definitions: &[WorkflowDefinition],
    ) -> Result<(), BackendError>;

    /// Reads the structure of a version of a workflow, if it is on record. Cases: `define_*`.
    async fn definition(&self, key: &WorkflowKey) -> Result<Option<JsonText>, BackendError>;

    /// Commits submits and checkpoints in one transaction.
    ///
    /// A submit creates its execution, or answers the execution that carries its idempotency key; of two submits
    /// with one key in a batch the first wins. With `retry_of`, the rows of that execution's completed tasks are
    /// copied. A checkpoint is written whole if worker and epoch own the execution and it has not ended. A task that
    /// has a row keeps it. `Suspicion::Clear` sets `takeovers` to 0. Cases: `submit_*`, `checkpoint_*`.
    async fn commit(&self, batch: Batch) -> Result<BatchVerdicts, BackendError>;

    /// Gives unowned executions to a worker: status `Running`, one more epoch, `started_at` if it was unset.
    ///
    /// Only `Pending` and `Running` executions that are due are given, oldest id first, each to one worker only.
    /// Nothing is given to a worker that is not registered. Cases: `claim_*`.
    async fn claim(&self, request: &ClaimRequest) -> Result<Claims, BackendError>;

    /// Gives executions back. One whose worker and epoch no longer own it is passed over.
    ///
    /// Attempts on record as running become `Released`. Cases: `release_*`.
    async fn release(&self, releases: &[Release]) -> Result<(), BackendError>;

    /// Carries out a user's order, whoever owns the execution, and records an event if the status changed.
    ///
    /// Cases: `cancel_*`, `pause_*`, `resume_*`.
    async fn control(
        &self,
        execution: ExecutionId,
        order: &Control,
    ) -> Result<ControlVerdict, BackendError>;

    /// Tells where executions stand, in the order of the ids; `None` for an unknown one. Cases: `standing_*`.
    async fn standing(&self, ids: &[ExecutionId]) -> Result<Vec<Option<Standing>>, BackendError>;

    /// Reads an execution with its tasks and attempts, consistently. Cases: `load_*`.
    async fn load(&self, id: ExecutionId) -> Result<Option<ExecutionSnapshot>, BackendError>;

    /// Lists executions, newest id first. Cases: `list_*`.
    async fn list(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionRecord>, BackendError>;

    /// Lists the events of an execution in the order of their commits. Cases: `events_*`.
    async fn events(&self, execution: ExecutionId) -> Result<Vec<EventRecord>, BackendError>;

    /// Counts executions by state. Cases: `counts_*`.
    async fn counts(&self) -> Result<Counts, BackendError>;

    /// Deletes executions that ended at least `age` ago, with all that belongs to them, oldest id first.
    ///
    /// Deletes at most `limit` and returns how many, so that one call stays short. Cases: `prune_*`.
    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, BackendError>;

    /// Waits until somebody else may have changed the store since the last call, looking no more often than `poll`.
    ///
    /// It may return for no reason; it need not notice what this very handle wrote. Cancel safe: a change that
    /// happens while nobody waits ends the next call. Cases: `changed_*`.
    async fn changed(&self, poll: Duration);

    /// Finishes what is under way and closes the connections. Later calls answer [`BackendError::Closed`].
    ///
    /// Repeating it is no error. Cases: `close_*`.
    async fn close(&self);
}

/// How to reach a store.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// The address. May hold a password, so `Debug` does not show it.
    pub url: String,
    /// The schema that holds the tenant, for stores that have schemas.
    pub schema: Option<String>,
    /// How many connections it may open at most.
    pub pool_size: u32,
}

impl ConnectOptions {
    /// Starts from an address, with no schema and 10 connections.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), schema: None, pool_size: 10 }
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("schema", &self.schema)
            .field("pool_size", &self.pool_size)
            .finish_non_exhaustive()
    }
}

/// A back end that an address leads to.
#[async_trait]
pub trait Connect: Backend + Sized {
    /// Opens the store at that address and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// [`BackendError::Config`] for a malformed address, [`BackendError::Refused`] for a store that may not be
    /// used, [`BackendError::Unavailable`] for one that does not answer.
    async fn connect(options: ConnectOptions) -> Result<Self, BackendError>;
}

/// A back end whose database holds many tenants, each in a schema of its own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no schemas",
    label = "this back end holds one tenant",
    note = "on SQLite, use one file a tenant: `UnifiedExecutor::new(\"sqlite://tenant_a.db\")`"
)]
pub trait ConnectSchema: Connect {}
