//! Rows that whoever may write them has spoilt, as the role of a tenant may.

use cloacina_core::{Backend as _, BackendError, Context, ExecutionQuery, Task, Workflow};
use cloacina_postgres::UnifiedExecutor;
use cloacina_testing::postgres::schema_name;

use crate::support::{open, raw, run};

/// What can be put into a column of times, and no calendar of ours holds.
const TIMES: [&str; 3] = ["infinity", "-infinity", "294276-12-31 23:59:59+00"];

fn workflow() -> Workflow {
    let task = Task::new("only", |_context, _run| Box::pin(async {}));
    Workflow::builder("w").task(task).build().unwrap()
}

async fn executor(schema: &str) -> UnifiedExecutor {
    let builder = UnifiedExecutor::builder().workflows([workflow()]);
    builder.build_on(open(schema).await).await.unwrap()
}

#[tokio::test]
async fn times_that_no_calendar_holds_are_an_error_that_names_the_place() {
    let schema = schema_name();
    let executor = executor(&schema).await;
    let id = executor.execute("w", Context::new()).await.unwrap().execution_id;
    let mut tenant = raw().await;
    for (table, column, key) in [
        ("executions", "created_at", "id"),
        ("executions", "due_at", "id"),
        ("executions", "started_at", "id"),
        ("executions", "finished_at", "id"),
        ("tasks", "started_at", "execution_id"),
        ("tasks", "ended_at", "execution_id"),
    ] {
        run(&mut tenant, &format!("ALTER TABLE {schema}.{table} ADD COLUMN was timestamptz")).await;
        run(&mut tenant, &format!("UPDATE {schema}.{table} SET was = {column}")).await;
        for time in TIMES {
            let spoil =
                format!("UPDATE {schema}.{table} SET {column} = '{time}' WHERE {key} = '{id}'");
            run(&mut tenant, &spoil).await;
            let error = executor.get_execution_result(id).await.unwrap_err();
            let place = format!("table `{table}`, execution `{id}`, column `{column}`");
            assert!(error.to_string().contains(&place), "{time}: {error}");
            assert!(!error.is_transient(), "{error}");
        }
        run(&mut tenant, &format!("UPDATE {schema}.{table} SET {column} = was")).await;
        run(&mut tenant, &format!("ALTER TABLE {schema}.{table} DROP COLUMN was")).await;
    }
    executor.get_execution_result(id).await.unwrap();
    executor.shutdown().await.unwrap();
}

/// A row that cannot be read must not end what reads it again and again: the worker goes on, and takes it up once it is repaired.
#[tokio::test]
async fn a_worker_outlives_rows_that_cannot_be_read() {
    let schema = schema_name();
    let client = open(&schema).await;
    let builder = UnifiedExecutor::builder().workflows([workflow()]).client_only();
    let submitter = builder.build_on(client).await.unwrap();
    let waiting = submitter.execute_async("w", Context::new()).await.unwrap();
    let mut tenant = raw().await;
    let spoil = |time: &str| format!("UPDATE {schema}.executions SET created_at = {time}");
    run(&mut tenant, &spoil("'infinity'")).await;
    let worker = executor(&schema).await;
    let looker = open(&schema).await;
    let error = looker.list(&ExecutionQuery::new()).await.unwrap_err();
    assert!(matches!(error, BackendError::Corrupt { .. }), "{error:?}");
    // What it submits itself needs nothing of the others.
    worker.execute("w", Context::new()).await.unwrap();
    run(&mut tenant, &spoil("clock_timestamp()")).await;
    let patience = std::time::Duration::from_secs(60);
    waiting.wait_timeout(patience).await.unwrap();
    for executor in [submitter, worker] {
        executor.shutdown().await.unwrap();
    }
    looker.close().await;
}
