//! What a batch may hold, and what a repeat of it does.

use std::time::Duration;

use cloacina_core::backend::{
    AttemptFailure, AttemptStart, Batch, Checkpoint, CheckpointVerdict, Company, Control,
    ControlVerdict, EventKind, JsonText, NewEvent, NewExecution, SubmitVerdict, TaskEnd,
};
use cloacina_core::{
    Backend as _, BackendError, ExecutionId, ExecutionQuery, PipelineStatus, SkipReason, TaskState,
    WorkerId,
};
use sqlx::{Connection as _, Executor as _};
use tokio::time::Instant;

use crate::support::{
    LONG, checkpoint, commit, end, finish, new_execution, open, place, raw, submit, worker,
};

fn event(kind: EventKind, detail: &str) -> NewEvent {
    NewEvent { kind, task: Some("load".into()), detail: detail.to_owned() }
}

/// Texts that a detour over JSON may change.
const AWKWARD: [&str; 6] = [
    "",
    "null",
    "a \"quote\", a \\ and a \u{1f980}",
    "line\nline\r\n\ttab \u{7f} \u{2028}",
    "nul \0 inside",
    "[1, 2.50, 1e400, 18446744073709551615, \"\\u0000\\ud83e\\udd80\"]",
];

#[tokio::test]
async fn texts_come_back_as_they_were() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    let owner = worker(&backend, LONG).await;
    for text in AWKWARD {
        let new = NewExecution { input: JsonText::new(text), ..new_execution(Some(owner)) };
        let id = new.id;
        submit(&backend, new).await;
        let task = TaskEnd {
            changes: Some(JsonText::new(text)),
            output: Some(JsonText::new(text)),
            error: Some(text.to_owned()),
            skip: Some(SkipReason::UpstreamFailed(text.into())),
            ..end(text)
        };
        let events = vec![event(EventKind::Suspected, text)];
        let checkpoint = Checkpoint { tasks: vec![task], events, ..checkpoint(id, owner, 1) };
        commit(&backend, checkpoint).await;
        let snapshot = backend.load(id).await.unwrap().unwrap();
        assert_eq!(snapshot.input.as_str(), text);
        let [task] = &snapshot.tasks[..] else { panic!("{snapshot:?}") };
        assert_eq!(task.task.as_str(), text);
        assert_eq!(task.changes.as_ref().unwrap().as_str(), text);
        assert_eq!(task.output.as_ref().unwrap().as_str(), text);
        assert_eq!(task.error.as_deref(), Some(text));
        assert_eq!(task.skip, Some(SkipReason::UpstreamFailed(text.into())));
        assert_eq!(backend.events(id).await.unwrap()[0].event.detail, text);
    }
}

/// Two checkpoints of one execution, the second of which ends it.
fn ending(id: ExecutionId, owner: WorkerId) -> Vec<Checkpoint> {
    vec![
        Checkpoint {
            tasks: vec![end("extract")],
            events: vec![event(EventKind::ConflictingWrites, "x"); 2],
            ..checkpoint(id, owner, 1)
        },
        Checkpoint {
            tasks: vec![end("load")],
            finish: finish(PipelineStatus::Failed),
            ..checkpoint(id, owner, 1)
        },
    ]
}

/// A failed attempt, the start of the next, an event alone, and two checkpoints that are fenced off.
fn trying(id: ExecutionId, owner: WorkerId) -> Vec<Checkpoint> {
    let failure = AttemptFailure {
        task: "load".into(),
        attempt: 1,
        error: "boom".to_owned(),
        started: Instant::now(),
        ended: Instant::now(),
        retry_in: Duration::from_secs(5),
    };
    let start = AttemptStart {
        task: "load".into(),
        attempt: 2,
        started: Instant::now(),
        company: Company::Alone,
        progress: None,
    };
    let with = |events| Checkpoint { events, ..checkpoint(id, owner, 1) };
    vec![
        Checkpoint { failures: vec![failure], ..with(vec![event(EventKind::Retried, "boom")]) },
        Checkpoint { starts: vec![start], ..with(vec![event(EventKind::Suspected, "start")]) },
        with(vec![event(EventKind::Cleared, "alone")]),
        checkpoint(id, owner, 9),
        checkpoint(ExecutionId::new(), owner, 1),
    ]
}

