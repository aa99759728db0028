//! What a body may return.

use serde::Serialize;
use serde_json::Value;

use super::TaskError;

/// What a body comes to: its return value, or why it failed.
pub type TaskOutput = Result<Option<Value>, TaskError>;

/// What a body made by hand may return: `()`, or a `Result` with a value that can be serialised.
#[diagnostic::on_unimplemented(
    message = "the body of a task cannot return `{Self}`",
    label = "neither `()` nor a `Result` with a value that can be serialised",
    note = "return `Ok(value)` with an error type, such as `TaskError`"
)]
pub trait IntoTaskOutput: Send {
    /// Turns it into the value that is stored, or into the failure.
    ///
    /// # Errors
    ///
    /// The body's own error, or that its value is not JSON (permanent: it would not be next time either).
    fn into_task_output(self) -> TaskOutput;
}

impl IntoTaskOutput for () {
    fn into_task_output(self) -> TaskOutput {
        Ok(None)
    }
}

impl<T: Serialize + Send, E: Into<TaskError> + Send> IntoTaskOutput for Result<T, E> {
    fn into_task_output(self) -> TaskOutput {
        to_output(&self.map_err(Into::into)?)
    }
}

/// Turns a returned value into what is stored; what is `null` as JSON is nothing.
pub(super) fn to_output<T: Serialize>(value: &T) -> TaskOutput {
    match serde_json::to_value(value) {
        Ok(Value::Null) => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(error) => Err(TaskError::permanent(format!(
            "what the task returned cannot be written as JSON: {error}"
        ))),
    }
}
