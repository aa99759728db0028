//! `prune`.

use std::time::Duration;

use cloacina_core::PipelineStatus::{Completed, Failed};
use cloacina_core::backend::{Control, Counts, EventKind, SubmitVerdict};

use super::{Fixture, all, attempt_start, checkpoint, event, execution, task_end};

async fn prune(fx: &Fixture, age: Duration, limit: u32) -> u64 {
    fx.store().prune(age, limit).await.expect("prune answers")
}

/// Catches a prune that deletes what is still needed.
pub async fn prune_deletes_ended_executions_only(fx: &Fixture) {
    let me = fx.worker().await;
    let (free, owned, paused) =
        (fx.submit_free().await, fx.submit_owned(me).await, fx.submit_owned(me).await);
    fx.control(paused, Control::Pause).await;
    let cancelled = fx.submit_free().await;
    fx.cancel(cancelled).await;
    fx.submit_ended(me, Completed).await;
    fx.submit_ended(me, Failed).await;
    fx.let_pass(Duration::from_millis(5)).await;
    assert_eq!(prune(fx, Duration::ZERO, 100).await, 3, "deleted");
    let left = fx.store().list(&all()).await.expect("list answers");
    let left: Vec<_> = left.into_iter().map(|record| record.id).collect();
    assert_eq!(left, [paused, owned, free], "exactly those that have not ended must be left");
    assert_eq!(prune(fx, Duration::ZERO, 100).await, 0, "deleted when nothing is left to delete");
}

/// Catches an age that is ignored, or measured from the submit.
pub async fn prune_spares_what_ended_lately(fx: &Fixture) {
    let me = fx.worker().await;
    let early = fx.submit_ended(me, Completed).await;
    let late = fx.submit_owned(me).await;
    fx.let_pass(Duration::from_secs(1)).await;
    fx.committed(checkpoint(late, me, 1).finish(Completed)).await;
    assert_eq!(prune(fx, Duration::from_secs(3_600), 100).await, 0, "nothing is an hour old");
    let ended = fx.record(early).await.finished_at.expect("it has ended");
    let since = (fx.now().await - ended).to_std().expect("it ended in the past");
    let last = fx.record(late).await.finished_at.expect("it has ended");
    let apart = (last - ended).to_std().expect("the second one ended later");
    // As old as the first one, and by much older than the second one, at the time of the call.
    assert!(since >= apart, "the clock runs backwards");
    assert_eq!(prune(fx, apart, 100).await, 1, "one ended that long ago");
    let found = fx.store().standing(&[early, late]).await.expect("standing answers");
    assert_eq!(found[0], None, "the one that ended early is still there");
    assert!(found[1].is_some(), "the one that was submitted early and ended late is gone");
}

/// Catches a limit that is not kept, and another order than by id.
pub async fn prune_deletes_the_oldest_ids_first(fx: &Fixture) {
    let me = fx.worker().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(fx.submit_owned(me).await);
    }
    for n in [3, 0, 4, 1, 2] {
        fx.committed(checkpoint(ids[n], me, 1).finish(Completed)).await;
        fx.let_pass(Duration::from_millis(3)).await;
    }
    assert_eq!(prune(fx, Duration::ZERO, 0).await, 0, "a limit of nothing");
    assert_eq!(prune(fx, Duration::ZERO, 2).await, 2, "a limit of two");
    let found = fx.store().standing(&ids).await.expect("standing answers");
    let left: Vec<_> = (0..5).filter(|n| found[*n].is_some()).collect();
    assert_eq!(left, [2, 3, 4], "the two oldest must be gone");
    assert_eq!(prune(fx, Duration::ZERO, 100).await, 3, "the rest");
}

/// Catches rows that stay behind, and rows of others that go with them.
pub async fn prune_deletes_all_that_belongs_to_it(fx: &Fixture) {
    let me = fx.worker().await;
    let fill = |id| {
        let step = checkpoint(id, me, 1).task(task_end("extract")).start(attempt_start("load", 1));
        step.event(event(EventKind::Retried, "told"))
    };
    let old = fx.submit(execution().owner(me).key("monday")).await;
    fx.committed(fill(old).finish(Completed)).await;
    let retry = fx.submit(execution().owner(me).retry_of(old)).await;
    let kept = fx.submit_owned(me).await;
    fx.committed(fill(kept)).await;
    fx.let_pass(Duration::from_millis(5)).await;
    assert_eq!(prune(fx, Duration::ZERO, 100).await, 1, "deleted");

    let gone = fx.store().load(old).await.expect("load answers");
    assert!(gone.is_none(), "a deleted execution can be loaded");
    assert_eq!(fx.events(old).await, [], "its events are still there");
    let counts = fx.store().counts().await.expect("counts answers");
    let expected = (0, 2, None);
    let Counts { completed, running, mean_duration, .. } = counts;
    assert_eq!((completed, running, mean_duration), expected, "(completed, running, mean)");
    assert_eq!(fx.load(retry).await.tasks.len(), 1, "its retry lost the task that it copied");
    let kept = (fx.load(kept).await, fx.events(kept).await);
    let rows = (kept.0.tasks.len(), kept.0.attempts.len(), kept.1.len());
    assert_eq!(rows, (1, 1, 1), "(tasks, attempts, events) of an execution that stays");
    let verdict = fx.try_submit(execution().key("monday")).await;
    assert_eq!(verdict, SubmitVerdict::Created, "the key of a deleted execution is still taken");
}
