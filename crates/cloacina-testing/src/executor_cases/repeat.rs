//! `retry_execution`: a failed execution, once more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cloacina_core::{ExecutionId, ExecutorError, PipelineStatus, Task, TaskError, TaskState};
use serde_json::json;

use super::bodies::{Gate, Journal, endless, gated, noting, setting};
use super::fixture::{ExecutorFixture, ended, input, until, workflow};

/// Catches a repetition that runs what had completed, loses its results or its input, or hides where it comes from.
pub async fn a_repeated_execution_keeps_what_had_completed(fx: &ExecutorFixture) {
    let (journal, healthy) = (Journal::new(), Arc::new(AtomicBool::new(false)));
    let noted = journal.clone();
    let good = Task::new("good", move |context, _| {
        noted.note("good");
        Box::pin(async move {
            context.set("good", json!(1));
            Ok::<_, TaskError>("output")
        })
    });
    let (noted, well) = (journal.clone(), Arc::clone(&healthy));
    let bad = Task::new("bad", move |context, _| {
        noted.note("bad");
        let well = well.load(Ordering::SeqCst);
        Box::pin(async move {
            let sum = context.get_as::<u32>("good")? + context.get_as::<u32>("input")?;
            if well { Ok(sum) } else { Err(TaskError::new("not yet")) }
        })
    });
    let tasks = [good, bad.depends_on(["good"]), noting("after", &journal).depends_on(["bad"])];
    let process = fx.process([workflow("w", tasks)]).await;
    let first = process.run_on("w", input(json!({"input": 2}))).await;
    assert_eq!(first.status, PipelineStatus::Failed, "{first:?}");
    healthy.store(true, Ordering::SeqCst);
    let again =
        process.retry_execution(first.execution_id).await.expect("a failed one is repeated");
    assert_ne!(again.execution_id, first.execution_id, "it is a new execution");
    let second = ended(&again).await;
    assert_eq!(second.status, PipelineStatus::Completed, "{second:?}");
    assert_eq!(journal.entries(), ["good", "bad", "bad", "after"], "what ran in both");
    let output = |task: &str| second.task(task).and_then(|task| task.output.clone());
    assert_eq!((output("good"), output("bad")), (Some(json!("output")), Some(json!(3))));
    let record = fx.store().record(second.execution_id).await;
    assert_eq!(record.retry_of, Some(first.execution_id), "where it comes from");
    let old = process.get_execution_result(first.execution_id).await.expect("it is still there");
    assert_eq!(old.status, PipelineStatus::Failed, "the old one stays as it ended");
}

/// Catches a cancelled execution that cannot be repeated.
pub async fn a_cancelled_execution_can_be_repeated(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let tasks =
        [setting("done", "key", json!(1)), gated("wait", &gate, &journal).depends_on(["done"])];
    let process = fx.process([workflow("w", tasks)]).await;
    let execution = process.start("w").await;
    gate.arrived(1).await;
    execution.cancel().await.expect("a cancel");
    assert_eq!(ended(&execution).await.status, PipelineStatus::Cancelled);
    // Until its grace is over the cancelled body could still take the leave that is meant for the next one.
    until("the body is dropped", async || process.metrics().running_tasks == 0).await;
    let again = process.retry_execution(execution.execution_id).await.expect("it is repeated");
    gate.arrived(1).await;
    gate.open(1);
    let result = ended(&again).await;
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    assert_eq!(result.final_context.get("key"), Some(&json!(1)));
    assert!(result.task_results.iter().all(|task| task.status == TaskState::Completed));
}

/// Catches repetitions of what did not fail.
pub async fn only_what_failed_or_was_cancelled_can_be_repeated(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let workflows = [
        workflow("quick", [noting("a", &journal)]),
        workflow("slow", [endless("hang", &gate, &journal)]),
    ];
    let process = fx.process(workflows).await;
    let completed = process.run("quick").await.execution_id;
    let running = process.submit("slow").await;
    gate.arrived(1).await;
    for (id, status) in [(completed, "completed"), (running, "running")] {
        let error = process.retry_execution(id).await.expect_err("a repetition is refused");
        assert_eq!(error.to_string(), format!("execution {id} is {status}, it cannot be retried"));
    }
    let unknown = ExecutionId::new();
    let error = process.retry_execution(unknown).await.expect_err("an unknown one is refused");
    assert!(matches!(error, ExecutorError::UnknownExecution(id) if id == unknown), "{error}");
    let all = process.list_executions().await.expect("a list");
    assert_eq!(all.len(), 2, "a refused repetition leaves nothing: {all:?}");
}
