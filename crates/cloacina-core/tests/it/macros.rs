//! `#[task]` and `workflow!`, registered and run.

use cloacina_core::{Context, PipelineStatus, TaskError, UnifiedExecutor, task, workflow};
use cloacina_testing::MemoryBackend;
use serde_json::json;

#[task(retry_attempts = 3, retry_delay_ms = 200, timeout = "30s")]
async fn extract(context: &mut Context<serde_json::Value>) -> Result<(), TaskError> {
    context.insert("rows", json!([1, 2, 3]))?;
    Ok(())
}

#[task(blocking, dependencies = [extract], trigger_rules = all(all_success, context_value("rows", exists)))]
fn load(context: &mut Context<serde_json::Value>) -> Result<(), TaskError> {
    let rows: Vec<i64> = context.get_as("rows")?;
    context.insert("loaded", json!(rows.len()))?;
    Ok(())
}

workflow! { name: "etl", description: "nightly load", tasks: [extract, load] }

#[tokio::test]
async fn a_registered_workflow_is_found_by_its_name() {
    let executor =
        UnifiedExecutor::<MemoryBackend>::builder().build_on(MemoryBackend::new()).await.unwrap();
    let result = executor.execute("etl", Context::new()).await.unwrap();
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    assert_eq!(result.final_context.get("loaded"), Some(&json!(3)));
    let error = executor.execute("elt", Context::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "workflow `elt` is not known here, known are: `etl`");
}

#[tokio::test]
async fn a_task_is_still_a_function() {
    let mut context = Context::new();
    extract(&mut context).await.unwrap();
    assert_eq!(context.get("rows"), Some(&json!([1, 2, 3])));
}
