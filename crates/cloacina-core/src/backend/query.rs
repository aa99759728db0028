//! Looking at executions without taking them up.

use std::time::Duration;

use super::WorkflowKey;
use crate::{ExecutionId, PipelineStatus, WorkerId};

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
