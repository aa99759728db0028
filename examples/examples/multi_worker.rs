//! Several worker processes on one PostgreSQL schema. One of them is killed half-way, and its work moves to the others.
//!
//! ```sh
//! cargo run -p cloacina-examples --example multi_worker -- [--database URL] [--schema NAME] [--executions N] [--workers 3] [--replace] [--seed N]
//! ```
//!
//! Without `--database` it starts a PostgreSQL server of its own, which is gone afterwards. This process only submits orders
//! and waits for them. The workers are this program again, one process each; what connects them all is the schema. At
//! the end the books are balanced: every execution completed, every result was committed once, and the only tasks that
//! ran again are those that the dead worker had not committed. See `--help`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use cloacina_core::{
    Context, ExecutionId, ExecutorConfig, Input, Output, PipelineResult, State, TaskContext, task,
    workflow,
};
use cloacina_examples::fleet::{
    Assignment, Fleet, Log, Receipt, Report, Show, Totals, Worker, server, told_to_stop,
};
use cloacina_examples::{Database, DatabaseError};
use cloacina_postgres::UnifiedExecutor;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::BufReader;
use tokio::task::JoinSet;
use tracing_subscriber::EnvFilter;

/// What a customer ordered: the input of an execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    number: u64,
    books: u64,
    teas: u64,
    glasses: u64,
}

struct Article {
    cents: u64,
    grams: u64,
}

const BOOK: Article = Article { cents: 1_450, grams: 380 };
const TEA: Article = Article { cents: 620, grams: 100 };
const GLASS: Article = Article { cents: 890, grams: 240 };

impl Order {
    fn random(number: u64, random: &mut fastrand::Rng) -> Self {
        let mut pieces = || random.u64(0..5);
        Self { number, books: pieces(), teas: pieces(), glasses: pieces() }
    }

    /// Adds something up over all pieces.
    fn sum(&self, of: fn(&Article) -> u64) -> u64 {
        self.books * of(&BOOK) + self.teas * of(&TEA) + self.glasses * of(&GLASS)
    }

    fn cents(&self) -> u64 {
        self.sum(|article| article.cents)
    }

    fn grams(&self) -> u64 {
        self.sum(|article| article.grams)
    }
}

// The workflow. Nothing in it knows that there are several processes: a task may run in any of them, and what it takes
// comes from the database. `Worker` stands for what a real program has there, such as a client of a payment service.

#[task]
async fn reserve(
    Input(order): Input<Order>,
    worker: State<Worker>,
    run: TaskContext,
) -> anyhow::Result<Receipt> {
    worker.work(&run, order.sum(|_| 1)).await
}

/// A worker may die after the charge and before its result is committed; then this runs again. So a real payment service
/// would be given a key, such as the order's number, by which it knows that it has charged this order already.
#[task(dependencies = [reserve], retry_attempts = 3, retry_delay_ms = 100)]
async fn charge(
    Input(order): Input<Order>,
    worker: State<Worker>,
    run: TaskContext,
    context: &mut Context,
) -> anyhow::Result<Receipt> {
    let receipt = worker.work(&run, order.cents()).await?;
    context.insert("charged_cents", json!(receipt.value))?;
    Ok(receipt)
}

// Three parcels, packed side by side.

#[task(dependencies = [charge])]
async fn pack_books(
    Input(order): Input<Order>,
    worker: State<Worker>,
    run: TaskContext,
) -> anyhow::Result<Receipt> {
    worker.work(&run, order.books * BOOK.grams).await
}

#[task(dependencies = [charge])]
async fn pack_teas(
    Input(order): Input<Order>,
    worker: State<Worker>,
    run: TaskContext,
) -> anyhow::Result<Receipt> {
    worker.work(&run, order.teas * TEA.grams).await
}

#[task(dependencies = [charge])]
async fn pack_glasses(
    Input(order): Input<Order>,
    worker: State<Worker>,
    run: TaskContext,
) -> anyhow::Result<Receipt> {
    worker.work(&run, order.glasses * GLASS.grams).await
}

/// Weighs the parcels. They may have been packed by a worker that is dead by now: what it committed counts.
#[task]
async fn ship(
    books: Output<pack_books>,
    teas: Output<pack_teas>,
    glasses: Output<pack_glasses>,
    worker: State<Worker>,
    run: TaskContext,
    context: &mut Context,
) -> anyhow::Result<Receipt> {
    let grams = books.value + teas.value + glasses.value;
    context.insert("shipped_grams", json!(grams))?;
    worker.work(&run, grams).await
}

#[task]
async fn notify(
    shipped: Output<ship>,
    worker: State<Worker>,
    run: TaskContext,
) -> anyhow::Result<Receipt> {
    worker.work(&run, shipped.value).await
}

workflow! {
    name: "fulfil_order",
    description: "Takes an order from the shelf to the customer",
    tasks: [reserve, charge, pack_books, pack_teas, pack_glasses, ship, notify],
}

const TASKS: usize = 7;

/// How many tasks a worker runs at once.
const SLOTS: usize = 8;

