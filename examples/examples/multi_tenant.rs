//! Three tenants in one process. One crashes and recovers, one is removed while it works, one tries to get at another.
//!
//! ```sh
//! cargo run -p cloacina-examples --example multi_tenant -- [--backend sqlite] [--folder DIR]
//! cargo run -p cloacina-examples --example multi_tenant -- --backend postgres [--database URL]
//! ```
//!
//! With SQLite, the default, each tenant is a file of its own in a folder. With PostgreSQL it is a schema and a role of its own; without
//! `--database` a server is started that is gone afterwards. What differs between the two is in
//! `examples/src/tenancy/place.rs`; all that is here is the same for both. See `--help`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use cloacina_core::backend::EventKind;
use cloacina_core::{
    Context, Input, Output, State, TaskContext, TaskError, TenantManager, TenantManagerBuilder,
    TenantStore, UnifiedExecutor, task, workflow,
};
use cloacina_examples::fleet::server;
use cloacina_examples::tenancy::{
    Checks, Crash, Office, Place, Wall, start_and_crash, table, told_where, until,
};
use cloacina_examples::{Database, DatabaseError};
use cloacina_postgres::{PostgresTenants, TenantManager as PostgresTenantManager};
use cloacina_sqlite::{SqliteTenantManager, SqliteTenants};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing_subscriber::EnvFilter;

const ACME: &str = "demo_acme";
const GLOBEX: &str = "demo_globex";
const INITECH: &str = "demo_initech";
const TENANTS: [&str; 3] = [ACME, GLOBEX, INITECH];

// The workflow: the bill of a month. Nothing in it has to keep tenants apart: a task gets what its own tenant stored.

/// The input: calls of an API, week by week.
#[derive(Clone, Serialize, Deserialize)]
struct Usage {
    month: u32,
    calls: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
struct Bill {
    tenant: String,
    cents: u64,
}

/// What a call costs that tenant.
fn cents_per_call(tenant: &str) -> u64 {
    match tenant {
        ACME => 2,
        GLOBEX => 3,
        _ => 5,
    }
}

#[task]
async fn meter(
    usage: Input<Usage>,
    office: State<Office>,
    run: TaskContext,
) -> Result<u64, TaskError> {
    office.note(&run);
    match usage.calls.iter().sum() {
        0 => Err(TaskError::permanent(format!("nothing was metered in month {}", usage.month))),
        calls => Ok(calls),
    }
}

#[task]
async fn price(
    calls: Output<meter>,
    office: State<Office>,
    run: TaskContext,
) -> Result<Bill, TaskError> {
    office.note(&run);
    // The manager tells each task for whom it runs.
    let tenant = run.tenant.ok_or("this workflow is for tenants")?.to_string();
    Ok(Bill { cents: *calls * cents_per_call(&tenant), tenant })
}

#[task]
async fn send(
    bill: Output<price>,
    office: State<Office>,
    run: TaskContext,
    context: &mut Context,
) -> Result<(), TaskError> {
    office.note(&run);
    // The mail server takes its time.
    sleep(Duration::from_millis(25)).await;
    context.insert("sent", json!(*bill))?;
    Ok(())
}

workflow! { name: "monthly_bill", description: "Bills a month", tasks: [meter, price, send] }

/// Starts a manager, which works from now on for every tenant that has something to do, and acts with it.
async fn act<S: TenantStore>(
    builder: TenantManagerBuilder<S>,
    place: Place,
    role: Option<Role>,
) -> anyhow::Result<bool> {
    let office = role.map_or_else(Office::default, |Role::Crash| Office::crashing_in("price"));
    let manager = builder
        .executor(UnifiedExecutor::builder().state(office.clone()))
        // For all tenants together, who take turns.
        .max_concurrent_tasks(8)
        // A tenant without work is at rest soon: it costs no connection and no query then.
        .idle_timeout(Duration::from_millis(200))
        .build()?;
    if role.is_some() {
        // The other process: it crashes within its first execution.
        manager.execute_for_tenant(GLOBEX, "monthly_bill", usage(9, 900)?).await?;
        anyhow::bail!("it did not crash");
    }
    let checks = Checks::default();
    Show { place, manager, office, walls: Vec::new(), checks }.run().await
}

/// All that the steps of the show need.
struct Show<S: TenantStore> {
    place: Place,
    manager: TenantManager<S>,
    office: Office,
    /// What keeps others out of each tenant.
    walls: Vec<Wall>,
    checks: Checks,
}

impl<S: TenantStore> Show<S> {
    async fn run(mut self) -> anyhow::Result<bool> {
        self.create().await?;
        Box::pin(self.work_side_by_side()).await?;
        Box::pin(self.crash_and_recover()).await?;
        Box::pin(self.remove_at_work()).await?;
        Box::pin(self.cross_the_wall()).await?;
        self.measure().await?;
        self.manager.shutdown().await?;
        Ok(self.checks.hold())
    }

