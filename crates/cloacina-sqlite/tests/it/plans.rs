//! The statements of the hot path find their rows by an index, however full the tables are.

use std::path::Path;

use cloacina_core::Backend as _;
use cloacina_core::backend::Batch;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Executor as _, Row as _};

use crate::support::{LONG, new_execution, open, place, raw, worker};

/// The statements that run all the time, with the tables that each may only search.
const HOT: [&str; 25] = [
    "executions/standing",
    "executions/by_key",
    "executions/insert",
    "executions/update",
    "executions/claimable",
    "executions/claimable_by_id",
    "executions/next_due",
    "executions/next_due_by_id",
    "executions/claim",
    "executions/load",
    "executions/list_owned",
    "executions/release",
    "executions/release_all",
    "executions/recover",
    "tasks/insert",
    "tasks/copy",
    "tasks/load",
    "attempts/start",
    "attempts/fail",
    "attempts/release",
    "attempts/end_all",
    "events/insert",
    "events/acquit",
    "attempts/acquit",
    "executions/acquit",
];

const TABLES: [&str; 12] = [
    "executions",
    "tasks",
    "attempts",
    "events",
    "workers",
    "workflows",
    "e",
    "r",
    "t",
    "a",
    "d",
    "l",
];

async fn plan(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let rows = sqlx::query(explain).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}

async fn check(connection: &mut SqliteConnection, when: &str) {
    for file in HOT {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("queries/{file}.sql"));
        let statement = std::fs::read_to_string(path).unwrap();
        let plan = plan(connection, &statement).await;
        let scanned = plan.iter().find(|step| {
            let table = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
            table.is_some_and(|table| TABLES.contains(&table))
        });
        assert!(scanned.is_none(), "{when}, {file}: {plan:#?}");
        assert!(
            !plan.iter().any(|step| step.contains("AUTOMATIC")),
            "{when}, {file}: an index made for each call: {plan:#?}"
        );
    }
}

#[tokio::test]
async fn hot_statements_search_by_index() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    let mut connection = raw(&path).await;
    check(&mut connection, "empty").await;
    let owner = worker(&backend, LONG).await;
    for size in [0_usize, 1, 20, 3000] {
        let submits = (0..size).map(|n| new_execution((n % 2 == 0).then_some(owner))).collect();
        backend.commit(Batch { submits, checkpoints: Vec::new() }.into()).await.unwrap();
        let before = format!("{size} more, old statistics");
        check(&mut raw(&path).await, &before).await;
        // Nobody should, but a tool may.
        connection.execute("ANALYZE").await.unwrap();
        check(&mut raw(&path).await, &format!("{size} more, new statistics")).await;
    }
}
