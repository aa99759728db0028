//! The states of executions and tasks.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::TaskId;

/// The state of an execution. `Completed`, `Failed` and `Cancelled` are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PipelineStatus {
    /// Submitted; no worker has taken it up yet.
    Pending,
    /// A worker took it up.
    Running,
    /// Nothing new starts until it is resumed; what runs may finish.
    Paused,
    /// Every failure, if there was any, was handled.
    Completed,
    /// A task failed and no task handled that, or the execution ran into its timeout.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl PipelineStatus {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Running,
        Self::Paused,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Reports whether the status is final.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Returns the name that the databases store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Finds the status of that name; the inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

impl fmt::Display for PipelineStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The state of a task within an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Not decided yet: it waits for its dependencies, for a slot, or for its next attempt.
    Pending,
    /// An attempt runs.
    Running,
    /// Its result is committed.
    Completed,
    /// Its last attempt failed.
    Failed,
    /// Its trigger rules decided that it does not run.
    Skipped,
    /// The execution ended before the task did.
    Cancelled,
}

impl TaskState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
    ];

    /// Reports whether the state is final.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// Returns the name that the databases store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }

    /// Finds the state of that name; the inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a task was skipped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "task", rename_all = "snake_case")]
pub enum SkipReason {
    /// A condition of its trigger rules did not hold.
    Condition,
    /// A dependency was skipped, and the rules wanted it to run.
    UpstreamSkipped(TaskId),
    /// A failure upstream kept it from running. Holds the task that failed, which may be several steps away.
    UpstreamFailed(TaskId),
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Condition => f.write_str("its condition did not hold"),
            Self::UpstreamSkipped(task) => write!(f, "task `{task}` was skipped"),
            Self::UpstreamFailed(task) => write!(f, "task `{task}` failed"),
        }
    }
}
