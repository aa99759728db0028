//! A program whose workflow has tasks of two crates. The test `user` makes a crate of it.

use cloacina_core::{Context, TaskError, task, workflow};
use cloacina_sqlite::UnifiedExecutor;
use serde_json::json;
use steps::{check, extract};

#[task(
    dependencies = [extract, steps::check::items],
    trigger_rules = all(task_success(extract), task_success(check::items))
)]
async fn load(context: &mut Context) -> Result<(), TaskError> {
    let items: Vec<i64> = context.get_as("items")?;
    Ok(context.insert("total", json!(items.iter().sum::<i64>()))?)
}

workflow! { name: "orders", description: "sums", tasks: [extract, check::items, load] }

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let executor = UnifiedExecutor::new("sqlite://orders.db").await?;
    println!("known: {:?}", executor.workflow_names());
    for (workflow, key) in [("orders", "total"), ("stock", "counted")] {
        let result = executor.execute(workflow, Context::new()).await?;
        println!("{workflow}: {}, {key} {:?}", result.status, result.final_context.get(key));
    }
    executor.shutdown().await?;
    Ok(())
}
