//! Many tenants in one process, of which few are active.

mod load;
mod place;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use cloacina_core::{TenantId, TenantManager, TenantStore, UnifiedExecutor};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use crate::figures::{megabytes, millis, rounded, significant};
use crate::{process, report};
use load::{Board, Load, Quiet};
use place::{Folder, Place, Schemas};

/// How many tenants are created at once.
const AT_ONCE: usize = 8;

/// How long a quiet manager is watched.
const WATCH: Duration = Duration::from_secs(10);

/// How long an executor has nothing to do before it is stopped.
const IDLE: Duration = Duration::from_secs(2);

/// Settings of the workload.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Of `tenants` only")]
pub(crate) struct Arguments {
    /// How many tenants there are.
    #[arg(long, default_value_t = 5_000)]
    tenants: usize,
    /// How many of them work.
    #[arg(long, default_value_t = 50)]
    active: usize,
    /// How many executions one of them submits at once.
    #[arg(long, default_value_t = 10_000)]
    flood: usize,
    /// How many quiet tenants are asked for an execution, alone and beside the others.
    #[arg(long, default_value_t = 200)]
    samples: usize,
}

/// What was measured on one store.
#[derive(Debug, Serialize)]
struct Figures {
    tenants: usize,
    active: usize,
    /// Tenants created in a second.
    created_per_s: f64,
    /// From the start of a manager to the first task of the one tenant that had work.
    start_to_first_task_ms: f64,
    /// Memory of the process for each tenant at rest, after all were looked through.
    bytes_per_idle_tenant: f64,
    /// Transactions in a second by the server's own count while nobody is connected: it tidies up after the creation.
    own_transactions_per_s: Option<f64>,
    /// The same while the manager runs and nobody has work.
    idle_transactions_per_s: Option<f64>,
    idle_cpu_percent: f64,
    /// How long a quiet tenant waits while nobody else works.
    alone: Waits,
    /// The same beside one tenant that has submitted thousands of executions.
    beside_flood: Waits,
    /// What that one got done meanwhile, in a second.
    beside_flood_tasks_per_s: f64,
    /// The same beside all active tenants, that one among them.
    beside_all: Waits,
    beside_all_tasks_per_s: f64,
    most_connections: Option<u64>,
    connections_bound: Option<u64>,
    resident_mb: f64,
}

impl Figures {
    /// Puts them beside those that all workloads have.
    fn into_common(self) -> Result<report::Figures> {
        let mut common = report::Figures {
            p50_ms: Some(self.alone.warm_p50_ms),
            p99_ms: Some(self.alone.warm_p99_ms),
            tasks_per_s: Some(self.beside_all_tasks_per_s),
            cpu_s: process::cpu().map(|cpu| significant(cpu.as_secs_f64())),
            peak_rss_mb: process::peak().map(megabytes),
            runs: Some(1),
            ..report::Figures::default()
        };
        let fields = serde_json::to_value(self)?;
        common.more.extend(fields.as_object().context("figures are an object")?.clone());
        Ok(common)
    }
}

/// From the submit of a quiet tenant to the start of its task.
#[derive(Debug, Serialize)]
struct Waits {
    /// Its executor is not running.
    cold_p50_ms: f64,
    cold_p99_ms: f64,
    /// Its executor is running.
    warm_p50_ms: f64,
    warm_p99_ms: f64,
}

impl Waits {
    fn of(quiet: &Quiet) -> Self {
        Self {
            cold_p50_ms: millis(quiet.cold.p50()),
            cold_p99_ms: millis(quiet.cold.p99()),
            warm_p50_ms: millis(quiet.warm.p50()),
            warm_p99_ms: millis(quiet.warm.p99()),
        }
    }
}

/// Measures on a store.
pub(crate) async fn run(
    arguments: &Arguments,
    backend: &str,
    folder: Option<&Path>,
) -> Result<report::Figures> {
    let figures = match backend {
        "sqlite" => {
            let place = Folder::new(folder)?;
            measure(arguments, &place, backend).await?
        }
        url => {
            let place = Schemas::new(url).await?;
            let figures = measure(arguments, &place, "postgres").await;
            place.remove().await?;
            figures?
        }
    };
    figures.into_common()
}

