//! Values that contexts have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, OnceLock};

/// Where a context finds values that are not its own.
pub(crate) trait Origin<T>: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    fn get(&self, key: &str) -> Option<&T>;

    /// Shows all keys and values, in any order.
    fn each<'o>(&'o self, visit: &mut dyn FnMut(&'o str, &'o T));
}

/// Values that many contexts have in common, and which of them one lacks. What it changes is its own, and copied is nothing but for
/// whoever wants them all.
#[derive(Debug, Clone)]
pub(super) struct Shared<T> {
    origin: Arc<dyn Origin<T>>,
    /// Keys of values that are there, and were removed here.
    removed: BTreeSet<String>,
    copy: fn(&T) -> T,
    /// All values, with those of the context's own, once somebody asked for them.
    merged: OnceLock<BTreeMap<String, T>>,
}

impl<T> Shared<T> {
    /// Shares what is found there.
    pub(super) fn of(origin: impl Origin<T> + 'static) -> Self
    where
        T: Clone,
    {
        let (removed, merged) = (BTreeSet::new(), OnceLock::new());
        Self { origin: Arc::new(origin), removed, copy: T::clone, merged }
    }

    pub(super) fn get(&self, key: &str) -> Option<&T> {
        self.origin.get(key).filter(|_| !self.removed.contains(key))
    }

    /// Notes that a value of the context's own is another.
    pub(super) fn changed(&mut self) {
        self.merged.take();
    }

    /// Makes way for a value of the context's own, and returns a copy of what was there.
    pub(super) fn replace(&mut self, key: &str) -> Option<T> {
        self.changed();
        let old = self.get(key).map(self.copy);
        self.removed.remove(key);
        old
    }

    /// Removes a key. Returns a copy of its value.
    pub(super) fn remove(&mut self, key: &str) -> Option<T> {
        self.changed();
        let old = self.get(key).map(self.copy)?;
        self.removed.insert(key.to_owned());
        Some(old)
    }

    /// Hides what is there, if anything is, behind a value of the context's own that goes.
    pub(super) fn hide(&mut self, key: &str) {
        self.changed();
        if self.origin.get(key).is_some() {
            self.removed.insert(key.to_owned());
        }
    }

    /// Shows the keys and values that are not replaced by the context's own.
    pub(super) fn each<'s>(
        &'s self,
        own: &BTreeMap<String, T>,
        visit: &mut dyn FnMut(&'s str, &'s T),
    ) {
        self.origin.each(&mut |key, value| {
            if !own.contains_key(key) && !self.removed.contains(key) {
                visit(key, value);
            }
        });
    }

    /// Returns all values, with the context's own. They are copied once.
    pub(super) fn merged(&self, own: &BTreeMap<String, T>) -> &BTreeMap<String, T> {
        self.merged.get_or_init(|| {
            let own_values = own.iter().map(|(key, value)| (key.clone(), (self.copy)(value)));
            self.with(own, own_values.collect())
        })
    }

    /// The same for a context that goes.
    pub(super) fn into_merged(mut self, own: BTreeMap<String, T>) -> BTreeMap<String, T> {
        self.merged.take().unwrap_or_else(|| {
            let mut values = self.with(&own, BTreeMap::new());
            values.extend(own);
            values
        })
    }

    fn with(
        &self,
        own: &BTreeMap<String, T>,
        mut values: BTreeMap<String, T>,
    ) -> BTreeMap<String, T> {
        self.each(own, &mut |key, value| {
            values.insert(key.to_owned(), (self.copy)(value));
        });
        values
    }

    /// Tells which keys were removed.
    pub(super) fn into_removed(self) -> BTreeSet<String> {
        self.removed
    }

    pub(super) fn has_removed(&self) -> bool {
        !self.removed.is_empty()
    }
}
