//! The thread of a run: its runtime, its clock, its executor.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use cloacina_core::{
    Context, ExecutorError, Task, TaskId, UnifiedExecutor, UnifiedExecutorBuilder, Workflow,
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
    real_time: bool,
    starts: Starts,
}

impl Plan {
    #[track_caller]
    pub(super) fn new(
        workflow: &Workflow,
        mut scripts: BTreeMap<String, Script>,
        input: Context,
        settings: Vec<Setting>,
        real_time: bool,
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
        Self { workflow, input, settings, real_time, starts }
    }

    #[track_caller]
    pub(super) fn start(self) -> Running {
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
                () = ended.closed() => Err(ExecutorError::ShuttingDown),
            }
        });
        // A blocking body that was given up would be waited for otherwise.
        runtime.shutdown_background();
        outcome
    }

    fn runtime(&self) -> Runtime {
        let mut builder = Builder::new_current_thread();
        builder.enable_all().start_paused(!self.real_time);
        builder.build().expect("a runtime can be built")
    }

    async fn drive(self) -> Outcome {
        let builder = UnifiedExecutor::<MemoryBackend>::builder().lease_ttl(LEASE);
        let builder = self.settings.into_iter().fold(builder, |builder, change| change(builder));
        let name = self.workflow.name().to_owned();
        let executor = builder.workflows([self.workflow]).build_on(MemoryBackend::new()).await?;
        let begun = Instant::now();
        let result = executor.execute(&name, self.input).await?;
        let elapsed = begun.elapsed();
        let events = executor.list_events(result.execution_id).await?;
        let starts = self
            .starts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
            .map(|(task, attempt, at)| Start { task, attempt, at: at - begun })
            .collect();
        Ok(TestReport { result, starts, events, elapsed })
    }
}

/// Returns the task as the script wants it; each of its attempts notes that it starts.
fn scripted(task: &Task, mut script: Script, starts: Starts) -> Task {
    script.cast(task.clone()).intercept(move |_context, run| {
        let start = (run.task.clone(), run.attempt, Instant::now());
        starts.lock().unwrap_or_else(PoisonError::into_inner).push(start);
        script.play(run)
    })
}

type Outcome = Result<TestReport, ExecutorError>;

/// A run that has begun. It stops when this is dropped.
pub(super) struct Running {
    thread: JoinHandle<Outcome>,
    /// Answers, with nothing, when the thread has come to its end.
    ended: oneshot::Receiver<Infallible>,
}

impl Running {
    pub(super) async fn report(mut self) -> TestReport {
        let _ = (&mut self.ended).await;
        self.report_blocking()
    }

    #[track_caller]
    pub(super) fn report_blocking(self) -> TestReport {
        match self.thread.join() {
            Ok(Ok(report)) => report,
            Ok(Err(error)) => panic!("the workflow could not be run: {error}"),
            Err(panic) => resume_unwind(panic),
        }
    }
}
