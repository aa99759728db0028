//! Values that contexts have in common.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, OnceLock};

/// Where a context finds values that are not its own.
pub(crate) trait Origin<T>: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    fn get(&self, key: &str) -> Option<&T>;

    fn to_values(&self) -> BTreeMap<String, T>;
}

/// Values that many contexts have in common. They are copied for whoever changes them or wants them all: most tasks only read a few.
#[derive(Debug, Clone)]
pub(super) struct Shared<T> {
    origin: Arc<dyn Origin<T>>,
    copy: OnceLock<BTreeMap<String, T>>,
}

impl<T> Shared<T> {
    /// Shares what is found there.
    pub(super) fn of(origin: impl Origin<T> + 'static) -> Self {
        Self { origin: Arc::new(origin), copy: OnceLock::new() }
    }

    /// Returns the value of a key, which takes no copy.
    pub(super) fn get(&self, key: &str) -> Option<&T> {
        self.origin.get(key)
    }

    pub(super) fn values(&self) -> &BTreeMap<String, T> {
        self.copy.get_or_init(|| self.origin.to_values())
    }

    pub(super) fn into_values(self) -> BTreeMap<String, T> {
        self.copy.into_inner().unwrap_or_else(|| self.origin.to_values())
    }
}
