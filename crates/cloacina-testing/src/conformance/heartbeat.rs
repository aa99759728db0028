//! `register_worker` and `heartbeat`.

use std::time::Duration;

use cloacina_core::WorkerId;
use cloacina_core::backend::{Heartbeat, NewWorker, Pulse};

use super::Fixture;

const LONG: Duration = Duration::from_secs(3_600);

fn beat(worker: WorkerId) -> Heartbeat {
    Heartbeat { worker, lease_ttl: LONG }
}

async fn pulse(fx: &Fixture, beat: &Heartbeat) -> Pulse {
    fx.store().heartbeat(beat).await.expect("heartbeat answers")
}

/// Catches a second registration that makes a second row or an error.
pub async fn worker_registered_twice_is_one_worker(fx: &Fixture) {
    let me = fx.worker().await;
    let again = NewWorker { id: me, lease_ttl: LONG };
    fx.store().register_worker(&again).await.expect("registering twice is no error");
    let other = fx.worker().await;
    let seen = pulse(fx, &beat(other)).await;
    assert_eq!(seen, Pulse::Alive { peers: 1 }, "a worker that registered twice was counted twice");
}

/// Catches a registration that keeps the old lease of the same worker.
pub async fn worker_registering_again_renews_its_lease(fx: &Fixture) {
    let me = fx.doomed_worker().await;
    fx.let_pass(Duration::from_millis(20)).await;
    let again = NewWorker { id: me, lease_ttl: LONG };
    fx.store().register_worker(&again).await.expect("registering twice is no error");
    let burials = fx.store().bury_dead_workers(WorkerId::new()).await.expect("bury answers");
    assert_eq!(burials, [], "a worker was buried after it had registered anew");
}

/// Catches a heartbeat that takes an unknown worker for a live one, or revives it.
pub async fn heartbeat_of_an_unknown_worker_says_buried(fx: &Fixture) {
    let stranger = WorkerId::new();
    assert_eq!(pulse(fx, &beat(stranger)).await, Pulse::Buried, "an unknown worker was alive");
    assert_eq!(pulse(fx, &beat(stranger)).await, Pulse::Buried, "a heartbeat made a worker");
}

/// Catches a count of peers that holds the worker itself, or those that are gone.
pub async fn heartbeat_counts_the_other_workers(fx: &Fixture) {
    let me = fx.worker().await;
    assert_eq!(pulse(fx, &beat(me)).await, Pulse::Alive { peers: 0 }, "a lone worker has peers");
    let second = fx.worker().await;
    fx.worker_on(&fx.another_handle().await).await;
    assert_eq!(pulse(fx, &beat(me)).await, Pulse::Alive { peers: 2 }, "two peers were not seen");
    fx.store().retire_worker(second).await.expect("retire answers");
    assert_eq!(pulse(fx, &beat(me)).await, Pulse::Alive { peers: 1 }, "a retired peer was counted");
}

/// Catches a heartbeat that declares its own worker dead, or that does not move the lease.
pub async fn heartbeat_renews_a_lease_that_ran_out(fx: &Fixture) {
    let me = fx.doomed_worker().await;
    let id = fx.submit_owned(me).await;
    fx.let_pass(Duration::from_millis(20)).await;
    assert_eq!(
        pulse(fx, &beat(me)).await,
        Pulse::Alive { peers: 0 },
        "a lease that ran out and was not buried must be renewed"
    );
    let burials = fx.store().bury_dead_workers(WorkerId::new()).await.expect("bury answers");
    assert_eq!(burials, [], "a worker was buried although its lease had been renewed");
    assert_eq!(fx.record(id).await.owner, Some(me), "the worker lost what it owned");
}

/// Catches a heartbeat by which a buried worker goes on.
pub async fn heartbeat_of_a_buried_worker_says_buried(fx: &Fixture) {
    let dead = fx.doomed_worker().await;
    fx.bury(dead).await;
    assert_eq!(pulse(fx, &beat(dead)).await, Pulse::Buried, "a buried worker was alive again");
}
