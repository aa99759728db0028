//! Why an execution, and each of its tasks, is not getting on.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::backend::{AttemptState, BackendError, ExecutionRecord, ExecutionSnapshot};
use crate::engine::{Engine, Role, restore};
use crate::state::Why;
use crate::{
    ExecutionId, ExecutionReason, ExecutorError, Explanation, PipelineStatus, TaskExplanation,
    TaskId, TaskReason, Workflow,
};

impl Engine {
    /// Tells why an execution, and each of its tasks, is not getting on. What is driven here is asked in memory.
    pub(crate) async fn explain(&self, id: ExecutionId) -> Result<Explanation, ExecutorError> {
        if let Some(explanation) = self.held.explain(id) {
            return Ok(explanation);
        }
        let snapshot = self.load(id).await?;
        let record = &snapshot.record;
        let explanation = |reason, tasks| Explanation {
            execution_id: id,
            workflow_name: record.workflow.name.to_string(),
            status: record.status,
            reason,
            tasks,
        };
        if record.status.is_terminal() {
            return Ok(explanation(ExecutionReason::Ended, Vec::new()));
        }
        let workflow = self.workflows.get(&record.workflow.name);
        let (workflow, unknown) = match workflow {
            None => (None, Some(ExecutionReason::UnknownWorkflow)),
            Some(known) => match self.misfit(known, &snapshot).await? {
                None => (Some(known), None),
                Some(misfit) => {
                    let version = record.workflow.version.to_string();
                    (None, Some(ExecutionReason::UnknownVersion { version, misfit }))
                }
            },
        };
        let tasks = match workflow {
            // Another version is taken up under the one that is known here, but by an owner of its own it may not be.
            Some(known) if record.owner.is_none() || known.key() == &record.workflow => {
                self.unfinished(known, &snapshot)?
            }
            _ => {
                let ended: BTreeSet<&TaskId> = snapshot.tasks.iter().map(|row| &row.task).collect();
                let mut tasks = self.task_ids(&record.workflow).await?;
                tasks.retain(|task| !ended.contains(task));
                tasks.into_iter().map(|task| (task, TaskReason::Execution)).collect()
            }
        };
        let tasks = tasks.into_iter().map(|(task_id, reason)| TaskExplanation {
            reason: on_record(&snapshot, &task_id).unwrap_or(reason),
            task_id,
        });
        let reason = match self.owned(record).await? {
            Some(reason) => reason,
            None => self.reason(&snapshot, unknown),
        };
        Ok(explanation(reason, tasks.collect()))
    }

    /// Tells who drives an unfinished execution that is not driven here, if somebody does.
    async fn owned(
        &self,
        record: &ExecutionRecord,
    ) -> Result<Option<ExecutionReason>, BackendError> {
        let Some(worker) = record.owner.filter(|_| record.status != PipelineStatus::Paused) else {
            return Ok(None);
        };
        let lease_until = self.backend.lease(worker).await?;
        Ok(Some(ExecutionReason::Owned { worker, lease_until }))
    }

    /// Tells what keeps an unfinished execution that nobody drives. `unknown` is why it cannot be driven here.
    fn reason(
        &self,
        snapshot: &ExecutionSnapshot,
        unknown: Option<ExecutionReason>,
    ) -> ExecutionReason {
        let record = &snapshot.record;
        if record.status == PipelineStatus::Paused {
            return ExecutionReason::Paused;
        }
        if let Some(due_at) = record.due_at.filter(|due_at| *due_at > snapshot.now) {
            return ExecutionReason::NotDue { due_at };
        }
        match unknown {
            // Whatever it knows.
            _ if self.role == Role::Client => ExecutionReason::Client,
            Some(unknown) => unknown,
            None if self.stop.is_cancelled() => ExecutionReason::ShuttingDown,
            // A claim under way takes all the room there is until it is answered.
            None if self.room() == 0 && !self.claiming.load(Ordering::SeqCst) => {
                ExecutionReason::NoRoom { held: self.held.len() }
            }
            None => ExecutionReason::Unowned,
        }
    }

    /// Makes the state that whoever takes the execution up would make, and asks that.
    fn unfinished(
        &self,
        workflow: &Workflow,
        snapshot: &ExecutionSnapshot,
    ) -> Result<Vec<(TaskId, TaskReason)>, BackendError> {
        let now = snapshot.now;
        let at = Instant::now();
        let state = restore::take_up(workflow, snapshot, &self.config)?.state.begun_on_hold(at);
        let ids = |ordinals: Vec<u32>| -> Vec<TaskId> {
            ordinals.into_iter().map(|one| workflow.task_at(one).id().clone()).collect()
        };
        let tasks = state.unfinished().into_iter().map(|(ordinal, why)| {
            let reason = match why {
                Why::Dependencies(tasks) => TaskReason::Dependencies { tasks: ids(tasks) },
                Why::Retry { attempt, due } => {
                    TaskReason::Retry { attempt, due_at: now + due.saturating_duration_since(at) }
                }
                // Whoever takes it up goes on at once.
                Why::Commit(_) | Why::Ended | Why::Startable | Why::Started => {
                    TaskReason::Execution
                }
            };
            (workflow.task_at(ordinal).id().clone(), reason)
        });
        Ok(tasks.collect())
    }
}

/// Finds the attempt of a task that runs according to its owner.
fn on_record(snapshot: &ExecutionSnapshot, task: &TaskId) -> Option<TaskReason> {
    snapshot.record.owner?;
    let runs = |state| state == AttemptState::Running;
    let mut attempts = snapshot.attempts.iter().rev();
    let attempt = attempts
        .find(|one| one.task == *task && one.epoch == snapshot.record.epoch && runs(one.state))?;
    Some(TaskReason::Running { attempt: attempt.attempt, since: attempt.started_at })
}
