//! A process that only submits and waits.

use cloacina_core::{ExecutionQuery, PipelineStatus};
use cloacina_tests::montage::Order;

use super::support::{Evidence, PATIENCE, check_values, fleet, submit};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_told_of_what_a_worker_that_starts_later_has_run() {
    let fleet = fleet().await;
    let client = fleet.client().await;
    let orders: Vec<_> = (0..20).map(|n| Order { n, ..Order::default() }).collect();
    let mut executions = Vec::new();
    for order in &orders {
        executions.push(submit(&client, order).await);
    }
    let unowned = client.find_executions(&ExecutionQuery::new().unowned()).await.unwrap();
    assert_eq!(unowned.len(), orders.len(), "nobody runs, the client least of all");
    assert!(unowned.iter().all(|one| one.status == PipelineStatus::Pending));
    assert_eq!(fleet.database.registered().await, 0, "a client is no worker");
    let worker = fleet.spawn(&[]);
    for execution in &executions {
        let result = execution.wait_timeout(PATIENCE).await.unwrap();
        assert!(result.is_success(), "{result}");
    }
    let ids: Vec<_> = executions.iter().map(|execution| execution.execution_id).collect();
    let evidence = Evidence::gather(&fleet).await;
    evidence.check();
    evidence.check_complete(&ids);
    check_values(&client, &ids, &orders).await;
    worker.shut_down().await;
    client.shutdown().await.unwrap();
    fleet.finish().await;
}
