//! Checkpoints of `commit` that must not be written.

use cloacina_core::PipelineStatus::{Cancelled, Completed, Failed, Running};
use cloacina_core::backend::{
    Batch, Checkpoint, CheckpointVerdict, Control, EventKind, Release, SubmitVerdict,
};
use cloacina_core::{ExecutionId, TaskState, WorkerId};

use super::{
    CheckpointBuilder, Fixture, attempt_failure, attempt_start, checkpoint, event, execution,
    task_end,
};

/// A checkpoint that would leave traces everywhere.
fn traces(id: ExecutionId, worker: WorkerId, epoch: u64) -> CheckpointBuilder {
    checkpoint(id, worker, epoch)
        .task(task_end("extract"))
        .start(attempt_start("load", 1))
        .failure(attempt_failure("report", 1, "no route"))
        .event(event(EventKind::Retried, "attempt 1 of `report` failed"))
        .clear()
        .finish(Completed)
}

/// Asserts that a checkpoint is refused and leaves nothing behind but one event.
async fn assert_fenced(
    fx: &Fixture,
    id: ExecutionId,
    checkpoint: impl Into<Checkpoint>,
    who: &str,
) {
    let before = fx.load(id).await;
    let mut events = fx.events(id).await;
    let verdict = fx.checkpoint(checkpoint).await;
    assert_eq!(verdict, CheckpointVerdict::Fenced, "{who} was not fenced");
    let after = fx.load(id).await;
    assert_eq!(after.record, before.record, "{who} changed the execution");
    assert_eq!(after.tasks, before.tasks, "{who} wrote a task");
    assert_eq!(after.attempts, before.attempts, "{who} wrote an attempt");
    events.push(EventKind::Fenced);
    assert_eq!(fx.events(id).await, events, "{who} must leave one `Fenced` event");
}

/// Catches a fence that looks at the worker only, or lets a greater epoch through.
pub async fn checkpoint_under_another_epoch_is_fenced(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    fx.release(id, me, 1).await;
    assert_eq!(fx.claim(me, 1).await, [id], "a released execution could not be claimed");
    for epoch in [0, 1, 3] {
        let who = format!("the owner, under epoch {epoch} instead of 2");
        assert_fenced(fx, id, traces(id, me, epoch), &who).await;
    }
    fx.committed(traces(id, me, 2)).await;
}

/// Catches a fence that looks at the epoch only.
pub async fn checkpoint_by_another_worker_is_fenced(fx: &Fixture) {
    let (me, other) = (fx.worker().await, fx.worker().await);
    let id = fx.submit_owned(me).await;
    assert_fenced(fx, id, traces(id, other, 1), "another worker").await;
    fx.committed(traces(id, me, 1)).await;
}

/// Catches an owner that commits after it gave the execution back.
pub async fn checkpoint_after_a_release_is_fenced(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    fx.release(id, me, 1).await;
    assert_fenced(fx, id, traces(id, me, 1), "a worker that gave it back").await;
}

/// Catches a worker that commits what it never claimed.
pub async fn checkpoint_of_an_unowned_execution_is_fenced(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_free().await;
    assert_fenced(fx, id, traces(id, me, 0), "a worker that never claimed it").await;
}

/// Catches an upsert that makes executions out of checkpoints, and a `Fenced` event that breaks a foreign key.
pub async fn checkpoint_of_an_unknown_execution_is_fenced(fx: &Fixture) {
    let me = fx.worker().await;
    let mine = fx.submit_owned(me).await;
    let unknown = ExecutionId::new();
    let checkpoints = vec![traces(unknown, me, 1).into(), traces(mine, me, 1).into()];
    let verdicts = fx.commit(Batch { submits: Vec::new(), checkpoints }).await.checkpoints;
    let expected = [CheckpointVerdict::Fenced, CheckpointVerdict::Committed { status: Completed }];
    assert_eq!(verdicts, expected, "of an unknown execution, and of one that is there");
    let found = fx.store().load(unknown).await.expect("load answers");
    assert!(found.is_none(), "a checkpoint made an execution");
    assert_eq!(fx.events(unknown).await, [], "an event belongs to no execution");
}

/// Catches a repeat of a fenced checkpoint that gets through.
pub async fn checkpoint_fenced_stays_fenced(fx: &Fixture) {
    let (me, other) = (fx.worker().await, fx.worker().await);
    let id = fx.submit_owned(me).await;
    let late = traces(id, other, 1);
    for _ in 0..3 {
        let verdict = fx.checkpoint(late.clone()).await;
        assert_eq!(verdict, CheckpointVerdict::Fenced, "a repeat of a fenced checkpoint");
    }
    assert_eq!(fx.load(id).await.tasks, [], "a repeat of a fenced checkpoint was written");
}

