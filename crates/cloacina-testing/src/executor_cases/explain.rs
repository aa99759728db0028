//! Why tasks do not run, as the executors that could run them tell.

use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use cloacina_core::{
    Context, ExecuteOptions, ExecutionId, ExecutionReason, ExecutorConfig, ExecutorError,
    Explanation, PipelineStatus, RetryPolicy, TaskReason, UnifiedExecutorBuilder, WorkerId,
    Workflow,
};

use super::Process;
use super::bodies::{Gate, Journal, endless, failing, gated, idle, noting};
use super::fixture::{ExecutorBuilder, ExecutorFixture, until, workflow};

/// A chain of two whose first task waits for leave.
fn chain(gate: &Gate) -> Workflow {
    let journal = Journal::new();
    workflow("chain", [gated("a", gate, &journal), noting("b", &journal).depends_on(["a"])])
}

async fn explain(process: &Process, id: ExecutionId) -> Explanation {
    process.explain(id).await.expect("an execution is explained")
}

/// Waits until a task waits for something of that kind.
async fn until_task(process: &Process, id: ExecutionId, task: &str, is: fn(&TaskReason) -> bool) {
    let told = async || explain(process, id).await.task(task).is_some_and(is);
    until(&format!("what `{task}` waits for is told"), told).await;
}

async fn until_kept(process: &Process, id: ExecutionId, is: fn(&ExecutionReason) -> bool) {
    until("what keeps it is told", async || is(&explain(process, id).await.reason)).await;
}

fn waits_for_a() -> TaskReason {
    TaskReason::Dependencies { tasks: vec!["a".into()] }
}

fn assert_about(told: DateTime<Utc>, expected: DateTime<Utc>) {
    let apart = (told - expected).abs();
    assert!(apart < TimeDelta::seconds(60), "{told} is told, it is {expected}");
}

/// Catches an explanation that knows neither what runs nor what is waited for, or that takes the store's word for it.
pub async fn an_explanation_tells_what_runs_and_what_waits_for_it(fx: &ExecutorFixture) {
    let gate = Gate::new();
    let (process, backend) =
        fx.process_and_backend([chain(&gate)], |builder| builder.lease_ttl(LONG)).await;
    let id = process.submit("chain").await;
    gate.arrived(1).await;
    backend.calls().take();
    let told = explain(&process, id).await;
    assert_eq!(backend.calls().count("load"), 0, "it is known in memory");
    let owner = fx.store().record(id).await.owner.expect("it is owned");
    let ExecutionReason::Driven { worker, lease_until } = told.reason else { panic!("{told:?}") };
    assert_eq!((told.status, worker), (PipelineStatus::Running, owner));
    let now = fx.store().now().await;
    assert_about(lease_until, now + LONG);
    let Some(TaskReason::Running { attempt: 1, since }) = told.task("a") else {
        panic!("{told:?}")
    };
    assert_about(*since, now);
    assert_eq!(told.task("b"), Some(&waits_for_a()));
    let text = told.to_string();
    assert!(text.contains("task `a` runs: attempt 1 since "), "{text}");
    assert!(text.ends_with("\n  task `b` waits for `a`"), "{text}");
    gate.open(1);
    process.ended_as(id, PipelineStatus::Completed).await;
}

/// No beat of it comes while a case lasts.
const LONG: Duration = Duration::from_secs(3_600);

/// Catches a store that is slow, and an explanation that blames the tasks.
pub async fn an_explanation_tells_of_a_commit_under_way(fx: &ExecutorFixture) {
    let gate = Gate::new();
    let (process, backend) = fx.process_and_backend([chain(&gate)], |builder| builder).await;
    let id = process.submit("chain").await;
    gate.arrived(1).await;
    let stall = backend.stall();
    let stalled = stall.lock().await;
    gate.open(1);
    until_task(&process, id, "a", |reason| *reason == TaskReason::Ended).await;
    let told = explain(&process, id).await;
    assert_eq!(told.task("b"), Some(&TaskReason::Commit { tasks: vec!["a".into()] }));
    drop(stalled);
    process.ended_as(id, PipelineStatus::Completed).await;
}

