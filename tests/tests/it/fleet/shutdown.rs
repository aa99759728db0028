//! A worker that shuts down.

use cloacina_tests::montage::EDGES;

use super::support::{Evidence, check_values, fleet, submit_all, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_shutdown_hands_over_what_it_could_not_finish_without_waiting_for_the_lease() {
    let fleet = fleet().await;
    let mut leaving = fleet.worker(&["lease_ms=3600000", "shutdown_grace_ms=100"]).await;
    let client = fleet.client().await;
    let orders: Vec<_> = (0..6).map(|n| fleet.held_in("model", n)).collect();
    let ids = submit_all(&client, &orders).await;
    fleet.until_begun("model", &leaving, ids.len()).await;
    let staying = fleet.worker(&["lease_ms=3600000"]).await;
    leaving.ask_to_shut_down();
    fleet.until_begun("model", &staying, ids.len()).await;
    assert!(leaving.ended().await.success());
    assert_eq!(fleet.database.registered().await, 1, "who left has left");
    fleet.open_gate(None);
    fleet.until_ended(ids.len()).await;
    let evidence = Evidence::gather(&fleet).await;
    evidence.check();
    evidence.check_complete(&ids);
    check_values(&client, &ids, &orders).await;
    for id in &ids {
        let expected = EDGES.map(|(task, _)| (task, if task == "model" { 2 } else { 1 }));
        assert_eq!(evidence.begins(*id), expected.into(), "only what was stopped ran again");
    }
    for kind in ["recovered", "suspected", "fenced"] {
        assert_eq!(fleet.database.events(kind).await, [], "a shutdown is no crash");
    }
    staying.shut_down().await;
    until("their sessions are gone", async || fleet.database.sessions().await.is_empty()).await;
    client.shutdown().await.unwrap();
    fleet.finish().await;
}
