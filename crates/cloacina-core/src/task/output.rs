//! What a body may return.

use serde::Serialize;
use serde_json::Value;

use super::TaskError;

/// What a body comes to: its return value, or why it failed.
pub type TaskOutput = Result<Option<Value>, TaskError>;

/// What a task's body may return: `()`, or a `Result` with a value that can be serialised.
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
        let value = self.map_err(Into::into)?;
        match serde_json::to_value(value) {
            Ok(Value::Null) => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(TaskError::permanent(format!(
                "what the task returned cannot be written as JSON: {error}"
            ))),
        }
    }
}
