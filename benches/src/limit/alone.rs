//! The bare loop alone, in batches of several sizes.

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum as _;
use cloacina_core::ExecutorConfig;
use serde_json::json;

use super::run;
use crate::engine::Load;
use crate::figures::{Spread, megabytes, significant};
use crate::measure::run_once;
use crate::place::Store;
use crate::report::{Figures, median_and_range};
use crate::settings::{Arguments, Name};
use crate::{process, workloads};

/// How many executions are taken into a transaction.
const BATCHES: [usize; 4] = [30, 100, 300, 1000];

/// Measures every method with every size, and reports the best.
pub(crate) async fn measure<S: Store>(store: &S, arguments: &Arguments) -> Result<Figures> {
    let what = arguments.what.as_deref().unwrap_or("chain");
    let Ok(name) = Name::from_str(what, true) else { bail!("`{what}` is no workload") };
    let workflow = workloads::workflow(name, None, arguments.tasks.max(1))?;
    let load = Load {
        executions: arguments.executions(workflow.tasks().len()),
        workflow,
        workers: 1,
        in_flight: 1,
        config: ExecutorConfig::default(),
    };
    let (_, template) = run_once(store, &Load { executions: 1, ..load.clone() }).await?;
    let mut best: Option<(Spread, String, usize)> = None;
    let mut tried = Vec::new();
    for &method in store.methods() {
        for batch in BATCHES {
            let mut rates = Vec::new();
            for _ in 0..arguments.runs() {
                let run = run(store, &template, method, load.executions, batch).await?;
                rates.push(load.executions as f64 / run.elapsed.as_secs_f64());
            }
            let rate = Spread::of(rates).context("there is a run")?;
            let (method, median) = (method.describe(), significant(rate.median));
            eprintln!("{}: {method}, {batch} at once: {median} executions/s", store.name());
            tried.push(json!({ "method": method, "batch": batch, "executions_per_s": median }));
            if best.as_ref().is_none_or(|(best, ..)| rate.median > best.median) {
                best = Some((rate, method, batch));
            }
        }
    }
    let (rate, method, batch) = best.context("a store has a method")?;
    let tasks = load.workflow.tasks().len();
    let mut figures = Figures {
        executions: Some(load.executions),
        tasks_per_execution: Some(tasks),
        runs: Some(arguments.runs()),
        peak_rss_mb: process::peak().map(megabytes),
        ..Figures::default()
    };
    (figures.executions_per_s, figures.executions_per_s_range) = median_and_range(Some(rate));
    figures.tasks_per_s = Some(significant(rate.median * tasks as f64));
    figures.limit_executions_per_s = figures.executions_per_s;
    figures.limit_executions_per_s_range = figures.executions_per_s_range;
    figures.add("of", what);
    figures.add("batch", batch);
    figures.add("tried", tried);
    figures.settings.insert("limit".to_owned(), method.into());
    Ok(figures)
}
