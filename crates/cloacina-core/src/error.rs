//! What the executor answers when it cannot do what was asked.

use std::sync::Arc;
use std::time::Duration;

use crate::{
    BackendError, ConfigError, ContextError, ExecutionId, PipelineStatus, TaskId, WorkflowError,
};

/// What the executor could not do, by what the caller can do about it.
///
/// A workflow that fails is no error: it is a result with
/// [`PipelineStatus::Failed`](crate::PipelineStatus::Failed).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutorError {
    /// No workflow of that name is registered.
    #[error("workflow `{name}` is not known here, known are: {}", known_or_hint(known))]
    UnknownWorkflow {
        /// The name that was asked for.
        name: String,
        /// The names that are registered, sorted.
        known: Vec<String>,
    },
    /// No execution of that id exists in this tenant.
    #[error("execution {0} does not exist")]
    UnknownExecution(ExecutionId),
    /// The input is not fit to be stored.
    #[error(transparent)]
    InvalidInput(ContextError),
    /// The input is not what a task takes it for.
    #[error("the input of workflow `{workflow}` is not what task `{task}` takes as `{type_name}`")]
    InputMismatch {
        /// The workflow.
        workflow: String,
        /// The first task that takes the input as that type.
        task: TaskId,
        /// The type.
        type_name: &'static str,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// The idempotency key is empty, too long, or holds a NUL character.
    #[error("idempotency key {key:?} is refused: it must have 1 to 255 bytes and no NUL character")]
    InvalidIdempotencyKey {
        /// The key, cut to 64 characters.
        key: String,
    },
    /// The idempotency key belongs to an execution of another workflow.
    #[error("idempotency key {key:?} belongs to execution {execution} of workflow `{workflow}`")]
    IdempotencyConflict {
        /// The key.
        key: String,
        /// The execution that has it.
        execution: ExecutionId,
        /// That execution's workflow.
        workflow: String,
    },
    /// The execution's state does not allow what was asked.
    #[error("execution {execution} is {status}, it cannot be {action}")]
    WrongState {
        /// The execution.
        execution: ExecutionId,
        /// Its status.
        status: PipelineStatus,
        /// What was asked, as a participle.
        action: &'static str,
    },
    /// The workflow has changed so that the completed tasks no longer fit.
    #[error("execution {execution} does not fit workflow `{workflow}` as it is now: {reason}")]
    IncompatibleVersion {
        /// The execution.
        execution: ExecutionId,
        /// The workflow.
        workflow: String,
        /// What does not fit.
        reason: String,
    },
    /// The execution did not end in the time that the caller was ready to wait. It goes on.
    #[error("execution {execution} has not ended within {waited:?}")]
    WaitTimeout {
        /// The execution.
        execution: ExecutionId,
        /// How long the caller waited.
        waited: Duration,
    },
    /// Too many submits wait for their commit, and the settings say that more are refused. Nothing was written; try again
    /// later.
    #[error(
        "the executor is overloaded: {waiting}{} wait for their commit, `{setting}` is {limit}",
        submits_or_bytes(setting)
    )]
    Overloaded {
        /// The setting whose limit is reached.
        setting: &'static str,
        /// What it says.
        limit: usize,
        /// How many submits wait, or how many bytes they have, in all executors of the process that share the limit.
        waiting: usize,
    },
    /// The executor is shutting down and takes nothing new. Submit to another.
    #[error("the executor is shutting down")]
    ShuttingDown,
    /// A task needs state that the executor was not given.
    #[error(
        "task `{task}` of workflow `{workflow}` needs state `{type_name}`, which the executor was not given: add it by `builder().state(..)`"
    )]
    MissingState {
        /// The workflow.
        workflow: String,
        /// The task.
        task: TaskId,
        /// The type.
        type_name: &'static str,
    },
    /// Two values of one type were given as state.
    #[error(
        "state `{type_name}` is given twice: there is one value a type, so wrap one in a type of its own"
    )]
    DuplicateState {
        /// The type.
        type_name: &'static str,
    },
    /// A setting is not allowed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A workflow is not well formed.
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
    /// The store failed.
    #[error(transparent)]
    Backend(Arc<BackendError>),
}

impl From<BackendError> for ExecutorError {
    fn from(error: BackendError) -> Self {
        Self::Backend(Arc::new(error))
    }
}

impl ExecutorError {
    /// Reports whether the same call may succeed later without anybody correcting it.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Backend(error) => error.is_transient(),
            Self::WaitTimeout { .. } | Self::Overloaded { .. } => true,
            _ => false,
        }
    }
}

fn submits_or_bytes(setting: &str) -> &'static str {
    if setting.ends_with("bytes") { " bytes of submits" } else { " submits" }
}

/// Lists names; if there are none, tells the reason that is hardest to find.
fn known_or_hint(names: &[String]) -> String {
    if names.is_empty() {
        let text = "none (those of a library crate are known if the program names it: `use my_workflows as _;`)";
        return text.to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
