//! Those who wait for an execution.

use std::time::Duration;

use cloacina_core::{ExecutorError, PipelineStatus};

use super::bodies::{Gate, Journal, gated, noting};
use super::fixture::{ExecutorFixture, ended, until, workflow};
use crate::conformance::soon;

/// Catches an end that can be heard once only, or not any more after the fact.
pub async fn an_end_can_be_waited_for_again_and_again(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let flow = workflow("w", [gated("a", &gate, &journal)]);
    let (here, there) = (fx.process([flow.clone()]).await, fx.process([flow]).await);
    let execution = here.start("w").await;
    gate.arrived(1).await;
    let id = execution.execution_id;
    let (second, elsewhere) = (here.execution(id), there.execution(id));
    let all = async {
        let waits = async { tokio::join!(execution.wait(), second.wait(), elsewhere.wait()) };
        let open = async { gate.open(1) };
        tokio::join!(waits, open).0
    };
    let (first, second, third) = soon("the end for all who wait", all).await;
    for answer in [first, second, third] {
        let result = answer.expect("a waiter gets the result");
        assert_eq!((result.execution_id, result.status), (id, PipelineStatus::Completed));
    }
    for _ in 0..2 {
        assert_eq!(ended(&execution).await.status, PipelineStatus::Completed, "once more");
    }
    assert_eq!(here.ended(id).await, there.ended(id).await, "all read the same");
}

/// Catches a waiter that hears something else than what is on record.
pub async fn a_waiter_hears_what_is_on_record(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let tasks = [
        super::bodies::setting("a", "key", serde_json::json!(1)),
        super::bodies::failing("b", &journal).depends_on(["a"]),
        noting("c", &journal).depends_on(["b"]),
    ];
    let process = fx.process([workflow("w", tasks)]).await;
    let told = process.run("w").await;
    let read = process.get_execution_result(told.execution_id).await.expect("a result is read");
    assert_eq!(told.status, read.status);
    assert_eq!(told.final_context, read.final_context);
    assert_eq!(told.error_message, read.error_message);
    assert_eq!((told.start_time, told.end_time), (read.start_time, read.end_time));
    assert_eq!(told.task_results.len(), read.task_results.len());
    for (told, read) in told.task_results.iter().zip(&read.task_results) {
        let tell = |task: &cloacina_core::TaskResult| {
            let task = task.clone();
            (task.task_id, task.status, task.attempts, task.output, task.error_message)
        };
        assert_eq!(tell(told), tell(read));
        assert_eq!(told.skip_reason, read.skip_reason);
    }
}

/// Catches a wait that gives up without a word about what, or takes the execution with it.
pub async fn a_wait_that_is_over_names_the_execution_and_changes_nothing(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let process = fx.process([workflow("w", [gated("a", &gate, &journal)])]).await;
    let execution = process.start("w").await;
    gate.arrived(1).await;
    let id = execution.execution_id;
    let short = Duration::from_millis(10);
    let error = execution.wait_timeout(short).await.expect_err("it has not ended");
    assert_eq!(error.to_string(), format!("execution {id} has not ended within 10ms"));
    assert!(matches!(error, ExecutorError::WaitTimeout { .. }) && error.is_transient());
    assert_eq!(execution.status().await.expect("a status"), PipelineStatus::Running);
    gate.open(1);
    assert_eq!(
        ended(&execution).await.status,
        PipelineStatus::Completed,
        "it can be waited for again"
    );
}

/// Catches an execution that ends with the interest in it.
pub async fn an_execution_goes_on_when_nobody_waits(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let process = fx.process([workflow("w", [gated("a", &gate, &journal)])]).await;
    let executor = process.executor();
    let execute = executor.execute("w", cloacina_core::Context::new());
    let mut execute = Box::pin(execute);
    tokio::select! {
        _ = &mut execute => panic!("it waits for leave"),
        () = gate.arrived(1) => {}
    }
    drop(execute);
    gate.open(1);
    until("it ends all the same", async || {
        let all = process.list_executions().await.expect("a list");
        all.len() == 1 && all[0].status == PipelineStatus::Completed
    })
    .await;
}
