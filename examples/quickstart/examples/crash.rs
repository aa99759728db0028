//! The first crash: kill the program amid its work, start it again, and see what it does not do again.
//!
//! ```sh
//! cargo run -p cloacina-quickstart --example crash
//! ```
//!
//! It works for some ten seconds. Kill it before, by Ctrl-C or `kill -9`, and start it again: tasks whose results were committed
//! do not run any more, and the one that was running begins anew. Keeps its data in `crash.db` in the current folder.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use cloacina_core::{Context, ExecuteOptions, task, workflow};
use cloacina_sqlite::UnifiedExecutor;

async fn work(task: &str) {
    println!("{task} begins");
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("{task} is done");
}

#[task]
async fn fetch(_context: &mut Context) {
    work("fetch").await;
}

#[task(dependencies = [fetch])]
async fn parse(_context: &mut Context) {
    work("parse").await;
}

#[task(dependencies = [fetch])]
async fn check(_context: &mut Context) {
    work("check").await;
}

#[task(dependencies = [parse, check])]
async fn store(_context: &mut Context) {
    work("store").await;
}

#[task(dependencies = [store])]
async fn report(_context: &mut Context) {
    work("report").await;
}

workflow! {
    name: "nightly",
    tasks: [fetch, parse, check, store, report],
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // What an earlier process left unfinished goes on by itself from here.
    let executor = UnifiedExecutor::new("sqlite://crash.db").await?;
    // The key makes the second start find the execution of the first.
    let options = ExecuteOptions::new().idempotency_key("tonight");
    let execution = executor.execute_with("nightly", Context::new(), options).await?;
    println!("execution {}", execution.execution_id);
    let result = execution.wait().await?;
    for event in executor.list_events(execution.execution_id).await? {
        println!("{}: {}", event.event.kind.as_str(), event.event.detail);
    }
    // The next start begins anew.
    executor.prune_executions(Duration::ZERO).await?;
    executor.shutdown().await?;
    println!("{result}");
    Ok(())
}
