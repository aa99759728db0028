//! Several processes serve all tenants of one place, and are killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cloacina_core::{
    Context, ExecutionId, PipelineStatus, TenantId, TenantManager, TenantStore, UnifiedExecutor,
};
use cloacina_postgres::PostgresTenants;
use cloacina_sqlite::SqliteTenants;
use cloacina_testing::postgres::{schema_name, server};
use cloacina_tests::tenancy::{self, STEPS};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::time::{Instant, sleep};

const TENANTS: usize = 10;
const EXECUTIONS: usize = 12;
const KILLS: usize = 3;

/// How long the whole may take.
const PATIENCE: Duration = Duration::from_secs(120);

fn start(place: &str, log: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenant_worker"));
    command.arg(place).arg(log).stdin(Stdio::piped()).spawn().unwrap()
}

/// Reads the log: how often each body began and ended, by tenant, execution and task.
fn read(log: &Path) -> BTreeMap<(String, String), (usize, usize)> {
    let mut bodies = BTreeMap::<_, (usize, usize)>::new();
    for line in std::fs::read_to_string(log).unwrap_or_default().lines() {
        let [what, tenant, rest @ ..] = &line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("a line of the log is broken: {line}")
        };
        let body = bodies.entry(((*tenant).to_owned(), rest.join(" "))).or_default();
        match *what {
            "begin" => body.0 += 1,
            "end" => body.1 += 1,
            other => panic!("`{other}` is no word of the log"),
        }
    }
    bodies
}

fn ended(log: &Path) -> usize {
    read(log).values().filter(|(_, ends)| *ends > 0).count()
}

/// Submits for all tenants, kills the processes one after another while they work, and checks that nothing was lost, that nothing
/// of one tenant ran for another, and that no committed task ran again for any other reason than a kill.
#[expect(clippy::print_stderr, reason = "a test prints its seed")]
async fn all_work_survives<S: TenantStore>(place: &str, store: S, folder: &Path) {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let log = folder.join("effects.log");
    let workflow = tenancy::workflow(&tenancy::open_log(&log).unwrap()).unwrap();
    let executor = UnifiedExecutor::builder().workflows([workflow]).client_only();
    let client = TenantManager::builder(store).executor(executor).build().unwrap();
    let mut submitted: BTreeMap<String, Vec<ExecutionId>> = BTreeMap::new();
    for number in 0..TENANTS {
        let name = format!("t{number}");
        client.create_tenant(&name).await.unwrap();
        let executor = client.get_executor(&name).await.unwrap();
        for _ in 0..EXECUTIONS {
            let execution = executor.execute_async(tenancy::NAME, Context::new()).await.unwrap();
            submitted.entry(name.clone()).or_default().push(execution.execution_id);
        }
    }
    let mut workers: Vec<Child> = (0..2).map(|_| start(place, &log)).collect();
    let (bodies, deadline) = (TENANTS * EXECUTIONS * STEPS.len(), Instant::now() + PATIENCE);
    for kill in 1..=KILLS {
        let enough = bodies * kill / (KILLS + 1) + random.usize(0..10);
        while ended(&log) < enough {
            assert!(Instant::now() < deadline, "{} of {bodies} bodies ended", ended(&log));
            sleep(Duration::from_millis(10)).await;
        }
        let victim = random.usize(..workers.len());
        workers[victim].kill().unwrap();
        workers[victim].wait().unwrap();
        workers[victim] = start(place, &log);
    }
    for (name, ids) in &submitted {
        let executor = client.get_executor(name).await.unwrap();
        for id in ids {
            let left = deadline.duration_since(Instant::now());
            let result = executor.execution(*id).wait_timeout(left).await.unwrap();
            assert_eq!(result.status, PipelineStatus::Completed, "{name}: {result:?}");
        }
        let all = executor.list_executions().await.unwrap();
        assert_eq!(all.len(), EXECUTIONS, "executions of {name}");
    }
    for mut worker in workers {
        drop(worker.stdin.take());
        assert!(worker.wait().unwrap().success(), "a worker did not stop well");
    }
    let names: Vec<_> =
        submitted.keys().map(|name| TenantId::new(name.as_str()).unwrap()).collect();
    assert_eq!(client.list_tenants().await.unwrap(), names);
    client.shutdown().await.unwrap();
    let log = read(&log);
    assert_eq!(log.len(), bodies, "each body ran, and none for another tenant or execution");
    for (name, ids) in &submitted {
        for (id, step) in ids.iter().flat_map(|id| STEPS.map(|step| (id, step))) {
            let (begins, _) = log[&(name.clone(), format!("{id} {step}"))];
            assert!(begins <= 1 + KILLS, "{name} {id} {step} began {begins} times");
        }
    }
    let again: usize = log.values().map(|(begins, _)| begins - 1).sum();
    // A kill takes down at most what fills the slots, and what waits for its commit.
    assert!(again <= KILLS * 40, "{again} bodies ran again after {KILLS} kills");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_processes_lose_nothing_of_any_tenant_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("tenants");
    let store = SqliteTenants::new(&place).unwrap();
    all_work_survives(place.to_str().unwrap(), store, folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_processes_lose_nothing_of_any_tenant_in_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let database = schema_name();
    let mut connection = sqlx::PgConnection::connect(server().url()).await.unwrap();
    connection.execute(AssertSqlSafe(format!("CREATE DATABASE {database}"))).await.unwrap();
    let (place, _) = server().url().rsplit_once('/').unwrap();
    let place = format!("{place}/{database}");
    all_work_survives(&place, PostgresTenants::new(&place), folder.path()).await;
    let drop = format!("DROP DATABASE {database} WITH (FORCE)");
    connection.execute(AssertSqlSafe(drop)).await.unwrap();
    connection.close().await.unwrap();
}
