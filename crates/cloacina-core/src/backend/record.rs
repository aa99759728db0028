//! Rows as they are read.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Company, JsonText, WorkflowKey};
use crate::{ExecutionId, PipelineStatus, SkipReason, TaskId, TaskState, WorkerId};

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
    /// How many owners in a row died while they owned it, without those that turned out to live.
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
    /// How far it has come, as its body says.
    pub progress: Option<String>,
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
    /// Its worker gave the execution back while it ran, or lost it without dying.
    Released,
}
