//! The contract between the engine and a store: one [`Backend`] holds one tenant.
//!
//! Each method is one transaction and one legal transition, with no default bodies. What all methods share:
//!
//! - **Batches.** Writes of the hot path take many items and answer one verdict an item: one item that is refused
//!   must not take the others down.
//! - **Idempotence.** An error from a commit says nothing about whether it happened, so the engine sends the same
//!   call again; a repeated call must change nothing and give the same verdict.
//! - **Fencing.** Whatever an owner writes to an execution is written only while `owner` and `epoch` are its own,
//!   checked in the same transaction, under a lock without which nobody changes them.
//! - **Finality.** A row in a terminal status is never changed.
//! - **Cancellation.** Any returned future may be dropped at any point; the statement it began either happens
//!   whole or not at all, and the next call finds a sane connection.
//! - **Time.** All timestamps are the store's clock. [`tokio::time::Instant`]s that come in are turned into timestamps by their
//!   distance from now; durations that come in are added to the store's now.
//!
//! `cloacina-testing` has the reference model, `MemoryBackend`, and the conformance suite that every implementation
//! passes.

mod commit;
mod connect;
mod error;
mod event;
mod order;
mod query;
mod record;
mod worker;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::{ExecutionId, WorkerId};

pub use commit::{
    AttemptFailure, AttemptStart, Batch, BatchVerdicts, Checkpoint, CheckpointVerdict, Company,
    Finish, NewExecution, SubmitVerdict, Suspicion, TaskEnd,
};
pub use connect::{Connect, ConnectOptions, ConnectSchema};
pub use error::{BackendError, BoxError};
pub use event::{EventKind, EventRecord, NewEvent};
pub use order::{Adoption, ClaimRequest, ClaimScope, Claims, Control, ControlVerdict, Release};
pub use query::{Counts, ExecutionQuery, Standing, Unowned};
pub use record::{AttemptRecord, AttemptState, ExecutionRecord, ExecutionSnapshot, TaskRecord};
pub use worker::{Burial, Heartbeat, NewWorker, Outlook, ProofOfDeath, Pulse, Survival};

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

/// A store that holds one tenant. See the [module](self) for what all methods share.
///
/// Each method lists the conformance cases of `cloacina-testing` that pin it down.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Records a worker with its first lease, and takes hold of what proves its death.
    ///
    /// Repeating it for the same id renews the lease. Cases: `worker_*`.
    async fn register_worker(&self, worker: &NewWorker) -> Result<(), BackendError>;

    /// Renews a worker's lease, also one that ran out but was not buried yet, and tells what there is to look for.
    ///
    /// All that an executor with nothing to do asks of the store: it costs the same however full that is. Cases: `heartbeat_*`.
    async fn heartbeat(&self, beat: &Heartbeat) -> Result<Pulse, BackendError>;

    /// Tells until when a worker's lease holds, by the store's clock; nothing of one that is not registered. Cases: `lease_*`.
    async fn lease(&self, worker: WorkerId) -> Result<Option<DateTime<Utc>>, BackendError>;

    /// Gives back everything that a worker still owns, without suspicion, and removes it.
    ///
    /// Attempts on record as running become `Released`, unless their task has a row. An unknown worker is no error. Cases: `retire_*`.
    async fn retire_worker(&self, worker: WorkerId) -> Result<(), BackendError>;

    /// Finds the workers other than `by` that are dead and frees what they owned.
    ///
    /// An unfinished execution of a dead worker loses its owner, gets one more takeover and a `Recovered` event;
    /// its attempts on record as running become `Lost`, unless their task has a row. A worker that is not registered and still owns something is
    /// dead by lease: what it submitted came after its burial. Cases: `bury_*`.
    async fn bury_dead_workers(&self, by: WorkerId) -> Result<Vec<Burial>, BackendError>;

    /// Takes back what was counted against owners that were declared dead and live.
    ///
    /// Each epoch of which a death is on record is acquitted once: its attempts that are `Lost` become `Released`, an
    /// `Acquitted` event tells it, and `takeovers` loses the one of that death, unless suspicion was lifted since. An epoch
    /// without a death, and an execution that has ended, are passed over. Cases: `acquit_*`.
    async fn acquit(&self, survivals: &[Survival]) -> Result<(), BackendError>;

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
    /// has a row keeps it, and an event whose epoch, serial and place are on record is not added. `Suspicion::Clear` sets `takeovers` to 0. Cases: `submit_*`, `checkpoint_*`.
    async fn commit(&self, batch: Arc<Batch>) -> Result<BatchVerdicts, BackendError>;

    /// Tells how many batches are worth having in flight at once: one where writes go one after another. Each of those that
    /// are in flight is of other executions.
    fn lines(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }

    /// Gives unowned executions to a worker: status `Running`, one more epoch, `started_at` if it was unset.
    ///
    /// Only `Pending` and `Running` executions that are due are given, oldest id first, each to one worker only.
    /// Nothing is given to a worker that is not registered. Cases: `claim_*`.
    async fn claim(&self, request: &ClaimRequest) -> Result<Claims, BackendError>;

    /// Gives executions back. One whose worker and epoch no longer own it is passed over.
    ///
    /// One that is due later is not claimed before; where nothing is said, what was due stays due.
    /// Attempts on record as running become `Released`, unless their task has a row. Cases: `release_*`.
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
    /// happens while nobody waits ends the next call. What an owner commits to its executions need not be noticed each time, but that
    /// somebody works is to be noticed every five seconds: others stand by then, should it die. Cases: `changed_*`.
    async fn changed(&self, poll: Duration);

    /// Finishes what is under way and closes the connections. Later calls answer [`BackendError::Closed`].
    ///
    /// Repeating it is no error. Cases: `close_*`.
    async fn close(&self);
}