/// Catches a wait before a retry that looks like a hang, here, in another process, and once nobody owns the execution.
pub async fn an_explanation_tells_when_a_retry_is_due(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let policy = RetryPolicy::new(2).initial_delay(LONG);
    let tasks = [failing("a", &journal).retry(policy), noting("b", &journal).depends_on(["a"])];
    let flow = workflow("retries", tasks);
    let owner = fx.process([flow.clone()]).await;
    let id = owner.submit("retries").await;
    until_task(&owner, id, "a", |reason| matches!(reason, TaskReason::Retry { .. })).await;
    until("it is on record", async || !fx.store().load(id).await.attempts.is_empty()).await;
    let on_record = fx.store().load(id).await.attempts[0].retry_at.expect("it is retried");
    let other = fx.process([flow]).await;
    for process in [&owner, &other] {
        let told = explain(process, id).await;
        let Some(TaskReason::Retry { attempt: 2, due_at }) = told.task("a") else {
            panic!("{told:?}")
        };
        assert_about(*due_at, on_record);
        assert_eq!(told.task("b"), Some(&waits_for_a()));
    }
    owner.shutdown().await.expect("a shutdown");
    until_kept(&other, id, |reason| matches!(reason, ExecutionReason::NotDue { .. })).await;
    let told = explain(&other, id).await;
    assert!(matches!(told.task("a"), Some(TaskReason::Retry { attempt: 2, .. })), "{told:?}");
}

/// Catches a full executor whose tasks seem to hang.
pub async fn an_explanation_tells_that_no_slot_is_free(fx: &ExecutorFixture) {
    let gate = Gate::new();
    let process = fx.process_with([chain(&gate)], |builder| builder.max_concurrent_tasks(1)).await;
    let first = process.submit("chain").await;
    gate.arrived(1).await;
    let second = process.submit("chain").await;
    until_task(&process, second, "a", |reason| {
        *reason == TaskReason::Slot { running: 1, limit: 1 }
    })
    .await;
    gate.open(2);
    for id in [first, second] {
        process.ended_as(id, PipelineStatus::Completed).await;
    }
}

/// Catches a pause that somebody forgot and nobody is told of.
pub async fn an_explanation_tells_of_a_pause(fx: &ExecutorFixture) {
    let gate = Gate::new();
    let process = fx.process([chain(&gate)]).await;
    let id = process.submit("chain").await;
    gate.arrived(1).await;
    process.pause_execution(id).await.expect("a pause");
    let told = explain(&process, id).await;
    assert_eq!((told.status, &told.reason), (PipelineStatus::Paused, &ExecutionReason::Paused));
    assert!(matches!(told.task("a"), Some(TaskReason::Running { .. })), "it may finish: {told:?}");
    gate.open(1);
    fx.until_unowned(id).await;
    until("it is let go of", async || process.metrics().held_executions == 0).await;
    let told = explain(&process, id).await;
    assert_eq!((told.status, &told.reason), (PipelineStatus::Paused, &ExecutionReason::Paused));
    assert_eq!(told.task("a"), None, "it has ended");
    assert_eq!(told.task("b"), Some(&TaskReason::Execution));
    assert!(told.to_string().ends_with("task `b` waits: it is paused"), "{told}");
    process.resume_execution(id).await.expect("a resume");
    process.ended_as(id, PipelineStatus::Completed).await;
}

/// Catches a process that takes what another owns for its own, or for nobody's.
pub async fn an_explanation_tells_who_owns_an_execution(fx: &ExecutorFixture) {
    let gate = Gate::new();
    let owner = fx
        .process_with([chain(&gate)], |builder| builder.lease_ttl(Duration::from_millis(900)))
        .await;
    let id = owner.submit("chain").await;
    gate.arrived(1).await;
    let other = fx.process([chain(&gate)]).await;
    let worker = fx.store().record(id).await.owner.expect("it is owned");
    let told = explain(&other, id).await;
    let ExecutionReason::Owned { worker: by, lease_until: Some(until) } = told.reason else {
        panic!("another process owns it, and lives: {told:?}");
    };
    assert_eq!(by, worker);
    let left = until - fx.store().now().await;
    assert!(left <= TimeDelta::seconds(5), "it is not its own lease that holds for another {left}");
    assert_eq!(told.task("b"), Some(&waits_for_a()));
    // Its start is on record after a beat.
    until_task(&other, id, "a", |reason| matches!(reason, TaskReason::Running { .. })).await;
    gate.open(1);
    owner.ended_as(id, PipelineStatus::Completed).await;
}

/// An execution of a workflow `w` in which `a` is committed and `b` was running when its process died.
async fn left_behind(fx: &ExecutorFixture) -> ExecutionId {
    let (gate, journal) = (Gate::new(), Journal::new());
    let tasks = [idle("a"), endless("b", &gate, &journal).depends_on(["a"])];
    let old = fx.process([workflow("w", tasks)]).await;
    let id = old.submit("w").await;
    gate.arrived(1).await;
    old.crash().await;
    id
}

