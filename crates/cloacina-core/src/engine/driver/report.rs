//! What is told to those who wait for the end of an execution.

use std::sync::Arc;

use tokio::time::Instant;

use super::Driver;
use crate::backend::{JsonText, TaskEnd};
use crate::engine::Engine;
use crate::result::{between, read};
use crate::{
    BackendError, PipelineResult, PipelineStatus, SkipReason, TaskResult, TaskState, Workflow,
};

/// What its result is made of, so that nobody needs to read it back.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// In the order in which they were committed.
    ends: Vec<Ended>,
    /// Why the execution failed.
    pub(super) error: Option<String>,
}

/// What is kept of a task's end: what it changed is among the values of the state machine.
#[derive(Debug)]
struct Ended {
    ordinal: u32,
    attempts: u32,
    state: TaskState,
    started: Instant,
    ended: Instant,
    output: Option<JsonText>,
    /// For a task that did not complete.
    reason: Option<Box<Reason>>,
}

/// Why a task did not complete.
#[derive(Debug)]
struct Reason {
    error: Option<String>,
    skip: Option<SkipReason>,
}

impl Ended {
    fn of(end: &TaskEnd) -> Self {
        let reason = (end.state != TaskState::Completed)
            .then(|| Box::new(Reason { error: end.error.clone(), skip: end.skip.clone() }));
        Self {
            ordinal: end.ordinal,
            attempts: end.attempts,
            state: end.state,
            started: end.started,
            ended: end.ended,
            output: end.output.clone(),
            reason,
        }
    }
}

impl Report {
    /// Notes what is about to be committed. Each task ends once.
    pub(super) fn keep(&mut self, ends: &[TaskEnd], workflow: &Workflow) {
        if self.ends.is_empty() {
            self.ends.reserve_exact(workflow.tasks().len());
        }
        self.ends.extend(ends.iter().map(Ended::of));
    }
}

impl Driver {
    /// Tells those who wait how the execution ended.
    pub(super) fn tell_waiters(&mut self, engine: &Arc<Engine>, status: PipelineStatus) {
        let Some(waiting) = engine.waiters.take(self.id) else { return };
        match self.report.take() {
            Some(report) => {
                let result = self.result(report, status);
                waiting.tell(result.map(Box::new).map_err(Arc::new));
            }
            // They came later, or it did not begin here.
            None => {
                drop(waiting);
                engine.look_for(self.id);
            }
        }
    }

    fn result(
        &mut self,
        report: Report,
        status: PipelineStatus,
    ) -> Result<PipelineResult, BackendError> {
        let Report { mut ends, error } = report;
        ends.sort_unstable_by_key(|end| end.ordinal);
        let mut tasks = Vec::with_capacity(ends.len());
        for end in ends {
            tasks.push(self.task_result(end)?);
        }
        let start = self.begun_at.unwrap_or(self.now);
        Ok(PipelineResult {
            execution_id: self.id,
            workflow_name: self.state.workflow().name().to_owned(),
            status,
            start_time: start,
            end_time: Some(self.now),
            duration: Some(between(start, self.now)),
            final_context: self.state.take_final_values().into(),
            task_results: tasks,
            error_message: error,
        })
    }

    fn task_result(&self, end: Ended) -> Result<TaskResult, BackendError> {
        let (started, ended) = (self.stamp(end.started), self.stamp(end.ended));
        let ran = end.attempts > 0;
        let duration = end.ended.saturating_duration_since(end.started);
        let output = end.output.map(|text| read(text.as_str(), "the output of a task"));
        let reason = end.reason.map(|reason| *reason);
        let (error_message, skip_reason) =
            reason.map_or((None, None), |Reason { error, skip }| (error, skip));
        Ok(TaskResult {
            task_id: self.state.workflow().task_at(end.ordinal).id().clone(),
            status: end.state,
            attempts: end.attempts,
            start_time: ran.then_some(started),
            end_time: Some(ended),
            duration: ran.then_some(duration),
            progress: None,
            output: output.transpose()?,
            error_message,
            skip_reason,
        })
    }
}
