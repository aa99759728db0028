//! Connections that are all in use.

use std::sync::Arc;

use cloacina_core::{Backend as _, ExecutionQuery};
use cloacina_postgres::PostgresBackend;
use cloacina_testing::postgres::schema_name;

use crate::support::{options, raw, run};

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_all_in_use_are_told_by_the_setting() {
    let schema = schema_name();
    let backend = Arc::new(PostgresBackend::open(options(&schema).pool_size(1)).await.unwrap());
    let mut other = raw().await;
    let lock = format!("BEGIN; LOCK TABLE {schema}.executions IN ACCESS EXCLUSIVE MODE");
    run(&mut other, &lock).await;
    // Each waits for the lock, and gives up after a while; the others wait for its connection.
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let backend = Arc::clone(&backend);
        calls.spawn(async move { backend.list(&ExecutionQuery::new()).await.unwrap_err() });
    }
    let mut told = Vec::new();
    while let Some(error) = calls.join_next().await {
        let error = error.unwrap();
        assert!(error.is_transient(), "{error:?}");
        told.push(error.to_string());
    }
    let expected = "no connection became free, or could be made, within 10s; `db_pool_size`, or `pool_size` of the options, \
                    leaves 1 for this";
    assert!(told.iter().any(|text| text.ends_with(expected)), "{told:#?}");
    run(&mut other, "ROLLBACK").await;
    assert!(backend.list(&ExecutionQuery::new()).await.unwrap().is_empty(), "it goes on");
    backend.close().await;
}
