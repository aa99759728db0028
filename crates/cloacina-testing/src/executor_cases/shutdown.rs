//! Executors that stop.

use std::time::Duration;

use cloacina_core::{Context, ExecutorError, PipelineStatus};

use super::bodies::{Gate, Journal, endless, gated, noting};
use super::fixture::{ExecutorFixture, workflow};
use crate::conformance::soon;

/// Catches a shutdown that stops running bodies, loses their results, or goes on to the next tasks; and work that
/// nobody takes over.
pub async fn a_shutdown_lets_bodies_finish_and_hands_over_the_rest(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let flow = || {
        let tasks = [
            gated("a", &gate, &journal),
            noting("b", &journal).depends_on(["a"]),
            noting("c", &journal).depends_on(["b"]),
        ];
        workflow("w", tasks)
    };
    let first = fx.process([flow()]).await;
    let id = first.submit("w").await;
    gate.arrived(1).await;
    let stop = first.executor();
    let stopping = async { stop.shutdown().await };
    let release = async {
        super::fixture::until("the shutdown has begun", async || {
            let refused = first.execute_async("w", Context::new()).await;
            matches!(refused, Err(ExecutorError::ShuttingDown))
        })
        .await;
        gate.open(1);
    };
    let (stopped, ()) = soon("a shutdown", async { tokio::join!(stopping, release) }).await;
    stopped.expect("a shutdown");
    let rows = fx.store().load(id).await;
    assert_eq!(rows.tasks.len(), 1, "the running body finished and nothing more: {rows:?}");
    assert_eq!(
        (rows.record.owner, rows.record.takeovers),
        (None, 0),
        "it is free, without a stain"
    );
    let second = fx.process([flow()]).await;
    gate.open(1_000);
    second.ended_as(id, PipelineStatus::Completed).await;
    let entries = journal.entries();
    assert_eq!(entries.iter().filter(|entry| *entry == "b").count(), 1, "{entries:?}");
}

/// Catches a shutdown that a body can hold up for ever.
pub async fn a_shutdown_stops_bodies_after_its_grace(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let flow = workflow("w", [endless("hang", &gate, &journal)]);
    let process = fx
        .process_with([flow.clone()], |builder| builder.shutdown_grace(Duration::from_millis(50)))
        .await;
    let execution = process.start("w").await;
    gate.arrived(1).await;
    let id = execution.execution_id;
    let waits = execution.wait();
    let (stopped, waited) =
        soon("a shutdown", async { tokio::join!(process.shutdown(), waits) }).await;
    stopped.expect("a shutdown");
    let error = waited.expect_err("who waits is told");
    assert!(matches!(error, ExecutorError::ShuttingDown), "{error:?}");
    let record = fx.store().record(id).await;
    assert_eq!((record.status, record.owner), (PipelineStatus::Running, None), "others may go on");
    let other = Journal::new();
    let next = fx.process([workflow("w", [noting("hang", &other)])]).await;
    next.ended_as(id, PipelineStatus::Completed).await;
}

/// Catches a second shutdown that hangs or fails, and an executor that works on after one.
pub async fn a_shutdown_is_final_and_may_be_repeated(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let flow = workflow("w", [noting("a", &journal)]);
    let process = fx.process([flow.clone()]).await;
    let clone = process.executor();
    process.run("w").await;
    let both = async { tokio::join!(process.shutdown(), clone.shutdown()) };
    let (first, second) = soon("two shutdowns at once", both).await;
    first.expect("a shutdown");
    second.expect("a second one at once");
    soon("a third", clone.shutdown()).await.expect("a third one");
    for executor in [&clone, &process.executor()] {
        let error = executor.execute_async("w", Context::new()).await.expect_err("it has stopped");
        assert!(matches!(error, ExecutorError::ShuttingDown), "{error:?}");
    }
    let again = fx.process([flow]).await;
    assert_eq!(again.run("w").await.status, PipelineStatus::Completed, "the next one works");
}

/// Catches a wait that hangs, or talks of a closed store, once its executor has stopped.
pub async fn a_wait_after_a_shutdown_says_so(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let flow = workflow("w", [endless("hang", &gate, &journal)]);
    let process =
        fx.process_with([flow], |builder| builder.shutdown_grace(Duration::from_millis(10))).await;
    let execution = process.start("w").await;
    gate.arrived(1).await;
    process.shutdown().await.expect("a shutdown");
    for known in [&execution, &process.execution(execution.execution_id)] {
        let error = soon("an answer", known.wait()).await.expect_err("nobody will tell");
        assert!(matches!(error, ExecutorError::ShuttingDown), "{error:?}");
    }
}

/// Catches a shutdown that is lost when its caller goes away.
pub async fn a_shutdown_whose_caller_goes_away_can_be_called_again(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let tasks = [gated("a", &gate, &journal), noting("b", &journal).depends_on(["a"])];
    let process = fx.process([workflow("w", tasks)]).await;
    let id = process.submit("w").await;
    gate.arrived(1).await;
    crate::conformance::drop_after_polls(2, process.shutdown()).await;
    let refused = process.execute_async("w", Context::new()).await.expect_err("it is stopping");
    assert!(matches!(refused, ExecutorError::ShuttingDown), "{refused:?}");
    gate.open(1);
    soon("a shutdown", process.shutdown()).await.expect("a shutdown");
    let rows = fx.store().load(id).await;
    assert_eq!((rows.tasks.len(), rows.record.owner), (1, None), "{rows:?}");
    assert_eq!(journal.entries(), ["a"], "nothing started after the first call");
}
