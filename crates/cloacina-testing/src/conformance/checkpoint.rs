//! Checkpoints of `commit`, by those who own the execution.

use std::time::Duration;

use chrono::TimeDelta;
use cloacina_core::PipelineStatus::{Completed, Failed, Paused, Running};
use cloacina_core::backend::{
    AttemptState, Batch, CheckpointVerdict, Company, Control, EventKind, SubmitVerdict,
};
use cloacina_core::{ExecutionId, TaskState, WorkerId};
use tokio::time::Instant;

use super::fixture::drop_after_polls;
use super::{
    CheckpointBuilder, Fixture, attempt_failure, attempt_start, checkpoint, event, execution,
    task_end,
};

/// A checkpoint that holds one of everything, but for the end.
fn full(id: ExecutionId, me: WorkerId) -> CheckpointBuilder {
    checkpoint(id, me, 1)
        .task(task_end("extract").changes(r#"{"rows":3}"#).output("3"))
        .start(attempt_start("load", 1))
        .failure(attempt_failure("report", 1, "no route"))
        .event(event(EventKind::Retried, "attempt 1 of `report` failed"))
}

/// Catches parts of a checkpoint that are not written.
pub async fn checkpoint_writes_everything_in_it(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let verdict = fx.checkpoint(full(id, me).fail("task `report` failed")).await;
    assert_eq!(verdict, CheckpointVerdict::Committed { status: Failed }, "verdict of the owner");
    let snapshot = fx.load(id).await;
    assert_eq!(snapshot.tasks.len(), 1, "the end of the task is not on record");
    assert_eq!(snapshot.attempts.len(), 2, "the start or the failure is not on record");
    assert_eq!(fx.events(id).await, [EventKind::Retried], "the event is not on record");
    let record = snapshot.record;
    assert_eq!(record.status, Failed, "the execution did not end");
    assert_eq!(record.error.as_deref(), Some("task `report` failed"), "its error was not kept");
    assert!(record.finished_at >= record.started_at, "it ended before it began, or never");
    assert_eq!((record.owner, record.epoch), (Some(me), 1), "owner and epoch stay after the end");
}

/// Catches a checkpoint that ends what it should not, or that invents an end.
pub async fn checkpoint_without_an_end_leaves_it_running(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let verdict = fx.checkpoint(full(id, me)).await;
    assert_eq!(verdict, CheckpointVerdict::Committed { status: Running }, "verdict of the owner");
    let record = fx.record(id).await;
    assert_eq!((record.status, record.finished_at), (Running, None), "(status, end)");
    assert_eq!((record.owner, record.epoch), (Some(me), 1), "(owner, epoch) after a checkpoint");
}

/// Catches a repeat, after a commit with an unknown end, that doubles or alters what it wrote.
pub async fn checkpoint_repeated_changes_nothing(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let step = full(id, me);
    fx.committed(step.clone()).await;
    let (before, events) = (fx.load(id).await, fx.events(id).await);
    let verdict = fx.checkpoint(step).await;
    assert_eq!(verdict, CheckpointVerdict::Committed { status: Running }, "verdict of a repeat");
    let after = fx.load(id).await;
    assert_eq!(after.record, before.record, "a repeat changed the execution");
    assert_eq!(after.tasks, before.tasks, "a repeat changed the tasks");
    assert_eq!(after.attempts, before.attempts, "a repeat changed the attempts");
    assert_eq!(fx.events(id).await, events, "a repeat doubled the events");
}

/// Catches a repeat of the last checkpoint that finds the execution ended, by itself, and says so.
pub async fn checkpoint_repeated_after_its_own_end_is_committed(fx: &Fixture) {
    let me = fx.worker().await;
    for status in [Completed, Failed] {
        let id = fx.submit_owned(me).await;
        let step = full(id, me).finish(status);
        fx.committed(step.clone()).await;
        let (before, events) = (fx.load(id).await, fx.events(id).await);
        let verdict = fx.checkpoint(step).await;
        assert_eq!(verdict, CheckpointVerdict::Committed { status }, "verdict of a repeat");
        let after = fx.load(id).await;
        assert_eq!(after.record, before.record, "a repeat changed an ended execution");
        assert_eq!(after.tasks, before.tasks, "a repeat changed its tasks");
        assert_eq!(after.attempts, before.attempts, "a repeat changed its attempts");
        assert_eq!(fx.events(id).await, events, "a repeat added events");
    }
}

/// Catches an upsert that replaces a result on which others have built.
pub async fn checkpoint_keeps_the_first_row_of_a_task(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    fx.committed(checkpoint(id, me, 1).task(task_end("extract").output("1"))).await;
    let before = fx.load(id).await.tasks;
    let second = checkpoint(id, me, 1)
        .task(task_end("extract").failed("too late").output("2").ordinal(7))
        .task(task_end("load").ordinal(1));
    fx.committed(second).await;
    let after = fx.load(id).await.tasks;
    assert_eq!(after[0], before[0], "the row of a task was replaced");
    assert_eq!(after.len(), 2, "the other task of that checkpoint was lost");
}

/// Catches checkpoints of one execution in one batch that do not see each other.
pub async fn checkpoint_sees_the_ones_before_it_in_the_batch(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let checkpoints = vec![
        checkpoint(id, me, 1).task(task_end("extract").output("1")).into(),
        checkpoint(id, me, 1).task(task_end("extract").output("2")).finish(Completed).into(),
        checkpoint(id, me, 1).task(task_end("load").ordinal(1)).into(),
    ];
    let verdicts = fx.commit(Batch { submits: Vec::new(), checkpoints }).await.checkpoints;
    let expected = [
        CheckpointVerdict::Committed { status: Running },
        CheckpointVerdict::Committed { status: Completed },
        CheckpointVerdict::Ended(Completed),
    ];
    assert_eq!(verdicts, expected, "checkpoints of one execution apply in their order");
    let tasks = fx.load(id).await.tasks;
    assert_eq!(tasks.len(), 1, "a checkpoint after the end of the same batch wrote a task");
    let output = tasks[0].output.as_ref().map(|json| json.as_str());
    assert_eq!(output, Some("1"), "the first checkpoint of the batch must win");
}

/// Catches checkpoints that are applied before the submits of their batch.
pub async fn checkpoint_may_share_a_batch_with_its_submit(fx: &Fixture) {
    let me = fx.worker().await;
    let new = execution().owner(me);
    let id = new.id();
    let step = checkpoint(id, me, 1).task(task_end("extract")).finish(Completed);
    let batch = Batch { submits: vec![new.into()], checkpoints: vec![step.into()] };
    for what in ["a batch", "its repeat"] {
        let verdicts = fx.commit(batch.clone()).await;
        assert_eq!(verdicts.submits, [SubmitVerdict::Created], "the submit of {what}");
        let committed = [CheckpointVerdict::Committed { status: Completed }];
        assert_eq!(verdicts.checkpoints, committed, "the checkpoint of {what}");
    }
    let snapshot = fx.load(id).await;
    assert_eq!(snapshot.record.status, Completed, "the execution did not end");
    assert_eq!(snapshot.tasks.len(), 1, "tasks on record");
}

/// Catches rows of a multi-row statement that end up in another execution, or slip against each other.
pub async fn checkpoint_batch_keeps_items_apart(fx: &Fixture) {
    let me = fx.worker().await;
    let items: Vec<_> = (0..200).map(|_| execution().owner(me)).collect();
    let submits = items.iter().cloned().map(Into::into).collect();
    fx.commit(Batch { submits, checkpoints: Vec::new() }).await;
    let checkpoints = items.iter().zip(0..).map(|(item, n): (_, u32)| {
        let mut step = checkpoint(item.id(), me, 1);
        for ordinal in 0..n % 4 {
            let end = task_end(format!("t{ordinal}")).ordinal(ordinal).attempts(n);
            step = step.task(end.output(format!("[{n},{ordinal}]")));
        }
        let step = if n % 5 == 0 { step.start(attempt_start("next", n + 1)) } else { step };
        if n % 2 == 0 { step.fail(&format!("error {n}")).into() } else { step.into() }
    });
    let batch = Batch { submits: Vec::new(), checkpoints: checkpoints.collect() };
    let verdicts = fx.commit(batch).await.checkpoints;
    for (n, (item, verdict)) in (0..).zip(items.iter().zip(verdicts)) {
        let ends = n % 2 == 0;
        let status = if ends { Failed } else { Running };
        assert_eq!(verdict, CheckpointVerdict::Committed { status }, "verdict of item {n}");
        let snapshot = fx.load(item.id()).await;
        let error = ends.then(|| format!("error {n}"));
        assert_eq!(snapshot.record.error, error, "error of item {n}");
        assert_eq!(snapshot.tasks.len(), (n % 4) as usize, "number of tasks of item {n}");
        for (ordinal, task) in (0..).zip(&snapshot.tasks) {
            let output = task.output.as_ref().map(|json| json.as_str().to_owned());
            let found = (task.task.to_string(), task.attempts, output);
            let expected = (format!("t{ordinal}"), n, Some(format!("[{n},{ordinal}]")));
            assert_eq!(found, expected, "task {ordinal} of item {n}");
        }
        let attempts: Vec<_> = snapshot.attempts.iter().map(|row| row.attempt).collect();
        let expected: &[u32] = if n % 5 == 0 { &[n + 1] } else { &[] };
        assert_eq!(attempts, expected, "attempts of item {n}");
    }
}

/// Catches a pause that keeps running tasks from being recorded.
pub async fn checkpoint_of_a_paused_execution_is_committed(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    fx.control(id, Control::Pause).await;
    let verdict = fx.checkpoint(checkpoint(id, me, 1).task(task_end("extract"))).await;
    assert_eq!(verdict, CheckpointVerdict::Committed { status: Paused }, "while it is paused");
    assert_eq!(fx.load(id).await.tasks.len(), 1, "the result of a running task was lost");
    assert_eq!(fx.record(id).await.status, Paused, "a checkpoint resumed the execution");
    let verdict = fx.checkpoint(checkpoint(id, me, 1).finish(Completed)).await;
    assert_eq!(verdict, CheckpointVerdict::Committed { status: Completed }, "the last task ended");
    assert_eq!(fx.record(id).await.status, Completed, "a paused execution could not end");
}

/// Catches a suspicion that any checkpoint lifts, or that none does.
pub async fn checkpoint_lifts_suspicion_only_when_asked(fx: &Fixture) {
    let id = fx.submit_free().await;
    let dead = fx.worker().await;
    assert_eq!(fx.claim(dead, 1).await, [id], "the execution could not be claimed");
    fx.doom(dead).await;
    fx.bury(dead).await;
    let me = fx.worker().await;
    assert_eq!(fx.claim(me, 1).await, [id], "the freed execution could not be claimed");
    fx.committed(checkpoint(id, me, 2).task(task_end("extract"))).await;
    assert_eq!(fx.record(id).await.takeovers, 1, "a checkpoint lifted the suspicion unasked");
    fx.committed(checkpoint(id, me, 2).clear()).await;
    assert_eq!(fx.record(id).await.takeovers, 0, "the suspicion was not lifted");
}

/// Catches a start that is not on record as it was told.
pub async fn checkpoint_start_is_on_record(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let mut start = attempt_start("load", 2);
    start.company = Company::Alone;
    fx.committed(checkpoint(id, me, 1).start(start)).await;
    let attempts = fx.load(id).await.attempts;
    assert_eq!(attempts.len(), 1, "one start, {} attempts on record", attempts.len());
    let row = &attempts[0];
    assert_eq!((row.task.as_str(), row.attempt, row.epoch), ("load", 2, 1), "it is another one");
    assert_eq!((row.state, row.company), (AttemptState::Running, Company::Alone), "its state");
    assert_eq!((&row.error, row.ended_at, row.retry_at), (&None, None, None), "it has ended");
}

/// Catches progress that stays as it was, that a start without any takes away, or that ends and restarts the attempt.
pub async fn checkpoint_start_on_record_takes_its_progress(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let told = async |progress: Option<&str>| {
        let mut start = attempt_start("load", 1);
        start.progress = progress.map(Into::into);
        fx.committed(checkpoint(id, me, 1).start(start)).await;
        let attempts = fx.load(id).await.attempts;
        let [row] = attempts.as_slice() else { panic!("one attempt has {} rows", attempts.len()) };
        assert_eq!(row.state, AttemptState::Running, "progress ends nothing");
        (row.progress.clone(), row.started_at)
    };
    let (none, began) = told(None).await;
    assert_eq!(none, None, "progress before any was told");
    fx.let_pass(Duration::from_millis(10)).await;
    for (progress, expected) in [(Some("1 of 2"), "1 of 2"), (None, "1 of 2"), (Some("äß"), "äß")]
    {
        assert_eq!(told(progress).await, (Some(expected.to_owned()), began), "told {progress:?}");
    }
}

/// Catches progress that arrives after the end of its attempt and changes it, or makes it run again.
pub async fn checkpoint_progress_of_an_ended_attempt_is_ignored(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    fx.committed(checkpoint(id, me, 1).failure(attempt_failure("load", 1, "no route"))).await;
    let before = fx.load(id).await.attempts;
    let mut start = attempt_start("load", 1);
    start.progress = Some("1 of 2".into());
    fx.committed(checkpoint(id, me, 1).start(start)).await;
    assert_eq!(fx.load(id).await.attempts, before, "an attempt that ended");
}

/// Catches a failure that leaves its start running, makes a second row, or forgets its company.
pub async fn checkpoint_failure_ends_the_attempt_on_record(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let mut start = attempt_start("load", 1);
    start.company = Company::Alone;
    fx.committed(checkpoint(id, me, 1).start(start)).await;
    fx.committed(checkpoint(id, me, 1).failure(attempt_failure("load", 1, "no route"))).await;
    let attempts = fx.load(id).await.attempts;
    assert_eq!(attempts.len(), 1, "one attempt has {} rows", attempts.len());
    let row = &attempts[0];
    assert_eq!(row.state, AttemptState::Failed, "the attempt did not fail");
    assert_eq!(row.error.as_deref(), Some("no route"), "its error was not kept");
    assert_eq!(row.company, Company::Alone, "its company was forgotten");
}

/// Catches a wait before the next attempt that does not survive a restart, or that is counted from another moment.
pub async fn checkpoint_failure_tells_when_the_next_attempt_is_due(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let mut failure = attempt_failure("load", 1, "no route");
    let now = Instant::now();
    failure.ended = now.checked_sub(Duration::from_secs(2)).unwrap_or(now);
    failure.started = failure.ended.checked_sub(Duration::from_secs(3)).unwrap_or(now);
    let ran = failure.ended.saturating_duration_since(failure.started);
    failure.retry_in = Duration::from_millis(90_250);
    fx.committed(checkpoint(id, me, 1).failure(failure)).await;
    let row = fx.load(id).await.attempts.remove(0);
    let ended = row.ended_at.expect("a failed attempt must have ended");
    let retry = row.retry_at.expect("a failed attempt must tell when the next is due");
    assert_close(retry - ended, Duration::from_millis(90_250), "wait from the failure");
    assert_close(ended - row.started_at, ran, "duration of the attempt");
}

fn assert_close(found: TimeDelta, expected: Duration, what: &str) {
    let off = (found.as_seconds_f64() - expected.as_secs_f64()).abs();
    assert!(off < 0.001, "{what}: {found} instead of {expected:?}");
}

/// Catches instants that are stored as the time of the commit, or by another clock.
pub async fn checkpoint_times_keep_their_distances(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    // Two moments that lie in the past whatever the machine's uptime is.
    let started = Instant::now();
    fx.let_pass(Duration::from_millis(30)).await;
    let ended = Instant::now();
    fx.let_pass(Duration::from_millis(30)).await;
    let end = task_end("extract").ran(started, ended);
    fx.committed(checkpoint(id, me, 1).task(end)).await;
    let after = fx.now().await;
    let row = fx.load(id).await.tasks.remove(0);
    assert_close(row.ended_at - row.started_at, ended - started, "duration of the task");
    let since = after - row.ended_at;
    assert!(since >= TimeDelta::milliseconds(25), "it ended {since} ago, which is too short");
}

/// Catches an attempt number that is used up by a crash, or a row that the next owner overwrites.
pub async fn checkpoint_of_the_next_owner_repeats_the_attempt(fx: &Fixture) {
    let dead = fx.doomed_worker().await;
    let id = fx.submit_owned(dead).await;
    fx.committed(checkpoint(id, dead, 1).start(attempt_start("load", 1))).await;
    fx.bury(dead).await;
    let me = fx.worker().await;
    assert_eq!(fx.claim(me, 1).await, [id], "the freed execution could not be claimed");
    fx.committed(checkpoint(id, me, 2).start(attempt_start("load", 1))).await;
    let rows = fx.load(id).await.attempts;
    let mut rows: Vec<_> = rows.iter().map(|row| (row.epoch, row.state)).collect();
    rows.sort_by_key(|row| row.0);
    let expected = [(1, AttemptState::Lost), (2, AttemptState::Running)];
    assert_eq!(rows, expected, "(epoch, state) of the two tries of attempt 1");
}

/// Catches half a checkpoint that stays when the caller goes away.
pub async fn checkpoint_dropped_is_whole_or_absent(fx: &Fixture) {
    let me = fx.worker().await;
    for polls in 1..=12 {
        let id = fx.submit_owned(me).await;
        let step = full(id, me).finish(Completed);
        let batch = Batch { submits: Vec::new(), checkpoints: vec![step.into()] };
        drop_after_polls(polls, fx.store().commit(batch.clone().into())).await;
        let found = fx.load(id).await;
        let parts = [
            found.tasks.len() == 1,
            found.attempts.len() == 2,
            found.record.status == Completed,
            found.record.finished_at.is_some(),
        ];
        let whole = parts.iter().all(|part| *part) || parts.iter().all(|part| !*part);
        assert!(whole, "half a checkpoint was committed after {polls} polls: {parts:?}");
        let verdicts = fx.commit(batch).await.checkpoints;
        let committed = [CheckpointVerdict::Committed { status: Completed }];
        assert_eq!(verdicts, committed, "the repeat of a dropped commit");
        let tasks = fx.load(id).await.tasks;
        assert_eq!(tasks.len(), 1, "tasks after {polls} polls and a repeat");
        assert_eq!(tasks[0].state, TaskState::Completed, "its state");
        assert_eq!(fx.events(id).await.len(), 1, "events after {polls} polls and a repeat");
    }
}
