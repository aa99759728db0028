//! `register_worker` and `heartbeat`.

use std::time::Duration;

use chrono::TimeDelta;
use cloacina_core::backend::{Heartbeat, NewWorker, Outlook, Pulse};
use cloacina_core::{PipelineStatus, WorkerId};

use super::{Fixture, checkpoint};

const LONG: Duration = Duration::from_secs(3_600);

fn beat(worker: WorkerId) -> Heartbeat {
    Heartbeat { worker, lease_ttl: LONG }
}

async fn pulse(fx: &Fixture, beat: &Heartbeat) -> Pulse {
    fx.store().heartbeat(beat).await.expect("heartbeat answers")
}

/// Sends a heartbeat of a worker that lives; how many others there are.
async fn peers(fx: &Fixture, worker: WorkerId) -> u32 {
    match pulse(fx, &beat(worker)).await {
        Pulse::Alive { peers, .. } => peers,
        Pulse::Buried => panic!("a living worker was declared dead"),
    }
}

/// Sends a heartbeat of a worker that lives; what there is to look after.
async fn outlook(fx: &Fixture, worker: WorkerId) -> Outlook {
    match pulse(fx, &beat(worker)).await {
        Pulse::Alive { outlook, .. } => outlook,
        Pulse::Buried => panic!("a living worker was declared dead"),
    }
}

/// Catches a second registration that makes a second row or an error.
pub async fn worker_registered_twice_is_one_worker(fx: &Fixture) {
    let me = fx.worker().await;
    let again = NewWorker { id: me, lease_ttl: LONG };
    fx.store().register_worker(&again).await.expect("registering twice is no error");
    let other = fx.worker().await;
    assert_eq!(peers(fx, other).await, 1, "a worker that registered twice was counted twice");
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

/// Reads the lease of a worker, and how far beyond the store's clock it reaches.
async fn lease_left(fx: &Fixture, worker: WorkerId) -> Option<TimeDelta> {
    let until = fx.store().lease(worker).await.expect("lease answers")?;
    Some(until - fx.now().await)
}

/// Catches a lease that is not the one of the last sign of life, or another worker's.
pub async fn lease_holds_as_long_as_the_last_sign_of_life_said(fx: &Fixture) {
    let (me, other) = (fx.worker().await, fx.worker().await);
    for hours in [3_u32, 9, 5] {
        let beat = Heartbeat { worker: me, lease_ttl: Duration::from_secs(3_600) * hours };
        let before = fx.now().await;
        assert!(matches!(pulse(fx, &beat).await, Pulse::Alive { .. }), "a worker lives");
        let until = fx.store().lease(me).await.expect("lease answers").expect("it has a lease");
        let span = TimeDelta::hours(hours.into());
        // The clock may be read to a few milliseconds only.
        let slack = TimeDelta::minutes(1);
        assert!(until > before + span - slack, "a lease of {span} from {before} ends at {until}");
        assert!(lease_left(fx, me).await <= Some(span + slack), "a lease of {span} lasts longer");
    }
    let left = lease_left(fx, other).await;
    assert!(left < Some(TimeDelta::hours(2)), "another's heartbeat renewed a lease: {left:?}");
}

/// Catches a lease of a worker that is not there, or no longer.
pub async fn lease_of_a_worker_that_is_not_registered_is_none(fx: &Fixture) {
    assert_eq!(lease_left(fx, WorkerId::new()).await, None, "an unknown worker has a lease");
    let me = fx.worker().await;
    fx.store().retire_worker(me).await.expect("retire_worker answers");
    assert_eq!(lease_left(fx, me).await, None, "a retired worker has a lease");
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
    assert_eq!(peers(fx, me).await, 0, "a lone worker has peers");
    let second = fx.worker().await;
    fx.worker_on(&fx.another_handle().await).await;
    assert_eq!(peers(fx, me).await, 2, "two peers were not seen");
    fx.store().retire_worker(second).await.expect("retire answers");
    assert_eq!(peers(fx, me).await, 1, "a retired peer was counted");
}

/// Catches a heartbeat that declares its own worker dead, or that does not move the lease.
pub async fn heartbeat_renews_a_lease_that_ran_out(fx: &Fixture) {
    let me = fx.doomed_worker().await;
    let id = fx.submit_owned(me).await;
    fx.let_pass(Duration::from_millis(20)).await;
    assert_eq!(peers(fx, me).await, 0, "a lease that ran out and was not buried must be renewed");
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

/// Catches a heartbeat after which work stays where it is, since it said that there is none; and one that has an idle worker look
/// for nothing.
pub async fn heartbeat_tells_what_there_is_to_look_after(fx: &Fixture) {
    const NOTHING: Outlook =
        Outlook { own: false, of_others: false, unowned: false, expired: false };
    let (first, second, third) = (fx.worker().await, fx.worker().await, fx.worker().await);
    for worker in [first, second, third] {
        assert_eq!(outlook(fx, worker).await, NOTHING, "in an empty store");
    }
    let id = fx.submit_owned(second).await;
    let others = Outlook { of_others: true, ..NOTHING };
    for worker in [first, third] {
        assert_eq!(outlook(fx, worker).await, others, "another owns something");
    }
    assert_eq!(outlook(fx, second).await, Outlook { own: true, ..NOTHING }, "it owns something");
    fx.committed(checkpoint(id, second, 1).finish(PipelineStatus::Completed)).await;
    assert_eq!(outlook(fx, first).await, NOTHING, "what has ended is no work");
    fx.submit_free().await;
    let unowned = Outlook { unowned: true, ..NOTHING };
    assert_eq!(outlook(fx, first).await, unowned, "nobody owns something");
    fx.doomed_worker().await;
    fx.let_pass(Duration::from_millis(20)).await;
    assert_eq!(outlook(fx, first).await, Outlook { expired: true, ..unowned }, "a lease is over");
}

/// Catches an owner without a registration that is overlooked: its submit came after its burial.
pub async fn heartbeat_tells_of_owners_that_are_not_registered(fx: &Fixture) {
    let me = fx.worker().await;
    fx.submit_owned(WorkerId::new()).await;
    assert!(outlook(fx, me).await.of_others, "an owner that nobody knows was overlooked");
}
