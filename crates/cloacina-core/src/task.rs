//! Tasks: what they are made of, what they get, what they return.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::retry::LONGEST_WAIT;
use crate::{Context, ExecutionId, RetryPolicy, TaskId, TriggerRule};

/// A future that a task's body returns.
pub type TaskFuture<'a, R> = Pin<Box<dyn Future<Output = R> + Send + 'a>>;

/// One step of a workflow: a body, what it depends on, and how it is run.
///
/// `#[task]` makes these from functions; a DAG that is only known at run time makes them by hand:
///
/// ```
/// use cloacina_core::{Task, TriggerRule, Workflow};
/// use serde_json::json;
///
/// let extract = Task::new("extract", |context, _run| {
///     Box::pin(async move { context.insert("rows", json!(3)) })
/// });
/// let load = Task::new("load", |_context, _run| Box::pin(async {}))
///     .depends_on(["extract"])
///     .trigger_rules(TriggerRule::AllSuccess);
/// let workflow = Workflow::builder("etl").task(extract).task(load).build()?;
/// assert_eq!(workflow.tasks().len(), 2);
/// # Ok::<(), cloacina_core::WorkflowError>(())
/// ```
#[derive(Clone)]
pub struct Task {
    pub(crate) id: TaskId,
    pub(crate) dependencies: Vec<TaskId>,
    pub(crate) rule: TriggerRule,
    pub(crate) retry: RetryPolicy,
    pub(crate) timeout: Option<Duration>,
    pub(crate) fingerprint: String,
    pub(crate) body: Body,
}

type AsyncBody =
    dyn for<'a> Fn(&'a mut Context, &'a TaskContext) -> TaskFuture<'a, TaskOutput> + Send + Sync;
type BlockingBody = dyn Fn(&mut Context, &TaskContext) -> TaskOutput + Send + Sync;

#[derive(Clone)]
pub(crate) enum Body {
    Async(Arc<AsyncBody>),
    Blocking(Arc<BlockingBody>),
}

/// What a body comes to: its return value, or why it failed.
pub type TaskOutput = Result<Option<Value>, TaskError>;

impl Task {
    /// Makes a task from an asynchronous body.
    ///
    /// The body may return `()`, or a `Result` whose value can be serialised and whose error becomes a
    /// [`TaskError`]. It should not block its thread for long: see [`blocking`](Self::blocking).
    pub fn new<R, F>(id: impl Into<TaskId>, body: F) -> Self
    where
        R: IntoTaskOutput + 'static,
        F: for<'a> Fn(&'a mut Context, &'a TaskContext) -> TaskFuture<'a, R>
            + Send
            + Sync
            + 'static,
    {
        let body: Arc<AsyncBody> = Arc::new(move |context, run| {
            let future = body(context, run);
            Box::pin(async move { future.await.into_task_output() })
        });
        Self::from_body(id.into(), Body::Async(body))
    }

    /// Makes a task from a body that blocks its thread; it runs on the runtime's pool for blocking work.
    ///
    /// Such a body cannot be stopped: after a timeout or a cancel it runs on to no effect.
    pub fn blocking<R, F>(id: impl Into<TaskId>, body: F) -> Self
    where
        R: IntoTaskOutput,
        F: Fn(&mut Context, &TaskContext) -> R + Send + Sync + 'static,
    {
        let body: Arc<BlockingBody> =
            Arc::new(move |context, run| body(context, run).into_task_output());
        Self::from_body(id.into(), Body::Blocking(body))
    }

    fn from_body(id: TaskId, body: Body) -> Self {
        Self {
            id,
            dependencies: Vec::new(),
            rule: TriggerRule::default(),
            retry: RetryPolicy::default(),
            timeout: None,
            fingerprint: String::new(),
            body,
        }
    }

    /// Adds tasks that must have ended before this one is decided.
    #[must_use]
    pub fn depends_on<I>(mut self, tasks: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<TaskId>,
    {
        self.dependencies.extend(tasks.into_iter().map(Into::into));
        self
    }

    /// Sets how often it is tried. Default: once.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets how long one attempt may take, a hundred years at most. Default: the executor's `task_timeout`.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout.min(LONGEST_WAIT));
        self
    }

