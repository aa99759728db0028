//! Why is it not getting on? `explain` tells, task by task.
//!
//! ```sh
//! cargo run -p cloacina-examples --example explain
//! ```
//!
//! A workflow that is stuck in several ways: one task waits for its retry, one for a slot, one for all others. Then
//! somebody pauses it. Then it is left to a process that does not know its workflow.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use cloacina_core::{Context, ExecutionId, Explanation, TaskError, TaskReason, task, workflow};
use cloacina_sqlite::UnifiedExecutor;

const DATABASE: &str = "sqlite://explain.db";

/// Fails, and is tried again in ten minutes.
#[task(retry_attempts = 3, retry_delay_ms = 600_000)]
async fn fetch() -> Result<(), TaskError> {
    Err(TaskError::new("the server is down"))
}

#[task]
async fn open() {}

/// Never ends. There is one slot, so either this one or the next has it, and the other waits.
#[task(dependencies = [open])]
async fn scan_files() {
    std::future::pending().await
}

#[task(dependencies = [open])]
async fn scan_mail() {
    std::future::pending().await
}

#[task(dependencies = [fetch, scan_files, scan_mail])]
async fn publish() {}

workflow! { name: "stuck", tasks: [open, fetch, scan_files, scan_mail, publish] }

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let builder = UnifiedExecutor::builder().database_url(DATABASE).max_concurrent_tasks(1);
    let builder = builder.shutdown_grace(Duration::ZERO).cancel_grace(Duration::from_millis(50));
    let executor = builder.build().await?;
    let id = executor.execute_async("stuck", Context::new()).await?.execution_id;

    let is_stuck = |told: &Explanation| {
        let has = |is: fn(&TaskReason) -> bool| told.tasks.iter().any(|task| is(&task.reason));
        has(|reason| matches!(reason, TaskReason::Retry { .. }))
            && has(|reason| matches!(reason, TaskReason::Slot { .. }))
            && has(|reason| matches!(reason, TaskReason::Running { .. }))
    };
    println!("{}\n", explain_once(&executor, id, is_stuck).await?);

    executor.pause_execution(id).await?;
    let is_called_off =
        |told: &Explanation| told.tasks.iter().any(|task| task.reason == TaskReason::Execution);
    println!("{}\n", explain_once(&executor, id, is_called_off).await?);

    // What runs is stopped; the execution is there for the next process.
    executor.shutdown().await?;
    let stranger = UnifiedExecutor::builder().database_url(DATABASE).workflows([]).build().await?;
    stranger.resume_execution(id).await?;
    println!("{}", stranger.explain(id).await?);

    stranger.cancel_execution(id).await?;
    stranger.shutdown().await?;
    Ok(())
}

/// Waits until things stand like that, and tells how.
async fn explain_once(
    executor: &UnifiedExecutor,
    id: ExecutionId,
    like_that: impl Fn(&Explanation) -> bool,
) -> anyhow::Result<Explanation> {
    loop {
        let told = executor.explain(id).await?;
        if like_that(&told) {
            return Ok(told);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
