//! Submits far more than can be run, and tells how much memory that took: `flood URL [KEY=NUMBER]..`.
//!
//! `URL` is `sqlite://PATH` or that of a PostgreSQL server, whose schema `flood` it uses. No task ends before the last submit is
//! acknowledged; then all do, after `task_ms` each. `submits`, `callers` (how many submit at once), `bytes` (of an input), `held`, `slots` and
//! `waiting` may be set. Prints one line of JSON; sizes are in KiB.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cloacina_core::{
    Connect, Context, ExecutorConfig, PipelineStatus, Task, UnifiedExecutor,
    UnifiedExecutorBuilder, Workflow,
};
use cloacina_postgres::PostgresBackend;
use cloacina_sqlite::SqliteBackend;
use cloacina_tests::settings::Settings;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What is asked for.
struct Plan {
    submits: usize,
    callers: usize,
    bytes: usize,
    held: usize,
    slots: usize,
    waiting: usize,
    task: Duration,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("expected URL")?;
    let plan = plan(arguments)?;
    if url.starts_with("sqlite:") {
        flood(UnifiedExecutor::<SqliteBackend>::builder().database_url(url), plan).await
    } else {
        let builder = UnifiedExecutor::<PostgresBackend>::builder().database_url(url);
        flood(builder.schema("flood"), plan).await
    }
}

/// What it may be told.
const SETTINGS: [&str; 7] = ["submits", "callers", "bytes", "held", "slots", "waiting", "task_ms"];

fn plan(arguments: impl Iterator<Item = String>) -> Outcome<Plan> {
    let settings = Settings::read(arguments, &SETTINGS)?;
    let number = |key, default| usize::try_from(settings.number(key, default));
    Ok(Plan {
        submits: number("submits", 50_000)?,
        callers: number("callers", 20_000)?,
        bytes: number("bytes", 1_024)?,
        held: number("held", 8_192)?,
        slots: number("slots", 16)?,
        waiting: number("waiting", 8_192)?,
        task: Duration::from_millis(settings.number("task_ms", 1)),
    })
}

async fn flood<B: Connect>(builder: UnifiedExecutorBuilder<B>, plan: Plan) -> Outcome<()> {
    let (open, opened) = watch::channel(false);
    let mut config = ExecutorConfig::default();
    config.max_held_executions = plan.held;
    config.max_waiting_submits = plan.waiting;
    config.max_concurrent_tasks = plan.slots;
    let executor =
        builder.config(config).workflows([workflow(&opened, plan.task)?]).build().await?;
    let before = memory("VmRSS")?;
    let began = Instant::now();
    let most = submit(&executor, &plan).await?;
    let (submitted, resident) = (began.elapsed(), memory("VmRSS")?);
    let peak = memory("VmHWM")?;
    open.send(true)?;
    let drained = Instant::now();
    while executor.metrics().completed < plan.submits as u64 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let drained = drained.elapsed();
    let metrics = executor.metrics();
    let listed = executor.list_executions().await?;
    let completed = listed.iter().filter(|one| one.status == PipelineStatus::Completed).count();
    executor.shutdown().await?;
    let line = json!({
        "submits": plan.submits, "bytes": plan.bytes, "completed": completed,
        "lost": plan.submits - completed, "ran_again": metrics.completed - plan.submits as u64,
        "most_waiting_submits": most, "submit_seconds": submitted.as_secs_f64(),
        "drain_seconds": drained.as_secs_f64(), "rss_before": before, "rss_submitted": resident,
        "rss_peak_submitted": peak, "rss_peak": memory("VmHWM")?,
    });
    #[expect(clippy::print_stdout, reason = "the answer of the program")]
    {
        println!("{line}");
    }
    Ok(())
}

/// One task, which ends some time after it may.
fn workflow(opened: &watch::Receiver<bool>, time: Duration) -> Outcome<Workflow> {
    let opened = opened.clone();
    let task = Task::new("slow", move |_, _| {
        let mut opened = opened.clone();
        Box::pin(async move {
            // Nobody opens it any more once the program ends.
            let _ = opened.wait_for(|open| *open).await;
            tokio::time::sleep(time).await;
        })
    });
    Ok(Workflow::builder("flood").task(task.timeout(Duration::from_secs(3_600))).build()?)
}

/// Submits from many callers at once; how many submits waited for their commit at most.
async fn submit<B: cloacina_core::Backend>(
    executor: &UnifiedExecutor<B>,
    plan: &Plan,
) -> Outcome<usize> {
    let (left, most) = (Arc::new(AtomicUsize::new(plan.submits)), Arc::new(AtomicUsize::new(0)));
    let mut callers = JoinSet::<Outcome<()>>::new();
    for _ in 0..plan.callers {
        let (executor, bytes) = (executor.clone(), plan.bytes);
        let (left, most) = (Arc::clone(&left), Arc::clone(&most));
        callers.spawn(async move {
            let take = |left: usize| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                let mut input = Context::new();
                input.insert("text", json!("x".repeat(bytes)))?;
                executor.execute_async("flood", input).await?;
                most.fetch_max(executor.metrics().waiting_submits, Ordering::Relaxed);
            }
            Ok(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    Ok(most.load(Ordering::Relaxed))
}

/// Reads what the kernel says about the memory of this process, in KiB.
fn memory(key: &str) -> Outcome<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let size = line.and_then(|line| line.split_whitespace().next()).ok_or("no such line")?;
    Ok(size.parse()?)
}
