//! More submits than the store takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloacina_core::{
    Context, ExecutionId, ExecutionQuery, ExecutorError, OverloadPolicy, PipelineExecution,
    PipelineStatus, Workflow,
};
use futures_util::StreamExt as _;
use futures_util::future::{join_all, poll_immediate};
use futures_util::stream::FuturesUnordered;
use serde_json::json;

use super::bodies::{Gate, Journal, failing, gated, idle};
use super::fixture::{ExecutorBuilder, ExecutorFixture, Process, ended, input, until, workflow};
use crate::conformance::soon;

type Submitted = Result<PipelineExecution, ExecutorError>;

fn plain() -> Workflow {
    workflow("w", [idle("a")])
}

fn refusing(limit: usize) -> impl FnOnce(ExecutorBuilder) -> ExecutorBuilder {
    move |builder| builder.max_waiting_submits(limit).overload(OverloadPolicy::Refuse)
}

async fn stored(fx: &ExecutorFixture) -> usize {
    fx.store().store().list(&ExecutionQuery::new()).await.expect("list answers").len()
}

async fn complete(submitted: impl IntoIterator<Item = Submitted>) -> usize {
    let mut count = 0;
    for execution in submitted {
        let result = ended(&execution.expect("a submit is accepted")).await;
        assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
        count += 1;
    }
    count
}

fn submits(process: &Process, count: usize) -> impl Future<Output = Vec<Submitted>> + Unpin {
    join_all((0..count).map(|_| {
        let executor = process.executor();
        Box::pin(async move { executor.execute_async("w", Context::new()).await })
    }))
}

/// Catches a limit that does not hold for every way to submit, an error that does not tell what to do, and a submit that is
/// refused and done all the same.
pub async fn a_submit_over_the_limit_is_refused_and_writes_nothing(fx: &ExecutorFixture) {
    let workflows = [plain(), workflow("fails", [failing("a", &Journal::new())])];
    let (process, backend) = fx.process_and_backend(workflows, refusing(3)).await;
    let stall = backend.stall();
    let failed = process.run("fails").await.execution_id;
    let stalled = stall.lock().await;
    let mut waiting = submits(&process, 3);
    assert!(poll_immediate(&mut waiting).await.is_none());
    let refusals = [
        process.execute_async("w", Context::new()).await.map(drop),
        process.execute("w", Context::new()).await.map(drop),
        process.retry_execution(failed).await.map(drop),
    ];
    for refusal in refusals {
        let error = refusal.expect_err("a submit over the limit is refused");
        let expected = "the executor is overloaded: 3 submits wait for their commit, `max_waiting_submits` is 3";
        assert_eq!(error.to_string(), expected);
        assert!(error.is_transient(), "it may be tried again: {error:?}");
    }
    let metrics = process.metrics();
    assert_eq!((metrics.waiting_submits, metrics.refused_submits), (3, 3), "{metrics:?}");
    drop(stalled);
    assert_eq!(complete(soon("the submits", waiting).await).await, 3);
    assert_eq!(stored(fx).await, 4, "executions on record");
    assert_eq!(process.run("w").await.status, PipelineStatus::Completed, "there is room again");
    assert_eq!(process.metrics().waiting_submits, 0);
}

/// Catches a limit that counts submits but not what they carry.
pub async fn the_bytes_of_waiting_submits_are_limited_too(fx: &ExecutorFixture) {
    let settings = |builder: ExecutorBuilder| {
        builder.max_waiting_submit_bytes(1_000).overload(OverloadPolicy::Refuse)
    };
    let (process, backend) = fx.process_and_backend([plain()], settings).await;
    let stall = backend.stall();
    let of_size = |bytes: usize| input(json!({"x": "y".repeat(bytes - 8)}));
    let large = process.execute("w", of_size(5_000)).await.expect("a large one goes alone");
    assert_eq!(large.status, PipelineStatus::Completed);
    let stalled = stall.lock().await;
    let mut first = Box::pin(process.execute_async("w", of_size(600)));
    assert!(poll_immediate(&mut first).await.is_none());
    let error = process.execute_async("w", of_size(401)).await.expect_err("there is no room");
    let expected = "the executor is overloaded: 600 bytes of submits wait for their commit, `max_waiting_submit_bytes` is 1000";
    assert_eq!(error.to_string(), expected);
    let mut second = Box::pin(process.execute_async("w", of_size(400)));
    assert!(poll_immediate(&mut second).await.is_none(), "it just fits");
    drop(stalled);
    assert_eq!(complete([first.await, second.await]).await, 2);
    assert_eq!(stored(fx).await, 3, "executions on record");
}

