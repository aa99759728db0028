//! Another process is in the middle of a write for longer than anybody waits.

use cloacina_tests::faults::WriteLock;
use cloacina_tests::montage::{self, Order};
use tokio_util::task::TaskTracker;

use super::evidence::{Evidence, check_integrity, have_expired, repeated};
use super::support::{Place, holder, submit, until};

/// Of the workers: shorter than the lock is held.
const SETTINGS: [&str; 2] = ["lease_ms=1000", "busy_ms=200"];

/// How the other process ends.
#[derive(Clone, Copy)]
enum End {
    RollsBack,
    IsKilled,
}

async fn check_lock(end: End) {
    let place = Place::new();
    let client = place.client().await;
    let mut workers = vec![place.worker(&SETTINGS), place.worker(&SETTINGS)];
    let mut executions = Vec::new();
    for n in 0..12 {
        executions.push(submit(&client, &place.held_in("concat", n)).await);
    }
    let begun = async || place.lines().iter().filter(|line| line.task == "concat").count() >= 12;
    until("all are held", begun).await;
    let lock = WriteLock::take(holder(), place.database()).unwrap();
    // Results come while nobody can write them, somebody submits, and another worker starts.
    place.open_gate();
    let tasks = TaskTracker::new();
    let submitting = {
        let client = client.clone();
        tasks.spawn(async move { submit(&client, &Order { n: 12, ..Order::default() }).await })
    };
    workers.push(place.worker(&SETTINGS));
    until("the leases have run out", async || have_expired(place.database()).await).await;
    assert!(!submitting.is_finished(), "who submits waits");
    let status = executions[0].status().await.unwrap();
    assert_eq!(status.as_str(), "running", "who reads is not kept waiting");
    match end {
        End::RollsBack => lock.release().unwrap(),
        End::IsKilled => lock.kill().unwrap(),
    }
    executions.push(submitting.await.unwrap());
    for execution in &executions {
        let result = execution.wait().await.unwrap();
        assert!(result.is_success(), "{result}");
    }
    for worker in workers {
        worker.shut_down().await;
    }
    client.shutdown().await.unwrap();
    let lines = place.lines();
    let found = Evidence::read(place.database()).await;
    found.check_complete();
    found.check_kept(&[], &lines);
    assert_eq!(found.results(), executions.len() * montage::EDGES.len());
    let repeated = repeated(&lines);
    assert!(repeated.is_empty(), "nobody had died: {repeated:?}\n{}", place.said());
    check_integrity(place.database()).await;
}

#[tokio::test]
async fn a_write_lock_that_outlasts_timeout_and_lease_only_delays() {
    check_lock(End::RollsBack).await;
}

#[tokio::test]
async fn a_write_lock_goes_with_the_process_that_held_it() {
    check_lock(End::IsKilled).await;
}

#[tokio::test]
async fn who_submits_under_a_lock_that_stays_is_told_why_it_failed() {
    let place = Place::new();
    let client = place.client().await;
    let lock = WriteLock::take(holder(), place.database()).unwrap();
    let order = Order::default();
    let error = client.execute_async(montage::NAME, order.to_context()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("database is locked"), "{error}");
    lock.release().unwrap();
    let worker = place.worker(&SETTINGS);
    let result = submit(&client, &order).await.wait().await.unwrap();
    assert!(result.is_success(), "{result}");
    worker.shut_down().await;
    client.shutdown().await.unwrap();
}
