//! Errors of the engine, as problems.

use std::error::Error;
use std::fmt::Write as _;

use cloacina_core::{
    BackendError, ContextError, ExecutorError, ParseExecutionIdError, TenantError, TenantIdError,
};

use super::{Kind, Problem};

impl From<TenantError> for Problem {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::Executor(error) => error.into(),
            TenantError::InvalidName(error) => error.into(),
            TenantError::UnknownTenant(name) => {
                Self::new(Kind::UnknownTenant, format!("tenant `{name}` does not exist"))
            }
            TenantError::ShuttingDown => Self::new(Kind::ShuttingDown, error.to_string()),
            TenantError::Store(error) => of_store(&error),
            other => Self::internal(&other),
        }
    }
}

impl From<ExecutorError> for Problem {
    fn from(error: ExecutorError) -> Self {
        let kind = match &error {
            ExecutorError::UnknownWorkflow { .. } => Kind::UnknownWorkflow,
            ExecutorError::UnknownExecution(_) => Kind::UnknownExecution,
            ExecutorError::InvalidInput(ContextError::TooLarge { .. }) => Kind::TooLarge,
            ExecutorError::InvalidInput(_)
            | ExecutorError::InputMismatch { .. }
            | ExecutorError::InvalidIdempotencyKey { .. } => Kind::InvalidInput,
            ExecutorError::IdempotencyConflict { .. }
            | ExecutorError::WrongState { .. }
            | ExecutorError::IncompatibleVersion { .. } => Kind::Conflict,
            ExecutorError::Overloaded { .. } => Kind::Overloaded,
            ExecutorError::ShuttingDown => Kind::ShuttingDown,
            ExecutorError::Backend(error) => return of_store(error),
            _ => return Self::internal(&error),
        };
        Self::new(kind, with_sources(&error))
    }
}

impl From<ContextError> for Problem {
    fn from(error: ContextError) -> Self {
        Self::from(ExecutorError::InvalidInput(error))
    }
}

impl From<TenantIdError> for Problem {
    fn from(error: TenantIdError) -> Self {
        Self::new(Kind::InvalidInput, error.to_string())
    }
}

impl From<ParseExecutionIdError> for Problem {
    fn from(error: ParseExecutionIdError) -> Self {
        Self::new(Kind::InvalidInput, error.to_string())
    }
}

/// The texts of a database's errors name files and hosts, so they are for the log.
fn of_store(error: &BackendError) -> Problem {
    match error {
        BackendError::Closed => Problem::new(Kind::ShuttingDown, error.to_string()),
        _ if error.is_transient() => {
            tracing::warn!(error = error as &(dyn Error + 'static), "the database failed");
            Problem::new(Kind::Unavailable, "the database cannot be used for now, try again later")
        }
        _ => Problem::internal(error),
    }
}

/// The text of an error about what the client sent, with its sources.
pub(super) fn with_sources(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}
