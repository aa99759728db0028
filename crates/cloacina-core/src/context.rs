//! The context: the named values that tasks read and change.

mod error;
mod shared;

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::state::ContextView;
pub use error::ContextError;
pub(crate) use shared::Origin;
use shared::Shared;

/// The deepest nesting of arrays and objects within a value of the context.
///
/// What is nested deeper could be written but not read back: the JSON reader takes 127 levels, and the record of a
/// task's changes has two of its own around each value.
pub const MAX_DEPTH: usize = 125;

/// Named values: the input of an execution, what tasks hand on, and its final result.
///
/// In a workflow it is a `Context<serde_json::Value>`, the default.
///
/// ```
/// use cloacina_core::Context;
/// use serde_json::json;
///
/// let mut context = Context::new();
/// context.insert("rows", json!([1, 2, 3]))?;
/// context.update("rows", json!([1, 2]))?;
/// assert_eq!(context.get_as::<Vec<u32>>("rows")?, [1, 2]);
/// assert!(context.insert("rows", json!([])).is_err());
/// # Ok::<(), cloacina_core::ContextError>(())
/// ```
#[derive(Clone)]
pub struct Context<T = Value> {
    /// All values, or those that were set since the engine made this context.
    own: BTreeMap<String, T>,
    /// The others, if the engine made this context.
    shared: Option<Shared<T>>,
}

impl<T> Default for Context<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Context<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<T: PartialEq> PartialEq for Context<T> {
    /// Compares the values only.
    fn eq(&self, other: &Self) -> bool {
        self.values() == other.values()
    }
}

impl<T> Context<T> {
    /// Makes an empty context.
    #[must_use]
    pub const fn new() -> Self {
        Self { own: BTreeMap::new(), shared: None }
    }

    fn values(&self) -> &BTreeMap<String, T> {
        self.shared.as_ref().map_or(&self.own, |shared| shared.merged(&self.own))
    }

    pub(crate) fn into_values(self) -> BTreeMap<String, T> {
        let Self { own, shared } = self;
        match shared {
            Some(shared) => shared.into_merged(own),
            None => own,
        }
    }

    /// Adds a value under a new key.
    ///
    /// # Errors
    ///
    /// [`ContextError::KeyExists`] if the key has a value; that stays.
    pub fn insert(&mut self, key: impl Into<String>, value: T) -> Result<(), ContextError> {
        let key = key.into();
        if self.contains_key(&key) {
            return Err(ContextError::KeyExists(key));
        }
        self.set(key, value);
        Ok(())
    }

    /// Replaces the value of an existing key and returns the old one.
    ///
    /// # Errors
    ///
    /// [`ContextError::KeyMissing`] if the key has no value.
    pub fn update(&mut self, key: impl Into<String>, value: T) -> Result<T, ContextError> {
        let key = key.into();
        if !self.contains_key(&key) {
            return Err(ContextError::KeyMissing(key));
        }
        self.set(key.clone(), value).ok_or(ContextError::KeyMissing(key))
    }

    /// Sets a value, whether the key exists or not, and returns the old one.
    pub fn set(&mut self, key: impl Into<String>, value: T) -> Option<T> {
        let key = key.into();
        let Some(shared) = &mut self.shared else { return self.own.insert(key, value) };
        match self.own.get_mut(&key) {
            Some(own) => {
                shared.changed();
                Some(std::mem::replace(own, value))
            }
            None => {
                let old = shared.replace(&key);
                self.own.insert(key, value);
                old
            }
        }
    }

    /// Returns the value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&T> {
        let other = || self.shared.as_ref().and_then(|shared| shared.get(key));
        self.own.get(key).or_else(other)
    }

    /// Removes a key and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<T> {
        let own = self.own.remove(key);
        let Some(shared) = &mut self.shared else { return own };
        if own.is_none() {
            return shared.remove(key);
        }
        shared.hide(key);
        own
    }

    /// Reports whether a key has a value.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Walks over keys and values, by key.
    pub fn iter(&self) -> btree_map::Iter<'_, String, T> {
        self.values().iter()
    }

    /// Returns the number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut len = self.own.len();
        if let Some(shared) = &self.shared {
            shared.each(&self.own, &mut |_, _| len += 1);
        }
        len
    }

    /// Reports whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.len() == 0
    }
}

impl Context<Value> {
    /// Makes a context from a JSON object.
    ///
    /// # Errors
    ///
    /// [`ContextError::NotAnObject`] for anything else.
    pub fn from_value(value: Value) -> Result<Self, ContextError> {
        match value {
            Value::Object(map) => Ok(map.into_iter().collect()),
            Value::Null => Err(ContextError::NotAnObject("null")),
            Value::Bool(_) => Err(ContextError::NotAnObject("a boolean")),
            Value::Number(_) => Err(ContextError::NotAnObject("a number")),
            Value::String(_) => Err(ContextError::NotAnObject("a string")),
            Value::Array(_) => Err(ContextError::NotAnObject("an array")),
        }
    }

