//! `acquit`.

use cloacina_core::backend::{AttemptRecord, AttemptState, EventKind, Release, Standing, Survival};
use cloacina_core::{ExecutionId, PipelineStatus, WorkerId};

use super::{Fixture, attempt_failure, attempt_start, checkpoint, task_end};

async fn acquit(fx: &Fixture, survivals: &[(ExecutionId, u64)]) {
    let survivals: Vec<_> =
        survivals.iter().map(|&(execution, epoch)| Survival { execution, epoch }).collect();
    fx.store().acquit(&survivals).await.expect("acquit answers");
}

/// Lets a worker take up an execution, begin to load, and be declared dead.
async fn falsely_dead(fx: &Fixture, id: ExecutionId) -> WorkerId {
    let worker = fx.worker().await;
    assert_eq!(fx.claim(worker, 1).await, [id], "a free execution could not be claimed");
    let epoch = fx.record(id).await.epoch;
    fx.committed(checkpoint(id, worker, epoch).start(attempt_start("load", 1))).await;
    fx.doom(worker).await;
    fx.bury(worker).await;
    worker
}

/// Reads what became of the attempt that was begun under each epoch, in their order.
async fn attempts(fx: &Fixture, id: ExecutionId) -> Vec<AttemptState> {
    let mut attempts = fx.load(id).await.attempts;
    attempts.sort_by_key(|row| row.epoch);
    attempts.iter().map(|row| row.state).collect()
}

async fn acquittals(fx: &Fixture, id: ExecutionId) -> usize {
    fx.events(id).await.iter().filter(|kind| **kind == EventKind::Acquitted).count()
}

/// Catches a takeover that goes on counting, a lost attempt that stays lost, and a failure on record that changes.
pub async fn acquit_takes_back_the_takeover_and_the_lost_attempts(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let step = checkpoint(id, me, 1)
        .failure(attempt_failure("load", 1, "no route"))
        .start(attempt_start("load", 2));
    fx.committed(step).await;
    fx.doom(me).await;
    fx.bury(me).await;
    let before = fx.load(id).await;
    acquit(fx, &[(id, 1)]).await;
    let after = fx.load(id).await;
    assert_eq!((before.record.takeovers, after.record.takeovers), (1, 0), "takeovers");
    let mut rest = after.record.clone();
    rest.takeovers = 1;
    assert_eq!(rest, before.record, "something else of the record changed");
    for (row, before) in after.attempts.iter().zip(&before.attempts) {
        let state = match row.attempt {
            1 => AttemptState::Failed,
            _ => AttemptState::Released,
        };
        let expected = AttemptRecord { state, ..before.clone() };
        assert_eq!(*row, expected, "an attempt after the acquittal");
    }
    assert_eq!(after.attempts.len(), 2, "an acquittal removed or added attempts");
}

/// Catches an acquittal that nobody can read of.
pub async fn acquit_is_told_by_an_event(fx: &Fixture) {
    let id = fx.submit_free().await;
    falsely_dead(fx, id).await;
    acquit(fx, &[(id, 1)]).await;
    assert_eq!(fx.events(id).await, [EventKind::Recovered, EventKind::Acquitted], "events");
}

/// Catches a repetition that takes off what a later death added.
pub async fn acquit_repeated_changes_nothing(fx: &Fixture) {
    let id = fx.submit_free().await;
    falsely_dead(fx, id).await;
    acquit(fx, &[(id, 1), (id, 1)]).await;
    acquit(fx, &[(id, 1)]).await;
    assert_eq!(fx.record(id).await.takeovers, 0, "takeovers after a repetition");
    falsely_dead(fx, id).await;
    acquit(fx, &[(id, 1)]).await;
    assert_eq!(fx.record(id).await.takeovers, 1, "a repetition took off another takeover");
    assert_eq!(attempts(fx, id).await, [AttemptState::Released, AttemptState::Lost], "attempts");
    assert_eq!(acquittals(fx, id).await, 1, "it is told once");
}

