//! Counts what executions take of the process's memory: `cargo run --release -p cloacina-bench --bin memory`.
//!
//! Chains of three tasks are submitted to an executor on SQLite whose only slot is taken, so that all of them are held and wait.
//! The bytes that are allocated then, above what was before, are divided among them: handles and places in queues included, what
//! SQLite allocates by itself left out. Then they run to their ends, and so do some times as many; what is left of these is divided
//! in the same way.

#![expect(clippy::print_stdout, reason = "a command reports by printing")]

use std::alloc::System;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use cloacina_core::{Context, PipelineExecution, PipelineStatus, Task, Workflow};
use cloacina_sqlite::{SqliteBackend, SqliteOptions, UnifiedExecutor};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::sync::Semaphore;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many executions are counted. Fewer than an executor holds by default.
const EXECUTIONS: usize = 4_000;

/// How many times as many finish while nothing waits. Queues may keep some room, once, which all of these share.
const ROUNDS: usize = 5;

/// Everything is at rest once that little has changed for that long: the heartbeat takes a little, now and then.
const LITTLE: usize = 4_096;
const REST: Duration = Duration::from_millis(300);

/// Returns how many bytes are allocated.
fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

/// Returns how many bytes are allocated once that has come to rest.
async fn allocated_at_rest() -> Result<usize> {
    let mut before = allocated();
    for _ in 0..100 {
        tokio::time::sleep(REST).await;
        let now = allocated();
        if now.abs_diff(before) < LITTLE {
            return Ok(now.min(before));
        }
        before = now;
    }
    bail!("what is allocated does not come to rest")
}

/// Divides what has come on top among the executions.
fn each(before: usize, now: usize) -> usize {
    now.saturating_sub(before) / EXECUTIONS
}

#[tokio::main]
async fn main() -> Result<()> {
    let idle = |id: &str, after: &[&str]| {
        Task::new(id, |_, _| Box::pin(async {})).depends_on(after.iter().copied())
    };
    let chain = Workflow::builder("chain")
        .tasks([idle("a", &[]), idle("b", &["a"]), idle("c", &["b"])])
        .build()?;
    let gate = Arc::new(Semaphore::new(0));
    let shut = Arc::clone(&gate);
    let block = Task::new("block", move |_, _| {
        let shut = Arc::clone(&shut);
        Box::pin(async move { drop(shut.acquire().await) })
    });
    let blocker = Workflow::builder("blocker").task(block).build()?;
    let folder = tempfile::tempdir()?;
    let backend = SqliteBackend::open(SqliteOptions::new(folder.path().join("memory.db"))).await?;
    let executor = UnifiedExecutor::builder()
        .workflows([chain, blocker])
        .max_concurrent_tasks(1)
        .build_on(backend)
        .await?;
    // What is made once, such as prepared statements, is there from now on.
    finish(submit(&executor, 256).await?).await?;
    let idle = allocated_at_rest().await?;

    let blocking = executor.execute_async("blocker", Context::new()).await?;
    let queued = submit(&executor, EXECUTIONS).await?;
    let taken = each(idle, allocated_at_rest().await?);
    let held = executor.metrics().held_executions;
    ensure!(held > EXECUTIONS, "only {held} are held");
    println!("queued   {taken:>5} bytes an execution");

    gate.add_permits(1);
    finish(vec![blocking]).await?;
    finish(queued).await?;
    let idle = allocated_at_rest().await?;
    for _ in 0..ROUNDS {
        finish(submit(&executor, EXECUTIONS).await?).await?;
    }
    let kept = each(idle, allocated_at_rest().await?) / ROUNDS;
    println!("finished {kept:>5} bytes an execution");
    executor.shutdown().await?;
    Ok(())
}

/// Submits chains, and returns their handles.
async fn submit(executor: &UnifiedExecutor, count: usize) -> Result<Vec<PipelineExecution>> {
    let calls = stream::iter(0..count).map(|number| async move {
        let mut input = Context::new();
        input.insert("number", number.into())?;
        anyhow::Ok(executor.execute_async("chain", input).await?)
    });
    calls.buffer_unordered(256).try_collect().await
}

/// Waits until all have ended.
async fn finish(executions: Vec<PipelineExecution>) -> Result<()> {
    for execution in executions {
        let status = execution.wait().await?.status;
        ensure!(status == PipelineStatus::Completed, "one has {status}");
    }
    Ok(())
}