    /// Sets whether it runs, given how its dependencies ended. Default: all completed.
    #[must_use]
    pub fn trigger_rules(mut self, rule: TriggerRule) -> Self {
        self.rule = rule;
        self
    }

    /// Sets a text that changes whenever the body does; it is part of the workflow's version.
    #[must_use]
    pub fn fingerprint(mut self, fingerprint: impl Into<String>) -> Self {
        self.fingerprint = fingerprint.into();
        self
    }

    /// Returns its id.
    #[must_use]
    pub const fn id(&self) -> &TaskId {
        &self.id
    }

    /// Returns the tasks that it depends on, in the order of their declaration.
    #[must_use]
    pub fn dependencies(&self) -> &[TaskId] {
        &self.dependencies
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id)
            .field("dependencies", &self.dependencies)
            .field("rule", &self.rule)
            .field("retry", &self.retry)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What a running task may know about its own run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskContext {
    /// The execution that it belongs to.
    pub execution_id: ExecutionId,
    /// The workflow.
    pub workflow: Arc<str>,
    /// The task.
    pub task: TaskId,
    /// Which attempt this is, counted from 1.
    pub attempt: u32,
    /// When the attempt times out.
    pub deadline: Instant,
    /// Cancelled when the attempt should stop: by a cancel, a timeout, or a shutdown. The future is dropped soon after.
    pub cancellation: CancellationToken,
}

/// Why a task failed, and what that means for its retries.
///
/// Whatever implements `std::error::Error` turns into one with `?`, so a body may return `Result<_, TaskError>` and use what
/// it likes inside. For that reason it is not itself a `std::error::Error`. A `String`, a `Box<dyn Error>` or an
/// `anyhow::Error` is none either: `.map_err(TaskError::new)` turns it into one.
///
/// ```
/// use cloacina_core::TaskError;
///
/// fn parse(text: &str) -> Result<u32, TaskError> {
///     Ok(text.parse::<u32>()?)
/// }
/// let error = parse("x").unwrap_err();
/// assert_eq!(error.to_string(), "invalid digit found in string");
/// assert!(TaskError::permanent("no such customer").is_permanent());
/// ```
#[derive(Debug)]
pub struct TaskError {
    message: String,
    retry: Retry,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Retry {
    ByPolicy,
    Never,
    After(Duration),
}

impl TaskError {
    /// Makes an error that is retried as the task's policy says.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), retry: Retry::ByPolicy }
    }

    /// Makes an error that is not retried, whatever the policy says.
    pub fn permanent(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), retry: Retry::Never }
    }

    /// Makes this error one that is retried after the given wait in place of the policy's, attempts permitting.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry = Retry::After(delay);
        self
    }

    /// Cuts the text to so many bytes, and says that it did.
    pub(crate) fn limited(mut self, bytes: usize) -> Self {
        if self.message.len() > bytes {
            let whole = self.message.len();
            self.message.truncate(self.message.floor_char_boundary(bytes));
            self.message.push_str(&format!("… (cut, {whole} bytes in all)"));
        }
        self
    }

    /// Returns what went wrong, with its causes.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Reports whether it is never retried.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.retry == Retry::Never
    }

    pub(crate) const fn delay(&self) -> Option<Duration> {
        match self.retry {
            Retry::After(delay) => Some(delay),
            Retry::ByPolicy | Retry::Never => None,
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: std::error::Error> From<E> for TaskError {
    /// Keeps the error's text and those of its sources, joined by `: `; a text that repeats its source is kept once.
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !message.ends_with(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = cause.source();
        }
        Self::new(message)
    }
}

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

/// A task that `#[task]` made: the type beside the function of the same name.
pub trait TaskDefinition {
    /// What is known of the task at compile time.
    const META: TaskMeta;

    /// Makes the task.
    fn task() -> Task;
}

/// What is known of a task at compile time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskMeta {
    /// Its id.
    pub id: &'static str,
    /// The ids of the tasks that it depends on.
    pub dependencies: &'static [&'static str],
    /// A hash of the function's tokens.
    pub fingerprint: &'static str,
}

#[cfg(test)]
mod tests;
