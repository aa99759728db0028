//! The minimum effective task granularity: how long tasks have to be for half of the slots to be busy with them.
//!
//! The measure METG(50 %) is that of Task Bench: E. Slaughter et al., "Task Bench: A Parameterized Benchmark for Evaluating
//! Parallel Runtime Performance", SC20, <https://doi.org/10.1109/SC41405.2020.00066>. Efficiency is the time that the
//! bodies took by their own watches, over the time that all slots had. The bodies wait, so they need no processor, and tokio's
//! timer has a grain of a millisecond: a body that is asked to wait 1 ms takes up to 2 ms or more. So all figures go by what the
//! bodies measured, never by what they were asked for. Task Bench's own figure is the time of the slots for each task, which is
//! twice the length of the tasks at an efficiency of one half; it is `granularity_ms`. The shortest length that can be had is about
//! 2 ms: where tasks of that length are efficient already, `metg_ms` lies on the line from there to nothing, which errs on the long side.

mod pattern;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use cloacina_core::{ExecutorConfig, Task, Workflow};
use serde_json::json;
use tokio::time::Instant;

use crate::engine::{self, Load};
use crate::figures::{Spread, millis, rounded, significant};
use crate::place::{Place as _, Store};
use crate::report::{Figures, median_and_range};
use crate::settings::Arguments;
use pattern::{Pattern, WIDTH};

/// How many bodies run at once.
const SLOTS: usize = 16;

/// Where the length of the tasks is looked for.
const HALF: f64 = 0.5;

/// Tasks that have to be longer than this are not looked for.
const LONGEST: u64 = 1 << 12;

/// What a pattern is run with.
#[derive(Debug, Clone, Copy)]
struct Grid {
    steps: usize,
    workers: usize,
}

impl Grid {
    const fn tasks(self) -> usize {
        WIDTH * self.steps
    }
}

/// What tasks of one length gave.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    /// How long a body took, in milliseconds, by its own watch.
    body: f64,
    efficiency: f64,
}

/// Measures each pattern.
pub(crate) async fn measure<S: Store>(store: &S, arguments: &Arguments) -> Result<Figures> {
    let grid = Grid { steps: arguments.steps.max(1), workers: arguments.workers() };
    let mut figures = Figures::default();
    let mut all = Vec::new();
    let mut patterns = serde_json::Map::new();
    for pattern in Pattern::ALL {
        let mut lengths = Vec::new();
        for number in 1..=arguments.runs() {
            eprintln!("{}: {}, run {number}", store.name(), pattern.name());
            lengths.push(search(store, pattern, grid).await?);
        }
        let (median, range) = median_and_range(Spread::of(lengths));
        let median = median.context("there is a run")?;
        all.push(median);
        patterns.insert(
            pattern.name().to_owned(),
            json!({ "metg_ms": median, "metg_ms_range": range, "granularity_ms": significant(2.0 * median) }),
        );
    }
    figures.executions = Some(1);
    figures.tasks_per_execution = Some(grid.tasks());
    figures.runs = Some(arguments.runs());
    figures.peak_rss_mb = crate::process::peak().map(crate::figures::megabytes);
    // The worst of the patterns.
    figures.add("metg_ms", Spread::of(all).map(|all| all.most));
    figures.add("patterns", patterns);
    figures.settings.insert("slots".to_owned(), SLOTS.into());
    Ok(figures)
}

/// Looks for the length of the tasks, in milliseconds, at which efficiency falls to one half: by doubling until it is
/// above, then by bisection down to the grain of the timer, then along the line between the two last points.
async fn search<S: Store>(store: &S, pattern: Pattern, grid: Grid) -> Result<f64> {
    let mut below = (0, point(store, pattern, grid, 0).await?);
    let mut asked = 1;
    let mut above = loop {
        let found = point(store, pattern, grid, asked).await?;
        if found.efficiency >= HALF || asked >= LONGEST {
            break (asked, found);
        }
        below = (asked, found);
        asked *= 2;
    };
    while above.0 - below.0 > 1 {
        let middle = below.0.midpoint(above.0);
        let found = point(store, pattern, grid, middle).await?;
        if found.efficiency >= HALF {
            above = (middle, found);
        } else {
            below = (middle, found);
        }
    }
    Ok(crossing(below.1, above.1))
}

