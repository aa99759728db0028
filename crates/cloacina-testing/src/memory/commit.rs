//! Submits and checkpoints.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use cloacina_core::backend::{
    AttemptFailure, AttemptRecord, AttemptState, Batch, BatchVerdicts, Checkpoint,
    CheckpointVerdict, Company, EventKind, ExecutionRecord, NewEvent, NewExecution, SubmitVerdict,
    Suspicion, TaskEnd, TaskRecord,
};
use cloacina_core::{ExecutionId, PipelineStatus, TaskId, TaskState};

use super::store::{Execution, State, later};

impl State {
    pub(super) fn commit(&mut self, batch: &Batch) -> BatchVerdicts {
        let at = self.now();
        let submits = batch.submits.iter().map(|new| self.submit(new.clone(), at)).collect();
        let mut later = &batch.checkpoints[..];
        let mut checkpoints = Vec::new();
        while let Some((checkpoint, rest)) = later.split_first() {
            checkpoints.push(self.checkpoint(checkpoint, rest, at));
            later = rest;
        }
        BatchVerdicts { at, submits, checkpoints }
    }

    fn submit(&mut self, new: NewExecution, at: DateTime<Utc>) -> SubmitVerdict {
        if self.executions().contains_key(&new.id) {
            return SubmitVerdict::Created;
        }
        if let Some(holder) = new.idempotency_key.as_ref().and_then(|key| self.holder_of(key)) {
            let workflow = Arc::clone(&holder.record.workflow.name);
            return SubmitVerdict::Existing { id: holder.record.id, workflow };
        }
        if let Some(key) = &new.idempotency_key {
            self.keys.insert(Arc::clone(key), new.id);
        }
        let tasks = new.retry_of.map(|id| self.completed_tasks(id)).unwrap_or_default();
        let owned = new.owner.is_some();
        self.insert(Execution {
            record: ExecutionRecord {
                id: new.id,
                workflow: new.workflow,
                status: if owned { PipelineStatus::Running } else { PipelineStatus::Pending },
                idempotency_key: new.idempotency_key,
                retry_of: new.retry_of,
                owner: new.owner,
                epoch: u64::from(owned),
                takeovers: 0,
                error: None,
                created_at: at,
                due_at: new.delay.map(|delay| later(at, delay)),
                started_at: owned.then_some(at),
                finished_at: None,
            },
            input: new.input,
            tasks,
            attempts: BTreeMap::new(),
            events: Vec::new(),
            said: HashSet::new(),
            deaths: BTreeMap::new(),
        });
        SubmitVerdict::Created
    }

    fn holder_of(&self, key: &str) -> Option<&Execution> {
        self.executions().get(self.keys.get(key)?)
    }

    fn completed_tasks(&self, id: ExecutionId) -> BTreeMap<TaskId, TaskRecord> {
        let tasks = self.executions().get(&id).into_iter().flat_map(|it| &it.tasks);
        tasks
            .filter(|(_, task)| task.state == TaskState::Completed)
            .map(|(id, task)| (id.clone(), task.clone()))
            .collect()
    }

    fn checkpoint(
        &mut self,
        checkpoint: &Checkpoint,
        later: &[Checkpoint],
        at: DateTime<Utc>,
    ) -> CheckpointVerdict {
        let Some(execution) = self.executions().get(&checkpoint.execution) else {
            return CheckpointVerdict::Fenced;
        };
        let status = execution.record.status;
        let (worker, epoch) = (checkpoint.worker, checkpoint.epoch);
        if !execution.is_owned_by(worker, epoch) {
            let detail = format!("worker {worker} does not own it under epoch {epoch}");
            let event = NewEvent { kind: EventKind::Fenced, task: None, detail };
            // Serials begin at 1: this place is free in every epoch.
            self.change(checkpoint.execution, |it| it.say(at, (epoch, 0, 0), event));
            return CheckpointVerdict::Fenced;
        }
        if status.is_terminal() {
            return ended(checkpoint, later, status);
        }
        self.write(checkpoint, at);
        let status = checkpoint.finish.as_ref().map_or(status, |finish| finish.status);
        CheckpointVerdict::Committed { status }
    }