/// Catches an execution that waits for its deploy without a word.
pub async fn an_explanation_tells_what_is_not_known_here(fx: &ExecutorFixture) {
    let id = left_behind(fx).await;
    let misfit = fx.process([workflow("w", [idle("b")])]).await;
    let stranger = fx.process([workflow("other", [idle("a")])]).await;
    let client = fx.process_with([], UnifiedExecutorBuilder::client_only).await;
    fx.until_unowned(id).await;
    let of_misfit = explain(&misfit, id).await;
    let version = fx.store().record(id).await.workflow.version;
    let ExecutionReason::UnknownVersion { version: told, misfit } = &of_misfit.reason else {
        panic!("{of_misfit:?}")
    };
    assert_eq!(**told, *version);
    assert!(misfit.contains("task `a` has completed"), "says what does not fit: {misfit}");
    let of_stranger = explain(&stranger, id).await;
    assert_eq!(of_stranger.reason, ExecutionReason::UnknownWorkflow);
    let of_client = explain(&client, id).await;
    assert_eq!(of_client.reason, ExecutionReason::Client);
    for told in [of_misfit, of_stranger, of_client] {
        let tasks: Vec<_> = told.tasks.iter().map(|task| task.task_id.as_str()).collect();
        assert_eq!(tasks, ["b"], "its structure is on record: {told:?}");
        assert_eq!(told.task("b"), Some(&TaskReason::Execution));
    }
    client.cancel_execution(id).await.expect("a cancel");
}

/// Catches an execution that fits and is said not to.
pub async fn an_explanation_tells_what_is_about_to_be_taken_up(fx: &ExecutorFixture) {
    let tasks = [idle("a"), idle("b").depends_on(["a"]), idle("c").depends_on(["b"])];
    // Other versions are looked at with each beat.
    let flow = workflow("w", tasks.map(|task| task.fingerprint("another")));
    let process = fx.process_with([flow], |builder| builder.lease_ttl(LONG)).await;
    let id = left_behind(fx).await;
    until("its owner is buried", async || {
        // The process may be the first to do so.
        let buried = fx.store().store().bury_dead_workers(WorkerId::new()).await;
        buried.expect("bury answers");
        fx.store().record(id).await.owner.is_none()
    })
    .await;
    let told = explain(&process, id).await;
    assert_eq!(told.reason, ExecutionReason::Unowned);
    assert_eq!(told.task("b"), Some(&TaskReason::Execution));
    let c = TaskReason::Dependencies { tasks: vec!["b".into()] };
    assert_eq!(told.task("c"), Some(&c), "by the version that takes it up");
}

/// Catches a delay that looks like a lack of workers.
pub async fn an_explanation_tells_when_a_delayed_execution_is_due(fx: &ExecutorFixture) {
    let process = fx.process([chain(&Gate::new())]).await;
    let options = ExecuteOptions::new().delay(LONG);
    let delayed = process.execute_with("chain", Context::new(), options).await.expect("a submit");
    let told = explain(&process, delayed.execution_id).await;
    let ExecutionReason::NotDue { due_at } = told.reason else { panic!("{told:?}") };
    let on_record = fx.store().record(delayed.execution_id).await.due_at;
    assert_eq!((told.status, Some(due_at)), (PipelineStatus::Pending, on_record));
    assert_eq!(told.task("a"), Some(&TaskReason::Execution));
}

/// Catches an executor at its limit that seems to sleep.
pub async fn an_explanation_tells_that_there_is_no_room(fx: &ExecutorFixture) {
    let gate = Gate::new();
    let mut config = ExecutorConfig::default();
    config.max_held_executions = 1;
    let process = fx.process_with([chain(&gate)], |builder| builder.config(config)).await;
    let first = process.submit("chain").await;
    gate.arrived(1).await;
    let second = process.submit("chain").await;
    let told = explain(&process, second).await;
    assert_eq!(told.reason, ExecutionReason::NoRoom { held: 1 });
    gate.open(2);
    for id in [first, second] {
        process.ended_as(id, PipelineStatus::Completed).await;
    }
}

