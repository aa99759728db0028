//! Runs a workflow in a test: in memory, in virtual time, with failures by script.

mod report;
mod script;
mod thread;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use cloacina_core::{
    Context, ExecutorError, IntoTaskOutput, TaskContext, TaskError, UnifiedExecutorBuilder,
    Workflow, registered_workflows,
};
use serde_json::Value;

use crate::MemoryBackend;
use script::Script;
use thread::{Plan, Setting};

pub use report::{Start, TestReport};

/// Runs a workflow in a test, without a database and without waiting.
///
/// Each run has a store in memory and a thread of its own, on which the clock is paused: whenever every task waits, it jumps
/// to what comes next. A retry after hours and a timeout of hours pass at once, and [`TestReport::elapsed`] tells how
/// long they would have taken. It works in any `#[tokio::test]`, whatever its runtime, and in a plain `#[test]` by
/// [`run_blocking`](Self::run_blocking). Runs share nothing but what the bodies share.
///
/// A body that waits for something outside the run, such as a socket, looks idle to the paused clock: it times out at
/// once. Replace it by [`stub`](Self::stub), or use [`real_time`](Self::real_time). While a `#[task(blocking)]` body
/// runs, the clock stands still: one that waits for its cancellation after a timeout would wait for ever, so after a while of
/// real time, the [`stall_limit`](Self::stall_limit), the run is given up with a panic that names the task.
///
/// ```
/// use cloacina_core::{Context, TaskError, TaskState, task, workflow};
/// use cloacina_testing::TestRunner;
/// use serde_json::json;
///
/// #[task]
/// async fn extract(context: &mut Context) -> Result<(), TaskError> {
///     Ok(context.insert("rows", json!([1, 2, 3]))?)
/// }
///
/// #[task(dependencies = [extract], retry_attempts = 3, retry_delay_ms = 30_000)]
/// async fn load(context: &mut Context) -> Result<(), TaskError> {
///     let rows: Vec<i64> = context.get_as("rows")?;
///     Ok(context.insert("total", json!(rows.iter().sum::<i64>()))?)
/// }
///
/// workflow! { name: "etl", description: "nightly load", tasks: [extract, load] }
///
/// # async fn load_is_tried_three_times() {
/// let report = TestRunner::new().fail_first("load", 2).run("etl", Context::new()).await;
/// report.assert_completed();
/// report.assert_task("load", TaskState::Completed).assert_attempts("load", 3);
/// report.assert_order(&["extract", "load"]);
/// report.assert_context("total", json!(6));
/// assert_eq!(report.elapsed.as_secs(), 30 + 60);
/// # }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(load_is_tried_three_times());
/// ```
#[derive(Default)]
#[must_use = "a runner does nothing until it runs a workflow"]
pub struct TestRunner {
    workflows: Vec<Workflow>,
    scripts: BTreeMap<String, Script>,
    settings: Vec<Setting>,
    real_time: bool,
    stall_limit: Option<Duration>,
}

/// Long for a test, and short for somebody who waits for one.
const DEFAULT_STALL_LIMIT: Duration = Duration::from_secs(60);

impl TestRunner {
    /// Starts with the workflows that `workflow!` registered, no script, and the default settings of an executor.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a workflow; it goes before a registered one of that name.
    pub fn workflow(mut self, workflow: Workflow) -> Self {
        self.workflows.push(workflow);
        self
    }

    /// Changes the settings of the executor that runs the workflow. Several changes apply in their order.
    ///
    /// ```
    /// # use cloacina_testing::TestRunner;
    /// let runner = TestRunner::new().configure(|executor| executor.max_concurrent_tasks(1));
    /// ```
    pub fn configure<F>(mut self, change: F) -> Self
    where
        F: FnOnce(UnifiedExecutorBuilder<MemoryBackend>) -> UnifiedExecutorBuilder<MemoryBackend>
            + Send
            + 'static,
    {
        self.settings.push(Box::new(change));
        self
    }