/// Catches a transaction that fails or commits as a whole where each item has its own verdict.
pub async fn checkpoint_fenced_takes_no_other_down(fx: &Fixture) {
    let (me, other) = (fx.worker().await, fx.worker().await);
    let (first, theirs, cancelled, last) = (
        fx.submit_owned(me).await,
        fx.submit_owned(other).await,
        fx.submit_owned(me).await,
        fx.submit_owned(me).await,
    );
    fx.cancel(cancelled).await;
    let new = execution().owner(me);
    let batch = Batch {
        submits: vec![new.clone().into()],
        checkpoints: vec![
            traces(first, me, 1).into(),
            traces(theirs, me, 1).into(),
            traces(cancelled, me, 1).into(),
            traces(last, me, 1).into(),
            checkpoint(new.id(), me, 1).task(task_end("extract")).into(),
        ],
    };
    let verdicts = fx.commit(batch.clone()).await;
    assert_eq!(verdicts.submits, [SubmitVerdict::Created], "the submit of a mixed batch");
    let expected = [
        CheckpointVerdict::Committed { status: Completed },
        CheckpointVerdict::Fenced,
        CheckpointVerdict::Ended(Cancelled),
        CheckpointVerdict::Committed { status: Completed },
        CheckpointVerdict::Committed { status: Running },
    ];
    assert_eq!(verdicts.checkpoints, expected, "the checkpoints of a mixed batch");
    for (id, rows) in [(first, 1), (theirs, 0), (cancelled, 0), (last, 1), (new.id(), 1)] {
        let tasks = fx.load(id).await.tasks.len();
        assert_eq!(tasks, rows, "tasks of an execution in a mixed batch");
    }
    let verdicts = fx.commit(batch).await.checkpoints;
    assert_eq!(verdicts, expected, "the same batch again must get the same verdicts");
}

/// Catches a task that is written to an execution after its user cancelled it.
pub async fn checkpoint_after_a_cancel_is_ended(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let tasks = vec![("extract".into(), 0)];
    fx.control(id, Control::Cancel { tasks }).await;
    let (before, events) = (fx.load(id).await, fx.events(id).await);
    let verdict = fx.checkpoint(traces(id, me, 1)).await;
    assert_eq!(verdict, CheckpointVerdict::Ended(Cancelled), "verdict after a cancel");
    let after = fx.load(id).await;
    assert_eq!(after.record, before.record, "a checkpoint changed a cancelled execution");
    assert_eq!(after.tasks, before.tasks, "a checkpoint changed the tasks of one");
    assert_eq!(after.tasks[0].state, TaskState::Cancelled, "a cancelled task came to another end");
    assert_eq!(after.attempts, [], "a checkpoint wrote attempts after a cancel");
    assert_eq!(fx.events(id).await, events, "a checkpoint wrote events after a cancel");
}

/// Catches an end that replaces another one.
pub async fn checkpoint_after_the_end_is_ended(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_ended(me, Completed).await;
    let before = fx.record(id).await;
    let steps = [
        (checkpoint(id, me, 1).task(task_end("late")), "a checkpoint without an end"),
        (checkpoint(id, me, 1).task(task_end("late")).finish(Failed), "another end"),
        (checkpoint(id, me, 1).fail("too late"), "a failure"),
    ];
    for (step, what) in steps {
        let verdict = fx.checkpoint(step).await;
        assert_eq!(verdict, CheckpointVerdict::Ended(Completed), "{what} after the end");
    }
    assert_eq!(fx.record(id).await, before, "an ended execution changed");
    assert_eq!(fx.load(id).await.tasks, [], "an ended execution got a task");
}

/// Catches a check of owner and epoch that is not in one step with the write.
pub async fn checkpoint_racing_a_release_is_whole_or_fenced(fx: &Fixture) {
    let me = fx.worker().await;
    let other = fx.another_handle().await;
    for round in 0..30 {
        let id = fx.submit_owned(me).await;
        let releases = [Release { execution: id, worker: me, epoch: 1, due_in: None }];
        let step = traces(id, me, 1);
        let (verdict, released) = tokio::join!(fx.checkpoint(step), other.release(&releases));
        released.expect("release answers");
        let snapshot = fx.load(id).await;
        let found = (snapshot.record.status, snapshot.tasks.len(), snapshot.record.owner);
        let expected = match verdict {
            CheckpointVerdict::Committed { .. } => (Completed, 1, Some(me)),
            _ => (Running, 0, None),
        };
        assert_eq!(found, expected, "round {round}: (status, tasks, owner) after {verdict:?}");
    }
}
