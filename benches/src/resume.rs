//! Executors start where thousands of executions are unfinished.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use cloacina_core::{Context, UnifiedExecutor, Workflow};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::Instant;

use crate::engine::{self, Load, Run};
use crate::figures::{Samples, Spread, millis};
use crate::limit::Template;
use crate::measure::{load, run_once};
use crate::place::{Place, Store};
use crate::process;
use crate::report::{Figures, median_and_range};
use crate::settings::Arguments;

/// How often executors are asked how far they are.
const LOOK: Duration = Duration::from_millis(2);

/// How long nothing may end before the run fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the tasks tell.
#[derive(Debug, Default)]
struct Starts {
    first: OnceLock<Instant>,
    count: AtomicU64,
}

/// Measures from the start of the executors to the first task, and until nothing is left.
pub(crate) async fn measure<S: Store>(store: &S, arguments: &Arguments) -> Result<Figures> {
    let load = load(arguments)?;
    // What a task writes that has ended.
    let (_, template) = run_once(store, &Load { executions: 1, ..load.clone() }).await?;
    let (mut runs, mut firsts, mut alls) = (vec![], vec![], vec![]);
    for number in 0..=arguments.runs() {
        // The first one only warms up.
        let executions = if number == 0 { load.executions.div_ceil(5) } else { load.executions };
        eprintln!("{}: run {number} of {}", store.name(), arguments.runs());
        let load = Load { executions, ..load.clone() };
        let place = store.place().await?;
        let (run, first) = run(&place, &load, &template).await?;
        place.remove().await?;
        if number > 0 {
            firsts.push(millis(first));
            alls.push(millis(run.elapsed));
            runs.push(run);
        }
    }
    let mut figures = Figures::default();
    figures.runs(load.executions, load.workflow.tasks().len(), &runs);
    // Nobody waits for a single one.
    (figures.p50_ms, figures.p90_ms, figures.p99_ms) = (None, None, None);
    for (name, values) in [("first_task_ms", firsts), ("all_done_ms", alls)] {
        let (median, range) = median_and_range(Spread::of(values));
        figures.add(name, median);
        figures.add(&format!("{name}_range"), serde_json::to_value(range)?);
    }
    Ok(figures)
}

/// Leaves executions behind, and lets executors find them. Tells how long the first task was waited for as well.
async fn run<P: Place>(place: &P, load: &Load, template: &Template) -> Result<(Run, Duration)> {
    leave(place, load, template).await?;
    process::forget_peak();
    let settled = place.settled().await?;
    let starts = Arc::new(Starts::default());
    let load = Load { workflow: watched(&load.workflow, &starts)?, ..load.clone() };
    let (written, cpu) = (process::written(), process::cpu());
    let begun = Instant::now();
    let executors = engine::start(place, &load).await?;
    // Of an open file only; what comes before is the start itself.
    let before = place.counters().await?;
    let mut ended = (0, begun);
    while ended.0 < load.executions as u64 {
        tokio::time::sleep(LOOK).await;
        let metrics = executors.iter().map(UnifiedExecutor::metrics);
        let (done, failed) = metrics.fold((0, 0), |(done, failed), metrics| {
            (done + metrics.completed, failed + metrics.failed + metrics.cancelled)
        });
        ensure!(failed == 0, "{failed} executions did not complete");
        if done > ended.0 {
            ended = (done, Instant::now());
        }
        ensure!(ended.1.elapsed() < PATIENCE, "only {done} executions have ended");
    }
    let elapsed = begun.elapsed();
    let mut counted = place.counters().await?.since(&before);
    counted.cpu = process::cpu().zip(cpu).map(|(after, before)| after - before);
    if counted.server_cpu.is_none() {
        counted.log_bytes = process::written().zip(written).map(|(after, before)| after - before);
    }
    let peak = process::peak();
    engine::stop(executors).await?;
    let settled = place.settled().await?.since(&settled);
    let first = starts.first.get().map_or(elapsed, |first| first.duration_since(begun));
    Ok((Run { elapsed, waits: Samples::default(), counted, settled, peak }, first))
}

/// Submits executions without running any: every second one has its first task done, as a process leaves them that has stopped.
async fn leave<P: Place>(place: &P, load: &Load, template: &Template) -> Result<()> {
    let builder = UnifiedExecutor::builder().workflows([load.workflow.clone()]).client_only();
    let client = builder.build_on(place.open().await?).await?;
    let submits = stream::iter(0..load.executions).map(|number| {
        let mut input = Context::new();
        input.set("order", number.into());
        let submit = client.execute_async(load.workflow.name(), input);
        async {
            submit.await?;
            anyhow::Ok(())
        }
    });
    submits.buffer_unordered(load.in_flight).try_collect::<()>().await?;
    client.shutdown().await?;
    place.begin_half(template).await
}

/// The workflow, with tasks that tell when they start; its version does not change.
fn watched(workflow: &Workflow, starts: &Arc<Starts>) -> Result<Workflow> {
    let tasks = workflow.tasks().iter().map(|task| {
        let starts = Arc::clone(starts);
        task.clone().intercept(move |_, _| {
            if starts.count.fetch_add(1, Ordering::Relaxed) == 0 {
                let _ = starts.first.set(Instant::now());
            }
            None
        })
    });
    Ok(Workflow::builder(workflow.name()).tasks(tasks).build()?)
}