    /// Returns the context as a JSON object.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(self.into_values().into_iter().collect())
    }

    /// Adds a value of any serialisable type under a new key.
    ///
    /// A float that is not a number or infinite becomes `null`: JSON has no word for it.
    ///
    /// # Errors
    ///
    /// [`ContextError::KeyExists`] if the key has a value, [`ContextError::Serialize`] if the value is not JSON.
    pub fn insert_as<S: Serialize>(
        &mut self,
        key: impl Into<String>,
        value: S,
    ) -> Result<(), ContextError> {
        let key = key.into();
        match serde_json::to_value(value) {
            Ok(value) => self.insert(key, value),
            Err(source) => Err(ContextError::Serialize { key, source }),
        }
    }

    /// Reads a value as any deserialisable type.
    ///
    /// # Errors
    ///
    /// [`ContextError::KeyMissing`] if the key has no value, [`ContextError::Deserialize`] if it is not of that type.
    pub fn get_as<D: DeserializeOwned>(&self, key: &str) -> Result<D, ContextError> {
        let value = self.get(key).ok_or_else(|| ContextError::KeyMissing(key.to_owned()))?;
        D::deserialize(value)
            .map_err(|source| ContextError::Deserialize { key: key.to_owned(), source })
    }

    /// Makes the context that a task gets: from here on changes are noted.
    pub(crate) fn for_task(view: ContextView) -> Self {
        Self { own: BTreeMap::new(), shared: Some(Shared::of(view)) }
    }

    /// Tells what a task did to the context that [`for_task`](Self::for_task) made from `before`.
    ///
    /// A task may have put a context of its own in place of the one it got: then all its keys count as set, and those
    /// that it lacks as removed.
    pub(crate) fn into_changes(self, before: &ContextView) -> Changes {
        let Self { own: set, shared } = self;
        let removed = match shared {
            Some(shared) => shared.into_removed(),
            None => before.keys().into_iter().filter(|key| !set.contains_key(key)).collect(),
        };
        Changes { set, removed }
    }

    /// Reports whether the task that got this context has changed nothing.
    pub(crate) fn is_untouched(&self) -> bool {
        self.own.is_empty() && self.shared.as_ref().is_some_and(|shared| !shared.has_removed())
    }

    /// Checks depth and size, and returns the text that is stored.
    pub(crate) fn to_json(&self, limit: usize) -> Result<String, ContextError> {
        check_depth(self.values())?;
        let text = serde_json::to_string(self.values()).map_err(unserializable)?;
        check_size(text.len(), limit)?;
        Ok(text)
    }

    /// Checks depth and size without making the text. What a task did not set was checked when it was.
    pub(crate) fn check(&self, limit: usize) -> Result<(), ContextError> {
        check_depth(&self.own)?;
        let mut size = Size(0);
        serde_json::to_writer(&mut size, &self.own).map_err(unserializable)?;
        let mut entries = self.own.len();
        let mut failed = None;
        if let Some(shared) = &self.shared {
            shared.each(&self.own, &mut |key, value| {
                // With a colon, and a comma before all but the first.
                size.0 += 1 + usize::from(entries > 0);
                entries += 1;
                let written = serde_json::to_writer(&mut size, key);
                let written = written.and_then(|()| serde_json::to_writer(&mut size, value));
                failed = failed.take().or(written.err());
            });
        }
        match failed {
            Some(source) => Err(unserializable(source)),
            None => check_size(size.0, limit),
        }
    }
}

fn check_size(size: usize, limit: usize) -> Result<(), ContextError> {
    if size > limit { Err(ContextError::TooLarge { size, limit }) } else { Ok(()) }
}

fn unserializable(source: serde_json::Error) -> ContextError {
    ContextError::Serialize { key: "*".to_owned(), source }
}

/// Counts what is written.
struct Size(usize);

impl std::io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn check_depth(values: &BTreeMap<String, Value>) -> Result<(), ContextError> {
    match values.iter().find(|(_, value)| !fits_depth(value, MAX_DEPTH)) {
        Some((key, _)) => Err(ContextError::TooDeep { key: key.clone(), limit: MAX_DEPTH }),
        None => Ok(()),
    }
}

/// Reports whether a value has at most `levels` levels of arrays and objects.
pub(crate) fn fits_depth(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| fits_depth(item, levels - 1)),
        Value::Object(map) => levels > 0 && map.values().all(|item| fits_depth(item, levels - 1)),
        _ => true,
    }
}

impl<T> FromIterator<(String, T)> for Context<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(items: I) -> Self {
        BTreeMap::from_iter(items).into()
    }
}

impl<T> From<BTreeMap<String, T>> for Context<T> {
    fn from(values: BTreeMap<String, T>) -> Self {
        Self { own: values, shared: None }
    }
}

impl<'a, T> IntoIterator for &'a Context<T> {
    type Item = (&'a String, &'a T);
    type IntoIter = btree_map::Iter<'a, String, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Serialize> Serialize for Context<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.values().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Context<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::from)
    }
}

/// What a task did to its context: this is stored, not a copy of the whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Changes {
    /// Keys that were set, also to the value that they had.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) set: BTreeMap<String, Value>,
    /// Keys that were removed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) removed: BTreeSet<String>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }
}

#[cfg(test)]
mod tests;
