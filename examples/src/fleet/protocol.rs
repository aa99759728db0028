//! What parent and workers say to each other, and the worker's end of it.

use std::fmt;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use cloacina_core::{ExecutionId, TaskContext, TaskId};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader, Stdin};

/// What a worker is told when it starts.
#[derive(Clone, Serialize, Deserialize)]
pub struct Assignment {
    /// Its number, counted from 1.
    pub worker: usize,
    /// The address of the database. It may hold a password, so `Debug` does not show it.
    pub url: String,
    /// The schema.
    pub schema: String,
    /// How many tasks it runs at once.
    pub slots: usize,
}

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assignment")
            .field("worker", &self.worker)
            .field("schema", &self.schema)
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

/// One run of a task's body: the worker and a number of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Body {
    /// The worker that ran it.
    pub worker: usize,
    /// The how manieth of that worker.
    pub number: u64,
}

/// What the tasks return: a value, and which body found it. Once committed, it proves who did the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The value.
    pub value: u64,
    /// The body that returned it.
    pub by: Body,
}

/// What a worker tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// It has opened the database and runs what it finds.
    Ready,
    /// A body began.
    Began {
        /// The body.
        body: Body,
        /// The execution.
        execution: ExecutionId,
        /// The task.
        task: TaskId,
    },
    /// A body came to its end; its result is not yet committed.
    Ended {
        /// The body.
        body: Body,
    },
    /// It has stopped in order, and this is what its executor counted.
    Stopped {
        /// Executions that it took over from a worker that died.
        recovered: u64,
        /// Executions that another worker took over from it.
        fenced: u64,
    },
}

impl Report {
    /// Writes it to standard output.
    ///
    /// At once and in one piece, so that even a worker that is killed the moment after has said it.
    ///
    /// # Errors
    ///
    /// The parent is gone.
    pub fn send(&self) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        let mut output = std::io::stdout().lock();
        output.write_all(&line).and_then(|()| output.flush()).context("the parent does not listen")
    }
}

/// What the tasks of a worker share: who they are, and how many bodies have begun.
#[derive(Debug)]
pub struct Worker {
    number: usize,
    begun: AtomicU64,
}

impl Worker {
    /// Makes the state of that worker.
    #[must_use]
    pub fn new(number: usize) -> Self {
        Self { number, begun: AtomicU64::new(0) }
    }

    /// Works for 10 to 50 ms, and tells the parent about it.
    ///
    /// # Errors
    ///
    /// The parent is gone.
    pub async fn work(&self, run: &TaskContext, value: u64) -> anyhow::Result<Receipt> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let body = Body { worker: self.number, number };
        let (execution, task) = (run.execution_id, run.task.clone());
        Report::Began { body, execution, task }.send()?;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(10..=50))).await;
        Report::Ended { body }.send()?;
        Ok(Receipt { value, by: body })
    }
}

impl Assignment {
    /// Reads what this worker is told, from the first line of standard input.
    ///
    /// # Errors
    ///
    /// That line is missing or is no assignment.
    pub async fn read(input: &mut BufReader<Stdin>) -> anyhow::Result<Self> {
        let mut line = String::new();
        input.read_line(&mut line).await.context("cannot read the assignment")?;
        // Not the line itself in the error: it holds the password.
        serde_json::from_str(&line).context("the first line of standard input is no assignment")
    }
}

/// Waits until standard input ends: the parent wants no more of this worker, or is gone.
///
/// # Errors
///
/// It cannot be read.
pub async fn told_to_stop(input: &mut BufReader<Stdin>) -> anyhow::Result<()> {
    let mut line = String::new();
    while input.read_line(&mut line).await.context("cannot read standard input")? > 0 {
        line.clear();
    }
    Ok(())
}
