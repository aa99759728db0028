//! Submits of `commit`, without idempotency keys.

use std::sync::Arc;
use std::time::Duration;

use cloacina_core::backend::{Batch, SubmitVerdict};
use cloacina_core::{ExecutionId, PipelineStatus, SkipReason, TaskState, WorkerId};

use super::fixture::drop_after_polls;
use super::{Fixture, checkpoint, execution, task_end};

/// Catches an owned submit that has to be claimed first, or that starts under another epoch.
pub async fn submit_with_an_owner_runs_at_once(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let record = fx.record(id).await;
    assert_eq!(record.status, PipelineStatus::Running, "an owned execution does not run");
    assert_eq!((record.owner, record.epoch), (Some(me), 1), "(owner, epoch) of an owned submit");
    let started = record.started_at.expect("an owned execution must have started");
    assert!(started >= record.created_at, "it started before it was made");
    assert_eq!(fx.claim(me, 1).await, [], "an execution with an owner was claimed");
}

/// Catches defaults of a new row that are not those of the contract.
pub async fn submit_without_an_owner_waits(fx: &Fixture) {
    let id = fx.submit_free().await;
    let record = fx.record(id).await;
    assert_eq!(record.status, PipelineStatus::Pending, "a free execution does not wait");
    assert_eq!((record.owner, record.epoch), (None, 0), "(owner, epoch) of a free submit");
    assert_eq!(record.takeovers, 0, "a new execution was taken over");
    let times = (record.started_at, record.finished_at, record.due_at);
    assert_eq!(times, (None, None, None), "(started, finished, due) of a new execution");
}

