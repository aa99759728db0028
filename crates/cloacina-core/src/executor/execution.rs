//! A handle on one execution.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, oneshot};

use super::Handle;
use crate::engine::Answer;
use crate::{ExecutionId, ExecutorError, PipelineResult, PipelineStatus};

/// An execution that was submitted. Dropping it changes nothing: the execution goes on.
#[derive(Debug)]
pub struct PipelineExecution {
    /// The execution.
    pub execution_id: ExecutionId,
    handle: Arc<Handle>,
    ended: Mutex<Option<oneshot::Receiver<Answer>>>,
}

impl PipelineExecution {
    pub(super) fn new(
        handle: Arc<Handle>,
        execution_id: ExecutionId,
        ended: Option<oneshot::Receiver<Answer>>,
    ) -> Self {
        Self { execution_id, handle, ended: Mutex::new(ended) }
    }

    /// Waits until the execution has ended, here or in another process. Cancel safe; may be called again.
    ///
    /// The result of an execution that ran here is what is on record, but for the times of its tasks: they are put on the store's clock
    /// by this process, and may differ from the record by as long as an answer of the store travels.
    ///
    /// # Errors
    ///
    /// [`ExecutorError::UnknownExecution`], [`ExecutorError::ShuttingDown`] if the executor stops first, or a store
    /// that failed.
    pub async fn wait(&self) -> Result<PipelineResult, ExecutorError> {
        let engine = &self.handle.engine;
        let mut ended = self.ended.lock().await;
        if ended.is_none() {
            // Listen first and look then, so that an end in between is not missed.
            *ended = Some(engine.wait(self.execution_id));
            let result = engine.result(self.execution_id).await;
            match result {
                Ok(result) if !result.status.is_terminal() => {}
                // The store was closed under the question.
                Err(_) if engine.is_killed() => {
                    *ended = None;
                    return Err(ExecutorError::ShuttingDown);
                }
                decided => {
                    *ended = None;
                    return decided;
                }
            }
        }
        let Some(receiver) = ended.as_mut() else { return Err(ExecutorError::ShuttingDown) };
        let answer = receiver.await;
        // The answer is given once; whoever asks again reads the store.
        *ended = None;
        match answer {
            Ok(answer) => Ok(*answer?),
            Err(_) => Err(ExecutorError::ShuttingDown),
        }
    }

    /// As [`wait`](Self::wait), but not longer than that. The execution goes on in any case.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and [`ExecutorError::WaitTimeout`].
    pub async fn wait_timeout(&self, timeout: Duration) -> Result<PipelineResult, ExecutorError> {
        match tokio::time::timeout(timeout, self.wait()).await {
            Ok(result) => result,
            Err(_) => {
                Err(ExecutorError::WaitTimeout { execution: self.execution_id, waited: timeout })
            }
        }
    }

    /// Reads its status.
    ///
    /// # Errors
    ///
    /// [`ExecutorError::UnknownExecution`], or a store that failed.
    pub async fn status(&self) -> Result<PipelineStatus, ExecutorError> {
        let standing = self.handle.engine.backend.standing(&[self.execution_id]).await?;
        let standing = standing.into_iter().next().flatten();
        standing
            .map(|standing| standing.status)
            .ok_or(ExecutorError::UnknownExecution(self.execution_id))
    }

    /// Cancels it. See [`UnifiedExecutor::cancel_execution`](super::UnifiedExecutor::cancel_execution).
    ///
    /// # Errors
    ///
    /// [`ExecutorError::UnknownExecution`], or a store that failed.
    pub async fn cancel(&self) -> Result<PipelineStatus, ExecutorError> {
        self.handle.engine.cancel(self.execution_id).await
    }
}
