//! What a running task may know about its own run.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::needs::as_json;
use super::{States, TaskError};
use crate::backend::JsonText;
use crate::retry::LONGEST_WAIT;
use crate::state::InputValues;
use crate::{ExecutionId, SkipReason, TaskId, TenantId};

/// Longer texts of progress are cut: they are stored.
const PROGRESS_MAX: usize = 4 * 1024;

/// What a running task may know about its own run. Cheap to clone.
///
/// A task function takes it as an argument; a body made by hand gets it as its second.
///
/// ```
/// use cloacina_core::{TaskContext, TaskError, task};
///
/// #[task]
/// async fn import(run: TaskContext) -> Result<u32, TaskError> {
///     for page in 1..=20 {
///         if run.cancellation.is_cancelled() {
///             return Err("stopped between two pages".into());
///         }
///         run.report_progress(format!("page {page} of 20"));
///     }
///     Ok(20)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let run = TaskContext::detached("import");
/// assert_eq!(import(run.clone()).await.unwrap(), 20);
/// assert_eq!(run.progress().as_deref(), Some("page 20 of 20"));
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskContext {
    /// The execution that it belongs to.
    pub execution_id: ExecutionId,
    /// The workflow.
    pub workflow: Arc<str>,
    /// The tenant, if the executor was told whose store it works on.
    pub tenant: Option<TenantId>,
    /// The task.
    pub task: TaskId,
    /// Which attempt this is, counted from 1.
    pub attempt: u32,
    /// When the attempt times out.
    pub deadline: Instant,
    /// Cancelled when the attempt should stop: by a cancel, a timeout, or a shutdown. The future is dropped soon after.
    pub cancellation: CancellationToken,
    pub(crate) signs: Arc<Signs>,
    pub(crate) states: Arc<States>,
    pub(crate) input: InputValues,
    /// How the dependencies ended, if there are any.
    pub(crate) upstream: Option<Arc<[Upstream]>>,
}

/// What an attempt and its driver tell each other while it runs.
#[derive(Debug, Default)]
pub(crate) struct Signs {
    /// Calls off the start, or stops the body.
    pub(crate) cancellation: CancellationToken,
    /// When the body started; none if it was called off before.
    begun: OnceLock<Option<Instant>>,
    progress: Mutex<Option<Arc<str>>>,
    waits: Mutex<Wait>,
}

/// What an attempt waits for before its body starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Wait {
    /// It has its turn soon.
    #[default]
    Turn,
    /// The lease of its worker.
    Lease,
    /// A slot.
    Slot,
    /// That nothing else runs in its process.
    Solitude,
    /// Something that has to run alone.
    Suspect,
    /// The record of its start.
    StartOnRecord,
}

impl Signs {
    /// Notes that the body starts now; false if that was called off.
    pub(crate) fn start(&self, now: Instant) -> bool {
        self.begun.set(Some(now)).is_ok()
    }

    /// Keeps the body from starting; false if it has started, or was called off before.
    pub(crate) fn call_off(&self) -> bool {
        self.begun.set(None).is_ok()
    }

    /// When the body started, if it did.
    pub(crate) fn started(&self) -> Option<Instant> {
        self.begun.get().copied().flatten()
    }

    /// Notes what is waited for from now on.
    pub(crate) fn wait_for(&self, what: Wait) {
        *self.waits.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// Tells what was waited for last.
    pub(crate) fn wait(&self) -> Wait {
        *self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn progress(&self) -> Option<Arc<str>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A dependency and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    pub(crate) task: TaskId,
    /// What it returned, if anything.
    pub(crate) ended: Result<Option<JsonText>, NotCompleted>,
}

/// Why a dependency has no output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotCompleted {
    /// Its last attempt failed.
    #[error("task `{task}` failed: {error}")]
    Failed {
        /// The dependency.
        task: TaskId,
        /// What went wrong.
        error: String,
    },
    /// Its trigger rules decided that it does not run.
    #[error("task `{task}` was skipped: {reason}")]
    Skipped {
        /// The dependency.
        task: TaskId,
        /// Why.
        reason: SkipReason,
    },
}

impl TaskContext {
    /// Makes one that belongs to no execution, for calling a task function in a test: attempt 1, no tenant, input, outputs
    /// or state, and a deadline far away. The public fields may be changed.
    #[must_use]
    pub fn detached(task: impl Into<TaskId>) -> Self {
        let signs: Arc<Signs> = Arc::default();
        Self {
            execution_id: ExecutionId::new(),
            workflow: "".into(),
            tenant: None,
            task: task.into(),
            attempt: 1,
            deadline: Instant::now() + LONGEST_WAIT,
            cancellation: signs.cancellation.clone(),
            signs,
            states: Arc::default(),
            input: InputValues::default(),
            upstream: None,
        }
    }

    /// Says how far the task has come: `get_execution_result` shows the last text while the attempt runs, at once in this
    /// process and within a third of the lease in others. Costs no query. Texts over 4 KiB are cut.
    pub fn report_progress(&self, text: impl fmt::Display) {
        let mut text = text.to_string().replace('\0', "\u{fffd}");
        text.truncate(text.floor_char_boundary(PROGRESS_MAX));
        *self.signs.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.into());
    }

    /// Returns the last text that [`report_progress`](Self::report_progress) was given in this attempt.
    #[must_use]
    pub fn progress(&self) -> Option<Arc<str>> {
        self.signs.progress()
    }

    /// Returns the state of that type that the executor was built with.
    ///
    /// A task made by hand should declare it by [`Task::needs_state`](crate::Task::needs_state).
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.states.get()
    }

    /// Reads the input of the execution as any deserialisable type.
    ///
    /// # Errors
    ///
    /// A permanent [`TaskError`] if the input is not of that type.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T, TaskError> {
        serde_json::from_value(Value::Object(self.input.to_values())).map_err(|error| {
            TaskError::permanent(format!("the input of the execution cannot be taken: {error}"))
        })
    }

    /// Reads what a dependency returned, or tells why it returned nothing. `run.output::<u32>("extract")??` takes both
    /// errors for its own.
    ///
    /// # Errors
    ///
    /// A permanent [`TaskError`] if that task is not a dependency, or what it returned is not of that type.
    pub fn output<T: DeserializeOwned>(
        &self,
        task: &str,
    ) -> Result<Result<T, NotCompleted>, TaskError> {
        let mut dependencies = self.upstream.iter().flat_map(|all| all.iter());
        let Some(upstream) = dependencies.find(|upstream| upstream.task == task) else {
            let text = format!("task `{task}` is not among the dependencies of `{}`", self.task);
            return Err(TaskError::permanent(text));
        };
        let text = match &upstream.ended {
            Ok(output) => as_json(output.as_ref()),
            Err(reason) => return Ok(Err(reason.clone())),
        };
        serde_json::from_str(text).map(Ok).map_err(|error| {
            TaskError::permanent(format!("what task `{task}` returned cannot be taken: {error}"))
        })
    }
}
