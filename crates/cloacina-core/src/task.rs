//! Tasks: what they are made of, what they get, what they return.

mod argument;
mod context;
mod definition;
mod durability;
mod error;
pub(crate) mod expanded;
mod needs;
mod output;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::retry::LONGEST_WAIT;
use crate::{Context, RetryPolicy, TaskId, TriggerRule};

pub use argument::{Input, Output, State, TaskArgument};
pub use context::{NotCompleted, TaskContext};
pub(crate) use context::{Signs, Upstream, Wait};
pub use definition::{TaskDefinition, TaskMeta};
pub use durability::Durability;
pub use error::TaskError;
pub(crate) use needs::{InputNeed, OutputNeed, StateNeed, States};
pub use output::{IntoTaskOutput, TaskOutput};

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
    pub(crate) durability: Durability,
    pub(crate) fingerprint: String,
    pub(crate) states: Vec<StateNeed>,
    pub(crate) inputs: Vec<InputNeed>,
    pub(crate) outputs: Vec<OutputNeed>,
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
            durability: Durability::Strict,
            fingerprint: String::new(),
            states: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
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

    /// Sets when those that depend on it may start. Default: [`Durability::Strict`].
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
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

    /// Declares that the body asks its [`TaskContext`] for state of that type: an executor without it is not built.
    #[must_use]
    pub fn needs_state<T: Send + Sync + 'static>(mut self) -> Self {
        self.states.push(StateNeed::of::<T>());
        self
    }

    /// Declares that the body reads the input of the execution as that type: a submit whose input is not of it is refused.
    #[must_use]
    pub fn takes_input<T: DeserializeOwned>(mut self) -> Self {
        self.inputs.push(InputNeed::of::<T>());
        self
    }

    /// Declares that the body reads what a dependency returned as that type: an execution in which it returned something else,
    /// under another version of the workflow, is left to a worker that knows that version.
    #[must_use]
    pub fn takes_output<T: DeserializeOwned>(mut self, task: impl Into<TaskId>) -> Self {
        self.outputs.push(OutputNeed::of::<T>(task.into()));
        self
    }

    /// Puts another body in the place of its own; what that needed is needed no more. All else stays as it is: the new body
    /// of an asynchronous task runs where the old one did, so it should not block its thread for long.
    #[must_use]
    pub fn replace_body<R, F>(self, body: F) -> Self
    where
        R: IntoTaskOutput,
        F: Fn(&mut Context, &TaskContext) -> R + Send + Sync + 'static,
    {
        let body = Arc::new(body);
        let body = match self.body {
            Body::Async(_) => Body::Async(Arc::new(move |context, run| {
                let body = Arc::clone(&body);
                Box::pin(async move { body(context, run).into_task_output() })
            })),
            Body::Blocking(_) => {
                Body::Blocking(Arc::new(move |context, run| body(context, run).into_task_output()))
            }
        };
        Self { body, states: Vec::new(), inputs: Vec::new(), outputs: Vec::new(), ..self }
    }

    /// Asks a function first, at the start of each attempt: `Some` is the attempt's outcome in the body's place, `None`
    /// lets the body run.
    ///
    /// The function runs where the body does, within the attempt's limits, and may change the context; its panic fails the
    /// attempt. Of several, the one added last is asked first. The workflow's version does not depend on it.
    ///
    /// ```
    /// use cloacina_core::{Task, TaskError};
    ///
    /// let load = Task::new("load", |_context, _run| Box::pin(async {}));
    /// let flaky = load.intercept(|_context, run| {
    ///     (run.attempt == 1).then(|| Err(TaskError::new("not at the first attempt")))
    /// });
    /// ```
    #[must_use]
    pub fn intercept<F>(mut self, first: F) -> Self
    where
        F: Fn(&mut Context, &TaskContext) -> Option<TaskOutput> + Send + Sync + 'static,
    {
        self.body = match self.body {
            Body::Async(body) => {
                Body::Async(Arc::new(move |context, run| match first(context, run) {
                    Some(output) => Box::pin(std::future::ready(output)),
                    None => body(context, run),
                }))
            }
            Body::Blocking(body) => Body::Blocking(Arc::new(move |context, run| {
                first(context, run).unwrap_or_else(|| body(context, run))
            })),
        };
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
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}
