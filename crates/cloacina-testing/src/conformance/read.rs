//! `standing`, `load`, `events` and `counts`.

use std::time::Duration;

use cloacina_core::ExecutionId;
use cloacina_core::PipelineStatus::{Completed, Failed, Paused, Pending, Running};
use cloacina_core::backend::{Control, Counts, EventKind, NewEvent, Standing};
use tokio::time::Instant;

use super::{Fixture, attempt_start, checkpoint, event, execution, task_end};

/// Catches answers in the order of the table, and ids that are answered once or not at all.
pub async fn standing_answers_in_the_order_of_the_ids(fx: &Fixture) {
    let me = fx.worker().await;
    let (free, owned) = (fx.submit_free().await, fx.submit_owned(me).await);
    let ids = [owned, ExecutionId::new(), free, owned];
    let found = fx.store().standing(&ids).await.expect("standing answers");
    let free = Standing { status: Pending, owner: None, epoch: 0 };
    let owned = Standing { status: Running, owner: Some(me), epoch: 1 };
    let expected = [Some(owned), None, Some(free), Some(owned)];
    assert_eq!(found, expected, "one answer an id, in the order of the ids");
    let found = fx.store().standing(&[]).await.expect("standing answers");
    assert_eq!(found, [], "no ids, no answers");
}

/// Catches a standing that is read from elsewhere than the row.
pub async fn standing_follows_every_change(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_free().await;
    let mut seen = Vec::new();
    let mut look = async || {
        let found = fx.store().standing(&[id]).await.expect("standing answers").remove(0);
        seen.push(found.map(|it| (it.status, it.owner, it.epoch)));
    };
    look().await;
    fx.claim(me, 1).await;
    look().await;
    fx.control(id, Control::Pause).await;
    look().await;
    fx.release(id, me, 1).await;
    look().await;
    fx.control(id, Control::Resume).await;
    fx.claim(me, 1).await;
    look().await;
    fx.committed(checkpoint(id, me, 2).finish(Failed)).await;
    look().await;
    let expected = [
        (Pending, None, 0),
        (Running, Some(me), 1),
        (Paused, Some(me), 1),
        (Paused, None, 1),
        (Running, Some(me), 2),
        (Failed, Some(me), 2),
    ];
    assert_eq!(seen, expected.map(Some), "(status, owner, epoch) along the life of an execution");
}

/// Catches an unknown id that is an error.
pub async fn load_of_an_unknown_execution_is_none(fx: &Fixture) {
    fx.submit_free().await;
    let found = fx.store().load(ExecutionId::new()).await.expect("load answers");
    assert!(found.is_none(), "an unknown execution was found");
}

