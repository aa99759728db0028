//! A workflow in a few lines: four tasks, a retry that really happens, a condition, and a file that remembers it all.
//!
//! ```sh
//! cargo run -p cloacina-quickstart
//! ```
//!
//! Keeps its data in `quickstart.db` in the current folder. Run it as often as you like: each run is a new execution in
//! the same file.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::atomic::{AtomicBool, Ordering};

use cloacina_core::{Context, TaskError, task, workflow};
use cloacina_sqlite::UnifiedExecutor;
use serde_json::{Value, json};

#[task]
async fn extract(context: &mut Context) -> Result<(), TaskError> {
    context.insert("orders", json!([{ "eur": 120 }, { "eur": 80 }, { "eur": 45 }]))?;
    Ok(())
}

/// Asks a service that is not there at the first call. The second attempt begins 200 ms later.
#[task(dependencies = [extract], retry_attempts = 3, retry_delay_ms = 200, timeout = "30s")]
async fn convert(context: &mut Context) -> Result<(), TaskError> {
    static ASKED: AtomicBool = AtomicBool::new(false);
    if !ASKED.swap(true, Ordering::SeqCst) {
        return Err(TaskError::new("the exchange rates are not there yet"));
    }
    let orders: Vec<Value> = context.get_as("orders")?;
    let eur: i64 = orders.iter().filter_map(|order| order["eur"].as_i64()).sum();
    context.insert("total_usd", json!(eur * 11 / 10))?;
    Ok(())
}

#[task(dependencies = [convert])]
async fn load(context: &mut Context) -> Result<usize, TaskError> {
    let orders: Vec<Value> = context.get_as("orders")?;
    context.remove("orders");
    context.insert("loaded", json!(orders.len()))?;
    Ok(orders.len())
}

/// Runs on great days only, and this is not one.
#[task(
    dependencies = [convert],
    trigger_rules = all(all_success, context_value("total_usd", greater_than, 10_000))
)]
async fn celebrate(context: &mut Context) -> Result<(), TaskError> {
    context.insert("celebrated", json!(true))?;
    Ok(())
}

workflow! {
    name: "orders",
    description: "Loads the orders of a day",
    tasks: [extract, convert, load, celebrate],
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let executor = UnifiedExecutor::new("sqlite://quickstart.db").await?;
    let result = executor.execute("orders", Context::new()).await?;
    let executions = executor.list_executions().await?.len();
    executor.shutdown().await?;

    println!("{result}\n\nfinal context:");
    for (key, value) in result.final_context.iter() {
        println!("  {key} = {value}");
    }
    let file = std::path::absolute("quickstart.db")?;
    println!("\nexecutions on record in {}: {executions}", file.display());
    Ok(())
}
