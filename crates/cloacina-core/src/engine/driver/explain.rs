//! Why the tasks of an execution that is driven here do not run.

use super::Driver;
use crate::state::Why;
use crate::task::Wait;
use crate::{ExecutionReason, Explanation, PipelineStatus, TaskExplanation, TaskId, TaskReason};

impl Driver {
    /// Tells what each unfinished task waits for. Asks no store.
    pub(in crate::engine) fn explain(&self) -> Explanation {
        let on_hold = self.paused && !self.leaving;
        let reason = if self.leaving {
            ExecutionReason::Leaving
        } else if self.paused {
            ExecutionReason::Paused
        } else {
            let lease_until = self.stamp(self.engine.lease.until());
            ExecutionReason::Driven { worker: self.worker, lease_until }
        };
        let workflow = self.state.workflow();
        let tasks = self.state.unfinished().into_iter().map(|(ordinal, why)| TaskExplanation {
            task_id: workflow.task_at(ordinal).id().clone(),
            reason: self.reason(ordinal, why),
        });
        Explanation {
            execution_id: self.id,
            workflow_name: workflow.name().to_owned(),
            status: if on_hold { PipelineStatus::Paused } else { PipelineStatus::Running },
            reason,
            tasks: tasks.collect(),
        }
    }

    fn reason(&self, ordinal: u32, why: Why) -> TaskReason {
        let ids = |ordinals: Vec<u32>| -> Vec<TaskId> {
            let workflow = self.state.workflow();
            ordinals.into_iter().map(|one| workflow.task_at(one).id().clone()).collect()
        };
        match why {
            Why::Dependencies(tasks) => TaskReason::Dependencies { tasks: ids(tasks) },
            Why::Commit(tasks) => TaskReason::Commit { tasks: ids(tasks) },
            Why::Ended => TaskReason::Ended,
            Why::Retry { attempt, due } => TaskReason::Retry { attempt, due_at: self.stamp(due) },
            Why::Startable => TaskReason::Execution,
            Why::Started => self.started(ordinal),
        }
    }

    /// Tells what an attempt waits for: by its own account, once there is one.
    fn started(&self, ordinal: u32) -> TaskReason {
        let ongoing = self.ongoing.get(ordinal as usize).and_then(Option::as_ref);
        let slot = || TaskReason::Slot {
            running: self.engine.lane.running(),
            limit: self.engine.config.max_concurrent_tasks,
        };
        let Some(ongoing) = ongoing else {
            // No runner has come for it.
            return match (self.engine.lease.holds(), self.engine.runners.are_busy()) {
                (false, _) => TaskReason::Lease,
                (true, true) => slot(),
                (true, false) => TaskReason::Starting,
            };
        };
        if let Some(started) = ongoing.signs.started() {
            return TaskReason::Running { attempt: ongoing.attempt, since: self.stamp(started) };
        }
        match ongoing.signs.wait() {
            Wait::Turn => TaskReason::Starting,
            Wait::Lease => TaskReason::Lease,
            Wait::Slot => slot(),
            Wait::Solitude => TaskReason::Solitude,
            Wait::Suspect => TaskReason::Suspect,
            Wait::StartOnRecord => TaskReason::StartOnRecord,
        }
    }
}