/// Catches two acquittals at once that both count.
pub async fn acquit_racing_itself_counts_once(fx: &Fixture) {
    let (there, id) = (fx.another_handle().await, fx.submit_free().await);
    falsely_dead(fx, id).await;
    falsely_dead(fx, id).await;
    let survivals = [Survival { execution: id, epoch: 1 }];
    let (here, there) = tokio::join!(fx.store().acquit(&survivals), there.acquit(&survivals));
    here.expect("acquit answers");
    there.expect("acquit answers");
    assert_eq!(fx.record(id).await.takeovers, 1, "one of two takeovers is taken back");
    assert_eq!(acquittals(fx, id).await, 1, "it is told once");
}

/// Catches an acquittal that helps those who did die.
pub async fn acquit_leaves_the_takeovers_of_other_epochs(fx: &Fixture) {
    let id = fx.submit_free().await;
    for _ in 0..3 {
        falsely_dead(fx, id).await;
    }
    acquit(fx, &[(id, 2)]).await;
    assert_eq!(fx.record(id).await.takeovers, 2, "one of three takeovers is taken back");
    let expected = [AttemptState::Lost, AttemptState::Released, AttemptState::Lost];
    assert_eq!(attempts(fx, id).await, expected, "attempts by epoch");
}

/// Catches a call that takes back one death of an execution only.
pub async fn acquit_of_several_epochs_takes_back_each(fx: &Fixture) {
    let id = fx.submit_free().await;
    for _ in 0..3 {
        falsely_dead(fx, id).await;
    }
    acquit(fx, &[(id, 3), (ExecutionId::new(), 1), (id, 1)]).await;
    assert_eq!(fx.record(id).await.takeovers, 1, "two of three takeovers are taken back");
    assert_eq!(acquittals(fx, id).await, 2, "each is told");
    acquit(fx, &[(id, 2)]).await;
    assert_eq!(fx.record(id).await.takeovers, 0, "all are taken back");
    assert_eq!(attempts(fx, id).await, [AttemptState::Released; 3], "attempts");
}

/// Catches a takeover taken off for a death that counts no more: a later one pays for it.
pub async fn acquit_of_a_death_before_the_clearing_takes_nothing_off(fx: &Fixture) {
    let id = fx.submit_free().await;
    falsely_dead(fx, id).await;
    let survivor = fx.worker().await;
    assert_eq!(fx.claim(survivor, 1).await, [id], "a freed execution could not be claimed");
    fx.committed(checkpoint(id, survivor, 2).clear()).await;
    fx.doom(survivor).await;
    fx.bury(survivor).await;
    falsely_dead(fx, id).await;
    assert_eq!(fx.record(id).await.takeovers, 2, "two deaths since the clearing");
    acquit(fx, &[(id, 1)]).await;
    assert_eq!(fx.record(id).await.takeovers, 2, "a takeover of another epoch is taken off");
    acquit(fx, &[(id, 3)]).await;
    assert_eq!(fx.record(id).await.takeovers, 1, "a takeover that counts stays");
    acquit(fx, &[(id, 2)]).await;
    assert_eq!(fx.record(id).await.takeovers, 0, "the death of the epoch of the clearing counts");
}

/// Catches an acquittal that disturbs whoever owns the execution now.
pub async fn acquit_spares_the_next_owner(fx: &Fixture) {
    let id = fx.submit_free().await;
    falsely_dead(fx, id).await;
    let next = fx.worker().await;
    assert_eq!(fx.claim(next, 1).await, [id], "a freed execution could not be claimed");
    fx.committed(checkpoint(id, next, 2).start(attempt_start("load", 1))).await;
    acquit(fx, &[(id, 1)]).await;
    let standing = fx.store().standing(&[id]).await.expect("standing answers")[0];
    let expected = Standing { status: PipelineStatus::Running, owner: Some(next), epoch: 2 };
    assert_eq!(standing, Some(expected), "where it stands");
    assert_eq!(attempts(fx, id).await, [AttemptState::Released, AttemptState::Running], "attempts");
    assert_eq!(fx.record(id).await.takeovers, 0, "takeovers");
    fx.committed(checkpoint(id, next, 2).task(task_end("load"))).await;
}

