//! What is told to those who wait for the end of an execution.

use std::sync::Arc;

use super::Driver;
use crate::backend::TaskEnd;
use crate::result::{between, read};
use crate::{BackendError, PipelineResult, PipelineStatus, TaskResult, Workflow};

/// What its result is made of, so that nobody needs to read it back.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// In the order in which they were committed.
    ends: Vec<TaskEnd>,
    /// Why the execution failed.
    pub(super) error: Option<String>,
}

impl Report {
    /// Notes what is about to be committed. Each task ends once.
    pub(super) fn keep(&mut self, ends: &[TaskEnd], workflow: &Workflow) {
        if self.ends.is_empty() {
            self.ends.reserve_exact(workflow.tasks().len());
        }
        // What they changed is among the values of the state machine.
        self.ends.extend(ends.iter().map(|end| TaskEnd { changes: None, ..end.clone() }));
    }
}

impl Driver {
    /// Tells those who wait how the execution ended.
    pub(super) fn tell_waiters(mut self: Box<Self>, status: PipelineStatus) {
        let (engine, id) = (Arc::clone(&self.engine), self.id);
        if !engine.waiters.has(id) {
            return;
        }
        match self.report.take() {
            Some(report) => {
                let result = self.result(*report, status);
                engine.waiters.tell(id, result.map(Box::new).map_err(Arc::new));
            }
            // They came later, or it did not begin here.
            None => engine.look_for(id),
        }
    }

    fn result(
        self: Box<Self>,
        report: Report,
        status: PipelineStatus,
    ) -> Result<PipelineResult, BackendError> {
        let Report { mut ends, error } = report;
        ends.sort_unstable_by_key(|end| end.ordinal);
        let tasks = ends.into_iter().map(|end| self.task_result(end)).collect::<Result<_, _>>()?;
        let start = self.begun_at.unwrap_or(self.now);
        Ok(PipelineResult {
            execution_id: self.id,
            workflow_name: self.state.workflow().name().to_owned(),
            status,
            start_time: start,
            end_time: Some(self.now),
            duration: Some(between(start, self.now)),
            final_context: self.state.into_final_values().into(),
            task_results: tasks,
            error_message: error,
        })
    }

    fn task_result(&self, end: TaskEnd) -> Result<TaskResult, BackendError> {
        let (started, ended) = (self.stamp(end.started), self.stamp(end.ended));
        let ran = end.attempts > 0;
        let output = end.output.map(|text| read(text.as_str(), "the output of a task"));
        Ok(TaskResult {
            task_id: end.task,
            status: end.state,
            attempts: end.attempts,
            start_time: ran.then_some(started),
            end_time: Some(ended),
            duration: ran.then(|| between(started, ended)),
            progress: None,
            output: output.transpose()?,
            error_message: end.error,
            skip_reason: end.skip,
        })
    }
}
