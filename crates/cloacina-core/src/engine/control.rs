//! Looking at executions, waiting for them, and orders about them.

mod explain;

use std::sync::Arc;

use tokio::sync::oneshot;

use super::driver::Order;
use super::waiters::Answer;
use super::{Engine, restore};
use crate::backend::{
    Adoption, BackendError, Control, ControlVerdict, ExecutionSnapshot, WorkflowKey,
};
use crate::workflow::Structure;
use crate::{ExecutionId, ExecutorError, PipelineResult, PipelineStatus, TaskId, Workflow};

/// Whether an execution can go on under the version that is known here.
pub(super) enum Fit {
    Fits(Adoption),
    /// Why it cannot.
    Misfit(String),
}

impl Engine {
    /// Starts waiting for an execution, which need not exist yet.
    pub(crate) fn wait(&self, id: ExecutionId) -> oneshot::Receiver<Answer> {
        self.waiters.add(id)
    }

    /// Strikes off those who stopped waiting for an execution.
    pub(crate) fn forget_waiters(&self, id: ExecutionId) {
        let _ = self.waiters.has(id);
    }

    /// Finds out whether an execution that somebody waits for has ended elsewhere.
    pub(crate) fn look_for(self: &Arc<Self>, id: ExecutionId) {
        let engine = Arc::clone(self);
        self.spawn(async move { engine.look_for_now(id).await });
    }

    pub(super) async fn look_for_now(&self, id: ExecutionId) {
        match self.result(id).await {
            Ok(result) if result.status.is_terminal() => {
                self.waiters.tell(id, Ok(Box::new(result)))
            }
            Ok(_) | Err(ExecutorError::UnknownExecution(_)) => {}
            Err(error) => {
                tracing::warn!(execution_id = %id, %error, "an execution could not be read");
            }
        }
    }

    /// Reads an execution.
    pub(crate) async fn load(&self, id: ExecutionId) -> Result<ExecutionSnapshot, ExecutorError> {
        self.backend.load(id).await?.ok_or(ExecutorError::UnknownExecution(id))
    }

    /// Reads an execution as users see it.
    pub(crate) async fn result(&self, id: ExecutionId) -> Result<PipelineResult, ExecutorError> {
        // In this order: what ends in between has its row.
        let running = self.held.running_attempts(id);
        let mut snapshot = self.load(id).await?;
        // What runs here is on record only after a while, if at all.
        snapshot.attempts.extend(running);
        let tasks = self.task_ids(&snapshot.record.workflow).await?;
        Ok(PipelineResult::from_snapshot(snapshot, &tasks)?)
    }

    /// Lists the tasks of a workflow in topological order, whether it is known here or only on record.
    pub(super) async fn task_ids(&self, key: &WorkflowKey) -> Result<Vec<TaskId>, BackendError> {
        if let Some(workflow) = self.workflows.get(&key.name).filter(|known| known.key() == key) {
            return Ok(workflow.task_ids());
        }
        match self.backend.definition(key).await? {
            Some(structure) => Ok(Structure::read(&structure)?.ids().cloned().collect()),
            None => Ok(Vec::new()),
        }
    }

    /// Cancels an execution; its status afterwards.
    pub(crate) async fn cancel(
        self: &Arc<Self>,
        id: ExecutionId,
    ) -> Result<PipelineStatus, ExecutorError> {
        let snapshot = self.load(id).await?;
        let ids = self.task_ids(&snapshot.record.workflow).await?.into_iter().enumerate();
        let tasks = ids.map(|(index, id)| (id, crate::dag::to_ordinal(index))).collect();
        self.order(id, Control::Cancel { tasks }).await
    }

    /// Pauses or resumes an execution; its status afterwards.
    pub(crate) async fn order(
        self: &Arc<Self>,
        id: ExecutionId,
        order: Control,
    ) -> Result<PipelineStatus, ExecutorError> {
        let engine = Arc::clone(self);
        // On the tracker: once the store has changed, the driver must hear of it even if the caller stops waiting.
        let done = self.spawn(async move { engine.order_now(id, &order).await });
        done.await.unwrap_or(Err(ExecutorError::ShuttingDown))
    }

    pub(super) async fn order_now(
        &self,
        id: ExecutionId,
        order: &Control,
    ) -> Result<PipelineStatus, ExecutorError> {
        let _control = self.control.lock().await;
        let status = match self.backend.control(id, order).await? {
            // It may have been carried out before without an answer: the driver hears of it in any case.
            ControlVerdict::Applied(status) | ControlVerdict::Unchanged(status) => status,
            ControlVerdict::NotFound => return Err(ExecutorError::UnknownExecution(id)),
        };
        let order = match status {
            PipelineStatus::Paused => Order::Pause,
            PipelineStatus::Pending | PipelineStatus::Running => Order::Resume,
            ended => Order::Ended(ended),
        };
        if !self.held.order(id, order) {
            self.note_unowned();
            if status.is_terminal() {
                self.look_for_now(id).await;
            }
        }
        Ok(status)
    }

    /// Checks that what an execution has on record fits a workflow as it is now.
    pub(crate) async fn check_fit(
        &self,
        workflow: &Workflow,
        snapshot: &ExecutionSnapshot,
    ) -> Result<(), ExecutorError> {
        let reason = self.misfit(workflow, snapshot).await?;
        reason.map_or(Ok(()), |reason| {
            Err(ExecutorError::IncompatibleVersion {
                execution: snapshot.record.id,
                workflow: workflow.name().to_owned(),
                reason,
            })
        })
    }

    /// Tells why an execution cannot go on under a workflow, if it cannot.
    pub(super) async fn misfit(
        &self,
        workflow: &Workflow,
        snapshot: &ExecutionSnapshot,
    ) -> Result<Option<String>, BackendError> {
        let key = &snapshot.record.workflow;
        if key == workflow.key() {
            return Ok(None);
        }
        let structure = self.backend.definition(key).await?;
        restore::misfit(workflow, structure.as_ref(), snapshot)
    }

    /// Looks whether an execution can go on under a workflow; nothing if it is gone.
    pub(super) async fn fit(
        &self,
        workflow: &Workflow,
        execution: ExecutionId,
    ) -> Result<Option<Fit>, BackendError> {
        let Some(snapshot) = self.backend.load(execution).await? else { return Ok(None) };
        let fit = match self.misfit(workflow, &snapshot).await? {
            Some(reason) => Fit::Misfit(reason),
            None => {
                let version = Arc::clone(&workflow.key().version);
                Fit::Fits(Adoption { execution, epoch: snapshot.record.epoch, version })
            }
        };
        Ok(Some(fit))
    }
}
