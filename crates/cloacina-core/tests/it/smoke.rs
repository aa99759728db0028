//! Whole workflows, run to their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloacina_core::{
    Context, PipelineStatus, Task, TaskError, TaskState, TriggerRule, UnifiedExecutor, Workflow,
};
use cloacina_testing::MemoryBackend;
use serde_json::json;

pub(crate) async fn executor(workflow: Workflow) -> UnifiedExecutor<MemoryBackend> {
    UnifiedExecutor::<MemoryBackend>::builder()
        .workflows([workflow])
        .build_on(MemoryBackend::new())
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_chain_hands_its_context_on() {
    let extract = Task::new("extract", |context, _| {
        Box::pin(async move { context.insert("rows", json!([1, 2, 3])) })
    });
    let sum = Task::new("sum", |context, _| {
        Box::pin(async move {
            let rows: Vec<i64> = context.get_as("rows")?;
            context.insert("sum", json!(rows.iter().sum::<i64>()))?;
            context.remove("rows");
            Ok::<_, TaskError>(rows.len())
        })
    })
    .depends_on(["extract"]);
    let workflow = Workflow::builder("etl").task(sum).task(extract).build().unwrap();
    let executor = executor(workflow).await;
    let mut input = Context::new();
    input.insert("name", json!("x")).unwrap();
    let result = executor.execute("etl", input).await.unwrap();
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    assert_eq!(result.final_context.clone().into_value(), json!({"name": "x", "sum": 6}));
    assert_eq!(result.task("sum").unwrap().output, Some(json!(3)));
    let read = executor.get_execution_result(result.execution_id).await.unwrap();
    assert_eq!(read.final_context, result.final_context);
    assert_eq!(read.status, result.status);
    executor.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failure_skips_what_needs_it_and_is_retried_first() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let fail = Task::new("fail", move |_, run| {
        counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { Err::<(), _>(TaskError::new(format!("try {}", run.attempt))) })
    })
    .retry(cloacina_core::RetryPolicy::new(3));
    let after = Task::new("after", |_, _| Box::pin(async {})).depends_on(["fail"]);
    let cleanup = Task::new("cleanup", |_, _| Box::pin(async {}))
        .depends_on(["after"])
        .trigger_rules(TriggerRule::AllDone);
    let workflow = Workflow::builder("w").tasks([fail, after, cleanup]).build().unwrap();
    let executor = executor(workflow).await;
    let result = executor.execute("w", Context::new()).await.unwrap();
    assert_eq!(result.status, PipelineStatus::Failed);
    assert_eq!(result.error_message.as_deref(), Some("task `fail` failed: try 3"));
    assert_eq!(runs.load(Ordering::SeqCst), 3);
    assert_eq!(result.task("after").unwrap().status, TaskState::Skipped);
    assert_eq!(result.task("cleanup").unwrap().status, TaskState::Completed);
}
