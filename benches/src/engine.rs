//! A run of the engine: executions are submitted, and waited for, as a user would.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use cloacina_core::{Backend, Context, ExecutorConfig, PipelineStatus, UnifiedExecutor, Workflow};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::counters::{Counters, Settled};
use crate::figures::Samples;
use crate::place::Place;
use crate::process;

/// What is asked of a run.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) workflow: Workflow,
    pub(crate) executions: usize,
    /// How many executors share them.
    pub(crate) workers: usize,
    /// How many are submitted and waited for at once.
    pub(crate) in_flight: usize,
    pub(crate) config: ExecutorConfig,
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Run {
    /// From the first submit to the last end.
    pub(crate) elapsed: Duration,
    /// From each submit to its end.
    pub(crate) waits: Samples,
    pub(crate) counted: Counters,
    pub(crate) settled: Settled,
    /// How much memory was resident at most.
    pub(crate) peak: Option<u64>,
}

/// Starts that many executors.
pub(crate) async fn start<P: Place>(
    place: &P,
    load: &Load,
) -> Result<Vec<UnifiedExecutor<P::Backend>>> {
    let mut executors = Vec::new();
    for _ in 0..load.workers {
        let builder = UnifiedExecutor::builder().config(load.config.clone());
        let builder = builder.workflows([load.workflow.clone()]);
        executors.push(builder.build_on(place.open().await?).await?);
    }
    Ok(executors)
}

pub(crate) async fn stop<B: Backend>(executors: Vec<UnifiedExecutor<B>>) -> Result<()> {
    for executor in executors {
        executor.shutdown().await?;
    }
    Ok(())
}

/// Runs the executions in a place.
pub(crate) async fn run<P: Place>(place: &P, load: &Load) -> Result<Run> {
    process::forget_peak();
    let settled = place.settled().await?;
    let executors = start(place, load).await?;
    let before = place.counters().await?;
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for (worker, executor) in executors.iter().enumerate() {
        // The first ones take what does not divide.
        let share = |whole: usize| (whole + load.workers - 1 - worker) / load.workers;
        let left = Arc::new(AtomicUsize::new(share(load.executions)));
        for _ in 0..share(load.in_flight).max(1) {
            callers.spawn(call(executor.clone(), load.workflow.clone(), Arc::clone(&left)));
        }
    }
    let mut waits = Samples::default();
    while let Some(called) = callers.join_next().await {
        waits.merge(called??);
    }
    let elapsed = begun.elapsed();
    let counted = place.counters().await?.since(&before);
    let peak = process::peak();
    stop(executors).await?;
    let settled = place.settled().await?.since(&settled);
    Ok(Run { elapsed, waits, counted, settled, peak })
}

/// Submits executions and waits for their ends, one after the other, as long as some are left.
async fn call<B: Backend>(
    executor: UnifiedExecutor<B>,
    workflow: Workflow,
    left: Arc<AtomicUsize>,
) -> Result<Samples> {
    let mut waits = Samples::default();
    while let Ok(number) =
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
    {
        let mut input = Context::new();
        input.set("order", number.into());
        let begun = Instant::now();
        let execution = executor.execute_async(workflow.name(), input).await?;
        let status = execution.wait().await?.status;
        ensure!(status == PipelineStatus::Completed, "an execution ended as {status:?}");
        waits.add(begun.elapsed());
    }
    Ok(waits)
}
