//! Paused executions, and orders that come from another process.

use std::time::Duration;

use cloacina_core::backend::EventKind;
use cloacina_core::{ExecutionId, ExecutorError, PipelineStatus, RetryPolicy, Task, TaskError};

use super::bodies::{Gate, Journal, gated, noting};
use super::fixture::{ExecutorFixture, ended, until, workflow};

fn chain(gate: &Gate, journal: &Journal) -> cloacina_core::Workflow {
    let tasks = [
        gated("a", gate, journal),
        noting("b", journal).depends_on(["a"]),
        noting("c", journal).depends_on(["b"]),
    ];
    workflow("chain", tasks)
}

/// Catches a pause that stops a running body, or lets a dependent start, and a resume that starts over.
pub async fn a_pause_lets_running_tasks_finish_and_starts_no_others(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let process = fx.process([chain(&gate, &journal)]).await;
    let execution = process.start("chain").await;
    let id = execution.execution_id;
    gate.arrived(1).await;
    process.pause_execution(id).await.expect("a pause");
    assert_eq!(process.status(id).await, PipelineStatus::Paused);
    gate.open(1);
    // Given back means that its last body has ended, is committed, and that nothing waits to start.
    fx.until_unowned(id).await;
    let rows = fx.store().load(id).await.tasks;
    assert_eq!(rows.len(), 1, "the running task finished: {rows:?}");
    assert_eq!(journal.entries(), ["a"], "what ran while it was paused");
    process.resume_execution(id).await.expect("a resume");
    assert_eq!(ended(&execution).await.status, PipelineStatus::Completed);
    assert_eq!(journal.entries(), ["a", "b", "c"], "a resume repeats nothing");
    assert_eq!(fx.events(id).await, [EventKind::Paused, EventKind::Resumed], "events");
}

/// Catches a pause that a running body must finish before it can be taken back.
pub async fn a_pause_can_be_taken_back_while_a_body_runs(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let process = fx.process([chain(&gate, &journal)]).await;
    let execution = process.start("chain").await;
    let id = execution.execution_id;
    gate.arrived(1).await;
    for _ in 0..3 {
        process.pause_execution(id).await.expect("a pause");
        process.pause_execution(id).await.expect("a second pause is no error");
        process.resume_execution(id).await.expect("a resume");
        process.resume_execution(id).await.expect("a second resume is no error");
    }
    gate.open(1);
    assert_eq!(ended(&execution).await.status, PipelineStatus::Completed);
    assert_eq!(journal.entries(), ["a", "b", "c"], "each ran once");
}

/// Catches a paused execution that starts when a slot falls free.
pub async fn an_execution_paused_before_its_start_does_not_start(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let workflows = [
        workflow("holds", [gated("hold", &gate, &journal)]),
        workflow("queued", [noting("queued", &journal)]),
        workflow("next", [noting("next", &journal)]),
    ];
    let process = fx.process_with(workflows, |builder| builder.max_concurrent_tasks(1)).await;
    let holder = process.start("holds").await;
    gate.arrived(1).await;
    let queued = process.start("queued").await;
    let next = process.start("next").await;
    process.pause_execution(queued.execution_id).await.expect("a pause");
    gate.open(1);
    assert_eq!(ended(&next).await.status, PipelineStatus::Completed);
    assert_eq!(ended(&holder).await.status, PipelineStatus::Completed);
    fx.until_unowned(queued.execution_id).await;
    assert_eq!(journal.entries(), ["hold", "next"], "what ran while it was paused");
    process.resume_execution(queued.execution_id).await.expect("a resume");
    assert_eq!(ended(&queued).await.status, PipelineStatus::Completed);
    assert_eq!(journal.count("queued"), 1);
}

/// Catches orders about what has ended, or does not exist, that are accepted.
pub async fn pausing_and_resuming_what_has_ended_is_an_error(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let process = fx.process([workflow("w", [noting("a", &journal)])]).await;
    let id = process.run("w").await.execution_id;
    let paused = process.pause_execution(id).await.expect_err("a pause of what has ended");
    let resumed = process.resume_execution(id).await.expect_err("a resume of what has ended");
    for (error, action) in [(paused, "paused"), (resumed, "resumed")] {
        let expected = format!("execution {id} is completed, it cannot be {action}");
        assert_eq!(error.to_string(), expected);
        assert!(matches!(error, ExecutorError::WrongState { .. }), "{error:?}");
    }
    let unknown = ExecutionId::new();
    let error = process.pause_execution(unknown).await.expect_err("a pause of an unknown one");
    assert!(matches!(error, ExecutorError::UnknownExecution(id) if id == unknown), "{error}");
    assert_eq!(fx.events(id).await, [], "refused orders leave no events");
}

