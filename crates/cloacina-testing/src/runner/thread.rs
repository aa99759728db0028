//! The thread of a run: its runtime, its clock, its executor.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use cloacina_core::{
    Context, ExecutionId, ExecutorError, Task, TaskId, TaskState, UnifiedExecutor,
    UnifiedExecutorBuilder, Workflow,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::report::{Start, TestReport};
use super::script::Script;
use crate::MemoryBackend;

type ExecutorBuilder = UnifiedExecutorBuilder<MemoryBackend>;
pub(super) type Setting = Box<dyn FnOnce(ExecutorBuilder) -> ExecutorBuilder + Send>;

/// Nobody else is there who could take the run over, so the worker need not show often that it lives: each sign of life is a
/// stop on the way of the clock.
const LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the attempts note that they start.
type Starts = Arc<Mutex<Vec<(TaskId, u32, Instant)>>>;

/// A run that can begin.
pub(super) struct Plan {
    workflow: Workflow,
    input: Context,
    settings: Vec<Setting>,
    /// How long the run may stand still; without a limit the clock is not paused.
    stall_limit: Option<Duration>,
    starts: Starts,
}

impl Plan {
    #[track_caller]
    pub(super) fn new(
        workflow: &Workflow,
        mut scripts: BTreeMap<String, Script>,
        input: Context,
        settings: Vec<Setting>,
        stall_limit: Option<Duration>,
    ) -> Self {
        let starts = Starts::default();
        let tasks = workflow.tasks().iter().map(|task| {
            let script = scripts.remove(task.id().as_str()).unwrap_or_default();
            scripted(task, script, Arc::clone(&starts))
        });
        let rebuilt = Workflow::builder(workflow.name())
            .description(workflow.description())
            .tasks(tasks)
            .build();
        let workflow = rebuilt.expect("the tasks of a workflow form one");
        Self { workflow, input, settings, stall_limit, starts }
    }

    /// Begins when it is first polled.
    pub(super) fn report(self) -> Report {
        Report(Box::pin(async move { self.start().outcome().await }))
    }

    #[track_caller]
    pub(super) fn report_blocking(self) -> TestReport {
        or_panic(self.start().join())
    }

