//! `control` with `Pause` and `Resume`.

use cloacina_core::PipelineStatus::{Cancelled, Completed, Failed, Paused, Pending, Running};
use cloacina_core::backend::{Control, ControlVerdict, EventKind};

use super::{Fixture, checkpoint, task_end};

/// Catches a pause that does not hold, or that takes the execution from its owner.
pub async fn pause_holds_pending_and_running(fx: &Fixture) {
    let me = fx.worker().await;
    let (pending, running) = (fx.submit_free().await, fx.submit_owned(me).await);
    for (id, owner, epoch) in [(pending, None, 0), (running, Some(me), 1)] {
        let verdict = fx.control(id, Control::Pause).await;
        assert_eq!(verdict, ControlVerdict::Applied(Paused), "a pause");
        let record = fx.record(id).await;
        assert_eq!(record.status, Paused, "the status after a pause");
        assert_eq!((record.owner, record.epoch), (owner, epoch), "(owner, epoch) after a pause");
        assert_eq!(record.finished_at, None, "a pause is no end");
        assert_eq!(fx.events(id).await, [EventKind::Paused], "events after a pause");
    }
    assert_eq!(fx.claim(me, 10).await, [], "a paused execution was given to a worker");
}

/// Catches a second pause that is told as a change.
pub async fn pause_repeated_changes_nothing(fx: &Fixture) {
    let id = fx.submit_free().await;
    fx.control(id, Control::Pause).await;
    let verdict = fx.control(id, Control::Pause).await;
    assert_eq!(verdict, ControlVerdict::Unchanged(Paused), "the second pause");
    assert_eq!(fx.events(id).await, [EventKind::Paused], "events after two pauses");
}

/// Catches orders that bring an ended execution back.
pub async fn pause_of_an_ended_execution_changes_nothing(fx: &Fixture) {
    let me = fx.worker().await;
    let cancelled = fx.submit_free().await;
    fx.cancel(cancelled).await;
    for (id, status) in [
        (fx.submit_ended(me, Completed).await, Completed),
        (fx.submit_ended(me, Failed).await, Failed),
        (cancelled, Cancelled),
    ] {
        let (before, events) = (fx.record(id).await, fx.events(id).await);
        for order in [Control::Pause, Control::Resume] {
            let verdict = fx.control(id, order.clone()).await;
            assert_eq!(
                verdict,
                ControlVerdict::Unchanged(status),
                "{order:?} of one that {status}"
            );
        }
        assert_eq!(fx.record(id).await, before, "an order changed an execution that {status}");
        assert_eq!(fx.events(id).await, events, "an order wrote events of one that {status}");
    }
}

/// Catches a resume that starts what never started, or that sets back what had.
pub async fn resume_returns_to_where_it_was(fx: &Fixture) {
    let me = fx.worker().await;
    let (pending, running) = (fx.submit_free().await, fx.submit_owned(me).await);
    for (id, status, owner) in [(pending, Pending, None), (running, Running, Some(me))] {
        fx.control(id, Control::Pause).await;
        let verdict = fx.control(id, Control::Resume).await;
        assert_eq!(verdict, ControlVerdict::Applied(status), "the resume of one that was {status}");
        let record = fx.record(id).await;
        assert_eq!((record.status, record.owner), (status, owner), "(status, owner) after it");
        let events = [EventKind::Paused, EventKind::Resumed];
        assert_eq!(fx.events(id).await, events, "events after pause and resume");
    }
}

/// Catches a resume of what is not paused.
pub async fn resume_of_what_is_not_paused_changes_nothing(fx: &Fixture) {
    let me = fx.worker().await;
    for (id, status) in [(fx.submit_free().await, Pending), (fx.submit_owned(me).await, Running)] {
        let before = fx.record(id).await;
        let verdict = fx.control(id, Control::Resume).await;
        assert_eq!(verdict, ControlVerdict::Unchanged(status), "the resume of a {status} one");
        assert_eq!(fx.record(id).await, before, "the resume of a {status} one changed it");
        assert_eq!(fx.events(id).await, [], "the resume of a {status} one wrote an event");
    }
}

/// Catches an execution that nobody can claim after a pause.
pub async fn resume_lets_a_worker_claim(fx: &Fixture) {
    let (me, next) = (fx.worker().await, fx.worker().await);
    let pending = fx.submit_free().await;
    let given_back = fx.submit_owned(me).await;
    for id in [pending, given_back] {
        fx.control(id, Control::Pause).await;
    }
    fx.release(given_back, me, 1).await;
    for id in [pending, given_back] {
        fx.control(id, Control::Resume).await;
    }
    let status = fx.record(given_back).await.status;
    assert_eq!(status, Running, "one that had started must be running again, if nobody owns it");
    assert_eq!(fx.claim(next, 10).await, [pending, given_back], "what was resumed is claimable");
}

/// Catches a resume that fences the owner who worked through the pause.
pub async fn resume_leaves_the_owner_at_work(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    fx.control(id, Control::Pause).await;
    fx.committed(checkpoint(id, me, 1).task(task_end("extract"))).await;
    fx.control(id, Control::Resume).await;
    assert_eq!(fx.claim(me, 1).await, [], "a resumed execution with an owner was given away");
    fx.committed(checkpoint(id, me, 1).task(task_end("load")).finish(Completed)).await;
    assert_eq!(fx.load(id).await.tasks.len(), 2, "tasks of before and after the pause");
}
