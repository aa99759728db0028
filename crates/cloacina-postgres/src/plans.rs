//! The statements of the hot path find their rows by an index, however full the tables are and however old the statistics.

use std::path::Path;
use std::time::Duration;

use cloacina_core::Backend as _;
use cloacina_core::backend::{Batch, JsonText, NewExecution, NewWorker, WorkflowKey};
use cloacina_core::{ExecutionId, WorkerId};
use cloacina_testing::postgres::{schema_name, server};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _, SqlStr};

use crate::begin::{SESSION, Scope, begin, begin_read};
use crate::{PostgresBackend, PostgresOptions};

/// The statements that run all the time, with the number of their parameters.
const HOT: [(&str, usize); 27] = [
    ("executions/standing", 1),
    ("executions/lock", 1),
    ("executions/outlook", 2),
    ("executions/lock_owned", 1),
    ("executions/by_key", 1),
    ("executions/insert", 12),
    ("executions/update", 5),
    ("executions/commit", 22),
    ("executions/claimable", 3),
    ("executions/claimable_by_id", 3),
    ("executions/next_due", 2),
    ("executions/next_due_by_id", 2),
    ("executions/claim", 3),
    ("executions/load", 1),
    ("executions/release", 2),
    ("executions/release_all", 1),
    ("executions/recover", 1),
    ("tasks/insert", 12),
    ("tasks/copy", 2),
    ("tasks/load", 1),
    ("attempts/start", 7),
    ("attempts/fail", 8),
    ("attempts/load", 1),
    ("events/insert", 6),
    ("events/acquit", 2),
    ("attempts/acquit", 2),
    ("executions/acquit", 2),
];

/// Statements that look for this or that, something that they are given, and what is to find it among much that has ended.
const LOOKS: [(&str, &str, &str); 4] = [
    ("executions/list", "NULL, NULL, NULL, 10, NULL, $id, false", "executions_owned"),
    ("executions/list", "NULL, $claimable, NULL, 10, NULL, NULL, true", "executions_unowned"),
    ("executions/list", "$id, NULL, NULL, 10, NULL, NULL, false", "Index Cond: (id <"),
    ("executions/prunable", "'2000-01-01', 1000", "executions_finished"),
];

/// Tables whose rows must not be read one after the other.
const TABLES: [&str; 4] = ["executions", "tasks", "attempts", "events"];

async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
}

/// Explains the plan that a prepared statement gets in a transaction that begins so, once the server has had the choice of a plan
/// that it keeps.
async fn plan(
    connection: &mut PgConnection,
    statement: &str,
    begin: SqlStr,
    parameters: &str,
) -> String {
    run(connection, &format!("PREPARE hot AS {statement}")).await;
    sqlx::raw_sql(begin).execute(&mut *connection).await.unwrap();
    let explain = format!("EXPLAIN EXECUTE hot({parameters})");
    for _ in 0..6 {
        run(connection, &explain).await;
    }
    let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut *connection).await;
    let rows = rows.unwrap();
    run(connection, "ROLLBACK; DEALLOCATE hot").await;
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

fn statement(file: &str, schema: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("queries/{file}.sql"));
    std::fs::read_to_string(path).unwrap().replace("{schema}", schema)
}

async fn check(connection: &mut PgConnection, schema: &str, when: &str) {
    for (file, parameters) in HOT {
        let begin = begin(Duration::from_secs(10), &Scope::default());
        let nulls = vec!["NULL"; parameters].join(", ");
        let plan = plan(connection, &statement(file, schema), begin, &nulls).await;
        for table in TABLES {
            let scan = format!("Seq Scan on {table}");
            assert!(!plan.contains(&scan), "{when}, {file} reads all of `{table}`:\n{plan}");
        }
    }
}

fn key() -> WorkflowKey {
    WorkflowKey { name: "etl".into(), version: "v1".into() }
}

fn new_execution(owner: Option<WorkerId>) -> NewExecution {
    NewExecution {
        id: ExecutionId::new(),
        workflow: key(),
        input: JsonText::new("{}"),
        idempotency_key: None,
        owner,
        delay: None,
        retry_of: None,
    }
}

#[tokio::test]
async fn hot_statements_search_by_index() {
    let schema = schema_name();
    let options = PostgresOptions::from_url(server().url()).unwrap().schema(&schema).unwrap();
    let mut connection = options.connect.connect().await.unwrap();
    let backend = PostgresBackend::open(options).await.unwrap();
    // As if nobody had ever counted: the statistics of the tables stay those of the start.
    for table in TABLES {
        let off = format!("ALTER TABLE {schema}.{table} SET (autovacuum_enabled = off)");
        run(&mut connection, &off).await;
    }
    check(&mut connection, &schema, "empty").await;
    run(&mut connection, "ANALYZE").await;
    check(&mut connection, &schema, "empty, and counted as such").await;
    let owner = WorkerId::new();
    let worker = NewWorker { id: owner, lease_ttl: Duration::from_secs(60) };
    backend.register_worker(&worker).await.unwrap();
    for size in [1_usize, 20, 3000] {
        let submits = (0..size).map(|n| new_execution((n % 2 == 0).then_some(owner))).collect();
        backend.commit(Batch { submits, checkpoints: Vec::new() }.into()).await.unwrap();
        check(&mut connection, &schema, &format!("{size} more, old statistics")).await;
        run(&mut connection, &format!("ANALYZE {schema}.executions")).await;
        check(&mut connection, &schema, &format!("{size} more, new statistics")).await;
    }
    backend.close().await;
}

#[tokio::test]
async fn what_is_looked_for_is_found_by_its_index_among_much_that_has_ended() {
    let schema = schema_name();
    let options = PostgresOptions::from_url(server().url()).unwrap().schema(&schema).unwrap();
    let mut connection = options.connect.connect().await.unwrap();
    let backend = PostgresBackend::open(options).await.unwrap();
    let submits: Vec<_> = (0..3_000).map(|_| new_execution(None)).collect();
    let first = submits[0].id;
    backend.commit(Batch { submits, checkpoints: Vec::new() }.into()).await.unwrap();
    let end = format!("UPDATE {schema}.executions SET status = 'completed', finished_at = now()");
    run(&mut connection, &end).await;
    run(&mut connection, &format!("VACUUM (ANALYZE) {schema}.executions")).await;
    run(&mut connection, SESSION).await;
    for (file, parameters, finds) in LOOKS {
        let parameters = parameters.replace("$id", &format!("'{first}'"));
        let parameters = parameters.replace("$claimable", "'{pending, running}'");
        let begin = begin_read(&Scope::default());
        let plan = plan(&mut connection, &statement(file, &schema), begin, &parameters).await;
        assert!(plan.contains(finds), "{file} ({parameters}) does not look there:\n{plan}");
    }
    backend.close().await;
}
