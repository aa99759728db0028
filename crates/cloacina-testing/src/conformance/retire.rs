//! `retire_worker`.

use cloacina_core::backend::{
    AttemptState, CheckpointVerdict, Control, EventKind, Heartbeat, Pulse, Standing,
};
use cloacina_core::{PipelineStatus, WorkerId};
use std::time::Duration;

use super::{Fixture, attempt_failure, attempt_start, checkpoint};

async fn retire(fx: &Fixture, worker: WorkerId) {
    fx.store().retire_worker(worker).await.expect("retire_worker answers");
}

/// Catches a clean shutdown that keeps something, or that is counted as a crash.
pub async fn retire_gives_back_everything_without_suspicion(fx: &Fixture) {
    let me = fx.worker().await;
    let ids = [fx.submit_owned(me).await, fx.submit_owned(me).await];
    retire(fx, me).await;
    for id in ids {
        let record = fx.record(id).await;
        assert_eq!(record.owner, None, "a retired worker still owns an execution");
        assert_eq!(record.status, PipelineStatus::Running, "giving back changed the status");
        assert_eq!((record.epoch, record.takeovers), (1, 0), "(epoch, takeovers) changed");
        let recovered = fx.events(id).await.contains(&EventKind::Recovered);
        assert!(!recovered, "a clean shutdown was recorded as a death");
    }
    let next = fx.worker().await;
    assert_eq!(fx.claim(next, 10).await, ids, "what was given back could not be claimed");
}

/// Catches attempts that stay running for ever, or that a shutdown overwrites.
pub async fn retire_marks_running_attempts_released(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let step = checkpoint(id, me, 1)
        .failure(attempt_failure("load", 1, "no route"))
        .start(attempt_start("load", 2));
    fx.committed(step).await;
    retire(fx, me).await;
    for row in fx.load(id).await.attempts {
        let (state, what) = match row.attempt {
            1 => (AttemptState::Failed, "the failed attempt changed"),
            _ => (AttemptState::Released, "the running attempt was not released"),
        };
        assert_eq!(row.state, state, "{what}");
    }
}

/// Catches a shutdown that fails where registration never happened.
pub async fn retire_of_an_unknown_worker_is_no_error(fx: &Fixture) {
    retire(fx, WorkerId::new()).await;
}

/// Catches a worker that stays registered and is buried, or gets work, afterwards.
pub async fn retire_removes_the_worker(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_free().await;
    retire(fx, me).await;
    let beat = Heartbeat { worker: me, lease_ttl: Duration::from_secs(60) };
    let pulse = fx.store().heartbeat(&beat).await.expect("heartbeat answers");
    assert_eq!(pulse, Pulse::Buried, "a retired worker is alive");
    assert_eq!(fx.claim(me, 1).await, [], "a retired worker was given an execution");
    assert_eq!(fx.record(id).await.owner, None, "a retired worker owns an execution");
}

/// Catches a late commit of a worker that has given everything back.
pub async fn retire_fences_the_worker(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    retire(fx, me).await;
    let verdict = fx.checkpoint(checkpoint(id, me, 1).finish(PipelineStatus::Completed)).await;
    assert_eq!(verdict, CheckpointVerdict::Fenced, "a retired worker committed");
    assert_eq!(fx.record(id).await.status, PipelineStatus::Running, "and ended the execution");
}

/// Catches a shutdown that touches ended executions, or lets paused ones go on.
pub async fn retire_leaves_ended_and_paused_as_they_are(fx: &Fixture) {
    let me = fx.worker().await;
    let ended = fx.submit_ended(me, PipelineStatus::Failed).await;
    let paused = fx.submit_owned(me).await;
    fx.control(paused, Control::Pause).await;
    let before = fx.record(ended).await;
    retire(fx, me).await;
    assert_eq!(fx.record(ended).await, before, "retiring changed an execution that had ended");
    let record = fx.record(paused).await;
    assert_eq!(record.owner, None, "a retired worker still owns a paused execution");
    assert_eq!(record.status, PipelineStatus::Paused, "retiring resumed a paused execution");
}

/// Catches a repeated retirement that robs the next owner.
pub async fn retire_repeated_takes_nothing_from_the_next_owner(fx: &Fixture) {
    let (me, next) = (fx.worker().await, fx.worker().await);
    let id = fx.submit_owned(me).await;
    retire(fx, me).await;
    assert_eq!(fx.claim(next, 1).await, [id], "what was given back could not be claimed");
    retire(fx, me).await;
    let standing = fx.store().standing(&[id]).await.expect("standing answers");
    let owned = Standing { status: PipelineStatus::Running, owner: Some(next), epoch: 2 };
    assert_eq!(standing, [Some(owned)], "a repeated retirement robbed the next owner");
}
