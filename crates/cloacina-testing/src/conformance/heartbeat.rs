//! `register_worker` and `heartbeat`.

use std::time::Duration;

use cloacina_core::backend::{AttemptState, Company, Heartbeat, NewWorker, Pulse, RunningAttempt};
use cloacina_core::{ExecutionId, PipelineStatus, WorkerId};

use super::{Fixture, attempt_failure, attempt_start, checkpoint};

const LONG: Duration = Duration::from_secs(3_600);

fn beat(worker: WorkerId) -> Heartbeat {
    Heartbeat { worker, lease_ttl: LONG, running: Vec::new() }
}

fn running(execution: ExecutionId, epoch: u64) -> RunningAttempt {
    RunningAttempt { execution, epoch, attempt: attempt_start("load", 1) }
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

/// Catches attempts that a heartbeat drops or alters.
pub async fn heartbeat_shows_a_running_attempt(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let mut attempt = attempt_start("load", 3);
    attempt.company = Company::Alone;
    let running = vec![RunningAttempt { execution: id, epoch: 1, attempt }];
    pulse(fx, &Heartbeat { running, ..beat(me) }).await;

    let attempts = fx.load(id).await.attempts;
    assert_eq!(attempts.len(), 1, "the running attempt is not on record: {attempts:?}");
    let row = &attempts[0];
    assert_eq!(
        (row.task.as_str(), row.attempt, row.epoch),
        ("load", 3, 1),
        "it is another attempt"
    );
    assert_eq!(row.state, AttemptState::Running, "an attempt that began does not run");
    assert_eq!(row.company, Company::Alone, "its company was not kept");
    assert_eq!((&row.error, row.ended_at, row.retry_at), (&None, None, None), "it has ended");
}

/// Catches a repeated beat that doubles the attempt.
pub async fn heartbeat_repeated_shows_an_attempt_once(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let both = vec![running(id, 1), running(id, 1)];
    let beat = Heartbeat { running: both, ..beat(me) };
    pulse(fx, &beat).await;
    let first = fx.load(id).await.attempts;
    pulse(fx, &beat).await;
    assert_eq!(first.len(), 1, "one attempt that a beat names twice has {} rows", first.len());
    assert_eq!(fx.load(id).await.attempts, first, "a repeated heartbeat changed the attempts");
}

/// Catches a heartbeat without the fence, and one that gives up at the first attempt that it passes over.
pub async fn heartbeat_passes_over_what_the_worker_does_not_own(fx: &Fixture) {
    let (me, other) = (fx.worker().await, fx.worker().await);
    let mine = fx.submit_owned(me).await;
    let mine_in_another_epoch = fx.submit_owned(me).await;
    let theirs = fx.submit_owned(other).await;
    let free = fx.submit_free().await;
    let running = vec![
        running(mine_in_another_epoch, 2),
        running(theirs, 1),
        running(free, 0),
        running(ExecutionId::new(), 1),
        running(mine, 1),
    ];
    pulse(fx, &Heartbeat { running, ..beat(me) }).await;
    for (id, rows, whose) in [
        (mine, 1, "the worker's own execution"),
        (mine_in_another_epoch, 0, "an execution under another epoch"),
        (theirs, 0, "another worker's execution"),
        (free, 0, "an execution that nobody owns"),
    ] {
        let attempts = fx.load(id).await.attempts;
        assert_eq!(attempts.len(), rows, "{whose} has {} attempts on record", attempts.len());
    }
}

/// Catches a late heartbeat that turns a failed attempt back into a running one.
pub async fn heartbeat_does_not_revive_a_failed_attempt(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    fx.committed(checkpoint(id, me, 1).failure(attempt_failure("load", 1, "no route"))).await;
    pulse(fx, &Heartbeat { running: vec![running(id, 1)], ..beat(me) }).await;
    let attempts = fx.load(id).await.attempts;
    assert_eq!(attempts.len(), 1, "a late heartbeat doubled a failed attempt");
    assert_eq!(attempts[0].state, AttemptState::Failed, "a late heartbeat revived it");
}

/// Catches a heartbeat that writes to executions that have ended.
pub async fn heartbeat_leaves_ended_executions_alone(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_ended(me, PipelineStatus::Completed).await;
    pulse(fx, &Heartbeat { running: vec![running(id, 1)], ..beat(me) }).await;
    let attempts = fx.load(id).await.attempts;
    assert_eq!(attempts, [], "an attempt began in an execution that had ended");
}