    fn start(self) -> Running {
        let (sender, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name("test-runner".to_owned());
        let thread = thread.spawn(move || self.run(sender)).expect("a thread can be started");
        Running { thread, ended }
    }

    fn run(self, mut ended: oneshot::Sender<Infallible>) -> Outcome {
        // Waits with a jitter are the same in every run.
        fastrand::seed(0);
        let runtime = self.runtime();
        let outcome = runtime.block_on(async {
            tokio::select! {
                outcome = Box::pin(self.drive()) => outcome,
                () = ended.closed() => Err(ExecutorError::ShuttingDown.into()),
            }
        });
        // A blocking body that was given up would be waited for otherwise.
        runtime.shutdown_background();
        outcome
    }

    fn runtime(&self) -> Runtime {
        let mut builder = Builder::new_current_thread();
        builder.enable_all().start_paused(self.stall_limit.is_some());
        builder.build().expect("a runtime can be built")
    }

    async fn drive(self) -> Outcome {
        let builder = UnifiedExecutor::<MemoryBackend>::builder().lease_ttl(LEASE);
        let builder = self.settings.into_iter().fold(builder, |builder, change| change(builder));
        let name = self.workflow.name().to_owned();
        let executor = builder.workflows([self.workflow]).build_on(MemoryBackend::new()).await?;
        let begun = Instant::now();
        let execution = executor.execute_async(&name, self.input).await?;
        let result = tokio::select! {
            result = execution.wait() => result?,
            running = stalled(&executor, execution.execution_id, &self.starts, self.stall_limit) => {
                return Err(Stop::Stalled(running));
            }
        };
        let elapsed = begun.elapsed();
        let events = executor.list_events(result.execution_id).await?;
        let starts = std::mem::take(&mut *lock(&self.starts)).into_iter();
        let starts = starts.map(|(task, attempt, at)| Start { task, attempt, at: at - begun });
        let starts = starts.collect();
        Ok(TestReport { result, starts, events, elapsed })
    }
}

fn lock(starts: &Starts) -> MutexGuard<'_, Vec<(TaskId, u32, Instant)>> {
    starts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns when tasks have been running for so long without another start: those tasks. It looks at the clock of the host, since
/// that of the run stands still.
async fn stalled(
    executor: &UnifiedExecutor<MemoryBackend>,
    execution: ExecutionId,
    starts: &Starts,
    limit: Option<Duration>,
) -> Vec<TaskId> {
    let Some(limit) = limit else { return std::future::pending().await };
    let mut seen = 0;
    loop {
        let mut watch = Watch::start(limit);
        let _ = (&mut watch.passed).await;
        let before = running(executor, execution).await;
        // What ended while the thread was busy is told first.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let started = lock(starts).len();
        if started == seen && !before.is_empty() && before == running(executor, execution).await {
            return before;
        }
        seen = started;
    }
}

/// A thread that sleeps in real time, no longer than this lives.
struct Watch {
    /// Answers, with nothing, when the time has passed.
    passed: oneshot::Receiver<Infallible>,
    _alive: mpsc::Sender<Infallible>,
}

impl Watch {
    fn start(limit: Duration) -> Self {
        let (sender, passed) = oneshot::channel();
        let (alive, gone) = mpsc::channel::<Infallible>();
        let thread = std::thread::Builder::new().name("test-runner-watch".to_owned());
        let slept = thread.spawn(move || {
            let _ = gone.recv_timeout(limit);
            drop(sender);
        });
        slept.expect("a thread can be started");
        Self { passed, _alive: alive }
    }
}

async fn running(executor: &UnifiedExecutor<MemoryBackend>, execution: ExecutionId) -> Vec<TaskId> {
    let Ok(result) = executor.get_execution_result(execution).await else { return Vec::new() };
    let running = result.task_results.into_iter().filter(|task| task.status == TaskState::Running);
    running.map(|task| task.task_id).collect()
}

/// Returns the task as the script wants it; each of its attempts notes that it starts.
fn scripted(task: &Task, mut script: Script, starts: Starts) -> Task {
    script.cast(task.clone()).intercept(move |_context, run| {
        let start = (run.task.clone(), run.attempt, Instant::now());
        lock(&starts).push(start);
        script.play(run)
    })
}

type Outcome = Result<TestReport, Stop>;

/// Why there is no report.
enum Stop {
    Refused(ExecutorError),
    /// These tasks were running.
    Stalled(Vec<TaskId>),
}

impl From<ExecutorError> for Stop {
    fn from(error: ExecutorError) -> Self {
        Self::Refused(error)
    }
}

impl fmt::Display for Stop {
    /// Writes an error with its causes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => {
                write!(f, "the workflow could not be run: {error}")?;
                let mut cause = std::error::Error::source(error);
                while let Some(error) = cause {
                    write!(f, ": {error}")?;
                    cause = error.source();
                }
                Ok(())
            }
            Self::Stalled(tasks) => {
                let tasks: Vec<_> = tasks.iter().map(|task| format!("`{task}`")).collect();
                let (word, tasks) =
                    (if tasks.len() == 1 { "task" } else { "tasks" }, tasks.join(", "));
                write!(
                    f,
                    "the run stalled in {word} {tasks}: while a blocking body runs, the clock stands still, so that no timeout ends \
                     it; stub the task, or use `real_time()`"
                )
            }
        }
    }
}

/// A run that has begun. It stops when this is dropped.
struct Running {
    thread: JoinHandle<Outcome>,
    /// Answers, with nothing, when the thread has come to its end.
    ended: oneshot::Receiver<Infallible>,
}

impl Running {
    async fn outcome(mut self) -> Outcome {
        let _ = (&mut self.ended).await;
        self.join()
    }

    fn join(self) -> Outcome {
        self.thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// The report of a run, in the future.
pub(super) struct Report(Pin<Box<dyn Future<Output = Outcome> + Send>>);

impl Future for Report {
    type Output = TestReport;

    /// Panics where it is awaited: an `async` block would do so here.
    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<TestReport> {
        match self.0.as_mut().poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(or_panic(outcome)),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[track_caller]
fn or_panic(outcome: Outcome) -> TestReport {
    match outcome {
        Ok(report) => report,
        Err(stop) => panic!("{stop}"),
    }
}
