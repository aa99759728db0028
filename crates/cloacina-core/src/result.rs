//! What users are told about executions.

mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::backend::{AttemptState, ExecutionRecord, ExecutionSnapshot, TaskRecord};
use crate::context::Changes;
use crate::{BackendError, Context, ExecutionId, PipelineStatus, SkipReason, TaskId, TaskState};

/// An execution as it stands, or as it ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PipelineResult {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The workflow.
    pub workflow_name: String,
    /// Its state.
    pub status: PipelineStatus,
    /// When a worker first took it up; before that, when it was submitted.
    pub start_time: DateTime<Utc>,
    /// When it ended.
    pub end_time: Option<DateTime<Utc>>,
    /// The time from start to end.
    pub duration: Option<Duration>,
    /// The input with the changes of all tasks that completed, in topological order.
    pub final_context: Context,
    /// One entry a task, in topological order.
    pub task_results: Vec<TaskResult>,
    /// Why it failed: names the first task whose failure was not handled.
    pub error_message: Option<String>,
}

/// A task of an execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TaskResult {
    /// The task.
    pub task_id: TaskId,
    /// Its state.
    pub status: TaskState,
    /// How many attempts were made, one that runs included. Of a task that was cancelled, those that are on record: a body that ran
    /// for less than a third of the lease is not.
    pub attempts: u32,
    /// When its last attempt began.
    pub start_time: Option<DateTime<Utc>>,
    /// When it ended.
    pub end_time: Option<DateTime<Utc>>,
    /// How long its last attempt took.
    pub duration: Option<Duration>,
    /// How far its attempt has come, as its body says; only while that runs, or how far it had come when it was cancelled.
    pub progress: Option<String>,
    /// What it returned.
    pub output: Option<Value>,
    /// Why it failed, or why its last attempt did.
    pub error_message: Option<String>,
    /// Why it was skipped.
    pub skip_reason: Option<SkipReason>,
}

/// An execution in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExecutionSummary {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The workflow.
    pub workflow_name: String,
    /// Its state.
    pub status: PipelineStatus,
    /// When it was submitted.
    pub created_at: DateTime<Utc>,
    /// When a worker first took it up.
    pub start_time: Option<DateTime<Utc>>,
    /// When it ended.
    pub end_time: Option<DateTime<Utc>>,
    /// The time from start to end.
    pub duration: Option<Duration>,
    /// The execution that it repeats.
    pub retry_of: Option<ExecutionId>,
    /// Why it failed.
    pub error_message: Option<String>,
}

impl PipelineResult {
    /// Returns the task of that id.
    #[must_use]
    pub fn task(&self, id: &str) -> Option<&TaskResult> {
        self.task_results.iter().find(|task| task.task_id == id)
    }

    /// Reports whether the execution completed.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, PipelineStatus::Completed)
    }

    /// Puts together what a store has on record of an execution that consists of these tasks, in topological order.
    pub(crate) fn from_snapshot(
        mut snapshot: ExecutionSnapshot,
        tasks: &[TaskId],
    ) -> Result<Self, BackendError> {
        // Not by their ordinals: those are of the version under which each task ended.
        let places: BTreeMap<&TaskId, usize> = tasks.iter().zip(0..).collect();
        snapshot
            .tasks
            .sort_by_key(|record| places.get(&record.task).copied().unwrap_or(tasks.len()));
        let mut values: BTreeMap<String, Value> = read(snapshot.input.as_str(), "the input")?;
        for task in &snapshot.tasks {
            if let (TaskState::Completed, Some(changes)) = (task.state, &task.changes) {
                let changes: Changes = read(changes.as_str(), "the changes of a task")?;
                values.extend(changes.set);
                values.retain(|key, _| !changes.removed.contains(key));
            }
        }
        let task_results = task_results(&snapshot, tasks)?;
        let ExecutionRecord { id, workflow, status, error, .. } = snapshot.record;
        let start_time = snapshot.record.started_at.unwrap_or(snapshot.record.created_at);
        let end_time = snapshot.record.finished_at;
        Ok(Self {
            execution_id: id,
            workflow_name: workflow.name.to_string(),
            status,
            start_time,
            end_time,
            duration: end_time.map(|end| between(start_time, end)),
            final_context: values.into(),
            task_results,
            error_message: error,
        })
    }
}

