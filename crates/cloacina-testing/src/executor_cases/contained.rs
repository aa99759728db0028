//! Bodies that misbehave in odd ways: each hurts its own task only.

use std::fmt;
use std::time::Duration;

use cloacina_core::{PipelineStatus, RetryPolicy, Task, TaskState, Workflow};

use super::bodies::{Gate, Journal, attempts, idle, noting};
use super::fixture::{ExecutorBuilder, ExecutorFixture, Process, until, workflow};

/// Panics when it is dropped; what that panic carries does too, so many times.
#[derive(Debug)]
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if let Some(left) = self.0.checked_sub(1) {
            std::panic::panic_any(Self(left));
        }
    }
}

fn explode() {
    std::panic::panic_any(Bomb(3))
}

/// An error that panics when it is dropped.
#[derive(Debug)]
struct Brittle(#[expect(dead_code, reason = "it is there to be dropped")] Bomb);

impl fmt::Display for Brittle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("brittle")
    }
}

impl std::error::Error for Brittle {}

/// An error that panics when it is shown.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("unspeakable")
    }
}

impl std::error::Error for Unspeakable {}

/// Starts a process that has one slot, and that must go on whatever the task `a` of `w` does.
async fn process(fx: &ExecutorFixture, task: Task) -> Process {
    let workflows = [workflow("w", [task]), plain()];
    // A task of which nothing is heard would be given up after this only.
    let long = Duration::from_secs(3_600);
    fx.process_with(workflows, |builder| builder.max_concurrent_tasks(1).task_timeout(long)).await
}

fn plain() -> Workflow {
    workflow("plain", [idle("a")])
}

async fn fails_alone(process: &Process, error: &str) {
    let result = process.run("w").await;
    assert_eq!(result.status, PipelineStatus::Failed, "{result:?}");
    let told = result.task("a").and_then(|task| task.error_message.as_deref());
    assert_eq!(told, Some(error));
    goes_on(process).await;
}

async fn goes_on(process: &Process) {
    let result = process.run("plain").await;
    assert_eq!(result.status, PipelineStatus::Completed, "the slot is free: {result:?}");
    until("nothing is held", async || process.metrics().held_executions == 0).await;
}

/// Catches a second panic, in the remains of the first.
pub async fn a_panic_whose_remains_panic_fails_its_task_only(fx: &ExecutorFixture) {
    let task = Task::new("a", |_, _| Box::pin(async { explode() }));
    fails_alone(&process(fx, task).await, "the task panicked").await;
    let task = Task::blocking("a", |_, _| explode());
    fails_alone(&process(fx, task).await, "the task panicked").await;
}

/// Catches user code that is run where nothing catches its panic.
pub async fn an_error_that_panics_when_it_is_shown_fails_its_task_only(fx: &ExecutorFixture) {
    let task = Task::new("a", |_, _| Box::pin(async { Err::<(), _>(Unspeakable) }));
    fails_alone(&process(fx, task).await, "the task panicked: unspeakable").await;
}

/// Catches an error that is carried on by what must not panic.
pub async fn an_error_that_panics_when_it_is_dropped_fails_its_task_only(fx: &ExecutorFixture) {
    let task = Task::new("a", |_, _| Box::pin(async { Err::<(), _>(Brittle(Bomb(2))) }));
    fails_alone(&process(fx, task.clone()).await, "brittle").await;
    fails_alone(&process(fx, task.retry(attempts(3))).await, "brittle").await;
}

/// Catches a predicate that is asked where nothing catches its panic.
pub async fn a_retry_predicate_that_panics_retries_nothing(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let noted = journal.clone();
    let policy = RetryPolicy::new(3).retry_on(|_| panic!("undecided"));
    let task = Task::new("a", move |_, _| {
        noted.note("a");
        Box::pin(async { Err::<(), _>("it went wrong") })
    });
    let told = "it went wrong (not retried, for `retry_on` panicked: undecided)";
    fails_alone(&process(fx, task.retry(policy)).await, told).await;
    assert_eq!(journal.count("a"), 1, "how often the body ran");
}

/// Catches a body whose end is missed because it panics on the way out.
pub async fn a_body_that_panics_when_it_is_dropped_fails_its_task_only(fx: &ExecutorFixture) {
    let hangs = Task::new("a", |_, _| {
        Box::pin(async {
            let _bomb = Bomb(2);
            std::future::pending::<()>().await;
        })
    });
    let short = hangs.clone().timeout(Duration::from_millis(30));
    // The panic is to be heard of, however long its backtrace takes.
    let patient = |builder: ExecutorBuilder| {
        builder.max_concurrent_tasks(1).cancel_grace(Duration::from_secs(60))
    };
    let patient = fx.process_with([workflow("w", [short]), plain()], patient).await;
    fails_alone(&patient, "the task panicked").await;
    drop(patient);
    let process = process(fx, hangs).await;
    let execution = process.start("w").await;
    until("the body runs", async || process.metrics().running_tasks == 1).await;
    assert_eq!(execution.cancel().await.expect("a cancel"), PipelineStatus::Cancelled);
    goes_on(&process).await;
}

/// Catches an execution that waits for what its tasks left behind.
pub async fn what_a_body_spawns_and_forgets_holds_nothing_up(fx: &ExecutorFixture) {
    let gate = Gate::new();
    let forgotten = gate.clone();
    let task = Task::new("a", move |_, _| {
        let forgotten = forgotten.clone();
        Box::pin(async move {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..20 {
                let gate = forgotten.clone();
                tasks.spawn(async move { gate.pass().await });
            }
            tasks.detach_all();
        })
    });
    let process = process(fx, task).await;
    assert_eq!(process.run("w").await.status, PipelineStatus::Completed);
    gate.arrived(20).await;
    goes_on(&process).await;
    gate.open(20);
}

/// Catches an execution that waits for a body which never heeds its token, and a slot that is given away twice.
pub async fn a_blocking_body_that_ignores_its_token_keeps_its_slot_only(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let (leave, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let stubborn = Task::blocking("stubborn", move |_, _| {
        let _ = wait.lock().map(|wait| wait.recv_timeout(super::PATIENCE));
    });
    let workflows =
        [workflow("w", [stubborn, noting("after", &journal).depends_on(["stubborn"])]), plain()];
    let process = fx.process_with(workflows, |builder| builder.max_concurrent_tasks(2)).await;
    let execution = process.start("w").await;
    until("the body runs", async || process.metrics().running_tasks == 1).await;
    assert_eq!(execution.cancel().await.expect("a cancel"), PipelineStatus::Cancelled);
    let result = super::fixture::ended(&execution).await;
    assert_eq!(result.status, PipelineStatus::Cancelled, "the end does not wait for the body");
    let states: Vec<_> = result.task_results.iter().map(|task| task.status).collect();
    assert_eq!(states, [TaskState::Cancelled, TaskState::Cancelled], "states of the tasks");
    goes_on(&process).await;
    assert_eq!(process.metrics().running_tasks, 1, "the thread is still taken");
    leave.send(()).expect("the body still blocks");
    until("the slot is free", async || process.metrics().running_tasks == 0).await;
    assert_eq!(journal.count("after"), 0, "nothing starts after the end");
}
