//! `claim`, of executions that must wait.

use std::time::Duration;

use cloacina_core::PipelineStatus;
use cloacina_core::backend::{ClaimScope, Control, Release, WorkflowKey};

use super::fixture::{soon, take_a_breath};
use super::{Fixture, adopt, execution, workflow_key};

const HOUR: Duration = Duration::from_secs(3_600);

fn scope() -> ClaimScope {
    ClaimScope::Workflows(vec![workflow_key()])
}

/// Asserts that what is due next is due after so long, give or take how long the test takes.
fn assert_next(found: Option<Duration>, expected: Duration, what: &str) {
    let found = found.unwrap_or_else(|| panic!("{what}: nothing is said to be due"));
    let near = found <= expected && expected - found < Duration::from_secs(120);
    assert!(near, "{what}: due in {found:?} instead of {expected:?}");
}

/// Catches a delay that is not kept.
pub async fn claim_waits_until_an_execution_is_due(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit(execution().delay(HOUR)).await;
    let claims = fx.claim_in(scope(), me, 10).await;
    assert!(claims.executions.is_empty(), "an execution was given an hour early");
    assert_next(claims.next_due, HOUR, "an execution that is delayed by an hour");
    let claims = fx.claim_in(adopt(vec![id]), me, 10).await;
    assert!(claims.executions.is_empty(), "it was given an hour early by its name");
    assert_next(claims.next_due, HOUR, "the same, by its name");
    let record = fx.record(id).await;
    assert_eq!(record.status, PipelineStatus::Pending, "a delayed execution does not wait");
    assert!(record.due_at > Some(record.created_at), "its due time is not on record");
}

/// Catches a delayed execution that is never given, or before its time.
pub async fn claim_gives_a_delayed_execution_once_it_is_due(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit(execution().delay(Duration::from_millis(120))).await;
    let claimed = soon("the claim of a delayed execution", async {
        loop {
            let claims = fx.claim_in(scope(), me, 10).await;
            if let Some(snapshot) = claims.executions.into_iter().next() {
                break snapshot;
            }
            take_a_breath().await;
        }
    });
    let record = claimed.await.record;
    assert_eq!(record.id, id, "another execution was given");
    assert!(record.started_at >= record.due_at, "it was given before it was due");
}

/// Catches a delay that holds back what is not delayed.
pub async fn claim_gives_what_is_due_past_what_is_not(fx: &Fixture) {
    let me = fx.worker().await;
    fx.submit(execution().delay(HOUR)).await;
    let at_once = fx.submit(execution().delay(Duration::ZERO)).await;
    let free = fx.submit_free().await;
    let claims = fx.claim_in(scope(), me, 2).await;
    let given: Vec<_> = claims.executions.iter().map(|it| it.record.id).collect();
    assert_eq!(given, [at_once, free], "a delayed execution held back those that are due");
}

/// Catches a wake-up that is set for the wrong execution.
pub async fn claim_tells_when_the_next_one_is_due(fx: &Fixture) {
    let (me, other) = (fx.worker().await, fx.worker().await);
    let claims = fx.claim_in(scope(), me, 10).await;
    assert_eq!(claims.next_due, None, "an empty store has something due");
    fx.submit(execution().delay(3 * HOUR)).await;
    let soonest = fx.submit(execution().delay(2 * HOUR)).await;
    fx.submit(execution().delay(4 * HOUR)).await;
    fx.submit(execution().workflow("other", "1").delay(HOUR)).await;
    fx.submit_free().await;
    fx.submit_owned(other).await;

    let claims = fx.claim_in(scope(), me, 10).await;
    assert_eq!(claims.executions.len(), 1, "the one that is due was not given");
    assert_next(claims.next_due, 2 * HOUR, "the soonest in scope, beside a claim that got some");
    let of_other = vec![WorkflowKey { name: "other".into(), version: "1".into() }];
    let claims = fx.claim_in(ClaimScope::Workflows(of_other), me, 10).await;
    assert_next(claims.next_due, HOUR, "the soonest of another workflow");
    fx.cancel(soonest).await;
    let claims = fx.claim_in(scope(), me, 10).await;
    assert_next(claims.next_due, 3 * HOUR, "the soonest when the one before it was cancelled");
}

/// Catches a worker that is woken for what it cannot be given.
pub async fn claim_tells_of_nothing_due_on_hold(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit(execution().delay(HOUR)).await;
    fx.control(id, Control::Pause).await;
    let claims = fx.claim_in(scope(), me, 10).await;
    assert_eq!(claims.next_due, None, "a paused execution is said to fall due");
    fx.control(id, Control::Resume).await;
    let claims = fx.claim_in(scope(), me, 10).await;
    assert_next(claims.next_due, HOUR, "an execution that was resumed");
    assert!(claims.executions.is_empty(), "a resume made a delayed execution due");
}

/// Catches a release that forgets when the execution falls due, and one that makes it due for no reason.
pub async fn release_keeps_an_execution_until_it_is_due(fx: &Fixture) {
    let (me, next) = (fx.worker().await, fx.worker().await);
    let (waiting, ready) = (fx.submit_owned(me).await, fx.submit_owned(me).await);
    let release = |execution, due_in| Release { execution, worker: me, epoch: 1, due_in };
    let releases = [release(waiting, Some(HOUR)), release(ready, None)];
    fx.store().release(&releases).await.expect("release answers");
    let claims = fx.claim_in(scope(), next, 10).await;
    let claimed: Vec<_> = claims.executions.iter().map(|snapshot| snapshot.record.id).collect();
    assert_eq!(claimed, [ready], "what was given at once");
    assert_next(claims.next_due, HOUR, "an execution that waits for an hour");
    fx.release(ready, next, 2).await;
    assert_eq!(fx.claim(me, 10).await, [ready], "a release without a wait did not keep it due");
}