/// Catches a shutdown that waits for a body while everything else seems to hang.
pub async fn an_explanation_tells_of_a_shutdown(fx: &ExecutorFixture) {
    let gate = Gate::new();
    let process = fx.process([chain(&gate)]).await;
    let paused = process.submit("chain").await;
    gate.arrived(1).await;
    process.pause_execution(paused).await.expect("a pause");
    gate.open(1);
    fx.until_unowned(paused).await;
    until("it is let go of", async || process.metrics().held_executions == 0).await;
    let running = process.submit("chain").await;
    gate.arrived(1).await;
    let looks = async {
        until_kept(&process, running, |reason| *reason == ExecutionReason::Leaving).await;
        let told = explain(&process, running).await;
        assert!(matches!(told.task("a"), Some(TaskReason::Running { .. })), "{told:?}");
        process.resume_execution(paused).await.expect("a resume");
        let told = explain(&process, paused).await;
        assert_eq!(told.reason, ExecutionReason::ShuttingDown);
        gate.open(1);
    };
    let (mut shutdown, looks) = (pin!(process.shutdown()), pin!(looks));
    tokio::select! {
        biased;
        ended = &mut shutdown => panic!("a body runs: {ended:?}"),
        () = looks => {}
    }
    shutdown.await.expect("a shutdown");
}

/// Catches a worker without a lease that does not say why it starts nothing.
pub async fn an_explanation_tells_that_the_lease_is_over(fx: &ExecutorFixture) {
    let gate = Gate::new();
    let quick = |builder: ExecutorBuilder| builder.lease_ttl(Duration::from_millis(900));
    let (process, backend) = fx.process_and_backend([chain(&gate)], quick).await;
    let silence = backend.silence();
    let silent = silence.lock().await;
    let id = process.submit("chain").await;
    gate.arrived(1).await;
    gate.open(1);
    process.ended_as(id, PipelineStatus::Completed).await;
    until("the lease is over", async || {
        let id = process.submit("chain").await;
        let started = async || {
            let told = explain(&process, id).await;
            matches!(told.task("a"), Some(TaskReason::Running { .. } | TaskReason::Lease))
        };
        until("it starts, or waits for the lease", started).await;
        let over = explain(&process, id).await.task("a") == Some(&TaskReason::Lease);
        process.cancel_execution(id).await.expect("a cancel");
        over
    })
    .await;
    drop(silent);
    process.shutdown().await.expect("a shutdown");
}

/// Catches a suspect that waits to run alone, or whose start is put on record, and those that wait for it: all seem to hang.
pub async fn an_explanation_tells_of_what_is_suspected(fx: &ExecutorFixture) {
    let (poison, busy, journal) = (Gate::new(), Gate::new(), Journal::new());
    let poisonous = || workflow("poison", [endless("a", &poison, &journal)]);
    // It knows nothing else and is alone at first, so each of the two runs what is its own.
    let dies = fx.process([poisonous()]).await;
    let suspect = dies.submit("poison").await;
    poison.arrived(1).await;
    // After one crash already it has to run alone.
    let strict = |builder: ExecutorBuilder| {
        builder.max_recovery_attempts(2).lease_ttl(Duration::from_secs(9))
    };
    let flows = [poisonous(), workflow("busy", [gated("a", &busy, &journal)])];
    let (process, backend) = fx.process_and_backend(flows, strict).await;
    process.submit("busy").await;
    busy.arrived(1).await;
    dies.crash().await;
    until_task(&process, suspect, "a", |reason| *reason == TaskReason::Solitude).await;
    let stall = backend.stall();
    let late = process.submit("busy").await;
    until_task(&process, late, "a", |reason| *reason == TaskReason::Suspect).await;
    let stalled = stall.lock().await;
    busy.open(1);
    until_task(&process, suspect, "a", |reason| *reason == TaskReason::StartOnRecord).await;
    drop(stalled);
    poison.arrived(1).await;
    let told = explain(&process, late).await;
    assert_eq!(told.task("a"), Some(&TaskReason::Suspect), "while it runs alone");
    process.cancel_execution(suspect).await.expect("a cancel");
    busy.open(1);
    process.ended_as(late, PipelineStatus::Completed).await;
}

/// Catches an explanation that goes on about what is over, and one that makes up what never was.
pub async fn an_explanation_of_what_has_ended_names_no_task(fx: &ExecutorFixture) {
    let process = fx.process([workflow("w", [idle("a")])]).await;
    let id = process.run("w").await.execution_id;
    until("it is let go of", async || process.metrics().held_executions == 0).await;
    let told = explain(&process, id).await;
    assert_eq!((told.status, &told.reason), (PipelineStatus::Completed, &ExecutionReason::Ended));
    assert_eq!(told.tasks, []);
    assert_eq!(told.to_string(), format!("execution {id} of workflow `w` is completed"));
    let unknown = process.explain(ExecutionId::new()).await.expect_err("it does not exist");
    assert!(matches!(unknown, ExecutorError::UnknownExecution(_)), "{unknown:?}");
}
