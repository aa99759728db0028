//! What a run comes to, as one line of JSON.

use cloacina_core::TaskState;
use serde::Serialize;

use super::{Ended, Instance};

/// What a run comes to. Times are in seconds, at the scale of the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The name of the instance.
    pub instance: String,
    /// How many tasks it has.
    pub tasks: usize,
    /// How many dependencies it has.
    pub edges: usize,
    /// How many tasks completed.
    pub completed: usize,
    /// How many tasks failed.
    pub failed: usize,
    /// How many tasks were skipped.
    pub skipped: usize,
    /// How long it took.
    pub makespan_s: f64,
    /// The longest chain of dependencies.
    pub critical_path_s: f64,
    /// What no schedule on so many workers can beat.
    pub lower_bound_s: f64,
    /// How many task bodies were started in this process.
    pub executed_this_run: usize,
}

impl Report {
    /// Sums a run up.
    #[must_use]
    pub fn new(instance: &Instance, ended: &Ended, workers: u32) -> Self {
        let tasks = &ended.result.task_results;
        let count = |state| tasks.iter().filter(|task| task.status == state).count();
        Self {
            instance: instance.name.clone(),
            tasks: instance.tasks.len(),
            edges: instance.edges(),
            completed: count(TaskState::Completed),
            failed: count(TaskState::Failed),
            skipped: count(TaskState::Skipped),
            makespan_s: microseconds(ended.makespan.as_secs_f64()),
            critical_path_s: microseconds(ended.bounds.critical_path_s),
            lower_bound_s: microseconds(ended.bounds.lower_bound_s(workers)),
            executed_this_run: ended.executed_this_run,
        }
    }

    /// Returns it as one line of JSON.
    ///
    /// # Errors
    ///
    /// None in practice: there is nothing in it that JSON cannot hold.
    pub fn to_line(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

/// Cuts the digits that nobody measured.
fn microseconds(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