    async fn create(&mut self) -> anyhow::Result<()> {
        println!("\n1. Tenants are created");
        for tenant in TENANTS {
            // What an earlier run left.
            self.place.remove(&self.manager, tenant).await?;
            let wall = self.place.create(&self.manager, tenant).await?;
            println!("  {tenant:12}  {wall}");
            self.walls.push(wall);
        }
        let listed = self.manager.list_tenants().await?;
        let is_listed = |tenant: &&str| listed.iter().any(|one| one.as_str() == *tenant);
        self.checks.check(TENANTS.iter().all(is_listed), "the manager finds all three");
        Ok(())
    }

    async fn work_side_by_side(&mut self) -> anyhow::Result<()> {
        println!("\n2. All tenants work side by side: eight months each, at once");
        let began = Instant::now();
        let mut executions = JoinSet::new();
        for tenant in TENANTS {
            for month in 1..=8 {
                // Nobody called anything of globex in its first month.
                let calls = if (tenant, month) == (GLOBEX, 1) { 0 } else { 100 * u64::from(month) };
                let (manager, input) = (self.manager.clone(), usage(month, calls)?);
                executions.spawn(async move {
                    let result = manager.execute_for_tenant(tenant, "monthly_bill", input).await?;
                    anyhow::Ok((tenant, result))
                });
            }
        }
        let mut results = Vec::new();
        for ended in executions.join_all().await {
            results.push(ended?);
        }
        println!("  {} executions in {} ms", results.len(), began.elapsed().as_millis());
        for (tenant, expected) in TENANTS.into_iter().zip([28_800, 42_000, 72_000]) {
            let own = || results.iter().filter(|(of, _)| *of == tenant).map(|(_, result)| result);
            let mut bills = Vec::new();
            for result in own().filter(|result| result.is_success()) {
                bills.push(result.final_context.get_as::<Bill>("sent")?);
            }
            let cents: u64 = bills.iter().map(|bill| bill.cents).sum();
            let is_right = bills.iter().all(|bill| bill.tenant == tenant) && cents == expected;
            let failed = own().find_map(|result| result.error_message.as_deref());
            let failed = failed.map_or_else(String::new, |error| format!("; failed: {error}"));
            let what = format!("{tenant:12}  {} bills, {} EUR{failed}", bills.len(), cents / 100);
            self.checks.check(is_right, what);
        }
        Ok(())
    }

    async fn crash_and_recover(&mut self) -> anyhow::Result<()> {
        println!("\n3. Another process works for {GLOBEX} and crashes");
        // The manager stops executors that nobody needs. So whoever takes up the work was not asked to.
        until(|| !self.is_active()).await;
        let (Crash { process, execution, ran }, status) =
            Box::pin(start_and_crash(CRASH, &self.place)).await?;
        let crashed = Instant::now();
        println!("  process {process} ran meter, and crashed within price: {status}");
        until(|| self.is_active()).await;
        let globex = self.manager.get_executor(GLOBEX).await?;
        let result = globex.execution(execution).wait().await?;
        let took = crashed.elapsed().as_millis();
        for event in globex.list_events(execution).await? {
            if event.event.kind == EventKind::Recovered {
                println!("  on record: {}", event.event.detail);
            }
        }
        let here = self.office.ran(execution);
        println!("  ran there: {}; ran here: {}", ran.join(", "), here.join(", "));
        let is_right = ran == ["meter", "price"] && here == ["price", "send"];
        self.checks.check(is_right, "what was committed before the crash did not run again");
        let completed = format!("this process completed the execution, {took} ms after the crash");
        self.checks.check(result.is_success(), completed);
        Ok(())
    }

    async fn remove_at_work(&mut self) -> anyhow::Result<()> {
        println!("\n4. {INITECH} is removed while it works");
        let initech = self.manager.get_executor(INITECH).await?;
        let mut executions = JoinSet::new();
        for month in 1..=400 {
            let (initech, input) = (initech.clone(), usage(month, 1_000)?);
            executions.spawn(async move { initech.execute("monthly_bill", input).await });
        }
        // The first has ended: it is in the middle of its work.
        executions.join_next().await.context("there is none")???;
        let began = Instant::now();
        self.place.remove(&self.manager, INITECH).await?;
        let took = began.elapsed().as_millis();
        let cut: Vec<_> = executions.join_all().await.into_iter().filter_map(Result::err).collect();
        println!("  {} of 400 executions were cut off; removed in {took} ms", cut.len());
        self.checks.refused("waiting for one of them", cut.first());
        let unknown = self.manager.get_executor(INITECH).await.err();
        self.checks.refused("asking for the tenant", unknown);
        let gone = self.walls[2].gone().await?;
        self.checks.refused("looking for what is left", gone);
        Ok(())
    }

    async fn cross_the_wall(&mut self) -> anyhow::Result<()> {
        println!("\n5. Who works for {ACME} tries to get at {GLOBEX}");
        for name in ["../demo_globex", "x\" CASCADE; --"] {
            let refused = self.manager.get_executor(name).await.err();
            self.checks.refused("by a name", refused);
        }
        let acme = self.manager.get_executor(ACME).await?;
        let globex = self.manager.get_executor(GLOBEX).await?;
        let id = globex.list_executions().await?.pop().context("there is none")?.execution_id;
        self.checks.refused("by an id", acme.get_execution_result(id).await.err());
        let (how, refused) = self.walls[0].storm(&self.walls[1], &self.manager).await?;
        self.checks.refused(how, refused);
        Ok(())
    }