/// Tells of each task. What is on record of them has to be in the same order, each once, with unknown ones last.
fn task_results(
    snapshot: &ExecutionSnapshot,
    tasks: &[TaskId],
) -> Result<Vec<TaskResult>, BackendError> {
    let mut results = Vec::with_capacity(tasks.len());
    let mut records = snapshot.tasks.iter().peekable();
    for task in tasks {
        results.push(match records.next_if(|record| record.task == *task) {
            Some(record) => ended(record, snapshot)?,
            None => unended(task, snapshot),
        });
    }
    // Tasks of the version under which it was submitted, which another one took further.
    for record in records {
        results.push(ended(record, snapshot)?);
    }
    Ok(results)
}

fn ended(record: &TaskRecord, snapshot: &ExecutionSnapshot) -> Result<TaskResult, BackendError> {
    let output = record.output.as_ref().map(|text| read(text.as_str(), "the output of a task"));
    // Whoever orders a cancel does not know what ran.
    let cancelled = snapshot
        .attempts
        .iter()
        .filter(|attempt| record.state == TaskState::Cancelled && attempt.task == record.task)
        .max_by_key(|attempt| (attempt.attempt, attempt.epoch));
    let attempts = cancelled.map_or(0, |attempt| attempt.attempt).max(record.attempts);
    let started = cancelled.map_or(record.started_at, |attempt| attempt.started_at);
    let ran = attempts > 0;
    Ok(TaskResult {
        task_id: record.task.clone(),
        status: record.state,
        attempts,
        start_time: ran.then_some(started),
        end_time: Some(record.ended_at),
        duration: ran.then(|| between(started, record.ended_at)),
        progress: cancelled.and_then(|attempt| attempt.progress.clone()),
        output: output.transpose()?,
        error_message: record.error.clone(),
        skip_reason: record.skip.clone(),
    })
}

fn unended(id: &TaskId, snapshot: &ExecutionSnapshot) -> TaskResult {
    let attempts = snapshot.attempts.iter().filter(|attempt| attempt.task == *id);
    let last = attempts.clone().next_back();
    let running = last.filter(|attempt| attempt.state == AttemptState::Running);
    let failed = attempts.filter(|attempt| attempt.state == AttemptState::Failed);
    let status = match (snapshot.record.status, running) {
        (PipelineStatus::Cancelled | PipelineStatus::Failed, _) => TaskState::Cancelled,
        (_, Some(_)) => TaskState::Running,
        (_, None) => TaskState::Pending,
    };
    let made = failed.clone().count() + running.iter().count();
    TaskResult {
        task_id: id.clone(),
        status,
        attempts: made.try_into().unwrap_or(u32::MAX),
        start_time: running.map(|attempt| attempt.started_at),
        end_time: None,
        duration: None,
        progress: running.and_then(|attempt| attempt.progress.clone()),
        output: None,
        error_message: failed
            .max_by_key(|attempt| attempt.attempt)
            .and_then(|attempt| attempt.error.clone()),
        skip_reason: None,
    }
}

impl From<ExecutionRecord> for ExecutionSummary {
    fn from(record: ExecutionRecord) -> Self {
        let duration = record.started_at.zip(record.finished_at);
        Self {
            execution_id: record.id,
            workflow_name: record.workflow.name.to_string(),
            status: record.status,
            created_at: record.created_at,
            start_time: record.started_at,
            end_time: record.finished_at,
            duration: duration.map(|(start, end)| between(start, end)),
            retry_of: record.retry_of,
            error_message: record.error,
        }
    }
}

/// Reads stored JSON.
pub(crate) fn read<T: serde::de::DeserializeOwned>(
    text: &str,
    what: &str,
) -> Result<T, BackendError> {
    serde_json::from_str(text).map_err(|source| BackendError::Corrupt {
        reason: format!("{what} is not the JSON that was written"),
        source: Some(Box::new(source)),
    })
}

/// The time from one timestamp to a later one; zero if a clock was set back.
pub(crate) fn between(start: DateTime<Utc>, end: DateTime<Utc>) -> Duration {
    (end - start).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests;
