//! Why an execution, and each of its tasks, is not getting on.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::{ExecutionId, PipelineStatus, TaskId, WorkerId};

/// Why each unfinished task of an execution is not running, at one moment. See
/// [`UnifiedExecutor::explain`](crate::UnifiedExecutor::explain).
///
/// Shown by [`Display`](fmt::Display) as a few lines of text. All times are the store's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Its workflow.
    pub workflow_name: String,
    /// Its state.
    pub status: PipelineStatus,
    /// Who drives it, or what keeps it as a whole.
    pub reason: ExecutionReason,
    /// The tasks whose ends are not in the store, in topological order.
    pub tasks: Vec<TaskExplanation>,
}

/// Who drives an execution, or what keeps it as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExecutionReason {
    /// This executor drives it: what the tasks wait for is known exactly.
    Driven {
        /// This executor.
        worker: WorkerId,
        /// How long its lease holds at least. It is renewed all the time; once it is over, nothing starts.
        lease_until: DateTime<Utc>,
    },
    /// It has ended.
    Ended,
    /// It is paused: nothing starts before it is resumed.
    Paused,
    /// This executor gives it back, because it shuts down or another has room: nothing starts before somebody takes it up.
    Leaving,
    /// A worker owns it. Of the tasks only that is known which is on record; bodies are on record once they have run for a
    /// third of the lease.
    Owned {
        /// Its owner. Until it is proved dead, or its lease is over, nobody else takes the execution up.
        worker: WorkerId,
        /// How long its lease holds if it is not renewed; nothing if the worker is no longer registered, and others are about to
        /// find that.
        lease_until: Option<DateTime<Utc>>,
    },
    /// Nobody owns it, and it is not due.
    NotDue {
        /// When it is.
        due_at: DateTime<Utc>,
    },
    /// Nobody owns it, and this executor does not know its workflow: it waits for a worker that does.
    UnknownWorkflow,
    /// Nobody owns it, and what it has on record does not fit the version of its workflow that is known here: it waits for a
    /// worker that knows its own.
    UnknownVersion {
        /// Its version.
        version: String,
        /// What does not fit.
        misfit: String,
    },
    /// Nobody owns it, and this executor only submits: it waits for a worker.
    Client,
    /// Nobody owns it, and this executor shuts down: it waits for another worker.
    ShuttingDown,
    /// Nobody owns it, and this executor holds as much as it may.
    NoRoom {
        /// How many executions it holds.
        held: usize,
    },
    /// Nobody owns it: this executor, or another, is about to take it up.
    Unowned,
}

/// An unfinished task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskExplanation {
    /// The task.
    pub task_id: TaskId,
    /// What it waits for, if it does.
    pub reason: TaskReason,
}

/// What an unfinished task waits for, if it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskReason {
    /// It waits for nothing: its body runs.
    Running {
        /// Which attempt that is, from 1.
        attempt: u32,
        /// When the body started.
        since: DateTime<Utc>,
    },
    /// Dependencies have not ended.
    Dependencies {
        /// Those that have not, in the order of the workflow.
        tasks: Vec<TaskId>,
    },
    /// What it depends on has ended, and that is not committed.
    Commit {
        /// The dependencies whose ends are not committed; empty if the commit is about other tasks of the execution.
        tasks: Vec<TaskId>,
    },
    /// It has ended, and that is not committed.
    Ended,
    /// Its last attempt failed.
    Retry {
        /// Which attempt comes next, from 1.
        attempt: u32,
        /// When that is due.
        due_at: DateTime<Utc>,
    },
    /// No slot is free.
    Slot {
        /// How many bodies of this executor run.
        running: usize,
        /// How many may. If fewer run, other executors of this process take all that they share.
        limit: usize,
    },
    /// This worker's lease is over, and nothing starts before the store takes a heartbeat: another worker may take over.
    Lease,
    /// The execution is suspected of crashing its workers, and this task waits until nothing else runs in this process.
    Solitude,
    /// A task that is suspected of crashing its workers runs alone in this process, or is about to.
    Suspect,
    /// The execution is suspected of crashing its workers, and the start of this task is being put on record.
    StartOnRecord,
    /// It is about to start.
    Starting,
    /// Nothing but what keeps the execution as a whole: its [`reason`](Explanation::reason).
    Execution,
}

