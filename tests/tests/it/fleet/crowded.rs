//! A worker that was alone and holds far more than it can run, when another comes.

use super::support::{fleet, submit_all, until};

const EXECUTIONS: u64 = 3_000;

/// Catches a worker that is too busy giving back to show that it is alive.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_gives_back_what_waits_keeps_its_lease() {
    let fleet = fleet().await;
    let client = fleet.client().await;
    let first = fleet.worker(&["lease_ms=3000"]).await;
    let orders: Vec<_> = (0..EXECUTIONS).map(|n| fleet.held_in("project_1", n)).collect();
    let ids = submit_all(&client, &orders).await;
    let unowned = async || fleet.database.count("{schema}.executions WHERE owner IS NULL").await;
    until("it has taken most of it", async || unowned().await < ids.len() / 4).await;
    let id = fleet.database.workers_of(first.pid()).await.remove(0);
    let second = fleet.worker(&["lease_ms=3000"]).await;
    until("it has given back what it cannot run", async || {
        let lease = fleet.database.lease(&id).await;
        assert!(lease.is_some_and(|(_, is_over)| !is_over), "the lease of a living worker ran out");
        unowned().await > ids.len() / 10 * 9
    })
    .await;
    assert_eq!(fleet.database.events("recovered").await, [], "nobody died");
    first.kill();
    second.kill();
    client.shutdown().await.unwrap();
    fleet.finish().await;
}
