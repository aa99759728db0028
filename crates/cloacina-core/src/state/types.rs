//! What goes into the state machine, and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::ContextView;
use crate::backend::{AttemptFailure, Finish, JsonText, NewEvent, TaskEnd};
use crate::context::Changes;
use crate::task::Upstream;
use crate::{SkipReason, TaskError, TaskState};

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// The execution is taken up, new or recovered. Always the first event.
    Begun { at: Instant },
    /// A body returned, failed, panicked, or timed out.
    AttemptEnded { ordinal: u32, started: Instant, ended: Instant, result: AttemptResult },
    /// A start was called off before the body ran, because of a pause.
    NotStarted { ordinal: u32 },
    /// The wait before a retry is over.
    RetryDue { ordinal: u32 },
    /// The checkpoint on its way is in the store.
    Committed,
    /// Nothing may start.
    Paused,
    /// Things may start again.
    Resumed,
    /// The execution has taken longer than it may.
    DeadlinePassed { at: Instant, limit: Duration },
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum AttemptResult {
    Success {
        changes: Changes,
        changes_json: Option<JsonText>,
        output: Option<JsonText>,
    },
    Failure {
        error: TaskError,
        /// Drawn evenly from 0 to 1, for the jitter.
        random: f64,
    },
}

/// What the rim has to do, in order. Most events ask for one or two things.
pub(crate) type Commands = SmallVec<[Command; 2]>;

/// Tasks, by ordinal. As large as a `Vec`, and without an allocation for up to four.
pub(super) type Ordinals = SmallVec<[u32; 4]>;

/// What the rim has to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Run a body, on what [`ExecutionState::given`](super::ExecutionState::given) says then.
    Start { ordinal: u32 },
    /// Send [`Event::RetryDue`] that long after the instant.
    WaitForRetry { ordinal: u32, since: Instant, delay: Duration },
    /// Commit this, then send [`Event::Committed`].
    Commit(Draft),
    /// Stop all bodies that run; their ends are of no interest.
    StopAttempts,
    /// Give the execution back: it is paused and nothing runs.
    Release,
    /// The end is committed.
    Ended(Finish),
}

/// What an attempt is given.
#[derive(Debug)]
pub(crate) struct Given {
    /// Which attempt of its task it is, counted from 1.
    pub(crate) attempt: u32,
    pub(crate) context: ContextView,
    /// How the dependencies ended, if there are any.
    pub(crate) upstream: Option<Arc<[Upstream]>>,
}

/// What a checkpoint holds.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) tasks: Vec<TaskEnd>,
    pub(crate) failures: Vec<AttemptFailure>,
    pub(crate) events: Vec<NewEvent>,
    pub(crate) finish: Option<Finish>,
}

impl Draft {
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
            && self.failures.is_empty()
            && self.events.is_empty()
            && self.finish.is_none()
    }
}

/// What is on record about a task when an execution is taken up.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// How it ended.
    pub(crate) outcome: Option<Box<Outcome>>,
    /// How many attempts failed.
    pub(crate) failed_attempts: u32,
    /// When the first of them began.
    pub(crate) first_started: Option<Instant>,
    /// How long its next attempt has to wait.
    pub(crate) retry_in: Option<Duration>,
    /// It is to be given up for this reason.
    pub(crate) abandoned: Option<Box<str>>,
}

/// How a task ended.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Completed { changes: Changes, output: Option<JsonText> },
    Failed { error: String },
    Skipped(SkipReason),
    Cancelled,
}

impl Outcome {
    pub(super) const fn state(&self) -> TaskState {
        match self {
            Self::Completed { .. } => TaskState::Completed,
            Self::Failed { .. } => TaskState::Failed,
            Self::Skipped(_) => TaskState::Skipped,
            Self::Cancelled => TaskState::Cancelled,
        }
    }
}
