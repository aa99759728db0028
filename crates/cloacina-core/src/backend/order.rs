//! Asking for executions, giving them back, and what users order.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{EventKind, ExecutionSnapshot, WorkflowKey};
use crate::{ExecutionId, PipelineStatus, TaskId, WorkerId};

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
    /// These, whatever their version: the caller has looked and found that they fit.
    Adopt(Vec<Adoption>),
}

/// An execution that goes on under another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// Which.
    pub execution: ExecutionId,
    /// Its epoch when the caller looked. Under another it is not given: somebody has owned it since, and may have completed what
    /// does not fit.
    pub epoch: u64,
    /// What takes the place of its version.
    pub version: Arc<str>,
}

/// What a claim got.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// The executions that the worker owns now.
    pub executions: Vec<ExecutionSnapshot>,
    /// When the next delayed execution in scope falls due, if there is one.
    pub next_due: Option<Duration>,
    /// How many other workers are registered, dead ones that nobody buried yet included.
    pub peers: u32,
}

/// Gives an execution back, so that any worker may claim it, at once or when it falls due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The execution.
    pub execution: ExecutionId,
    /// Its owner.
    pub worker: WorkerId,
    /// The epoch under which it owns it.
    pub epoch: u64,
    /// How long nobody needs to take it up, if all of it waits.
    pub due_in: Option<Duration>,
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

impl Control {
    /// Decides what an order makes of an execution in that status, and which event tells it; nothing if the status stays.
    #[must_use]
    pub fn transition(
        &self,
        status: PipelineStatus,
        started_at: Option<DateTime<Utc>>,
    ) -> Option<(PipelineStatus, EventKind)> {
        match (self, status) {
            (_, status) if status.is_terminal() => None,
            (Self::Cancel { .. }, _) => Some((PipelineStatus::Cancelled, EventKind::Cancelled)),
            (Self::Pause, PipelineStatus::Pending | PipelineStatus::Running) => {
                Some((PipelineStatus::Paused, EventKind::Paused))
            }
            (Self::Resume, PipelineStatus::Paused) => {
                let before =
                    started_at.map_or(PipelineStatus::Pending, |_| PipelineStatus::Running);
                Some((before, EventKind::Resumed))
            }
            (Self::Pause | Self::Resume, _) => None,
        }
    }
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