    async fn measure(&mut self) -> anyhow::Result<()> {
        println!("\n6. What the remaining tenants did");
        let acme = self.manager.get_tenant_metrics(ACME).await?;
        let globex = self.manager.get_tenant_metrics(GLOBEX).await?;
        println!("{}", table(&[(ACME, acme), (GLOBEX, globex)]));
        let ended = [acme, globex].map(|one| (one.completed_executions, one.failed_executions));
        let is_right = ended == [(8, 0), (8, 1)];
        self.checks.check(is_right, "all but the month without calls completed");
        Ok(())
    }

    /// Reports whether globex is active here. Asking does not start it.
    fn is_active(&self) -> bool {
        self.manager.active_tenants().iter().any(|tenant| tenant.as_str() == GLOBEX)
    }
}

fn usage(month: u32, calls: u64) -> anyhow::Result<Context> {
    Ok(Context::from_value(json!(Usage { month, calls: vec![calls; 4] }))?)
}

/// Shows tenants side by side: one crashes and recovers, one is removed while it works, one tries to get at another.
///
/// The last line on standard output says whether all was as it should be. Logs (RUST_LOG, default `error`) go to standard error.
///
/// The tenants are called demo_acme, demo_globex and demo_initech; what an earlier run left of them is removed first.
///
/// Exit status: 0 if all was as it should be, 1 if it was not or something failed, 2 if the arguments are wrong.
#[derive(Debug, Parser)]
#[command(name = "multi_tenant", disable_help_subcommand = true, verbatim_doc_comment)]
struct Args {
    /// What holds the tenants.
    #[arg(long, value_enum, default_value_t = Backend::Sqlite)]
    backend: Backend,

    /// The folder for SQLite's files, created if it is missing; without it, a temporary one that is removed afterwards.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,

    /// The PostgreSQL database, `postgresql://user:password@host:port/database`; without it, a server is started and thrown away.
    ///
    /// The user should be a superuser: it creates schemas and roles. Take a database that holds nothing else: PUBLIC, every
    /// role there is, loses its rights on it. What is on a command line others can see, by `ps` for example: leave the
    /// password out and set PGPASSWORD, or have a `.pgpass` file.
    #[arg(long, value_name = "URL")]
    database: Option<String>,

    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Backend {
    Sqlite,
    Postgres,
}

const CRASH: &str = "crash";

#[derive(Debug, Clone, Copy, Subcommand)]
enum Role {
    /// What this program starts itself as.
    #[command(hide = true, name = CRASH)]
    Crash,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let is_sqlite = args.backend == Backend::Sqlite;
    if (is_sqlite && args.database.is_some()) || (!is_sqlite && args.folder.is_some()) {
        let text = "--folder is for --backend sqlite, --database for --backend postgres";
        Args::command().error(ErrorKind::ArgumentConflict, text).exit();
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let outcome = tokio::select! {
        outcome = Box::pin(begin(args)) => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("stopped")),
        // It is over in seconds, unless a server has to be installed.
        () = sleep(Duration::from_secs(600)) => Err(anyhow::anyhow!("not over after ten minutes")),
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

/// Finds or makes a place for the tenants, and reports whether all was as it should be.
async fn begin(args: Args) -> anyhow::Result<bool> {
    if args.role.is_some() {
        return serve(told_where().await?, args.role).await;
    }
    // Removed with all that is in it when it is dropped.
    let temporary = tempfile::tempdir()?;
    let (place, _server) = match args.backend {
        Backend::Sqlite => {
            let folder = args.folder.unwrap_or_else(|| temporary.path().to_owned());
            (Place::Folder(folder), None)
        }
        Backend::Postgres => {
            if let Some(url) = &args.database {
                Database::new(url, Some(ACME))?;
            }
            let (url, server) = server(args.database.as_deref()).await?;
            (Place::database(url)?, server)
        }
    };
    println!("tenants live in {place}");
    let holds = Box::pin(serve(place, None)).await?;
    println!("\n{}", if holds { "all was as it should be" } else { "not all was as it should be" });
    Ok(holds)
}

/// Serves the tenants of that place. The code is the same for both back ends; what holds the tenants differs.
async fn serve(place: Place, role: Option<Role>) -> anyhow::Result<bool> {
    match &place {
        Place::Folder(folder) => {
            act(SqliteTenantManager::builder(SqliteTenants::new(folder)?), place, role).await
        }
        // One login, a superuser's, for the admin and for the manager, which becomes a tenant for each transaction. In earnest
        // the manager has a login that may do nothing else; making it takes SQL: the runtime role in docs/security.md.
        Place::Database(url) => {
            act(PostgresTenantManager::builder(PostgresTenants::new(url)), place, role).await
        }
    }
}
