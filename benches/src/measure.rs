//! Measures a workload on each store, beside its limit.

use std::sync::Arc;

use anyhow::{Result, ensure};
use cloacina_core::ExecutorConfig;
use serde_json::{Map, Value};

use crate::engine::{self, Load, Run};
use crate::figures::significant;
use crate::limit::{self, Template};
use crate::place::{Place as _, Postgres, Sqlite, Store};
use crate::report::Figures;
use crate::settings::{Arguments, Name};
use crate::{history, latency, metg, resume, tenants, workloads};

/// So many executions are few.
const FEW: usize = 20;

/// Measures on each store that was asked for.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let backends = match arguments.backend.as_deref() {
        None => vec!["sqlite", "postgres"],
        Some(backend) => vec![backend],
    };
    for backend in backends {
        let figures = if backend == "sqlite" {
            measure(&Sqlite::new(arguments.folder.as_deref()), backend, arguments).await?
        } else {
            let store = Postgres::new(backend).await?;
            let measured = measure(&store, backend, arguments).await;
            store.remove().await?;
            measured?
        };
        figures.print(arguments.json)?;
    }
    Ok(())
}

async fn measure<S: Store>(store: &S, backend: &str, arguments: &Arguments) -> Result<Figures> {
    let mut figures = match arguments.workload {
        // It has places of its own.
        Name::Tenants => {
            let folder = arguments.folder.as_deref();
            Box::pin(tenants::run(&arguments.tenants, backend, folder)).await?
        }
        _ => Box::pin(workload(store, arguments)).await?,
    };
    figures.workload = arguments.name();
    store.name().clone_into(&mut figures.backend);
    for (name, value) in settings(store, arguments).await? {
        // What a workload has said of itself holds.
        figures.settings.entry(name).or_insert(value);
    }
    Ok(figures)
}

async fn workload<S: Store>(store: &S, arguments: &Arguments) -> Result<Figures> {
    match arguments.workload {
        Name::Latency => latency::measure(store, arguments).await,
        Name::Resume => resume::measure(store, arguments).await,
        Name::History => history::measure(store, arguments).await,
        Name::Metg => metg::measure(store, arguments).await,
        Name::Limit => limit::alone::measure(store, arguments).await,
        _ => throughput(store, arguments).await,
    }
}

/// What a workload is run with, for the readers of its figures.
async fn settings<S: Store>(store: &S, arguments: &Arguments) -> Result<Map<String, Value>> {
    let mut settings = Map::new();
    settings.insert("store".to_owned(), store.describe().await?);
    settings.insert("workers".to_owned(), arguments.workers().into());
    settings.insert("in_flight".to_owned(), arguments.in_flight.into());
    settings.insert("processors".to_owned(), std::thread::available_parallelism()?.get().into());
    settings.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
    let allocator = if cfg!(feature = "mimalloc") { "mimalloc" } else { "the system's" };
    settings.insert("allocator".to_owned(), allocator.into());
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    settings.insert("profile".to_owned(), profile.into());
    settings.insert("executor".to_owned(), serde_json::to_value(ExecutorConfig::default())?);
    Ok(settings)
}

/// Makes what is asked of a run of the workload.
pub(crate) fn load(arguments: &Arguments) -> Result<Load> {
    let workflow =
        workloads::workflow(arguments.workload, arguments.what.as_deref(), arguments.tasks.max(1))?;
    Ok(Load {
        executions: arguments.executions(workflow.tasks().len()),
        workflow,
        workers: arguments.workers(),
        in_flight: arguments.in_flight.max(1),
        config: ExecutorConfig::default(),
    })
}

/// Runs the engine in an empty place, and reads what it has written.
pub(crate) async fn run_once<S: Store>(store: &S, load: &Load) -> Result<(Run, Arc<Template>)> {
    let place = store.place().await?;
    let run = engine::run(&place, load).await?;
    let template = Arc::new(place.template(&load.workflow).await?);
    place.remove().await?;
    Ok((run, template))
}

/// Runs a workload that submits as much as it may, and the bare loop in turn.
async fn throughput<S: Store>(store: &S, arguments: &Arguments) -> Result<Figures> {
    let load = load(arguments)?;
    let tasks = load.workflow.tasks().len();
    let some = load.executions.div_ceil(5);
    eprintln!("{}: to warm up", store.name());
    let warm_up = Load { executions: some, ..load.clone() };
    let (run, template) = run_once(store, &warm_up).await?;
    // Of few there are few batches, and then it matters how many connections share them.
    let enough = some.max(load.executions.min(FEW));
    let method = limit::fastest(store, &template, enough, batch(&run, &template, some)).await?;
    let (mut runs, mut rates, mut ratios, mut batches) = (vec![], vec![], vec![], vec![]);
    for number in 1..=arguments.runs() {
        eprintln!("{}: run {number} of {}", store.name(), arguments.runs());
        let (run, template) = run_once(store, &load).await?;
        let batch = batch(&run, &template, load.executions);
        let limit = limit::run(store, &template, method, load.executions, batch).await?;
        rates.push(load.executions as f64 / limit.elapsed.as_secs_f64());
        ratios.push(limit.elapsed.as_secs_f64() / run.elapsed.as_secs_f64());
        batches.push(items_per_commit(&run, &template, load.executions));
        runs.push(run);
    }
    let mut figures = Figures::default();
    figures.runs(load.executions, tasks, &runs);
    figures.limit(&rates, &ratios);
    let batches = crate::figures::Spread::of(batches);
    figures.items_per_commit = batches.map(|batches| significant(batches.median));
    figures.settings.insert("limit".to_owned(), method.describe().into());
    figures.settings.insert("workflow".to_owned(), load.workflow.name().into());
    ensure!(figures.executions_per_s.is_some(), "nothing was measured");
    Ok(figures)
}

/// How many items a commit of the engine held.
fn items_per_commit(run: &Run, template: &Template, executions: usize) -> f64 {
    (template.items() * executions) as f64 / run.counted.commits.max(1) as f64
}

/// How many executions the bare loop takes into a transaction, to have as many items in it.
fn batch(run: &Run, template: &Template, executions: usize) -> usize {
    fitting(executions, items_per_commit(run, template, executions))
}

/// The size of batches of which no more are needed than with so many items in each. Of few executions they are larger: the engine's
/// commits hold items of different levels, those of the bare loop do not.
fn fitting(executions: usize, items: f64) -> usize {
    let batches = (executions as f64 / items.max(1.0)).floor().max(1.0);
    // Between 1 and the number of executions.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
    let size = (executions as f64 / batches).ceil() as usize;
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bare_loop_needs_no_more_commits_than_the_engine() {
        assert_eq!(fitting(20_000, 870.0), 910, "22 batches");
        assert_eq!(fitting(20, 11.5), 20);
        assert_eq!(fitting(20, 0.4), 1);
        assert_eq!(fitting(1, 3.0), 1);
        assert_eq!(fitting(10, 1e9), 10);
    }
}
