//! Workers to which nothing happens but that they come and go.

use cloacina_tests::montage::{EDGES, Order};

use super::support::{Evidence, check_values, fleet, submit_all, until};

const EXECUTIONS: u64 = 240;

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_come_and_go_in_good_order_run_each_body_once() {
    let fleet = fleet().await;
    // Long leases: a busy machine is no fault.
    let settings = ["lease_ms=3600000", "slots=8"];
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(fleet.worker(&settings).await);
    }
    let client = fleet.client().await;
    let orders: Vec<_> = (0..EXECUTIONS).map(|n| Order { n, ..Order::default() }).collect();
    let ids = submit_all(&client, &orders).await;
    for leaves in 1..=3 {
        fleet.until_ended(ids.len() * leaves / 4).await;
        workers.push(fleet.worker(&settings).await);
        workers.remove(0).shut_down().await;
    }
    fleet.until_ended(ids.len()).await;
    for worker in workers {
        worker.shut_down().await;
    }
    let evidence = Evidence::gather(&fleet).await;
    evidence.check();
    evidence.check_complete(&ids);
    check_values(&client, &ids, &orders).await;
    assert_eq!(evidence.lost_runs(), Vec::<&_>::new(), "nothing ran in vain");
    let begun: usize = ids.iter().map(|id| evidence.begins(*id).values().sum::<usize>()).sum();
    assert_eq!(begun, ids.len() * EDGES.len(), "each body ran once");
    assert_eq!(fleet.database.events("recovered").await, [], "nobody died");
    assert_eq!(fleet.database.registered().await, 0, "who left has left");
    until("their sessions are gone", async || fleet.database.sessions().await.is_empty()).await;
    client.shutdown().await.unwrap();
    fleet.finish().await;
}
