//! `release`.

use cloacina_core::backend::{AttemptState, Control, Release};
use cloacina_core::{ExecutionId, PipelineStatus};

use super::{Fixture, attempt_failure, attempt_start, checkpoint};

/// Catches a release that is not one, or that is taken for a death.
pub async fn release_lets_another_worker_claim(fx: &Fixture) {
    let (me, next) = (fx.worker().await, fx.worker().await);
    let id = fx.submit_owned(me).await;
    fx.release(id, me, 1).await;
    let record = fx.record(id).await;
    assert_eq!(record.owner, None, "it still has its owner");
    assert_eq!(record.status, PipelineStatus::Running, "a release changed the status");
    assert_eq!((record.epoch, record.takeovers), (1, 0), "(epoch, takeovers) after a release");
    assert_eq!(fx.events(id).await, [], "a release was recorded as an event");
    assert_eq!(fx.claim(next, 1).await, [id], "another worker could not claim it");
}

/// Catches attempts that stay running when their worker gives up, or failures that are overwritten.
pub async fn release_marks_running_attempts_released(fx: &Fixture) {
    let me = fx.worker().await;
    let (id, kept) = (fx.submit_owned(me).await, fx.submit_owned(me).await);
    let step = checkpoint(id, me, 1)
        .failure(attempt_failure("load", 1, "no route"))
        .start(attempt_start("load", 2));
    fx.committed(step).await;
    fx.committed(checkpoint(kept, me, 1).start(attempt_start("load", 1))).await;
    fx.release(id, me, 1).await;
    for row in fx.load(id).await.attempts {
        let (state, what) = match row.attempt {
            1 => (AttemptState::Failed, "the failed attempt changed"),
            _ => (AttemptState::Released, "the running attempt was not released"),
        };
        assert_eq!(row.state, state, "{what}");
    }
    let state = fx.load(kept).await.attempts[0].state;
    assert_eq!(state, AttemptState::Running, "an attempt of another execution was released");
}

/// Catches a release without the fence, and one that gives up at the first item that it passes over.
pub async fn release_passes_over_what_is_not_owned(fx: &Fixture) {
    let (me, other) = (fx.worker().await, fx.worker().await);
    let (mine, again, theirs) =
        (fx.submit_owned(me).await, fx.submit_owned(me).await, fx.submit_owned(other).await);
    let releases = [
        Release { execution: theirs, worker: me, epoch: 1, due_in: None },
        Release { execution: again, worker: me, epoch: 2, due_in: None },
        Release { execution: again, worker: me, epoch: 0, due_in: None },
        Release { execution: ExecutionId::new(), worker: me, epoch: 1, due_in: None },
        Release { execution: mine, worker: me, epoch: 1, due_in: None },
    ];
    fx.store().release(&releases).await.expect("release answers");
    assert_eq!(fx.record(theirs).await.owner, Some(other), "another worker's was given back");
    assert_eq!(fx.record(again).await.owner, Some(me), "one under another epoch was given back");
    assert_eq!(fx.record(mine).await.owner, None, "the worker's own was not given back");
}

/// Catches a repeat that robs the next owner, and an empty list that is an error.
pub async fn release_repeated_takes_nothing_from_the_next_owner(fx: &Fixture) {
    let (me, next) = (fx.worker().await, fx.worker().await);
    let id = fx.submit_owned(me).await;
    fx.release(id, me, 1).await;
    fx.release(id, me, 1).await;
    assert_eq!(fx.claim(next, 1).await, [id], "another worker could not claim it");
    fx.release(id, me, 1).await;
    fx.store().release(&[]).await.expect("releasing nothing is no error");
    assert_eq!(fx.record(id).await.owner, Some(next), "a repeat robbed the next owner");
}

/// Catches a release that opens what has ended.
pub async fn release_of_an_ended_execution_changes_nothing(fx: &Fixture) {
    let me = fx.worker().await;
    let cancelled = fx.submit_owned(me).await;
    fx.cancel(cancelled).await;
    for id in [fx.submit_ended(me, PipelineStatus::Completed).await, cancelled] {
        let before = fx.record(id).await;
        fx.release(id, me, 1).await;
        assert_eq!(fx.record(id).await, before, "a release changed an execution that had ended");
    }
}

/// Catches a release that lets a paused execution go on.
pub async fn release_of_a_paused_execution_leaves_it_paused(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    fx.control(id, Control::Pause).await;
    fx.release(id, me, 1).await;
    let record = fx.record(id).await;
    assert_eq!((record.status, record.owner), (PipelineStatus::Paused, None), "(status, owner)");
    assert_eq!(fx.claim(me, 1).await, [], "a paused execution was given");
}

/// Catches a suspicion that a release lifts: a crash would then never be found.
pub async fn release_keeps_the_suspicion(fx: &Fixture) {
    let dead = fx.doomed_worker().await;
    let id = fx.submit_owned(dead).await;
    fx.bury(dead).await;
    let me = fx.worker().await;
    assert_eq!(fx.claim(me, 1).await, [id], "the freed execution could not be claimed");
    fx.release(id, me, 2).await;
    assert_eq!(fx.record(id).await.takeovers, 1, "takeovers after a release");
}