async fn measure<P: Place>(arguments: &Arguments, place: &P, backend: &str) -> Result<Figures> {
    let names: Vec<_> = (0..arguments.tenants).map(|number| format!("tenant_{number}")).collect();
    eprintln!("{backend}: {} tenants are created", names.len());
    let created_per_s = create(place, &names).await?;

    eprintln!("{backend}: nobody is connected for {WATCH:?}");
    let before = place.transactions().await?;
    tokio::time::sleep(WATCH).await;
    let own_transactions = before.zip(place.transactions().await?).map(|(a, b)| b - a);

    eprintln!("{backend}: a manager starts, one tenant has work");
    let board = Board::new();
    leave_work(place, &names[names.len() / 2], &board).await?;
    let before = process::resident();
    let began = Instant::now();
    let manager = manager(place, &board)?;
    let start_to_first_task = board.next_start().await?.duration_since(began);
    until_all_rest(&manager).await;

    eprintln!("{backend}: nobody has work for {WATCH:?}");
    let (transactions, cpu) = (place.transactions().await?, process::cpu());
    tokio::time::sleep(WATCH).await;
    let after = place.transactions().await?;
    let idle_transactions = transactions.zip(after).map(|(before, after)| after - before);
    let idle_cpu = process::cpu().zip(cpu).map(|(after, before)| after.saturating_sub(before));
    let held = process::resident().zip(before).map(|(after, before)| after.saturating_sub(before));

    let load = Load::new(&manager, &board, &names, arguments.active, arguments.samples);
    eprintln!("{backend}: quiet tenants alone");
    let alone = load.quiet().await?;
    until_all_rest(&manager).await;
    let watch = place.watch_connections();
    eprintln!("{backend}: quiet tenants beside one with {} executions", arguments.flood);
    let flooded = load.quiet_beside_a_flood(arguments.flood).await?;
    eprintln!("{backend}: quiet tenants beside {} active ones", arguments.active);
    let loaded = load.quiet_beside_all(arguments.flood).await?;
    let most_connections = place.most_connections(watch).await?;
    let resident = process::resident().unwrap_or_default();
    manager.shutdown().await?;
    Ok(Figures {
        tenants: arguments.tenants,
        active: arguments.active,
        created_per_s: rounded(created_per_s),
        start_to_first_task_ms: millis(start_to_first_task),
        bytes_per_idle_tenant: rounded(held.unwrap_or_default() as f64 / names.len() as f64),
        own_transactions_per_s: own_transactions.map(a_second),
        idle_transactions_per_s: idle_transactions.map(a_second),
        idle_cpu_percent: rounded(
            idle_cpu.unwrap_or_default().as_secs_f64() / WATCH.as_secs_f64() * 100.0,
        ),
        alone: Waits::of(&alone),
        beside_flood: Waits::of(&flooded.quiet),
        beside_flood_tasks_per_s: rounded(flooded.tasks_per_s),
        beside_all: Waits::of(&loaded.quiet),
        beside_all_tasks_per_s: rounded(loaded.tasks_per_s),
        most_connections,
        connections_bound: place.connections_bound(),
        resident_mb: megabytes(resident),
    })
}

/// Creates the tenants; how many in a second.
async fn create<P: Place>(place: &P, names: &[String]) -> Result<f64> {
    let began = Instant::now();
    let store = place.store()?;
    let created = stream::iter(names).map(|name| {
        let store = &store;
        async move {
            let tenant = TenantId::new(name.as_str())?;
            anyhow::Ok(store.create(&tenant).await.map(drop)?)
        }
    });
    created.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    store.close().await;
    Ok(names.len() as f64 / began.elapsed().as_secs_f64())
}

fn a_second(count: i64) -> f64 {
    rounded(count as f64 / WATCH.as_secs_f64())
}

fn manager<P: Place>(place: &P, board: &Board) -> Result<TenantManager<P::Store>> {
    let executor = UnifiedExecutor::builder().workflows(board.workflows()?);
    let builder = TenantManager::builder(place.store()?).executor(executor).idle_timeout(IDLE);
    Ok(builder.build()?)
}

/// Leaves an execution that nobody owns, as a process does that has stopped.
async fn leave_work<P: Place>(place: &P, name: &str, board: &Board) -> Result<()> {
    let store = place.store()?;
    let backend = store.open(&TenantId::new(name)?).await?;
    let client = UnifiedExecutor::builder().workflows(board.workflows()?).client_only();
    let client = client.build_on(backend).await?;
    client.execute_async(load::PROBE, cloacina_core::Context::new()).await?;
    client.shutdown().await?;
    store.close().await;
    Ok(())
}

async fn until_all_rest<S: TenantStore>(manager: &TenantManager<S>) {
    while !manager.active_tenants().is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