impl Explanation {
    /// Returns what an unfinished task waits for; nothing if it has ended, or is no task of the execution.
    #[must_use]
    pub fn task(&self, id: &str) -> Option<&TaskReason> {
        self.tasks.iter().find(|task| task.task_id == id).map(|task| &task.reason)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { execution_id, workflow_name, status, reason, tasks } = self;
        write!(f, "execution {execution_id} of workflow `{workflow_name}` is {status}")?;
        // Of these the status says all.
        if !matches!(reason, ExecutionReason::Ended | ExecutionReason::Paused) {
            write!(f, ": {reason}")?;
        }
        for TaskExplanation { task_id, reason: of_task } in tasks {
            match of_task {
                TaskReason::Execution => write!(f, "\n  task `{task_id}` waits: {reason}")?,
                of_task => write!(f, "\n  task `{task_id}` {of_task}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for ExecutionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driven { worker, lease_until } => {
                let until = stamp(*lease_until);
                write!(f, "driven here, by worker {worker} with a lease until {until}")
            }
            Self::Ended => f.write_str("it has ended"),
            Self::Paused => f.write_str("it is paused"),
            Self::Leaving => f.write_str("this worker gives it back"),
            Self::Owned { worker, lease_until: Some(until) } => {
                write!(f, "worker {worker} owns it, with a lease until {}", stamp(*until))
            }
            Self::Owned { worker, lease_until: None } => {
                write!(f, "worker {worker} owned it and is gone")
            }
            Self::NotDue { due_at } => write!(f, "it is due at {}", stamp(*due_at)),
            Self::UnknownWorkflow => {
                f.write_str("nobody owns it, and its workflow is not known here")
            }
            Self::UnknownVersion { version, misfit } => write!(
                f,
                "nobody owns it, and it does not fit the version known here, its own is {version}: {misfit}"
            ),
            Self::Client => f.write_str("nobody owns it, and this executor only submits"),
            Self::ShuttingDown => f.write_str("nobody owns it, and this executor shuts down"),
            Self::NoRoom { held } => {
                write!(f, "nobody owns it, and this worker holds as much as it may ({held})")
            }
            Self::Unowned => f.write_str("a worker is about to take it up"),
        }
    }
}

impl fmt::Display for TaskReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running { attempt, since } => {
                write!(f, "runs: attempt {attempt} since {}", stamp(*since))
            }
            Self::Dependencies { tasks } => write!(f, "waits for {}", Names(tasks)),
            Self::Commit { tasks } if tasks.is_empty() => f.write_str("waits for a commit"),
            Self::Commit { tasks } => {
                write!(f, "waits for the commit of what {} came to", Names(tasks))
            }
            Self::Ended => f.write_str("has ended, which is being committed"),
            Self::Retry { attempt, due_at } => {
                write!(f, "is retried at {}: attempt {attempt}", stamp(*due_at))
            }
            Self::Slot { running, limit } => {
                write!(f, "waits for a free slot: {running} of {limit} are in use here")
            }
            Self::Lease => f.write_str("waits until this worker's lease is renewed"),
            Self::Solitude => {
                f.write_str("waits until it can run alone, being suspected of crashes")
            }
            Self::Suspect => {
                f.write_str("waits for a task that runs alone, being suspected of crashes")
            }
            Self::StartOnRecord => f.write_str("waits until its start is on record"),
            Self::Starting => f.write_str("is about to start"),
            Self::Execution => f.write_str("waits for its execution to go on"),
        }
    }
}

/// Ids in a sentence.
struct Names<'a>(&'a [TaskId]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, task) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}`{task}`")?;
        }
        Ok(())
    }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests;