    fn write(&mut self, checkpoint: &Checkpoint, at: DateTime<Utc>) {
        let tasks: Vec<_> = checkpoint.tasks.iter().map(|end| self.task_record(end)).collect();
        let starts: Vec<_> =
            checkpoint.starts.iter().map(|start| (start, self.time_of(start.started))).collect();
        let failures: Vec<_> = checkpoint
            .failures
            .iter()
            .map(|it| self.failed_attempt(it, checkpoint.epoch))
            .collect();
        self.change(checkpoint.execution, |execution| {
            for task in tasks {
                execution.tasks.entry(task.task.clone()).or_insert(task);
            }
            for (start, started_at) in starts {
                execution.begin(start, checkpoint.epoch, started_at);
            }
            for failure in failures {
                execution.fail(failure);
            }
            for (place, event) in checkpoint.events.iter().enumerate() {
                let key = (checkpoint.epoch, checkpoint.serial, place);
                execution.say(at, key, event.clone());
            }
            if checkpoint.suspicion == Suspicion::Clear {
                execution.clear();
            }
            if let Some(finish) = &checkpoint.finish {
                execution.end(finish.status, at);
                execution.record.error.clone_from(&finish.error);
            }
        });
    }

    fn task_record(&self, end: &TaskEnd) -> TaskRecord {
        TaskRecord {
            task: end.task.clone(),
            ordinal: end.ordinal,
            state: end.state,
            attempts: end.attempts,
            changes: end.changes.clone(),
            output: end.output.clone(),
            error: end.error.clone(),
            skip: end.skip.clone(),
            started_at: self.time_of(end.started),
            ended_at: self.time_of(end.ended),
        }
    }

    fn failed_attempt(&self, failure: &AttemptFailure, epoch: u64) -> AttemptRecord {
        let ended_at = self.time_of(failure.ended);
        AttemptRecord {
            task: failure.task.clone(),
            attempt: failure.attempt,
            epoch,
            state: AttemptState::Failed,
            company: Company::Shared,
            error: Some(failure.error.clone()),
            progress: None,
            started_at: self.time_of(failure.started),
            ended_at: Some(ended_at),
            retry_at: Some(later(ended_at, failure.retry_in)),
        }
    }
}

/// Answers the owner of an execution that has ended already: perhaps by an earlier try of this very batch.
fn ended(
    checkpoint: &Checkpoint,
    later: &[Checkpoint],
    status: PipelineStatus,
) -> CheckpointVerdict {
    let owner = |it: &Checkpoint| (it.execution, it.worker, it.epoch);
    let ends = |it: &Checkpoint| it.finish.as_ref().is_some_and(|finish| finish.status == status);
    if ends(checkpoint) {
        return CheckpointVerdict::Committed { status };
    }
    // Only its owner completes or fails an execution, so what went before that end in one batch was committed with it.
    let repeat = later.iter().any(|later| owner(later) == owner(checkpoint) && ends(later));
    if repeat && checkpoint.finish.is_none() {
        return CheckpointVerdict::Committed { status: PipelineStatus::Running };
    }
    CheckpointVerdict::Ended(status)
}

impl Execution {
    /// Ends an attempt that is on record as running, or records one that is not on record.
    fn fail(&mut self, failed: AttemptRecord) {
        let key = (failed.task.clone(), failed.attempt, failed.epoch);
        let row = self.attempts.entry(key).or_insert_with(|| failed.clone());
        if row.state == AttemptState::Running {
            let (company, started_at) = (row.company, row.started_at);
            *row = AttemptRecord { company, started_at, progress: row.progress.take(), ..failed };
        }
    }
}
