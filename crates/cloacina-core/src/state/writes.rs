//! What a task sees: the input with the changes of its ancestors.
//!
//! Applying all changes of all ancestors in topological order is the same as taking, for each key, the value of the
//! last ancestor in that order that wrote it. So each task carries a map from key to last writer, and a task with
//! several parents merges their maps by the greater ordinal: the cost follows the keys written, not the ancestors.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use smallvec::SmallVec;

use super::{ExecutionState, Given};
use crate::Context;
use crate::context::{Changes, Origin};

/// For each key the last writer; a removed key has no value.
pub(crate) type Writes = BTreeMap<Arc<str>, Write>;

#[derive(Debug, Clone)]
pub(crate) struct Write {
    by: u32,
    value: Option<Arc<Value>>,
}

/// The input of an execution, by key. Cheap to clone.
///
/// In a slice and not in a map, which keeps room for eleven values: most inputs have a few, and all that is held has one.
#[derive(Debug, Clone, Default)]
pub(crate) struct InputValues(Arc<[(String, Value)]>);

impl From<BTreeMap<String, Value>> for InputValues {
    fn from(values: BTreeMap<String, Value>) -> Self {
        Self(values.into_iter().collect())
    }
}

impl InputValues {
    fn get(&self, key: &str) -> Option<&Value> {
        let place = self.0.binary_search_by(|(known, _)| known.as_str().cmp(key)).ok()?;
        Some(&self.0[place].1)
    }

    /// Copies the values.
    pub(crate) fn to_values<T: FromIterator<(String, Value)>>(&self) -> T {
        self.0.iter().cloned().collect()
    }
}

/// The context of one task before it runs, shared and not yet copied. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ContextView {
    input: InputValues,
    writes: Arc<Writes>,
}

impl ContextView {
    pub(crate) const fn new(input: InputValues, writes: Arc<Writes>) -> Self {
        Self { input, writes }
    }

    /// Returns the input of the execution.
    pub(crate) const fn input(&self) -> &InputValues {
        &self.input
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        self.each(&mut |key, _| keys.push(key.to_owned()));
        keys
    }

    /// Makes a context that notes what a task does to it, and copies the values only where that is needed.
    pub(crate) fn to_context(&self) -> Context {
        Context::for_task(self.clone())
    }
}

impl Origin<Value> for ContextView {
    fn get(&self, key: &str) -> Option<&Value> {
        value_of(&self.input, &self.writes, key)
    }

    fn each<'o>(&'o self, visit: &mut dyn FnMut(&'o str, &'o Value)) {
        for (key, value) in &*self.input.0 {
            if !self.writes.contains_key(key.as_str()) {
                visit(key, value);
            }
        }
        for (key, write) in &*self.writes {
            if let Some(value) = &write.value {
                visit(key, value);
            }
        }
    }
}

/// Returns what a key has as its value: what was written last, or else the input's.
pub(super) fn value_of<'a>(
    input: &'a InputValues,
    writes: &'a Writes,
    key: &str,
) -> Option<&'a Value> {
    match writes.get(key) {
        Some(write) => write.value.as_deref(),
        None => input.get(key),
    }
}

/// Merges what several parents hand on.
pub(crate) fn merge(mut parents: SmallVec<[Arc<Writes>; 4]>) -> Arc<Writes> {
    parents.dedup_by(|left, right| Arc::ptr_eq(left, right));
    let largest = (0..parents.len()).max_by_key(|&index| parents[index].len());
    let Some(largest) = largest else { return Arc::default() };
    let mut merged = parents.swap_remove(largest);
    for parent in parents {
        if parent.is_empty() || Arc::ptr_eq(&parent, &merged) {
            continue;
        }
        let merged = Arc::make_mut(&mut merged);
        for (key, write) in &*parent {
            match merged.get_mut(key) {
                Some(known) if known.by >= write.by => {}
                Some(known) => *known = write.clone(),
                None => drop(merged.insert(key.clone(), write.clone())),
            }
        }
    }
    merged
}

/// One change of a task, as it is kept until the execution ends.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) key: Arc<str>,
    /// `None` if the key was removed.
    pub(super) value: Option<Arc<Value>>,
    /// Which of the task's ancestors wrote the key last.
    pub(super) seen: Option<u32>,
}

/// A task's changes as they are kept for the end.
pub(super) fn applied(changes: Changes, before: &Writes) -> Box<[Change]> {
    let set = changes.set.into_iter().map(|(key, value)| (key, Some(Arc::new(value))));
    let removed = changes.removed.into_iter().map(|key| (key, None));
    set.chain(removed)
        .map(|(key, value)| {
            let seen = before.get(key.as_str()).map(|write| write.by);
            Change { key: key.into(), value, seen }
        })
        .collect()
}

/// Adds a task's own changes to what it got.
pub(super) fn apply(mut before: Arc<Writes>, changes: &[Change], by: u32) -> Arc<Writes> {
    if changes.is_empty() {
        return before;
    }
    let writes = Arc::make_mut(&mut before);
    for change in changes {
        writes.insert(Arc::clone(&change.key), Write { by, value: change.value.clone() });
    }
    before
}

impl ExecutionState {
    /// Returns what the attempt is given that runs, or is about to. It stays the same until the attempt has ended.
    pub(crate) fn given(&self, ordinal: u32) -> Given {
        let slot = self.slot(ordinal);
        let writes = slot.before.clone().unwrap_or_default();
        Given {
            attempt: slot.failed_attempts() + 1,
            context: ContextView::new(self.input.clone(), writes),
            upstream: slot.upstream.clone(),
        }
    }

    /// Returns the input with the changes of all tasks that completed, in topological order.
    /// Nothing else may be asked of the state afterwards.
    pub(crate) fn take_final_values(&mut self) -> BTreeMap<String, Value> {
        let mut values: BTreeMap<String, Value> = self.input.to_values();
        for change in std::mem::take(&mut self.slots).into_iter().flat_map(|slot| slot.changes) {
            match change.value {
                Some(value) => {
                    drop(values.insert(change.key.to_string(), Arc::unwrap_or_clone(value)))
                }
                None => drop(values.remove(&*change.key)),
            }
        }
        values
    }
}
