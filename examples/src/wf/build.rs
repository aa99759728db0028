//! Makes a workflow of an instance: every task sleeps as long as it was recorded to run, scaled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloacina_core::{ExecutionId, Task, Workflow, WorkflowError};

use super::{FileError, Instance};

/// Counts the task bodies that this process started and ended, by execution. Clones share the counts.
///
/// By execution, because an executor also takes up what other processes left behind in its database.
#[derive(Debug, Clone, Default)]
pub struct Bodies {
    counts: Arc<Mutex<HashMap<ExecutionId, Counts>>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    started: usize,
    ended: usize,
}

impl Bodies {
    /// Returns how many bodies of an execution were started in this process.
    #[must_use]
    pub fn started(&self, execution: ExecutionId) -> usize {
        self.lock().get(&execution).map_or(0, |counts| counts.started)
    }

    /// Returns how many bodies of an execution came to their end in this process.
    #[must_use]
    pub fn ended(&self, execution: ExecutionId) -> usize {
        self.lock().get(&execution).map_or(0, |counts| counts.ended)
    }

    fn start(&self, execution: ExecutionId) {
        self.lock().entry(execution).or_default().started += 1;
    }

    fn end(&self, execution: ExecutionId) {
        self.lock().entry(execution).or_default().ended += 1;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ExecutionId, Counts>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What no schedule can beat, in seconds, at some scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The longest chain of dependencies.
    pub critical_path_s: f64,
    /// All run times, one after the other.
    pub total_s: f64,
    /// The longest task.
    pub longest: Duration,
}

impl Bounds {
    /// Computes the bounds of a workflow that [`workflow`] made of this instance, at the same scale.
    ///
    /// # Errors
    ///
    /// A [`FileError`] if a scaled run time is out of range.
    pub fn new(instance: &Instance, workflow: &Workflow, scale: f64) -> Result<Self, FileError> {
        let mut run_times = HashMap::new();
        for (index, task) in instance.tasks.iter().enumerate() {
            run_times.insert(task.id.as_str(), scaled(instance, index, scale)?);
        }
        let mut ends: HashMap<&str, f64> = HashMap::new();
        for task in workflow.tasks() {
            let ready = task.dependencies().iter().map(|parent| ends[parent.as_str()]);
            let ready = ready.fold(0.0, f64::max);
            ends.insert(task.id().as_str(), ready + run_times[task.id().as_str()].as_secs_f64());
        }
        Ok(Self {
            critical_path_s: ends.into_values().fold(0.0, f64::max),
            total_s: run_times.values().map(Duration::as_secs_f64).sum(),
            longest: run_times.into_values().max().unwrap_or_default(),
        })
    }

    /// Returns what no schedule on so many workers can beat, in seconds.
    #[must_use]
    pub fn lower_bound_s(&self, workers: u32) -> f64 {
        self.critical_path_s.max(self.total_s / f64::from(workers.max(1)))
    }
}

/// Returns how long a task sleeps.
///
/// # Errors
///
/// A [`FileError`] if that is more than ten years.
pub fn scaled(instance: &Instance, index: usize, scale: f64) -> Result<Duration, FileError> {
    const MOST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
    let task = &instance.tasks[index];
    Duration::try_from_secs_f64(task.runtime_s * scale)
        .ok()
        .filter(|duration| *duration <= MOST)
        .ok_or_else(|| FileError::Malformed {
            file: instance.file.clone(),
            place: "workflow.execution.tasks".to_owned(),
            what: format!(
                "the run time of task `{}`, {} s, is more than ten years at scale {scale}",
                task.id, task.runtime_s
            ),
        })
}

/// Makes the workflow of an instance.
///
/// # Errors
///
/// A [`FileError`]: an unknown parent, two tasks with one id, a cycle, a name that the engine refuses, or a run time that is
/// out of range at that scale.
pub fn workflow(instance: &Instance, scale: f64, bodies: &Bodies) -> Result<Workflow, FileError> {
    let mut tasks = Vec::with_capacity(instance.tasks.len());
    for (index, spec) in instance.tasks.iter().enumerate() {
        let run_time = scaled(instance, index, scale)?;
        let bodies = bodies.clone();
        let task = Task::new(spec.id.as_str(), move |_context, run| {
            let bodies = bodies.clone();
            Box::pin(async move {
                bodies.start(run.execution_id);
                if !run_time.is_zero() {
                    tokio::time::sleep(run_time).await;
                }
                bodies.end(run.execution_id);
            })
        });
        tasks.push(task.depends_on(spec.parents.iter().map(String::as_str)));
    }
    let builder = Workflow::builder(instance.name.as_str()).description(&*instance.description);
    builder.tasks(tasks).build().map_err(|source| FileError::NotADag {
        file: instance.file.clone(),
        place: place(instance, &source),
        source,
    })
}

/// Finds the place in the file that an error of the engine is about.
fn place(instance: &Instance, error: &WorkflowError) -> String {
    let nth = |id: &str, n: usize| {
        let mut found = instance.tasks.iter().enumerate().filter(|(_, task)| task.id == id);
        found.nth(n).map(|(index, _)| format!("workflow.specification.tasks[{index}]"))
    };
    let place = match error {
        WorkflowError::DuplicateTask { task, .. } => nth(task.as_str(), 1).map(|at| at + ".id"),
        WorkflowError::UnknownDependency { task, .. } => {
            nth(task.as_str(), 0).map(|at| at + ".parents")
        }
        WorkflowError::InvalidName { kind: "workflow name", .. } => Some("name".to_owned()),
        _ => None,
    };
    place.unwrap_or_else(|| "workflow.specification.tasks".to_owned())
}
