//! The chain after a million executions that have ended, beside the chain on an empty database.

use anyhow::Result;
use cloacina_core::Backend as _;

use crate::engine::{self, Load};
use crate::figures::Spread;
use crate::measure::{load, run_once};
use crate::place::{Place as _, Store};
use crate::report::{Figures, median_and_range};
use crate::settings::Arguments;

/// Measures in an empty place and in one with a past, in turn.
pub(crate) async fn measure<S: Store>(store: &S, arguments: &Arguments) -> Result<Figures> {
    let load = load(arguments)?;
    eprintln!("{}: to warm up", store.name());
    let warm_up = Load { executions: load.executions.div_ceil(5), ..load.clone() };
    let (_, template) = run_once(store, &warm_up).await?;
    eprintln!("{}: {} executions are put in", store.name(), arguments.history);
    let past = store.place().await?;
    // Makes the tables.
    past.open().await?.close().await;
    past.fill(&template, arguments.history).await?;
    let (mut runs, mut rates, mut ratios) = (vec![], vec![], vec![]);
    for number in 1..=arguments.runs() {
        eprintln!("{}: run {number} of {}", store.name(), arguments.runs());
        let (empty, _) = run_once(store, &load).await?;
        let run = engine::run(&past, &load).await?;
        rates.push(load.executions as f64 / empty.elapsed.as_secs_f64());
        ratios.push(empty.elapsed.as_secs_f64() / run.elapsed.as_secs_f64());
        runs.push(run);
    }
    past.remove().await?;
    let mut figures = Figures::default();
    figures.runs(load.executions, load.workflow.tasks().len(), &runs);
    figures.add("finished_before", arguments.history);
    for (name, values) in [("empty_executions_per_s", rates), ("ratio_to_empty", ratios)] {
        let (median, range) = median_and_range(Spread::of(values));
        figures.add(name, median);
        figures.add(&format!("{name}_range"), serde_json::to_value(range)?);
    }
    Ok(figures)
}
