//! A worker that is dead, or stopped, while its row is locked: by a transaction of its own that nobody ends.

use std::collections::HashSet;

use super::support::{fleet, until};

/// Catches workers that miss their own heartbeats while they wait for the row of another.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_row_of_a_dead_worker_stays_alive() {
    let fleet = fleet().await;
    let dead = fleet.worker(&["lease_ms=4000"]).await;
    let worker = fleet.database.workers_of(dead.pid()).await.remove(0);
    let living = [fleet.worker(&["lease_ms=4000"]).await, fleet.worker(&["lease_ms=4000"]).await];
    let held = fleet.database.lock_row(&worker).await;
    dead.kill();
    for one in &living {
        let id = fleet.database.workers_of(one.pid()).await.remove(0);
        let mut leases = HashSet::new();
        until("its lease was renewed again and again", async || {
            let Some((until, is_over)) = fleet.database.lease(&id).await else {
                panic!("a living worker was declared dead")
            };
            assert!(!is_over, "the lease of a living worker ran out");
            leases.insert(until);
            leases.len() > 6
        })
        .await;
    }
    held.rollback().await.unwrap();
    until("the dead one is buried", async || fleet.database.registered().await == 2).await;
    for worker in living {
        worker.shut_down().await;
    }
    fleet.finish().await;
}

/// Catches a burial that takes all the dead together, and so none as long as the row of one is locked.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_row_of_one_dead_worker_does_not_keep_another_from_being_buried() {
    let fleet = fleet().await;
    let settings = ["lease_ms=60000"];
    let (locked, free) = (fleet.worker(&settings).await, fleet.worker(&settings).await);
    let worker = fleet.database.workers_of(locked.pid()).await.remove(0);
    let living = fleet.worker(&settings).await;
    let held = fleet.database.lock_row(&worker).await;
    locked.kill();
    let pid = free.pid();
    free.kill();
    until("the other is buried", async || fleet.database.rows_of(pid).await == 0).await;
    held.rollback().await.unwrap();
    until("both are buried", async || fleet.database.registered().await == 1).await;
    living.shut_down().await;
    fleet.finish().await;
}