/// Catches an acquittal of everybody who died, where one asked for it.
pub async fn acquit_leaves_the_takeovers_of_the_dead(fx: &Fixture) {
    let (dead, alive) = (fx.worker().await, fx.worker().await);
    let (of_dead, of_alive) = (fx.submit_owned(dead).await, fx.submit_owned(alive).await);
    for (id, owner) in [(of_dead, dead), (of_alive, alive)] {
        fx.committed(checkpoint(id, owner, 1).start(attempt_start("load", 1))).await;
        fx.doom(owner).await;
        fx.bury(owner).await;
    }
    acquit(fx, &[(of_alive, 1)]).await;
    assert_eq!(fx.record(of_alive).await.takeovers, 0, "the takeover of the one that lives");
    assert_eq!(fx.record(of_dead).await.takeovers, 1, "the takeover of the dead");
    assert_eq!(attempts(fx, of_dead).await, [AttemptState::Lost], "the attempt of the dead");
    assert_eq!(fx.events(of_dead).await, [EventKind::Recovered], "events");
}

/// Catches a takeover that is taken off although none was counted, and an error about what is not there.
pub async fn acquit_without_a_death_is_passed_over(fx: &Fixture) {
    // The first, so that a claim finds nothing else.
    let gone = fx.submit_free().await;
    falsely_dead(fx, gone).await;
    let me = fx.worker().await;
    let (held, given) = (fx.submit_owned(me).await, fx.submit_owned(me).await);
    fx.committed(checkpoint(held, me, 1).start(attempt_start("load", 1))).await;
    let release = Release { execution: given, worker: me, epoch: 1, due_in: None };
    fx.store().release(&[release]).await.expect("release answers");
    let before = [fx.record(held).await, fx.record(given).await, fx.record(gone).await];
    let unknown = ExecutionId::new();
    acquit(fx, &[(unknown, 1), (held, 1), (given, 1), (gone, 0), (gone, 2), (gone, 11)]).await;
    acquit(fx, &[]).await;
    let after = [fx.record(held).await, fx.record(given).await, fx.record(gone).await];
    assert_eq!(after, before, "records");
    assert_eq!(attempts(fx, held).await, [AttemptState::Running], "the attempt of an owner");
    for id in [held, given, gone] {
        assert_eq!(acquittals(fx, id).await, 0, "nothing is told");
    }
    assert!(fx.store().load(unknown).await.expect("load answers").is_none(), "none is made");
}

/// Catches an acquittal that changes what is final.
pub async fn acquit_leaves_ended_executions_alone(fx: &Fixture) {
    let ids = [fx.submit_free().await, fx.submit_free().await];
    for id in ids {
        falsely_dead(fx, id).await;
        let next = fx.worker().await;
        assert_eq!(fx.claim(next, 1).await, [id], "a freed execution could not be claimed");
    }
    let owner = fx.record(ids[0]).await.owner.expect("it was claimed");
    fx.committed(checkpoint(ids[0], owner, 2).finish(PipelineStatus::Completed)).await;
    fx.cancel(ids[1]).await;
    for id in ids {
        let (before, events) = (fx.load(id).await, fx.events(id).await);
        acquit(fx, &[(id, 1)]).await;
        let after = fx.load(id).await;
        assert_eq!(after.record, before.record, "the record of what has ended");
        assert_eq!(after.attempts, before.attempts, "its attempts");
        assert_eq!(fx.events(id).await, events, "its events");
    }
}