/// Catches a repeat that fails, that makes a second row, or that sets the first one back.
pub async fn submit_repeated_changes_nothing(fx: &Fixture) {
    let me = fx.worker().await;
    let new = execution().owner(me).input(r#"{"rows":3}"#);
    let id = fx.submit(new.clone()).await;
    let before = fx.record(id).await;
    assert_eq!(fx.try_submit(new.clone()).await, SubmitVerdict::Created, "verdict of a repeat");
    assert_eq!(fx.record(id).await, before, "a repeated submit changed the execution");

    fx.committed(checkpoint(id, me, 1).finish(PipelineStatus::Completed)).await;
    let before = fx.record(id).await;
    assert_eq!(fx.try_submit(new).await, SubmitVerdict::Created, "verdict of a repeat at the end");
    assert_eq!(fx.record(id).await, before, "a repeated submit changed an ended execution");
}

/// Catches a statement that fails, or writes twice, when a batch holds one id twice.
pub async fn submit_twice_in_one_batch_creates_one(fx: &Fixture) {
    let new = execution();
    let submits = vec![new.clone().into(), new.clone().into()];
    let verdicts = fx.commit(Batch { submits, checkpoints: Vec::new() }).await.submits;
    let created = [SubmitVerdict::Created, SubmitVerdict::Created];
    assert_eq!(verdicts, created, "verdicts of one submit that is twice in a batch");
    assert_eq!(fx.claim(fx.worker().await, 10).await, [new.id()], "it must be there once");
}

/// Catches columns of a multi-row statement that slip against each other.
pub async fn submit_batch_keeps_items_apart(fx: &Fixture) {
    let me = fx.worker().await;
    let items: Vec<_> = (0..300)
        .map(|n: u64| {
            let new = execution().workflow(&format!("w{n}"), &format!("v{n}"));
            let new = new.input(format!(r#"{{"n":{n}}}"#));
            let new = if n.is_multiple_of(2) { new.owner(me) } else { new };
            let new = if n.is_multiple_of(3) { new.key(&format!("k{n}")) } else { new };
            if n % 6 == 5 { new.delay(Duration::from_secs(n)) } else { new }
        })
        .collect();
    let submits = items.iter().cloned().map(Into::into).collect();
    let verdicts = fx.commit(Batch { submits, checkpoints: Vec::new() }).await.submits;
    assert_eq!(verdicts, vec![SubmitVerdict::Created; 300], "300 submits were not all created");
    for (n, item) in (0..300).zip(items) {
        let snapshot = fx.load(item.id()).await;
        let record = snapshot.record;
        assert_eq!(*record.workflow.name, *format!("w{n}"), "workflow of item {n}");
        assert_eq!(*record.workflow.version, *format!("v{n}"), "version of item {n}");
        assert_eq!(snapshot.input.as_str(), format!(r#"{{"n":{n}}}"#), "input of item {n}");
        assert_eq!(record.owner, (n % 2 == 0).then_some(me), "owner of item {n}");
        let key = (n % 3 == 0).then(|| format!("k{n}"));
        assert_eq!(record.idempotency_key.as_deref(), key.as_deref(), "key of item {n}");
        let delay = record.due_at.map(|due| (due - record.created_at).as_seconds_f64().round());
        let asked = (n % 6 == 5).then(|| Duration::from_secs(n).as_secs_f64());
        assert_eq!(delay, asked, "delay of item {n} in seconds");
    }
}

/// Catches a retry that repeats what succeeded, or that takes over what did not.
pub async fn submit_retry_copies_completed_tasks_only(fx: &Fixture) {
    let me = fx.worker().await;
    let first = fx.submit_owned(me).await;
    let step = checkpoint(first, me, 1)
        .task(task_end("extract").ordinal(0).attempts(2).changes(r#"{"a":1}"#).output("[1, 2]"))
        .task(task_end("load").ordinal(1).failed("no route"))
        .task(task_end("report").ordinal(2).skipped(SkipReason::UpstreamFailed("load".into())))
        .task(task_end("mail").ordinal(3).state(TaskState::Cancelled))
        .fail("task `load` failed");
    fx.committed(step).await;
    let retry = fx.submit(execution().retry_of(first)).await;

    let (old, new) = (fx.load(first).await, fx.load(retry).await);
    assert_eq!(new.record.retry_of, Some(first), "it does not name what it repeats");
    assert_eq!(new.tasks, old.tasks[..1], "exactly the completed task must be copied as it is");
    assert_eq!(old.tasks.len(), 4, "the first execution lost tasks");
    assert_eq!(new.record.status, PipelineStatus::Pending, "a retry is a new execution");
    assert_eq!(new.attempts, [], "attempts were copied");

    fx.try_submit(execution().retry_of(first).key("again")).await;
    assert_eq!(fx.load(retry).await.tasks.len(), 1, "another retry touched this one");
}

/// Catches a foreign key that takes a whole batch down when the first execution was pruned meanwhile.
pub async fn submit_retry_of_an_unknown_execution_starts_empty(fx: &Fixture) {
    let gone = ExecutionId::new();
    let id = fx.submit(execution().retry_of(gone)).await;
    let snapshot = fx.load(id).await;
    assert_eq!(snapshot.record.retry_of, Some(gone), "it does not name what it repeats");
    assert_eq!(snapshot.tasks, [], "tasks came from nowhere");
}

/// Catches a foreign key between executions and workers: a submit may overtake the burial of its owner.
pub async fn submit_by_an_unregistered_owner_is_accepted(fx: &Fixture) {
    let id = fx.submit_owned(WorkerId::new()).await;
    assert_eq!(fx.load(id).await.tasks, [], "the execution cannot be read");
}

/// Catches an empty batch that fails, and a clock that runs backwards.
pub async fn submit_of_nothing_tells_the_time(fx: &Fixture) {
    let before = fx.now().await;
    let id = fx.submit_free().await;
    let after = fx.now().await;
    let created = fx.record(id).await.created_at;
    assert!(before <= created, "created at {created}, before the batch before it: {before}");
    assert!(created <= after, "created at {created}, after the batch after it: {after}");
}

/// Catches half a batch that stays when the caller goes away, and a connection that is left in a transaction.
pub async fn submit_dropped_is_whole_or_absent(fx: &Fixture) {
    for polls in 1..=12 {
        let me = fx.worker().await;
        let (first, second) = (execution().owner(me), execution());
        let step = checkpoint(first.id(), me, 1).task(task_end("extract"));
        let submits = vec![first.clone().into(), second.clone().into()];
        let batch = Batch { submits, checkpoints: vec![step.into()] };
        drop_after_polls(polls, fx.store().commit(batch.clone().into())).await;

        fx.store().list(&super::all()).await.expect("list answers after a dropped commit");
        let ids = [first.id(), second.id()];
        let found = fx.store().standing(&ids).await;
        let found = found.expect("standing answers after a dropped commit");
        let whole = found.iter().all(Option::is_some) || found.iter().all(Option::is_none);
        assert!(whole, "half a batch was committed after {polls} polls: {found:?}");

        let verdicts = fx.commit(batch).await;
        let created = [SubmitVerdict::Created, SubmitVerdict::Created];
        assert_eq!(verdicts.submits, created, "the repeat of a dropped commit");
        assert_eq!(fx.load(first.id()).await.tasks.len(), 1, "tasks after {polls} polls");
    }
}

/// Catches statements of two handles that block or lose each other.
pub async fn submit_from_many_handles_loses_nothing(fx: &Fixture) {
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let handle = fx.another_handle().await;
        for _ in 0..5 {
            let handle = Arc::clone(&handle);
            writers.spawn(async move {
                let items: Vec<_> = (0..10).map(|_| execution()).collect();
                let submits = items.iter().cloned().map(Into::into).collect();
                let batch = Batch { submits, checkpoints: Vec::new() };
                handle.commit(batch.into()).await.expect("commit answers");
                items.iter().map(|item| item.id()).collect::<Vec<_>>()
            });
        }
    }
    let mut ids = writers.join_all().await.concat();
    ids.sort_unstable();
    let found = fx.store().list(&super::all()).await.expect("list answers");
    let mut found: Vec<_> = found.into_iter().map(|record| record.id).collect();
    found.reverse();
    assert_eq!(found, ids, "not every submit that was acknowledged is there");
}