    /// Gives the executor something of the application, for tasks that take `State<T>`.
    pub fn state<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.configure(|executor| executor.state(value))
    }

    /// Lets the clock run as it does in production, for bodies that wait for something outside the run.
    pub fn real_time(mut self) -> Self {
        self.real_time = true;
        self
    }

    /// Sets how long, in real time, tasks may run without another start while the clock is paused. Default: a minute.
    pub fn stall_limit(mut self, limit: Duration) -> Self {
        self.stall_limit = Some(limit);
        self
    }

    /// Fails the first attempts of a task with `scripted failure`, in place of its body.
    ///
    /// A `retry_on` may not want that error: then use [`fail_first_with`](Self::fail_first_with).
    pub fn fail_first(self, task: &str, attempts: u32) -> Self {
        self.fail_first_with(task, attempts, TaskError::new("scripted failure"))
    }

    /// Fails the first attempts of a task with that error, in place of its body. A later script for its failures replaces
    /// this one.
    pub fn fail_first_with(mut self, task: &str, attempts: u32, error: TaskError) -> Self {
        self.script(task).fail_first(attempts, error);
        self
    }

    /// Fails every attempt of a task, in place of its body. A permanent error leaves it at one attempt.
    ///
    /// ```
    /// # use cloacina_core::TaskError;
    /// # use cloacina_testing::TestRunner;
    /// let refused = TaskError::permanent("the card was refused");
    /// let runner = TestRunner::new().fail_always("charge_card", refused);
    /// ```
    pub fn fail_always(self, task: &str, error: TaskError) -> Self {
        self.fail_first_with(task, u32::MAX, error)
    }

    /// Lets a task return a value in place of its body. The context stays as it is.
    pub fn returns(self, task: &str, value: Value) -> Self {
        self.stub(task, move |_context, _run| Ok::<_, TaskError>(value.clone()))
    }

    /// Calls a function in place of a task's body, where that would run: the stub of an asynchronous task should not block. It may do to the context what the body would have done; the state that the
    /// body takes is not needed. Scripted failures come first; a later stub of that task replaces this one.
    ///
    /// ```
    /// # use cloacina_core::{Context, ContextError};
    /// # use cloacina_testing::TestRunner;
    /// # use serde_json::json;
    /// let runner = TestRunner::new().stub("download", |context, _run| {
    ///     context.insert("rows", json!([1, 2, 3]))
    /// });
    /// ```
    pub fn stub<R, F>(mut self, task: &str, body: F) -> Self
    where
        R: IntoTaskOutput,
        F: Fn(&mut Context, &TaskContext) -> R + Send + Sync + 'static,
    {
        self.script(task).stub(move |context, run| body(context, run).into_task_output());
        self
    }

    fn script(&mut self, task: &str) -> &mut Script {
        self.scripts.entry(task.to_owned()).or_default()
    }

    /// Runs a workflow to its end, on a thread of its own.
    ///
    /// A workflow that fails is a report, not a panic. If this future is dropped, the run stops.
    ///
    /// # Panics
    ///
    /// At once if the workflow is not known, or has no task that a script names: the message lists those that there
    /// are. When awaited, if the executor refuses the input or a setting, or if the run [stalls](Self::stall_limit).
    #[track_caller]
    pub fn run(
        self,
        workflow: &str,
        input: Context,
    ) -> impl Future<Output = TestReport> + Send + use<> {
        self.plan(workflow, input).report()
    }

    /// As [`run`](Self::run), for a test without a runtime: blocks the calling thread until the end.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    #[track_caller]
    pub fn run_blocking(self, workflow: &str, input: Context) -> TestReport {
        self.plan(workflow, input).report_blocking()
    }

    #[track_caller]
    fn plan(self, name: &str, input: Context) -> Plan {
        let Self { workflows, scripts, settings, real_time, stall_limit } = self;
        let workflow = find(name, workflows);
        if let Some(task) = scripts.keys().find(|task| workflow.task(task).is_none()) {
            let ids = workflow.tasks().iter().map(|task| format!("`{}`", task.id()));
            let ids: Vec<_> = ids.collect();
            panic!("task `{task}` is not in workflow `{name}`, its tasks are: {}", ids.join(", "));
        }
        let stall_limit = stall_limit.unwrap_or(DEFAULT_STALL_LIMIT);
        let stall_limit = (!real_time).then_some(stall_limit);
        Plan::new(&workflow, scripts, input, settings, stall_limit)
    }
}

/// Looks among the given workflows first, then among the registered ones.
#[track_caller]
fn find(name: &str, given: Vec<Workflow>) -> Workflow {
    let registered = match registered_workflows() {
        Ok(workflows) => workflows,
        Err(error) => panic!("{error}"),
    };
    let mut all = given;
    all.extend(registered);
    if let Some(workflow) = all.iter().find(|workflow| workflow.name() == name) {
        return workflow.clone();
    }
    let known = all.iter().map(|workflow| workflow.name().to_owned()).collect();
    panic!("{}", ExecutorError::UnknownWorkflow { name: name.to_owned(), known });
}

impl fmt::Debug for TestRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestRunner")
            .field("workflows", &self.workflows)
            .field("scripted", &self.scripts.keys())
            .field("real_time", &self.real_time)
            .finish_non_exhaustive()
    }
}
