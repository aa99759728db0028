//! Events: what the rows of executions and tasks do not tell.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{ExecutionId, TaskId};

/// Something that the rows of executions and tasks do not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// The task it happened to.
    pub task: Option<TaskId>,
    /// More, in words.
    pub detail: String,
}

/// An event's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// The execution.
    pub execution: ExecutionId,
    /// When it was committed.
    pub at: DateTime<Utc>,
    /// What happened.
    pub event: NewEvent,
}

/// What an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// An attempt failed and another follows.
    Retried,
    /// The owner died and the execution is free again.
    Recovered,
    /// An owner that was declared dead lives: its takeover counts no more.
    Acquitted,
    /// A former owner tried to commit.
    Fenced,
    /// The execution is under suspicion and runs with its starts on record.
    Suspected,
    /// It survived, and the suspicion is lifted.
    Cleared,
    /// A task was given up because it kept crashing its workers.
    Abandoned,
    /// Somebody cancelled the execution.
    Cancelled,
    /// Somebody paused it.
    Paused,
    /// Somebody resumed it.
    Resumed,
    /// Two concurrent tasks set one key to different values.
    ConflictingWrites,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Retried,
        Self::Recovered,
        Self::Acquitted,
        Self::Fenced,
        Self::Suspected,
        Self::Cleared,
        Self::Abandoned,
        Self::Cancelled,
        Self::Paused,
        Self::Resumed,
        Self::ConflictingWrites,
    ];

    /// Returns the name that the databases store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retried => "retried",
            Self::Recovered => "recovered",
            Self::Acquitted => "acquitted",
            Self::Fenced => "fenced",
            Self::Suspected => "suspected",
            Self::Cleared => "cleared",
            Self::Abandoned => "abandoned",
            Self::Cancelled => "cancelled",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::ConflictingWrites => "conflicting_writes",
        }
    }

    /// Finds the kind of that name; the inverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}
