//! What a running task may know about its own run.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{ExecutionId, TaskId};

/// What a running task may know about its own run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskContext {
    /// The execution that it belongs to.
    pub execution_id: ExecutionId,
    /// The workflow.
    pub workflow: Arc<str>,
    /// The task.
    pub task: TaskId,
    /// Which attempt this is, counted from 1.
    pub attempt: u32,
    /// When the attempt times out.
    pub deadline: Instant,
    /// Cancelled when the attempt should stop: by a cancel, a timeout, or a shutdown. The future is dropped soon after.
    pub cancellation: CancellationToken,
}