/// Catches columns that are not read back.
pub async fn load_returns_the_whole_record(fx: &Fixture) {
    let me = fx.worker().await;
    let first = fx.submit_free().await;
    let new = execution().workflow("report", "beef").key("monday").owner(me).retry_of(first);
    let before = fx.now().await;
    let id = fx.submit(new.input(r#"{"day": 1}"#)).await;
    fx.committed(checkpoint(id, me, 1).fail("no route")).await;
    let after = fx.now().await;
    let snapshot = fx.load(id).await;
    let record = snapshot.record;
    assert_eq!(record.id, id, "id");
    let workflow = (&*record.workflow.name, &*record.workflow.version);
    assert_eq!(workflow, ("report", "beef"), "workflow and version");
    assert_eq!(record.idempotency_key.as_deref(), Some("monday"), "key");
    assert_eq!(record.retry_of, Some(first), "what it repeats");
    assert_eq!((record.owner, record.epoch, record.takeovers), (Some(me), 1, 0), "ownership");
    assert_eq!((record.status, record.error.as_deref()), (Failed, Some("no route")), "its end");
    assert_eq!(record.due_at, None, "due time");
    assert_eq!(snapshot.input.as_str(), r#"{"day": 1}"#, "input");
    let finished = record.finished_at.expect("an ended execution has an end");
    let started = record.started_at.expect("an owned execution has a start");
    let in_order = [before, record.created_at, started, finished, after, snapshot.now];
    assert!(in_order.is_sorted(), "times are not in their order: {in_order:?}");
}

/// Catches tasks in the order of their names or of their commits.
pub async fn load_orders_tasks_by_ordinal(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    for (name, ordinal) in [("b", 10), ("a", 2), ("d", 0), ("c", 9)] {
        fx.committed(checkpoint(id, me, 1).task(task_end(name).ordinal(ordinal))).await;
    }
    let tasks = fx.load(id).await.tasks;
    let order: Vec<_> = tasks.iter().map(|task| (task.ordinal, task.task.as_str())).collect();
    assert_eq!(order, [(0, "d"), (2, "a"), (9, "c"), (10, "b")], "tasks by ordinal");
}

/// Catches attempts in the order of their names or of their commits.
pub async fn load_orders_attempts_by_time(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let mut starts = Vec::new();
    for name in ["c", "a", "b"] {
        starts.push(attempt_start(name, 1));
        fx.let_pass(Duration::from_millis(10)).await;
    }
    let mut step = checkpoint(id, me, 1);
    for start in starts.into_iter().rev() {
        step = step.start(start);
    }
    fx.committed(step).await;
    let attempts = fx.load(id).await.attempts;
    let order: Vec<_> = attempts.iter().map(|row| row.task.as_str()).collect();
    assert_eq!(order, ["c", "a", "b"], "attempts by the time of their start");
}

/// Catches tasks and attempts that are read without regard to the execution.
pub async fn load_returns_what_belongs_to_it_only(fx: &Fixture) {
    let me = fx.worker().await;
    let (first, second) = (fx.submit_owned(me).await, fx.submit_owned(me).await);
    let step = |id| checkpoint(id, me, 1).task(task_end("load")).start(attempt_start("mail", 1));
    fx.committed(step(first).task(task_end("extract"))).await;
    fx.committed(step(second)).await;
    let found = fx.load(second).await;
    assert_eq!((found.tasks.len(), found.attempts.len()), (1, 1), "(tasks, attempts) of it");
}

/// Catches events in any other order, and of other executions.
pub async fn events_come_in_the_order_of_their_commits(fx: &Fixture) {
    let me = fx.worker().await;
    let (id, other) = (fx.submit_owned(me).await, fx.submit_owned(me).await);
    fx.committed(checkpoint(other, me, 1).event(event(EventKind::Suspected, "other"))).await;
    let mut told = Vec::new();
    for n in 0..12_usize {
        let kind = [EventKind::Retried, EventKind::ConflictingWrites, EventKind::Suspected][n % 3];
        let task = (n % 2 == 0).then(|| format!("t{}", 11 - n).into());
        let event = NewEvent { kind, task, detail: format!("number {}", 11 - n) };
        told.push(event.clone());
        fx.committed(checkpoint(id, me, 1).event(event)).await;
    }
    let two = [event(EventKind::Cleared, "b"), event(EventKind::Abandoned, "a")];
    let step = checkpoint(id, me, 1).event(two[0].clone()).event(two[1].clone());
    fx.committed(step).await;
    told.extend(two);
    let found = fx.store().events(id).await.expect("events answers");
    let own = found.iter().all(|record| record.execution == id);
    assert!(own, "an event of another execution was listed");
    let times: Vec<_> = found.iter().map(|record| record.at).collect();
    assert!(times.is_sorted(), "the times of the events are not in order: {times:?}");
    let found: Vec<_> = found.into_iter().map(|record| record.event).collect();
    assert_eq!(found, told, "the events as they were told, in the order of the commits");
}

/// Catches an unknown id that is an error.
pub async fn events_of_an_unknown_execution_are_none(fx: &Fixture) {
    assert_eq!(fx.events(ExecutionId::new()).await, [], "events of an unknown execution");
}

/// Catches a kind of event that the store does not know.
pub async fn events_of_every_kind_are_kept(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let mut step = checkpoint(id, me, 1);
    for kind in EventKind::ALL {
        step = step.event(event(kind, "as told"));
    }
    fx.committed(step).await;
    assert_eq!(fx.events(id).await, EventKind::ALL, "every kind of event");
}

async fn counts(fx: &Fixture) -> Counts {
    fx.store().counts().await.expect("counts answers")
}

/// Catches a mean of nothing that is an error, or 0.
pub async fn counts_of_an_empty_store_are_zero(fx: &Fixture) {
    assert_eq!(counts(fx).await, Counts::default(), "counts of an empty store");
}

/// Catches a status that is left out or counted as another.
pub async fn counts_every_state(fx: &Fixture) {
    let me = fx.worker().await;
    for _ in 0..6 {
        fx.submit_owned(me).await;
    }
    let mut free = Vec::new();
    for _ in 0..8 {
        free.push(fx.submit_free().await);
    }
    for id in &free[..2] {
        fx.control(*id, Control::Pause).await;
    }
    fx.cancel(free[2]).await;
    for _ in 0..3 {
        fx.submit_ended(me, Failed).await;
    }
    for _ in 0..4 {
        fx.submit_ended(me, Completed).await;
    }
    let found = counts(fx).await;
    let active = (found.pending, found.running, found.paused);
    assert_eq!(active, (5, 6, 2), "(pending, running, paused)");
    let ended = (found.completed, found.failed, found.cancelled);
    assert_eq!(ended, (4, 3, 1), "(completed, failed, cancelled)");
}

/// Catches a mean that counts what never started or has not ended, or that is in another unit.
pub async fn counts_the_mean_time_of_those_that_ran(fx: &Fixture) {
    let me = fx.worker().await;
    let never_started = fx.submit_free().await;
    fx.submit_owned(me).await;
    fx.let_pass(Duration::from_millis(60)).await;
    fx.cancel(never_started).await;
    assert_eq!(counts(fx).await.mean_duration, None, "nothing has run to its end yet");

    let begun = Instant::now();
    let ids = [fx.submit_owned(me).await, fx.submit_owned(me).await];
    fx.let_pass(Duration::from_millis(60)).await;
    for id in ids {
        fx.committed(checkpoint(id, me, 1).finish(Completed)).await;
    }
    let mean = counts(fx).await.mean_duration.expect("two executions ran to their end");
    let longest = begun.elapsed() + Duration::from_millis(50);
    assert!(mean >= Duration::from_millis(50), "a mean of {mean:?} is too short");
    assert!(mean <= longest, "a mean of {mean:?} is longer than the test, {longest:?}");
}