/// A worker process: an executor that runs whatever it finds in the schema, until it is told to stop.
async fn work() -> anyhow::Result<()> {
    let mut input = BufReader::new(tokio::io::stdin());
    let told = Assignment::read(&mut input).await?;
    let mut config = ExecutorConfig::default();
    config.max_concurrent_tasks = told.slots;
    // It takes up no more executions than it can run, and leaves the rest for the others. A worker learns of the others at
    // its heartbeats; until then it would take thousands, and give them back later.
    config.max_held_executions = told.slots;
    // It needs few connections: whatever ends at about the same time is committed together.
    config.db_pool_size = 4;
    let executor = UnifiedExecutor::builder()
        .database_url(told.url)
        .schema(told.schema)
        .config(config)
        .state(Worker::new(told.worker))
        .build()
        .await?;
    Report::Ready.send()?;
    told_to_stop(&mut input).await?;
    // In order: it lets running tasks end, and hands over the rest. A worker that is killed does neither.
    executor.shutdown().await?;
    let did = executor.metrics();
    Report::Stopped { recovered: did.recovered, fenced: did.fenced }.send()
}

/// Submits all orders at once, so that the engine commits many of them in one transaction, and waits for their ends.
async fn submit_and_wait(
    client: &UnifiedExecutor,
    orders: &[Order],
) -> anyhow::Result<Vec<PipelineResult>> {
    let mut submits = JoinSet::new();
    for order in orders {
        let (client, input) = (client.clone(), Context::from_value(json!(order))?);
        submits.spawn(async move { client.execute_async("fulfil_order", input).await });
    }
    let mut results = Vec::new();
    for submitted in submits.join_all().await {
        // Workers end them, in processes of their own; the database tells this one.
        results.push(submitted?.wait().await?);
    }
    Ok(results)
}

/// Runs orders on several workers, one of which is killed, and balances the books.
///
/// The last line on standard output says whether the totals agree. Logs (RUST_LOG, default `error`) go to standard error.
///
/// Exit status: 0 if the totals agree, 1 if they do not or something failed, 2 if the arguments are wrong.
#[derive(Debug, Parser)]
#[command(name = "multi_worker", disable_help_subcommand = true, verbatim_doc_comment)]
struct Args {
    /// The database, `postgresql://user:password@host:port/database`; without it, a server is started and thrown away.
    ///
    /// What is on a command line others can see, by `ps` for example: leave the password out and set PGPASSWORD, or have a
    /// `.pgpass` file.
    #[arg(long, value_name = "URL")]
    database: Option<String>,

    /// The schema, created if it is missing. One run at a time uses it.
    #[arg(long, value_name = "NAME", default_value = "multi_worker")]
    schema: String,

    /// How many orders to fulfil.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    executions: u64,

    /// How many worker processes.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(2..=32))]
    workers: u64,

    /// Start a new worker in place of the one that is killed.
    #[arg(long)]
    replace: bool,

    /// Decides the orders, and after how many tasks a worker is killed; without it, random.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    #[command(subcommand)]
    role: Option<Role>,
}

const WORK: &str = "work";

#[derive(Debug, Subcommand)]
enum Role {
    /// What this program starts itself as.
    #[command(hide = true, name = WORK)]
    Work,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let outcome = match args.role {
        Some(Role::Work) => Box::pin(work()).await.map(|()| true),
        None => tokio::select! {
            outcome = Box::pin(demonstrate(&args)) => outcome,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("stopped")),
        },
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<DatabaseError>() { 2 } else { 1 })
        }
    }
}

/// Starts server, client and workers, and reports whether the totals agree.
async fn demonstrate(args: &Args) -> anyhow::Result<bool> {
    if let Some(url) = &args.database {
        println!("working in {}", Database::new(url, Some(&args.schema))?);
    }
    let (url, _server) = server(args.database.as_deref()).await?;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    println!("seed {seed}: give --seed {seed} for the same orders");
    let orders: Vec<Order> = (1..=args.executions).map(|n| Order::random(n, &mut random)).collect();

    // Submits and waits, and never runs a task itself.
    let builder = UnifiedExecutor::builder().database_url(&*url).schema(&*args.schema);
    let client = builder.client_only().build().await.context("cannot open the database")?;
    let mut fleet = Fleet::new(WORK, &url, &args.schema, SLOTS);
    let mut log = Log::new(ExecutionId::new());
    for _ in 0..args.workers {
        log.started(fleet.start_worker().await?.1);
    }
    while !log.all_alive() {
        log.hear(fleet.news().await?);
    }
    let tasks = orders.len() * TASKS;
    // One of the workers is killed in here.
    let mut show = Show::new(tasks, args.replace, random);
    let work = submit_and_wait(&client, &orders);
    let results = Box::pin(show.run(&mut fleet, &mut log, work)).await?;
    fleet.stop(&mut log).await?;
    client.shutdown().await?;

    let mut totals = Totals::new(&log, &results, orders.len(), tasks);
    totals.check_sum(&results, "charged_cents", orders.iter().map(Order::cents).sum());
    totals.check_sum(&results, "shipped_grams", orders.iter().map(Order::grams).sum());
    println!("\n{totals}");
    Ok(totals.agree())
}
