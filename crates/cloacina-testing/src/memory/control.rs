//! Orders of users, and the end of old rows.

use std::time::Duration;

use chrono::{DateTime, Utc};
use cloacina_core::backend::{Control, ControlVerdict, EventKind, ExecutionRecord, TaskRecord};
use cloacina_core::{ExecutionId, PipelineStatus, TaskId, TaskState};

use super::store::{Execution, State, later};

impl State {
    pub(super) fn control(&mut self, id: ExecutionId, order: &Control) -> ControlVerdict {
        let now = self.now();
        self.change(id, |execution| {
            let before = execution.record.status;
            match order {
                Control::Cancel { tasks } => execution.cancel(tasks, now),
                Control::Pause => execution.pause(now),
                Control::Resume => execution.resume(now),
            }
            let after = execution.record.status;
            if after == before {
                ControlVerdict::Unchanged(before)
            } else {
                ControlVerdict::Applied(after)
            }
        })
        .unwrap_or(ControlVerdict::NotFound)
    }

    pub(super) fn prune(&mut self, age: Duration, limit: u32) -> u64 {
        let now = self.now();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_old = |it: &ExecutionRecord| it.finished_at.is_some_and(|at| later(at, age) <= now);
        let old = self.executions().values().map(|it| &it.record).filter(|it| is_old(it));
        let old: Vec<_> = old.take(limit).map(|it| it.id).collect();
        let mut deleted = 0;
        for id in old {
            deleted += u64::from(self.remove(id).is_some());
        }
        deleted
    }
}

impl Execution {
    fn cancel(&mut self, tasks: &[(TaskId, u32)], now: DateTime<Utc>) {
        if self.record.status.is_terminal() {
            return;
        }
        for (task, ordinal) in tasks {
            self.tasks.entry(task.clone()).or_insert_with(|| TaskRecord {
                task: task.clone(),
                ordinal: *ordinal,
                state: TaskState::Cancelled,
                attempts: 0,
                changes: None,
                output: None,
                error: None,
                skip: None,
                started_at: now,
                ended_at: now,
            });
        }
        self.end(PipelineStatus::Cancelled, now);
        self.note(now, EventKind::Cancelled, "cancelled by an order");
    }

    fn pause(&mut self, now: DateTime<Utc>) {
        if matches!(self.record.status, PipelineStatus::Pending | PipelineStatus::Running) {
            self.record.status = PipelineStatus::Paused;
            self.note(now, EventKind::Paused, "paused by an order");
        }
    }

    fn resume(&mut self, now: DateTime<Utc>) {
        if self.record.status == PipelineStatus::Paused {
            let started = self.record.started_at.is_some();
            self.record.status =
                if started { PipelineStatus::Running } else { PipelineStatus::Pending };
            self.note(now, EventKind::Resumed, "resumed by an order");
        }
    }
}