/// Catches a place that is given back only after its submit was acknowledged.
pub async fn there_is_room_again_once_a_submit_is_acknowledged(fx: &ExecutorFixture) {
    let process = fx.process_with([plain()], refusing(1)).await;
    for number in 0..100 {
        let submitted = process.execute_async("w", Context::new()).await;
        submitted.unwrap_or_else(|error| panic!("submit {number} of 100 is refused: {error}"));
        assert_eq!(process.metrics().waiting_submits, 0, "after submit {number}");
    }
}

/// Catches a submit that hears nothing from a store without room, because more waits before it than one batch takes.
pub async fn a_store_without_room_refuses_submits_however_much_waits(fx: &ExecutorFixture) {
    const BEFORE: u16 = 2_500;
    let before = usize::from(BEFORE);
    let (gate, journal) = (Gate::new(), Journal::new());
    let settings = |builder: ExecutorBuilder| builder.max_concurrent_tasks(before);
    let workflows = [workflow("w", [gated("a", &gate, &journal)])];
    let (process, backend) = fx.process_and_backend(workflows, settings).await;
    let waiting = submits(&process, before).await;
    gate.arrived(BEFORE.into()).await;
    let full = backend.full();
    full.store(true, Ordering::Relaxed);
    gate.open(before);
    for _ in 0..5 {
        let refused = soon("an answer", process.execute_async("w", Context::new())).await;
        let refused = refused.expect_err("there is no room");
        assert!(refused.to_string().contains("there is no room"), "{refused}");
    }
    assert_eq!(process.metrics().waiting_submits, 0);
    full.store(false, Ordering::Relaxed);
    assert_eq!(complete(waiting).await, before);
    assert_eq!(stored(fx).await, before, "executions on record");
}

/// Catches back-pressure that does not press, or that never lets go.
pub async fn a_submit_over_the_limit_waits_and_goes_through(fx: &ExecutorFixture) {
    let settings = |builder: ExecutorBuilder| builder.max_waiting_submits(2);
    let (process, backend) = fx.process_and_backend([plain()], settings).await;
    let stall = backend.stall();
    let stalled = stall.lock().await;
    let mut all = submits(&process, 7);
    assert!(poll_immediate(&mut all).await.is_none());
    assert_eq!(process.metrics().waiting_submits, 2, "the others wait outside");
    drop(stalled);
    assert_eq!(complete(soon("the submits", all).await).await, 7);
    assert_eq!(process.metrics().refused_submits, 0);
    assert_eq!(stored(fx).await, 7, "executions on record");
}

/// Catches a place that is kept for somebody who has gone, and a submit that nobody wants any more.
pub async fn a_caller_that_goes_away_frees_its_place(fx: &ExecutorFixture) {
    let settings = |builder: ExecutorBuilder| builder.max_waiting_submits(1);
    let (process, backend) = fx.process_and_backend([plain()], settings).await;
    let stall = backend.stall();
    let stalled = stall.lock().await;
    let mut first = submits(&process, 1);
    let mut gone = submits(&process, 3);
    let mut last = submits(&process, 1);
    assert!(poll_immediate(&mut first).await.is_none());
    assert!(poll_immediate(&mut gone).await.is_none());
    assert!(poll_immediate(&mut last).await.is_none());
    drop(gone);
    drop(stalled);
    assert_eq!(complete(soon("the first", first).await).await, 1);
    assert_eq!(complete(soon("the last", last).await).await, 1);
    assert_eq!(stored(fx).await, 2, "those who went away had submitted nothing");
    assert_eq!(process.metrics().waiting_submits, 0);
}

