//! A chain alone, one after another: what a user waits who submits one thing.

use anyhow::Result;

use crate::engine::Load;
use crate::figures::{Spread, millis};
use crate::limit::{self, Method};
use crate::measure::{load, run_once};
use crate::place::Store;
use crate::report::{Figures, median_and_range};
use crate::settings::Arguments;

/// Measures beside the bare commits of a lone chain: its submit, and one for each task.
pub(crate) async fn measure<S: Store>(store: &S, arguments: &Arguments) -> Result<Figures> {
    let load = Load { in_flight: 1, workers: 1, ..load(arguments)? };
    let some = load.executions.div_ceil(5);
    eprintln!("{}: to warm up", store.name());
    let (_, template) = run_once(store, &Load { executions: some, ..load.clone() }).await?;
    let method = match store.methods() {
        [Method::Connections(_), ..] => Method::Connections(1),
        _ => limit::fastest(store, &template, some, 1).await?,
    };
    let (mut runs, mut rates, mut ratios) = (vec![], vec![], vec![]);
    let (mut p50, mut p99, mut slower) = (vec![], vec![], vec![]);
    for number in 1..=arguments.runs() {
        eprintln!("{}: run {number} of {}", store.name(), arguments.runs());
        let (run, template) = run_once(store, &load).await?;
        let limit = limit::run(store, &template, method, load.executions, 1).await?;
        rates.push(load.executions as f64 / limit.elapsed.as_secs_f64());
        ratios.push(limit.elapsed.as_secs_f64() / run.elapsed.as_secs_f64());
        slower.push(run.waits.p50().as_secs_f64() / limit.batches.p50().as_secs_f64());
        p50.push(millis(limit.batches.p50()));
        p99.push(millis(limit.batches.p99()));
        runs.push(run);
    }
    let mut figures = Figures::default();
    figures.runs(load.executions, load.workflow.tasks().len(), &runs);
    figures.limit(&rates, &ratios);
    figures.add("limit_p50_ms", median_and_range(Spread::of(p50)).0);
    figures.add("limit_p99_ms", median_and_range(Spread::of(p99)).0);
    let (median, range) = median_and_range(Spread::of(slower));
    figures.add("p50_to_limit", median);
    figures.add("p50_to_limit_range", serde_json::to_value(range)?);
    figures.settings.insert("in_flight".to_owned(), 1.into());
    figures.settings.insert("workers".to_owned(), 1.into());
    figures.settings.insert("limit".to_owned(), method.describe().into());
    Ok(figures)
}
