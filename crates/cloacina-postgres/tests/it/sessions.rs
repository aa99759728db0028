//! Sessions that end: under a living worker, with the server, and with a worker's process.

use std::time::Duration;

use cloacina_core::backend::{Heartbeat, NewWorker, ProofOfDeath, Pulse};
use cloacina_core::{Backend as _, Context, Task, WorkerId, Workflow};
use cloacina_postgres::{PostgresBackend, PostgresOptions, UnifiedExecutor};
use cloacina_testing::postgres::{Server, Stop, schema_name};
use serde_json::json;

use sqlx::AssertSqlSafe;

use crate::support::{open, raw, raw_to, run};

const LONG: Duration = Duration::from_secs(3600);

async fn register(backend: &PostgresBackend) -> WorkerId {
    let id = WorkerId::new();
    backend.register_worker(&NewWorker { id, lease_ttl: LONG }).await.unwrap();
    id
}

/// Ends all sessions of others, as an operator would.
const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE pid <> pg_backend_pid() AND query LIKE '%{marker}%'";

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_session_is_cut_is_not_taken_for_dead() {
    let schema = schema_name();
    let (one, other) = (open(&schema).await, open(&schema).await);
    let (living, looking) = (register(&one).await, register(&other).await);
    let mut connection = raw().await;
    for _ in 0..3 {
        run(&mut connection, &TERMINATE.replace("{marker}", &format!("cloacina_{schema}"))).await;
        assert_eq!(other.bury_dead_workers(looking).await.unwrap(), [], "it lives");
    }
    let beat = Heartbeat { worker: living, lease_ttl: LONG };
    let pulse = one.heartbeat(&beat).await.unwrap();
    assert!(matches!(pulse, Pulse::Alive { peers: 1, .. }), "{pulse:?}");
    // Its lock is held again, on a new session; until that is on record its lease alone tells.
    let proved = format!("SELECT bool_and(lock_key IS NOT NULL) FROM {schema}.workers");
    while !sqlx::query_scalar::<_, bool>(AssertSqlSafe(proved.as_str()))
        .fetch_one(&mut connection)
        .await
        .unwrap()
    {
        tokio::task::yield_now().await;
    }
    one.close().await;
    // The server ends a session a moment after its client has gone.
    let burials = async {
        loop {
            let burials = other.bury_dead_workers(looking).await.unwrap();
            if !burials.is_empty() {
                return burials;
            }
        }
    };
    let burials = tokio::time::timeout(Duration::from_secs(30), burials).await.unwrap();
    let burials: Vec<_> = burials.iter().map(|burial| (burial.worker, burial.proof)).collect();
    assert_eq!(burials, [(living, ProofOfDeath::Lock)], "its session has ended for good");
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ordinary_work_leaves_nothing_in_the_log_of_the_server() {
    let server = Server::start().unwrap();
    let before = server.log().unwrap();
    let flow = Workflow::builder("w").task(Task::new("a", |_, _| Box::pin(async {})));
    let executor = UnifiedExecutor::builder()
        .database_url(server.url())
        .schema("acme")
        .workflows([flow.build().unwrap()])
        .build()
        .await
        .unwrap();
    for _ in 0..10 {
        assert!(executor.execute("w", Context::new()).await.unwrap().is_success());
    }
    executor.shutdown().await.unwrap();
    let log = server.log().unwrap();
    assert_eq!(log.strip_prefix(&before), Some(""), "no warning, no error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_loses_no_result_and_nobody_has_to_start_again() {
    let server = Server::start().unwrap();
    let task = |id: &str| {
        Task::new(id, |context, run| {
            let key = run.task.to_string();
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                context.insert(key, json!(true))
            })
        })
    };
    let mut builder = Workflow::builder("chain").task(task("t0"));
    for place in 1..40 {
        builder = builder.task(task(&format!("t{place}")).depends_on([format!("t{}", place - 1)]));
    }
    let options = PostgresOptions::from_url(server.url()).unwrap().schema("acme").unwrap();
    let backend = PostgresBackend::open(options).await.unwrap();
    let executor = UnifiedExecutor::builder()
        .workflows([builder.build().unwrap()])
        .poll_interval(Duration::from_millis(100))
        .build_on(backend)
        .await
        .unwrap();
    let mut executions = Vec::new();
    for _ in 0..20 {
        executions.push(executor.execute_async("chain", Context::new()).await.unwrap());
    }
    for stop in [Stop::Immediate, Stop::Fast, Stop::Immediate] {
        server.restart(stop).unwrap();
        let mut connection = raw_to(server.url()).await;
        run(&mut connection, "SELECT 1").await;
    }
    for execution in executions {
        let result = execution.wait_timeout(Duration::from_secs(60)).await.unwrap();
        assert!(result.is_success(), "{result}");
        assert_eq!(result.final_context.len(), 40);
        assert!(result.task_results.iter().all(|task| task.attempts == 1), "{result}");
    }
    executor.shutdown().await.unwrap();
}
