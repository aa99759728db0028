//! A program that names core, a back end and tokio only. The test `user` makes a crate of it.

use cloacina_core::{Context, Output, TaskContext, TaskError, task, workflow};
use cloacina_sqlite::UnifiedExecutor;
use steps as _;

#[task(retry_attempts = 2, retry_delay_ms = 1, retry_jitter = "full")]
async fn seven(run: TaskContext) -> Result<u32, TaskError> {
    if run.attempt == 1 { Err("not at once".into()) } else { Ok(7) }
}

#[task(trigger_rules = all(task_success(seven), context_value("stop", not_equals, true)))]
async fn count(seven: Output<seven>, context: &mut Context) -> Result<(), TaskError> {
    Ok(context.insert("count", (*seven).into())?)
}

workflow! { name: "count", tasks: [seven, count] }

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let executor = UnifiedExecutor::new("sqlite://bare.db").await?;
    println!("known: {:?}", executor.workflow_names());
    let result = executor.execute("count", Context::new()).await?;
    let attempts = result.task("seven").map(|task| task.attempts).unwrap_or_default();
    let count = result.final_context.get("count");
    println!("{}: {count:?} after {attempts} attempts", result.status);
    executor.shutdown().await?;
    Ok(())
}
