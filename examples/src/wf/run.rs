//! Runs a workflow to its end, or takes up a run that was cut off.

use std::time::Duration;

use anyhow::{Context as _, bail};
use cloacina_core::{
    Connect, Context, ExecuteOptions, ExecutionQuery, ExecutionSummary, PipelineExecution,
    PipelineResult, PipelineStatus, UnifiedExecutor, UnifiedExecutorBuilder, Workflow,
};
use cloacina_postgres::PostgresBackend;
use cloacina_sqlite::SqliteBackend;
use indicatif::ProgressBar;
use tokio::time::Instant;

use super::{Bodies, Bounds, Instance, workflow};
use crate::Database;

/// How a workflow is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The database.
    pub database: Database,
    /// How many tasks run at once.
    pub workers: u32,
    /// By what the recorded run times are multiplied.
    pub scale: f64,
    /// Whether the newest execution in the database is taken up in place of a new one.
    pub resume: bool,
    /// What shows the progress; `ProgressBar::hidden()` for nothing.
    pub bar: ProgressBar,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// What the engine says.
    pub result: PipelineResult,
    /// What no schedule can beat.
    pub bounds: Bounds,
    /// From the start of the execution in this process to its end; as recorded, if it had ended before.
    pub makespan: Duration,
    /// How many task bodies of this execution were started in this process.
    pub executed_this_run: usize,
}

/// Runs an instance on the database and waits for its end.
///
/// # Errors
///
/// A [`FileError`](super::FileError) for an instance that is no workflow, and whatever the engine could not do.
pub async fn run(instance: &Instance, settings: &Settings) -> anyhow::Result<Ended> {
    // All that depends on the back end: its type, and how it is addressed.
    match &settings.database {
        Database::Sqlite { url } => {
            let builder = UnifiedExecutor::<SqliteBackend>::builder().database_url(url);
            Box::pin(run_on(builder, instance, settings)).await
        }
        Database::Postgres { url, schema } => {
            let mut builder = UnifiedExecutor::<PostgresBackend>::builder().database_url(url);
            if let Some(schema) = schema {
                builder = builder.schema(schema);
            }
            Box::pin(run_on(builder, instance, settings)).await
        }
    }
}

async fn run_on<B: Connect>(
    builder: UnifiedExecutorBuilder<B>,
    instance: &Instance,
    settings: &Settings,
) -> anyhow::Result<Ended> {
    let bodies = Bodies::default();
    let workflow = workflow(instance, settings.scale, &bodies)?;
    let bounds = Bounds::new(instance, &workflow, settings.scale)?;
    let executor = builder
        .workflows([workflow.clone()])
        .max_concurrent_tasks(usize::try_from(settings.workers)?)
        .task_timeout(bounds.longest * 2 + Duration::from_secs(3600))
        // Whoever says `--resume` has decided that it shall go on, however often it was killed.
        .max_recovery_attempts(1_000_000)
        .shutdown_grace(Duration::from_secs(1))
        .build()
        .await
        .with_context(|| format!("cannot open {}", settings.database))?;
    let ended = follow(&executor, &workflow, settings, &bodies).await;
    executor.shutdown().await?;
    let (result, makespan) = ended?;
    let executed_this_run = bodies.started(result.execution_id);
    Ok(Ended { result, bounds, makespan, executed_this_run })
}

async fn follow<B: Connect>(
    executor: &UnifiedExecutor<B>,
    workflow: &Workflow,
    settings: &Settings,
    bodies: &Bodies,
) -> anyhow::Result<(PipelineResult, Duration)> {
    let begun = Instant::now();
    let name = workflow.name();
    let found = if settings.resume { newest(executor, name).await? } else { None };
    let (execution, done) = match found {
        None => (submit(executor, name, settings.resume).await?, 0),
        Some(found) => {
            let result = executor.get_execution_result(found.execution_id).await?;
            check_same_tasks(&result, workflow, &settings.database)?;
            if result.status.is_terminal() {
                let makespan = result.duration.unwrap_or_default();
                return Ok((result, makespan));
            }
            if result.status == PipelineStatus::Paused {
                executor.resume_execution(found.execution_id).await?;
            }
            let done = result.task_results.iter().filter(|task| task.status.is_terminal()).count();
            // What this process has run since it opened the store is counted already.
            let done = done.saturating_sub(bodies.ended(found.execution_id));
            (executor.execution(found.execution_id), done)
        }
    };
    wait(&execution, settings, bodies, done).await?;
    let makespan = begun.elapsed();
    // Read back, so that the picture shows what is on record.
    Ok((executor.get_execution_result(execution.execution_id).await?, makespan))
}

/// Submits a new execution.
///
/// With `--resume` the submit has a key, so that two processes that find nothing to resume at one time share one execution.
async fn submit<B: Connect>(
    executor: &UnifiedExecutor<B>,
    workflow: &str,
    resume: bool,
) -> anyhow::Result<PipelineExecution> {
    let mut options = ExecuteOptions::new();
    if resume {
        options = options.idempotency_key(workflow);
    }
    Ok(executor.execute_with(workflow, Context::new(), options).await?)
}

/// Finds the newest execution that has not ended, or else the newest one that has.
async fn newest<B: Connect>(
    executor: &UnifiedExecutor<B>,
    workflow: &str,
) -> anyhow::Result<Option<ExecutionSummary>> {
    let unfinished = [PipelineStatus::Pending, PipelineStatus::Running, PipelineStatus::Paused];
    let any = ExecutionQuery::new().workflow(workflow).limit(1);
    // In this order: what ends between the two queries is found by the second.
    let first = unfinished.into_iter().fold(any.clone(), ExecutionQuery::status);
    for query in [first, any] {
        if let Some(found) = executor.find_executions(&query).await?.into_iter().next() {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Refuses an execution of another workflow of that name: the engine would rightly leave it alone, and we would wait for ever.
fn check_same_tasks(
    result: &PipelineResult,
    workflow: &Workflow,
    database: &Database,
) -> anyhow::Result<()> {
    let strange = result.task_results.iter().find(|t| workflow.task(t.task_id.as_str()).is_none());
    if let Some(strange) = strange {
        bail!(
            "execution {} in {database} is of another workflow named `{}`: it has a task `{}`, which this one lacks; give \
             another --database, or do not give --resume",
            result.execution_id,
            workflow.name(),
            strange.task_id
        );
    }
    Ok(())
}

/// Waits for the end, and moves the bar meanwhile.
async fn wait(
    execution: &PipelineExecution,
    settings: &Settings,
    bodies: &Bodies,
    done: usize,
) -> anyhow::Result<()> {
    let ended = execution.wait();
    if settings.bar.is_hidden() {
        ended.await?;
        return Ok(());
    }
    let mut ended = std::pin::pin!(ended);
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            result = &mut ended => {
                result?;
                return Ok(());
            }
            _ = tick.tick() => {
                let count = done + bodies.ended(execution.execution_id);
                settings.bar.set_position(u64::try_from(count)?);
            }
        }
    }
}