/// Catches a limit that callers get around by not waiting: what they submitted still takes memory.
pub async fn a_submit_under_way_keeps_its_place_when_its_caller_goes_away(fx: &ExecutorFixture) {
    let (process, backend) = fx.process_and_backend([plain()], refusing(1)).await;
    let stall = backend.stall();
    let stalled = stall.lock().await;
    let mut gone = submits(&process, 1);
    assert!(poll_immediate(&mut gone).await.is_none());
    drop(gone);
    let refused = process.execute_async("w", Context::new()).await;
    assert!(matches!(refused, Err(ExecutorError::Overloaded { .. })), "{refused:?}");
    drop(stalled);
    until("the place is free", async || process.metrics().waiting_submits == 0).await;
    let listed = process.list_executions().await.expect("list answers");
    assert_eq!(listed.len(), 1, "it was under way");
    process.ended_as(listed[0].execution_id, PipelineStatus::Completed).await;
}

/// Catches callers that wait for ever at an executor that is gone.
pub async fn a_shutdown_ends_the_wait_for_a_place(fx: &ExecutorFixture) {
    let settings = |builder: ExecutorBuilder| builder.max_waiting_submits(1);
    let (process, backend) = fx.process_and_backend([plain()], settings).await;
    let stall = backend.stall();
    let stalled = stall.lock().await;
    let mut first = submits(&process, 1);
    let mut outside = submits(&process, 2);
    assert!(poll_immediate(&mut first).await.is_none());
    assert!(poll_immediate(&mut outside).await.is_none());
    let mut shutdown = Box::pin(process.shutdown());
    assert!(poll_immediate(&mut shutdown).await.is_none());
    for submitted in soon("the end of the wait", outside).await {
        assert!(matches!(submitted, Err(ExecutorError::ShuttingDown)), "{submitted:?}");
    }
    drop(stalled);
    soon("the shutdown", shutdown).await.expect("a shutdown");
    // Its submit may have been committed or not, but it is told something.
    drop(soon("the first", first).await);
}

/// Catches what is lost or forgotten when far more is submitted than can be run, and limits that give way.
pub async fn all_that_is_acknowledged_in_a_flood_completes(fx: &ExecutorFixture) {
    const FLOOD: usize = 1_000;
    let (waiting, held) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let gate = Gate::new();
    let settings = |builder: ExecutorBuilder| {
        let mut config = cloacina_core::ExecutorConfig::default();
        config.max_held_executions = 20;
        builder.config(config).max_waiting_submits(10).max_concurrent_tasks(4)
    };
    let tasks = [gated("a", &gate, &Journal::new())];
    let process = fx.process_with([workflow("w", tasks)], settings).await;
    let mut acknowledged: Vec<ExecutionId> = Vec::new();
    let mut flood: FuturesUnordered<_> =
        (0..FLOOD).map(|_| process.execute_async("w", Context::new())).collect();
    while let Some(submitted) = soon("a submit", flood.next()).await {
        let metrics = process.metrics();
        waiting.fetch_max(metrics.waiting_submits, Ordering::Relaxed);
        held.fetch_max(metrics.held_executions, Ordering::Relaxed);
        acknowledged.push(submitted.expect("a submit is accepted").execution_id);
    }
    assert!(waiting.load(Ordering::Relaxed) <= 10, "submits that waited at once: {waiting:?}");
    assert!(held.load(Ordering::Relaxed) <= 20, "executions held at once: {held:?}");
    assert_eq!(stored(fx).await, FLOOD, "executions on record");
    gate.open(FLOOD);
    for id in acknowledged {
        process.ended_as(id, PipelineStatus::Completed).await;
    }
    // The store has an end before the executor hears that it was taken.
    let counted = async || process.metrics().completed >= FLOOD as u64;
    until("each end is counted", counted).await;
    assert_eq!(process.metrics().completed, FLOOD as u64, "each ran here, once");
}