/// Catches an owner who does not hear of orders that another process gave.
pub async fn orders_of_another_process_reach_the_owner(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let flow = chain(&gate, &journal);
    let owner = fx.process([flow.clone()]).await;
    let other = fx.process_with([flow], cloacina_core::UnifiedExecutorBuilder::client_only).await;
    let paused = owner.start("chain").await;
    gate.arrived(1).await;
    other.pause_execution(paused.execution_id).await.expect("a pause");
    let heard = owner.status(paused.execution_id).await;
    assert_eq!(heard, PipelineStatus::Paused, "the store tells everybody at once");
    // The order of another process takes a moment to be heard; the next commit tells in any case.
    gate.open(1);
    fx.until_unowned(paused.execution_id).await;
    assert_eq!(other.status(paused.execution_id).await, PipelineStatus::Paused);
    other.resume_execution(paused.execution_id).await.expect("a resume");
    assert_eq!(ended(&paused).await.status, PipelineStatus::Completed);
    assert_eq!(journal.entries(), ["a", "b", "c"], "each ran once");
    let cancelled = owner.start("chain").await;
    gate.arrived(1).await;
    other.cancel_execution(cancelled.execution_id).await.expect("a cancel");
    assert_eq!(ended(&cancelled).await.status, PipelineStatus::Cancelled);
    until("the body is dropped", async || owner.metrics().running_tasks == 0).await;
    assert_eq!(journal.entries(), ["a", "b", "c", "a"], "nothing starts after the cancel");
}

/// Catches a pause that an answer from before it undoes, while results pour in.
pub async fn a_pause_amid_commits_holds(fx: &ExecutorFixture) {
    const STEPS: usize = 100;
    for round in 0..20 {
        let (gate, journal) = (Gate::new(), Journal::new());
        let tasks = (0..STEPS).map(|step| {
            let id = format!("t{step}");
            // However late the pause comes, there is something left that it holds.
            let gated_step = step == STEPS - 2;
            let task = if gated_step { gated(&id, &gate, &journal) } else { noting(&id, &journal) };
            if step == 0 { task } else { task.depends_on([format!("t{}", step - 1)]) }
        });
        let process = fx.process([workflow("long", tasks)]).await;
        let execution = process.start("long").await;
        let id = execution.execution_id;
        until("it has begun", async || !journal.entries().is_empty()).await;
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        process.pause_execution(id).await.expect("a pause");
        // One body may have been about to start when the order came.
        let begun = journal.entries().len();
        gate.open(1);
        fx.until_unowned(id).await;
        let ran = journal.entries().len();
        assert!(ran <= begun + 1, "{} bodies started after the pause", ran - begun);
        process.resume_execution(id).await.expect("a resume");
        assert_eq!(ended(&execution).await.status, PipelineStatus::Completed);
        assert_eq!(journal.entries().len(), STEPS, "each ran once");
        process.shutdown().await.expect("a shutdown");
    }
}

/// Catches what an order sets going and leaves to the runtime of whoever gave it, with which it ends.
pub async fn an_order_from_a_runtime_that_ends_is_carried_out(fx: &ExecutorFixture) {
    let policy = RetryPolicy::new(2).initial_delay(Duration::from_secs(3_600));
    let failing = Task::new("a", |_, _| Box::pin(async { Err::<(), _>(TaskError::new("no")) }));
    let process = fx.process([workflow("failing", [failing.retry(policy)])]).await;
    let id = process.submit("failing").await;
    until("the first attempt failed", async || !fx.store().load(id).await.attempts.is_empty())
        .await;
    let executor = process.executor();
    let elsewhere = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(executor.pause_execution(id))
    });
    elsewhere.await.expect("a thread").expect("a pause");
    fx.until_unowned(id).await;
    until("it is let go of", async || process.metrics().held_executions == 0).await;
    process.cancel_execution(id).await.expect("a cancel");
    process.ended_as(id, PipelineStatus::Cancelled).await;
}
