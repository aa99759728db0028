//! What tasks need of the executor that runs them.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;

use crate::TaskId;
use crate::backend::JsonText;

/// The application's own things, one value a type.
#[derive(Default, Clone)]
pub(crate) struct States {
    by_type: HashMap<TypeId, State>,
}

#[derive(Clone)]
struct State {
    type_name: &'static str,
    value: Arc<dyn Any + Send + Sync>,
}

impl States {
    /// Adds a value; false if there is one of that type.
    pub(crate) fn add<T: Send + Sync + 'static>(&mut self, value: T) -> bool {
        let state = State { type_name: type_name::<T>(), value: Arc::new(value) };
        self.by_type.insert(TypeId::of::<T>(), state).is_none()
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let state = self.by_type.get(&TypeId::of::<T>())?;
        Arc::clone(&state.value).downcast().ok()
    }

    pub(crate) fn has(&self, need: &StateNeed) -> bool {
        self.by_type.contains_key(&need.type_id)
    }
}

impl fmt::Debug for States {
    /// Shows the types only: states hold passwords and the like.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_type.values().map(|state| state.type_name)).finish()
    }
}

/// A type of which a task needs the state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StateNeed {
    type_id: TypeId,
    pub(crate) type_name: &'static str,
}

impl StateNeed {
    pub(crate) fn of<T: 'static>() -> Self {
        Self { type_id: TypeId::of::<T>(), type_name: type_name::<T>() }
    }
}

/// A type as which a task takes what another returned.
#[derive(Debug, Clone)]
pub(crate) struct OutputNeed {
    pub(crate) task: TaskId,
    pub(crate) type_name: &'static str,
    check: fn(&str) -> Result<(), serde_json::Error>,
}

impl OutputNeed {
    pub(crate) fn of<T: DeserializeOwned>(task: TaskId) -> Self {
        let check = |text: &str| serde_json::from_str::<T>(text).map(drop);
        Self { task, type_name: type_name::<T>(), check }
    }

    /// Tells why an output, as JSON, is not of the type, if it is not.
    pub(crate) fn check(&self, output: Option<&JsonText>) -> Result<(), serde_json::Error> {
        caught(|| (self.check)(as_json(output)))
    }
}

/// Catches the panic of a type of the user's: what looks through records goes on, and so does who submits.
fn caught(check: impl FnOnce() -> Result<(), serde_json::Error>) -> Result<(), serde_json::Error> {
    catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|panic| {
        let text = match crate::panics::text_of(&*panic) {
            Some(text) => format!("reading it panicked: {text}"),
            None => "reading it panicked".to_owned(),
        };
        crate::panics::discard(panic);
        Err(serde_json::Error::custom(text))
    })
}

/// Returns an output as it was serialised: what is `null` is stored as nothing.
pub(super) fn as_json(output: Option<&JsonText>) -> &str {
    output.map_or("null", JsonText::as_str)
}

/// A type as which a task takes the input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InputNeed {
    pub(crate) type_name: &'static str,
    check: fn(&Value) -> Result<(), serde_json::Error>,
}

impl InputNeed {
    pub(crate) fn of<T: DeserializeOwned>() -> Self {
        Self { type_name: type_name::<T>(), check: |input| T::deserialize(input).map(drop) }
    }

    /// Tells why an input, a JSON object, is not of the type, if it is not.
    pub(crate) fn check(&self, input: &Value) -> Result<(), serde_json::Error> {
        caught(|| (self.check)(input))
    }
}
