//! A worker that does not run for longer than its lease, and then goes on as if nothing had happened.

use cloacina_tests::effects::Kind;
use cloacina_tests::montage::Order;

use super::support::{Evidence, Fleet, Worker, check_values, fleet, submit_all, until};

const HELD: usize = 12;

/// Stops a worker that runs held bodies, and lets another take over from it.
async fn overtake(fleet: &Fleet, slow: &Worker) -> Worker {
    fleet.until_begun("model", slow, HELD).await;
    let fast = fleet.worker(&["lease_ms=2000"]).await;
    slow.stop();
    fleet.until_begun("model", &fast, HELD).await;
    fast
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_stopped_past_its_lease_commits_nothing_of_the_old_and_starts_anew() {
    let fleet = fleet().await;
    let slow = fleet.worker(&["lease_ms=2000"]).await;
    let client = fleet.client().await;
    let orders: Vec<_> = (0..HELD as u64).map(|n| fleet.held_in("model", n)).collect();
    let ids = submit_all(&client, &orders).await;
    let fast = overtake(&fleet, &slow).await;
    // The stopped one ends its bodies as soon as it runs, while the same bodies are held at the other.
    fleet.open_gate(Some(&slow));
    let before = fleet.log().len();
    slow.go_on();
    until("it has noticed", async || fleet.registered(&slow).await == 2).await;
    let committed = fleet.database.committed().await;
    assert!(committed.iter().all(|row| row.task != "model"), "what it ended is not committed");
    fleet.open_gate(Some(&fast));
    fleet.until_ended(ids.len()).await;
    let later = fleet.log().split_off(before);
    let began = later.iter().find(|line| line.kind == Kind::Begin && line.run.pid == slow.pid());
    assert_eq!(began, None, "it has dropped what it lost");
    fast.shut_down().await;
    // From here on there is nobody else.
    let again: Vec<_> = (100..120).map(|n| Order { n, ..Order::default() }).collect();
    let more = submit_all(&client, &again).await;
    fleet.until_ended(ids.len() + more.len()).await;
    let evidence = Evidence::gather(&fleet).await;
    evidence.check();
    evidence.check_complete(&ids);
    evidence.check_complete(&more);
    check_values(&client, &ids, &orders).await;
    check_values(&client, &more, &again).await;
    let pid = slow.pid();
    // On a busy machine it may have started anew more than once.
    let anew = fleet.database.workers_of(pid).await.split_off(1);
    assert!(more.iter().all(|id| evidence.maker(*id, "add") == Some(pid)), "it works");
    let rows = fleet.database.committed().await;
    let of_more = rows.iter().filter(|row| more.iter().any(|id| id.to_string() == row.execution));
    assert!(of_more.map(|row| &row.owner).all(|owner| anew.contains(owner)), "under a new id");
    slow.shut_down().await;
    assert_eq!(fleet.database.registered().await, 0, "its old id is gone, too");
    client.shutdown().await.unwrap();
    fleet.finish().await;
}
