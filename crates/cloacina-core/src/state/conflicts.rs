//! Concurrent tasks that set one key to different values: the later in topological order counts, and a warning says so.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ExecutionState;
use crate::TaskId;
use crate::backend::{EventKind, NewEvent};
use crate::dag::to_ordinal;

/// More conflicts than this are not listed one by one: they are of one kind.
const LISTED: usize = 32;

/// The tasks whose value of a key stood unchallenged so far: they all wrote this one.
struct Standing<'a> {
    value: Option<&'a Value>,
    /// Ascending.
    by: Vec<u32>,
}

impl ExecutionState {
    /// Lists the conflicts, in topological order of the task whose value counts.
    ///
    /// A task that overwrites what it saw, or what the writer it saw had overwritten, is in no conflict.
    pub(super) fn conflicts(&self) -> Vec<NewEvent> {
        let mut standing: BTreeMap<&str, Standing<'_>> = BTreeMap::new();
        let mut conflicts = Vec::new();
        for (index, slot) in self.slots.iter().enumerate() {
            let ordinal = to_ordinal(index);
            for change in &slot.changes {
                let value = change.value.as_deref();
                let new = || Standing { value, by: Vec::new() };
                let known = standing.entry(&change.key).or_insert_with(new);
                if known.value != value {
                    if let Some(other) = self.rival(&known.by, ordinal, change.seen) {
                        conflicts.push(self.conflict(&change.key, other, ordinal));
                        if conflicts.len() == LISTED {
                            return conflicts;
                        }
                    }
                    *known = new();
                }
                known.by.push(ordinal);
            }
        }
        conflicts
    }

    /// Finds the last of earlier writers of a key that is no ancestor of a task. `seen` is the last one that is.
    fn rival(&self, writers: &[u32], task: u32, seen: Option<u32>) -> Option<u32> {
        let (&first, &last) = (writers.first()?, writers.last()?);
        if Some(last) != seen {
            return Some(last);
        }
        if first == last {
            return None;
        }
        let ancestors = self.workflow.dag().ancestors(task, first);
        writers.iter().copied().rfind(|writer| !ancestors.contains(writer))
    }

    fn conflict(&self, key: &str, first: u32, second: u32) -> NewEvent {
        let id = |ordinal| -> &TaskId { self.workflow.task_at(ordinal).id() };
        let (first, second) = (id(first), id(second));
        NewEvent {
            kind: EventKind::ConflictingWrites,
            task: Some(second.clone()),
            detail: format!(
                "tasks `{first}` and `{second}` run concurrently and set key `{}` to different values; that \
                 of `{second}` counts",
                // A key may hold what not every store takes in a text.
                key.escape_debug()
            ),
        }
    }
}
