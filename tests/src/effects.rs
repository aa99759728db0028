//! The log on which bodies tell what they do: one file for all processes, appended to by one write a line, so that the order
//! of its lines is the order of the writes, and no line is lost by a kill.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use cloacina_core::TaskContext;
use serde::{Deserialize, Serialize};

/// One run of a body: no two have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId {
    /// The process.
    pub pid: u32,
    /// Counts the runs of the process.
    pub serial: u64,
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.pid, self.serial)
    }
}

impl FromStr for RunId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('.');
        let parts = parts.and_then(|(pid, serial)| pid.parse().ok().zip(serial.parse().ok()));
        let (pid, serial) = parts.ok_or_else(|| format!("`{text}` names no run"))?;
        Ok(Self { pid, serial })
    }
}

/// What a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The body begins; the details are `task=run` for each result that it was given, and `task=state` for what ended without one.
    Begin,
    /// The body is about to return.
    End,
    /// The details are the tasks of its execution that a connection of its own found on record as ended.
    Witness,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Begin, Self::End, Self::Witness];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::End => "end",
            Self::Witness => "witness",
        }
    }
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it tells.
    pub kind: Kind,
    /// The run of the body.
    pub run: RunId,
    /// The execution.
    pub execution: String,
    /// The task.
    pub task: String,
    /// The attempt.
    pub attempt: u32,
    /// More, by kind.
    pub details: Vec<String>,
}

impl FromStr for Line {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || format!("`{text}` is no line of the log");
        let mut words = text.split(' ');
        let mut next = || words.next().ok_or_else(malformed);
        let kind = next()?;
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
        Ok(Self {
            kind: kind.ok_or_else(malformed)?,
            run: next()?.parse()?,
            execution: next()?.to_owned(),
            task: next()?.to_owned(),
            attempt: next()?.parse().map_err(|_| malformed())?,
            details: words.map(str::to_owned).collect(),
        })
    }
}

/// The log, open for appending.
#[derive(Debug)]
pub struct Effects {
    log: File,
    runs: AtomicU64,
}

impl Effects {
    /// Opens the log.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let log = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self { log, runs: AtomicU64::new(0) })
    }

    /// Numbers a run of a body.
    #[must_use]
    pub fn number(&self) -> RunId {
        RunId { pid: std::process::id(), serial: self.runs.fetch_add(1, Ordering::Relaxed) }
    }

    /// Appends a line.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn say(
        &self,
        kind: Kind,
        id: RunId,
        run: &TaskContext,
        details: &[String],
    ) -> std::io::Result<()> {
        let (kind, execution, task) = (kind.as_str(), run.execution_id, &run.task);
        let mut line = format!("{kind} {id} {execution} {task} {}", run.attempt);
        for detail in details {
            line.push(' ');
            line.push_str(detail);
        }
        line.push('\n');
        (&self.log).write_all(line.as_bytes())
    }
}

/// Reads the log.
///
/// # Errors
///
/// What the file system says, or a line that is malformed: every line was one write.
pub fn read(path: &Path) -> std::io::Result<Vec<Line>> {
    let text = std::fs::read_to_string(path)?;
    text.lines().map(|line| line.parse().map_err(std::io::Error::other)).collect()
}