#[tokio::test]
async fn a_repeated_batch_changes_nothing_and_answers_the_same() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    let owner = worker(&backend, LONG).await;
    let keyed =
        || NewExecution { idempotency_key: Some("key".into()), ..new_execution(Some(owner)) };
    let (first, second, plain) = (keyed(), keyed(), new_execution(Some(owner)));
    let (a, b) = (first.id, plain.id);
    let checkpoints = [ending(a, owner), trying(b, owner)].concat();
    let batch = Batch { submits: vec![first, second, plain], checkpoints };
    let mut seen = Vec::new();
    for _ in 0..2 {
        let verdicts = backend.commit(batch.clone().into()).await.unwrap();
        let mut rows = Vec::new();
        for id in [a, b] {
            let snapshot = backend.load(id).await.unwrap().unwrap();
            rows.push((snapshot.record, snapshot.tasks, snapshot.attempts));
        }
        let events = (backend.events(a).await.unwrap(), backend.events(b).await.unwrap());
        seen.push((verdicts.submits, verdicts.checkpoints, rows, events));
    }
    let [once, twice] = &seen[..] else { panic!() };
    assert_eq!(once.0, twice.0);
    assert_eq!(
        once.0,
        [
            SubmitVerdict::Created,
            SubmitVerdict::Existing { id: a, workflow: "etl".into() },
            SubmitVerdict::Created,
        ]
    );
    let committed = |status| CheckpointVerdict::Committed { status };
    assert_eq!(once.1, twice.1);
    assert_eq!(once.1[0], committed(PipelineStatus::Running));
    assert_eq!(once.1[1], committed(PipelineStatus::Failed));
    assert_eq!(once.1[5..], [CheckpointVerdict::Fenced, CheckpointVerdict::Fenced]);
    assert_eq!(once.2, twice.2);
    assert_eq!(once.3, twice.3);
    let kinds: Vec<_> = once.3.1.iter().map(|event| event.event.kind).collect();
    assert_eq!(
        kinds,
        [EventKind::Retried, EventKind::Suspected, EventKind::Cleared, EventKind::Fenced]
    );
    assert_eq!(once.3.0.len(), 2);
}

#[tokio::test]
async fn a_paused_execution_may_end_and_a_cancelled_one_may_not() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    let owner = worker(&backend, LONG).await;
    let (paused, cancelled) = (new_execution(Some(owner)), new_execution(Some(owner)));
    let (a, b) = (paused.id, cancelled.id);
    submit(&backend, paused).await;
    submit(&backend, cancelled).await;
    let verdict = backend.control(a, &Control::Pause).await.unwrap();
    assert_eq!(verdict, ControlVerdict::Applied(PipelineStatus::Paused));
    let tasks = vec![("extract".into(), 0)];
    let verdict = backend.control(b, &Control::Cancel { tasks }).await.unwrap();
    assert_eq!(verdict, ControlVerdict::Applied(PipelineStatus::Cancelled));
    let ends =
        |id| Checkpoint { finish: finish(PipelineStatus::Completed), ..checkpoint(id, owner, 1) };
    let status = PipelineStatus::Completed;
    assert_eq!(commit(&backend, ends(a)).await, CheckpointVerdict::Committed { status });
    let ended = CheckpointVerdict::Ended(PipelineStatus::Cancelled);
    assert_eq!(commit(&backend, ends(b)).await, ended);
    let snapshot = backend.load(b).await.unwrap().unwrap();
    assert_eq!(snapshot.record.owner, Some(owner));
    assert_eq!(snapshot.tasks[0].state, TaskState::Cancelled);
}

#[tokio::test]
async fn an_unreadable_value_is_named() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    let owner = worker(&backend, LONG).await;
    let new = new_execution(Some(owner));
    let id = new.id;
    submit(&backend, new).await;
    let mut connection = raw(&path).await;
    connection.execute("PRAGMA ignore_check_constraints = 1").await.unwrap();
    connection.execute("UPDATE executions SET status = 'odd'").await.unwrap();
    connection.close().await.unwrap();
    let error = backend.load(id).await.unwrap_err();
    assert!(matches!(error, BackendError::Corrupt { .. }), "{error:?}");
    let text = error.to_string();
    for part in ["`executions`", "`status`", "`odd`", &id.to_string()] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn what_ended_is_deleted_with_all_that_belongs_to_it() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    let owner = worker(&backend, LONG).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let new = new_execution(Some(owner));
        ids.push(new.id);
        let tasks = vec![end("extract")];
        let events = vec![event(EventKind::ConflictingWrites, "x")];
        let ends = Checkpoint {
            tasks,
            events,
            finish: finish(PipelineStatus::Completed),
            ..checkpoint(new.id, owner, 1)
        };
        backend.commit(Batch { submits: vec![new], checkpoints: vec![ends] }.into()).await.unwrap();
    }
    submit(&backend, new_execution(None)).await;
    assert_eq!(backend.prune(LONG, 10).await.unwrap(), 0);
    assert_eq!(backend.prune(Duration::ZERO, 2).await.unwrap(), 2);
    assert_eq!(backend.list(&ExecutionQuery::new()).await.unwrap().len(), 2);
    assert!(backend.load(ids[2]).await.unwrap().is_some());
    assert!(backend.events(ids[0]).await.unwrap().is_empty());
    assert_eq!(backend.prune(Duration::ZERO, 2).await.unwrap(), 1);
}
