//! What a batch commits: submits and checkpoints.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{JsonText, NewEvent, Standing, WorkflowKey};
use crate::{ExecutionId, PipelineStatus, SkipReason, TaskId, TaskState, WorkerId};

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
    /// Counts its checkpoints with events under this epoch: with it, a repeated checkpoint adds no event twice.
    pub serial: u64,
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

impl Checkpoint {
    /// Makes a checkpoint that changes nothing.
    #[must_use]
    pub const fn new(execution: ExecutionId, worker: WorkerId, epoch: u64) -> Self {
        Self {
            execution,
            worker,
            epoch,
            serial: 0,
            tasks: Vec::new(),
            starts: Vec::new(),
            failures: Vec::new(),
            events: Vec::new(),
            suspicion: Suspicion::Keep,
            finish: None,
        }
    }
}

impl NewExecution {
    /// Adds up the bytes of its texts.
    pub(crate) fn size(&self) -> usize {
        self.input.as_str().len()
    }
}

impl Checkpoint {
    /// Adds up the bytes of its texts.
    pub(crate) fn size(&self) -> usize {
        let json = |text: &Option<JsonText>| text.as_ref().map_or(0, |text| text.as_str().len());
        let error = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let tasks = self.tasks.iter();
        let tasks = tasks.map(|end| json(&end.changes) + json(&end.output) + error(&end.error));
        let failures = self.failures.iter().map(|failure| failure.error.len());
        let events = self.events.iter().map(|event| event.detail.len());
        tasks.chain(failures).chain(events).sum()
    }
}

impl CheckpointVerdict {
    /// Decides about a checkpoint from where its execution stands, while nobody can change that. `later` are the checkpoints behind
    /// it in its batch. What is committed is to be written, unless the execution had ended already: then it is a repetition.
    #[must_use]
    pub fn decide(checkpoint: &Checkpoint, later: &[Checkpoint], standing: Standing) -> Self {
        let Standing { status, owner, epoch } = standing;
        if owner != Some(checkpoint.worker) || epoch != checkpoint.epoch {
            return Self::Fenced;
        }
        let ends =
            |by: &Checkpoint| by.finish.as_ref().is_some_and(|finish| finish.status == status);
        if !status.is_terminal() {
            let finish = checkpoint.finish.as_ref();
            return Self::Committed { status: finish.map_or(status, |finish| finish.status) };
        }
        if ends(checkpoint) {
            return Self::Committed { status };
        }
        // Only its owner completes or fails an execution, so what went before that end in one batch was committed with it.
        let is_repeat = later.iter().any(|later| {
            later.execution == checkpoint.execution
                && later.worker == checkpoint.worker
                && later.epoch == checkpoint.epoch
                && ends(later)
        });
        if is_repeat && checkpoint.finish.is_none() {
            return Self::Committed { status: PipelineStatus::Running };
        }
        Self::Ended(status)
    }
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
    /// What it did to the context.
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
    /// How far it has come, as its body says. Of a start that is on record already only this changes, if it is given and
    /// the attempt still runs.
    pub progress: Option<Arc<str>>,
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
