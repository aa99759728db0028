//! A worker that is killed.

use cloacina_tests::montage::EDGES;

use super::support::{Evidence, check_values, fleet, submit_all};

/// So long that nothing here waits for it.
const LONG_LEASE: &str = "lease_ms=3600000";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_worker_held_goes_on_elsewhere_long_before_its_lease_is_over() {
    let fleet = fleet().await;
    let doomed = fleet.worker(&[LONG_LEASE]).await;
    let client = fleet.client().await;
    let orders: Vec<_> = (0..4).map(|n| fleet.held_in("model", n)).collect();
    let ids = submit_all(&client, &orders).await;
    fleet.until_begun("model", &doomed, ids.len()).await;
    let survivor = fleet.worker(&[LONG_LEASE]).await;
    doomed.kill();
    fleet.until_begun("model", &survivor, ids.len()).await;
    fleet.open_gate(None);
    fleet.until_ended(ids.len()).await;
    let evidence = Evidence::gather(&fleet).await;
    evidence.check();
    evidence.check_complete(&ids);
    check_values(&client, &ids, &orders).await;
    for id in &ids {
        let expected = EDGES.map(|(task, _)| (task, if task == "model" { 2 } else { 1 }));
        assert_eq!(evidence.begins(*id), expected.into(), "only what was not committed ran again");
        assert_eq!(evidence.maker(*id, "model"), Some(survivor.pid()));
    }
    let recovered = fleet.database.events("recovered").await;
    assert_eq!(recovered.len(), ids.len(), "{recovered:?}");
    assert!(recovered.iter().all(|event| event.detail.contains("its lock was free")));
    survivor.shut_down().await;
    client.shutdown().await.unwrap();
    fleet.finish().await;
}