/// The length at which the line through two points has an efficiency of one half; the nearer end where it has not.
fn crossing(below: Point, above: Point) -> f64 {
    let rise = above.efficiency - below.efficiency;
    let part = if rise > 0.0 { (HALF - below.efficiency) / rise } else { 1.0 };
    below.body + part.clamp(0.0, 1.0) * (above.body - below.body)
}

/// Runs a pattern once, with tasks that are asked to take so many milliseconds.
async fn point<S: Store>(store: &S, pattern: Pattern, grid: Grid, asked: u64) -> Result<Point> {
    let busy = Arc::new(AtomicU64::new(0));
    let mut config = ExecutorConfig::default();
    config.max_concurrent_tasks = SLOTS;
    let load = Load {
        workflow: workflow(pattern, grid.steps, Duration::from_millis(asked), &busy)?,
        executions: 1,
        workers: grid.workers,
        in_flight: 1,
        config,
    };
    let place = store.place().await?;
    let run = engine::run(&place, &load).await?;
    place.remove().await?;
    let busy = Duration::from_nanos(busy.load(Ordering::Relaxed));
    let tasks = grid.tasks() as f64;
    let slots = run.elapsed.as_secs_f64() * SLOTS as f64;
    let point =
        Point { body: busy.as_secs_f64() * 1000.0 / tasks, efficiency: busy.as_secs_f64() / slots };
    eprintln!(
        "  asked for {asked} ms: bodies took {:.3} ms, efficiency {}, all {} ms",
        point.body,
        rounded(point.efficiency),
        millis(run.elapsed)
    );
    Ok(point)
}

/// Makes the workflow: its tasks wait, and add up how long that was.
fn workflow(
    pattern: Pattern,
    steps: usize,
    length: Duration,
    busy: &Arc<AtomicU64>,
) -> Result<Workflow> {
    let name = |step: usize, place: usize| format!("step_{step}_{place}");
    let places = (0..steps).flat_map(|step| (0..WIDTH).map(move |place| (step, place)));
    let tasks = places.map(|(step, place)| {
        let busy = Arc::clone(busy);
        let task = Task::new(name(step, place), move |_, _| {
            let busy = Arc::clone(&busy);
            Box::pin(async move {
                let begun = Instant::now();
                if !length.is_zero() {
                    tokio::time::sleep(length).await;
                }
                let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
                busy.fetch_add(took, Ordering::Relaxed);
            })
        });
        let above = pattern.dependencies(step, place);
        task.depends_on(above.into_iter().map(|place| name(step - 1, place)))
    });
    Ok(Workflow::builder(pattern.name()).tasks(tasks).build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_lies_on_the_line_between_two_points() {
        let point = |body, efficiency| Point { body, efficiency };
        assert_eq!(crossing(point(1.0, 0.25), point(3.0, 0.75)), 2.0);
        assert_eq!(crossing(point(1.0, 0.6), point(3.0, 0.9)), 1.0, "it is below both");
        assert_eq!(crossing(point(1.0, 0.2), point(3.0, 0.4)), 3.0, "it is above both");
        assert_eq!(crossing(point(1.0, 0.4), point(3.0, 0.4)), 3.0);
    }

    #[test]
    fn a_workflow_has_a_task_for_each_place_and_step() {
        for pattern in Pattern::ALL {
            let workflow = workflow(pattern, 3, Duration::ZERO, &Arc::default()).unwrap();
            assert_eq!(workflow.tasks().len(), WIDTH * 3);
        }
    }
}
