//! `control` with `Cancel`.

use cloacina_core::PipelineStatus::{Cancelled, Completed, Failed};
use cloacina_core::backend::{CheckpointVerdict, Control, ControlVerdict, EventKind};
use cloacina_core::{ExecutionId, TaskState};

use super::{Fixture, checkpoint, task_end};

fn cancel(tasks: &[(&str, u32)]) -> Control {
    let tasks = tasks.iter().map(|(task, ordinal)| ((*task).into(), *ordinal)).collect();
    Control::Cancel { tasks }
}

/// Catches a state from which there is no cancel, and a cancel that is not an end.
pub async fn cancel_ends_whatever_has_not_ended(fx: &Fixture) {
    let me = fx.worker().await;
    let (pending, running, held, idle) = (
        fx.submit_free().await,
        fx.submit_owned(me).await,
        fx.submit_owned(me).await,
        fx.submit_free().await,
    );
    fx.control(held, Control::Pause).await;
    fx.control(idle, Control::Pause).await;
    for (id, what) in [
        (pending, "a pending execution"),
        (running, "a running one"),
        (held, "a paused one with an owner"),
        (idle, "a paused one without an owner"),
    ] {
        let verdict = fx.cancel(id).await;
        assert_eq!(verdict, ControlVerdict::Applied(Cancelled), "the cancel of {what}");
        let record = fx.record(id).await;
        assert_eq!(record.status, Cancelled, "the status of {what}");
        assert!(record.finished_at.is_some(), "{what} was cancelled and has no end");
        let last = fx.events(id).await.pop();
        assert_eq!(last, Some(EventKind::Cancelled), "the last event of {what}");
    }
    assert_eq!(fx.claim(me, 10).await, [], "a cancelled execution was given to a worker");
}

/// Catches a cancel after which nobody knows who ran it, or by which a fence gives way.
pub async fn cancel_keeps_owner_and_epoch(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    fx.cancel(id).await;
    let record = fx.record(id).await;
    assert_eq!((record.owner, record.epoch), (Some(me), 1), "(owner, epoch) after a cancel");
}

/// Catches tasks without an end in an execution that has one, and results that a cancel overwrites.
pub async fn cancel_ends_the_tasks_that_have_no_row(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    fx.committed(checkpoint(id, me, 1).task(task_end("extract").output("1"))).await;
    let done = fx.load(id).await.tasks;
    fx.control(id, cancel(&[("extract", 0), ("load", 1), ("it's \"odd\"\n", 2)])).await;
    let tasks = fx.load(id).await.tasks;
    assert_eq!(tasks[0], done[0], "a cancel changed a task that had ended");
    let rest: Vec<_> = tasks[1..]
        .iter()
        .map(|task| (task.task.as_str(), task.ordinal, task.state, task.output.is_none()))
        .collect();
    let expected = [
        ("load", 1, TaskState::Cancelled, true),
        ("it's \"odd\"\n", 2, TaskState::Cancelled, true),
    ];
    assert_eq!(rest, expected, "(task, ordinal, state, no output) of the tasks without a row");
}

/// Catches a cancel that leaves or replaces a final state.
pub async fn cancel_of_an_ended_execution_changes_nothing(fx: &Fixture) {
    let me = fx.worker().await;
    for status in [Completed, Failed] {
        let id = fx.submit_ended(me, status).await;
        let before = fx.record(id).await;
        let verdict = fx.control(id, cancel(&[("load", 0)])).await;
        assert_eq!(verdict, ControlVerdict::Unchanged(status), "the cancel of one that {status}");
        assert_eq!(fx.record(id).await, before, "a cancel changed an execution that {status}");
        assert_eq!(fx.load(id).await.tasks, [], "a cancel wrote tasks of one that {status}");
        assert_eq!(fx.events(id).await, [], "a cancel wrote an event of one that {status}");
    }
}

/// Catches a second cancel that moves the end or adds a second event.
pub async fn cancel_repeated_changes_nothing(fx: &Fixture) {
    let id = fx.submit_free().await;
    fx.cancel(id).await;
    let before = fx.record(id).await;
    let verdict = fx.control(id, cancel(&[("load", 0)])).await;
    assert_eq!(verdict, ControlVerdict::Unchanged(Cancelled), "the second cancel");
    assert_eq!(fx.record(id).await, before, "a second cancel changed the execution");
    assert_eq!(fx.load(id).await.tasks, [], "a second cancel wrote tasks");
    assert_eq!(fx.events(id).await, [EventKind::Cancelled], "events after two cancels");
}

/// Catches an order that makes an execution or an event out of an unknown id.
pub async fn cancel_of_an_unknown_execution_is_not_found(fx: &Fixture) {
    let unknown = ExecutionId::new();
    for order in [cancel(&[("load", 0)]), Control::Pause, Control::Resume] {
        let verdict = fx.control(unknown, order.clone()).await;
        assert_eq!(verdict, ControlVerdict::NotFound, "{order:?} of an unknown execution");
    }
    assert_eq!(fx.events(unknown).await, [], "an event belongs to no execution");
}

/// Catches a cancel and an end that both believe to have won.
pub async fn cancel_racing_the_end_has_one_winner(fx: &Fixture) {
    let me = fx.worker().await;
    let other = fx.another_handle().await;
    for round in 0..30 {
        let id = fx.submit_owned(me).await;
        let end = checkpoint(id, me, 1).task(task_end("load").output("1")).finish(Completed);
        let order = cancel(&[("load", 0)]);
        let (ended, cancelled) = tokio::join!(fx.checkpoint(end), other.control(id, &order));
        let cancelled = cancelled.expect("control answers");
        let snapshot = fx.load(id).await;
        let (status, task) = (snapshot.record.status, snapshot.tasks[0].state);
        let expected = match ended {
            CheckpointVerdict::Committed { .. } => {
                (ControlVerdict::Unchanged(Completed), Completed, TaskState::Completed)
            }
            CheckpointVerdict::Ended(Cancelled) => {
                (ControlVerdict::Applied(Cancelled), Cancelled, TaskState::Cancelled)
            }
            other => panic!("round {round}: the owner's end got {other:?}"),
        };
        assert_eq!((cancelled, status, task), expected, "round {round}: (order, status, task)");
        assert_eq!(snapshot.tasks.len(), 1, "round {round}: rows of one task");
    }
}
