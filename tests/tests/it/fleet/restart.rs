//! A server that crashes under its workers.

use std::sync::Arc;

use cloacina_testing::postgres::{Server, Stop};
use cloacina_tests::montage::Order;

use super::support::{Evidence, PATIENCE, check_values, fleet_on, submit_all, until};
use cloacina_tests::fleet::Committed;

const EXECUTIONS: u64 = 300;

async fn crash(server: &Arc<Server>) {
    let server = Arc::clone(server);
    let restart = move || server.restart(Stop::Immediate);
    tokio::task::spawn_blocking(restart).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_outlive_crashes_of_the_server_and_no_committed_result_changes() {
    let server = tokio::task::spawn_blocking(Server::start).await.unwrap().unwrap();
    let server = Arc::new(server);
    let fleet = fleet_on(server.url()).await;
    let mut workers = [fleet.worker(&[]).await, fleet.worker(&[]).await];
    let client = fleet.client().await;
    let orders: Vec<_> = (0..EXECUTIONS).map(|n| Order { n, ..Order::default() }).collect();
    let ids = submit_all(&client, &orders).await;
    let mut before: Vec<Committed> = Vec::new();
    for crashes in 1..=3 {
        fleet.until_ended(ids.len() * crashes / 4).await;
        before.extend(fleet.database.committed().await);
        crash(&server).await;
    }
    fleet.until_ended(ids.len()).await;
    let evidence = Evidence::gather(&fleet).await;
    evidence.check();
    evidence.check_complete(&ids);
    check_values(&client, &ids, &orders).await;
    let after = fleet.database.committed().await;
    let is_there = |row: &Committed| {
        let key = |row: &Committed| (row.execution.clone(), row.task.clone());
        after.binary_search_by_key(&key(row), key).is_ok_and(|place| after[place] == *row)
    };
    assert!(before.iter().all(is_there), "what was committed is there as it was");
    for worker in &mut workers {
        assert!(worker.is_running(), "nobody had to start again");
    }
    for worker in workers {
        worker.shut_down().await;
    }
    client.shutdown().await.unwrap();
    fleet.finish().await;
}

/// Catches workers that take each other for dead because the server was away, and in the end give up what runs long.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_task_is_not_abandoned_because_the_server_crashed_again_and_again() {
    let server = tokio::task::spawn_blocking(Server::start).await.unwrap().unwrap();
    let server = Arc::new(server);
    let fleet = fleet_on(server.url()).await;
    let settings = ["lease_ms=60000", "max_recovery_attempts=3"];
    let workers = [fleet.worker(&settings).await, fleet.worker(&settings).await];
    let client = fleet.client().await;
    let orders: Vec<_> = (0..4).map(|n| fleet.held_in("model", n)).collect();
    let ids = submit_all(&client, &orders).await;
    for _ in 0..5 {
        let all = orders.len();
        until("all are held", async || {
            workers.iter().map(|worker| fleet.begun("model", worker)).sum::<usize>() >= all
        })
        .await;
        crash(&server).await;
        // Something new shows that both workers have come back.
        let news: Vec<_> = (100..140).map(|n| Order { n, ..Order::default() }).collect();
        let ended = fleet.database.ended().await;
        submit_all(&client, &news).await;
        fleet.until_ended(ended + news.len()).await;
    }
    fleet.open_gate(None);
    for id in &ids {
        let ended = client.execution(*id).wait_timeout(PATIENCE).await.unwrap();
        assert!(ended.is_success(), "{ended}");
    }
    let recovered = fleet.database.events("recovered").await;
    eprintln!("{} takeovers from workers that lived", recovered.len());
    for worker in workers {
        worker.shut_down().await;
    }
    client.shutdown().await.unwrap();
    fleet.finish().await;
}
