//! What came of a run, and what a test may assert of it.

use std::fmt;
use std::time::Duration;

use cloacina_core::backend::EventRecord;
use cloacina_core::{PipelineResult, PipelineStatus, SkipReason, TaskId, TaskResult, TaskState};
use serde_json::Value;

/// What came of a workflow that a [`TestRunner`](super::TestRunner) ran.
///
/// Each assertion panics at its caller's line if it does not hold, with what was expected, what was found, and this report as
/// text; otherwise it returns the report, for the next one.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TestReport {
    /// How the execution ended.
    pub result: PipelineResult,
    /// The attempts in the order of their starts.
    pub starts: Vec<Start>,
    /// What the engine noted on the way: retries, conflicting writes.
    pub events: Vec<EventRecord>,
    /// How long the execution took, by the clock of the run.
    pub elapsed: Duration,
}

/// The start of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Start {
    /// The task.
    pub task: TaskId,
    /// Which attempt, counted from 1.
    pub attempt: u32,
    /// How long after the submit, by the clock of the run.
    pub at: Duration,
}

impl TestReport {
    /// Asserts that the execution completed.
    #[track_caller]
    pub fn assert_completed(&self) -> &Self {
        self.assert_status(PipelineStatus::Completed)
    }

    /// Asserts that the execution failed.
    #[track_caller]
    pub fn assert_failed(&self) -> &Self {
        self.assert_status(PipelineStatus::Failed)
    }

    /// Asserts how the execution ended.
    #[track_caller]
    pub fn assert_status(&self, expected: PipelineStatus) -> &Self {
        self.assert_same("the execution", &expected, Some(&self.result.status))
    }

    /// Asserts how a task ended.
    #[track_caller]
    pub fn assert_task(&self, task: &str, expected: TaskState) -> &Self {
        let found = self.task(task).status;
        self.assert_same(&format!("task `{task}`"), &expected, Some(&found))
    }

    /// Asserts how many attempts of a task were made.
    #[track_caller]
    pub fn assert_attempts(&self, task: &str, expected: u32) -> &Self {
        let found = self.task(task).attempts;
        self.assert_same(&format!("the attempts of task `{task}`"), &expected, Some(&found))
    }

    /// Asserts that a task was skipped, and why.
    #[track_caller]
    pub fn assert_skipped(&self, task: &str, expected: &SkipReason) -> &Self {
        let found = self.task(task).skip_reason.as_ref();
        self.assert_same(&format!("why task `{task}` was skipped"), expected, found)
    }

    /// Asserts what a task returned; [`Value::Null`] is nothing.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "`json!` makes it in the call")]
    pub fn assert_output(&self, task: &str, expected: Value) -> &Self {
        let found = self.task(task).output.as_ref().unwrap_or(&Value::Null);
        self.assert_same(&format!("the output of task `{task}`"), &expected, Some(found))
    }

    /// Asserts the value of a key in the final context.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "`json!` makes it in the call")]
    pub fn assert_context(&self, key: &str, expected: Value) -> &Self {
        let found = self.result.final_context.get(key);
        self.assert_same(&format!("`{key}` in the final context"), &expected, found)
    }

    /// Asserts that the error of a task's last attempt contains a text.
    #[track_caller]
    pub fn assert_error(&self, task: &str, part: &str) -> &Self {
        let found = self.task(task).error_message.as_deref();
        if !found.is_some_and(|found| found.contains(part)) {
            self.fail(&format!("the error of task `{task}`"), &format!("with `{part}`"), found);
        }
        self
    }

    /// Asserts that all these tasks started, each for the first time before the next.
    #[track_caller]
    pub fn assert_order(&self, tasks: &[&str]) -> &Self {
        for task in tasks {
            self.task(task);
        }
        let first = self.starts.iter().filter(|start| start.attempt == 1);
        let found: Vec<_> =
            first.map(|start| start.task.as_str()).filter(|task| tasks.contains(task)).collect();
        self.assert_same("the order of starts", &tasks.join(", "), Some(&found.join(", ")))
    }

    #[track_caller]
    fn task(&self, id: &str) -> &TaskResult {
        match self.result.task(id) {
            Some(task) => task,
            None => panic!("task `{id}` is not in the workflow\n\n{self}"),
        }
    }

    #[track_caller]
    fn assert_same<T>(&self, what: &str, expected: &T, found: Option<&T>) -> &Self
    where
        T: PartialEq + fmt::Display,
    {
        if found != Some(expected) {
            self.fail(what, expected, found);
        }
        self
    }

    #[track_caller]
    fn fail(
        &self,
        what: &str,
        expected: &impl fmt::Display,
        found: Option<impl fmt::Display>,
    ) -> ! {
        let found = found.map_or_else(|| "nothing".to_owned(), |found| found.to_string());
        panic!("{what}\n  expected: {expected}\n  found:    {found}\n\n{self}")
    }
}

impl fmt::Display for TestReport {
    /// Tells how the execution ended, then each task, then the order of the starts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PipelineResult { workflow_name, status, task_results, .. } = &self.result;
        write!(f, "workflow `{workflow_name}`: {status} after {:?}", self.elapsed)?;
        if let Some(error) = &self.result.error_message {
            write!(f, ", {error}")?;
        }
        let width = task_results.iter().map(|task| task.task_id.as_str().len()).max();
        let width = width.unwrap_or_default();
        for task in task_results {
            let TaskResult { task_id, status, attempts, .. } = task;
            write!(f, "\n  {:width$}  {status:9}  attempts: {attempts}", task_id.as_str())?;
            if let Some(reason) = &task.skip_reason {
                write!(f, "  skipped: {reason}")?;
            }
            if let Some(error) = &task.error_message {
                write!(f, "  error: {error}")?;
            }
        }
        let starts: Vec<_> = self.starts.iter().map(|start| start.task.as_str()).collect();
        write!(f, "\nstarts: {}", starts.join(", "))
    }
}
