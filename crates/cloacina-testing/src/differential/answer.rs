//! Answers in words, one line a row, without what the contract leaves open.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::backend::{
    AttemptRecord, Backend, Counts, EventKind, EventRecord, ExecutionRecord, ExecutionSnapshot,
    TaskRecord,
};
use cloacina_core::{ExecutionId, ExecutionQuery, TaskState};

use super::generate::Op;

/// Carries out an operation and tells the answer.
pub(super) async fn to(store: &Arc<dyn Backend>, op: &Op) -> String {
    match op {
        Op::Register { worker, .. } => {
            store.register_worker(worker).await.expect("register_worker answers");
            String::new()
        }
        Op::Beat { beat, .. } => {
            format!("{:?}", store.heartbeat(beat).await.expect("heartbeat answers"))
        }
        Op::Retire { worker, .. } => {
            store.retire_worker(*worker).await.expect("retire_worker answers");
            String::new()
        }
        Op::Commit { batch, .. } => {
            let verdicts = store.commit(batch.clone().into()).await.expect("commit answers");
            format!("{:#?}\n{:#?}", verdicts.submits, verdicts.checkpoints)
        }
        Op::Claim { request, .. } => {
            let claims = store.claim(request).await.expect("claim answers");
            let mut text = format!("next due in {:?} hours\n", claims.next_due.map(to_hours));
            claims.executions.iter().for_each(|it| snapshot(&mut text, it));
            text
        }
        Op::Release { releases, .. } => {
            store.release(releases).await.expect("release answers");
            String::new()
        }
        Op::Acquit { survivals, .. } => {
            store.acquit(survivals).await.expect("acquit answers");
            String::new()
        }
        Op::Control { id, order, .. } => {
            format!("{:?}", store.control(*id, order).await.expect("control answers"))
        }
        Op::List { query, .. } => listed(store, query).await,
        Op::Prune { .. } => {
            let deleted = store.prune(Duration::ZERO, 10_000).await.expect("prune answers");
            format!("{deleted} deleted")
        }
        Op::Bury { .. } | Op::Crash { .. } => unreachable!("`Side` carries them out"),
    }
}

/// Tells where all executions stand; with `whole`, also everything that is on record.
pub(super) async fn everything(
    store: &Arc<dyn Backend>,
    executions: &[ExecutionId],
    whole: bool,
) -> String {
    let standing = store.standing(executions).await.expect("standing answers");
    let mut text = String::new();
    for (id, standing) in executions.iter().zip(standing) {
        line(&mut text, &format!("{id:?} {standing:?}"));
    }
    if !whole {
        return text;
    }
    for id in executions {
        if let Some(found) = store.load(*id).await.expect("load answers") {
            snapshot(&mut text, &found);
        }
        events(&mut text, &store.events(*id).await.expect("events answers"));
    }
    text.push_str(&listed(store, &ExecutionQuery::new()).await);
    let found = store.counts().await.expect("counts answers");
    let Counts { pending, running, paused, completed, failed, cancelled, .. } = found;
    let counts = [pending, running, paused, completed, failed, cancelled];
    line(&mut text, &format!("counts {counts:?}, a mean: {}", found.mean_duration.is_some()));
    text
}

async fn listed(store: &Arc<dyn Backend>, query: &ExecutionQuery) -> String {
    let mut text = String::new();
    let found = store.list(query).await.expect("list answers");
    found.iter().for_each(|it| record(&mut text, it));
    text
}

fn line(text: &mut String, new: &str) {
    writeln!(text, "{new}").expect("a string takes any text");
}

/// Due times on two stores are some time apart, but not half an hour.
fn to_hours(duration: Duration) -> u64 {
    (duration.as_secs() + 1_800) / 3_600
}

fn snapshot(text: &mut String, snapshot: &ExecutionSnapshot) {
    record(text, &snapshot.record);
    line(text, &format!("  input {:?}", snapshot.input.as_str()));
    snapshot.tasks.iter().for_each(|it| task(text, it));
    let mut attempts: Vec<_> = snapshot.attempts.iter().collect();
    attempts.sort_by_key(|it| (&it.task, it.attempt, it.epoch));
    attempts.into_iter().for_each(|it| attempt(text, it));
}

fn record(text: &mut String, record: &ExecutionRecord) {
    let ExecutionRecord {
        id,
        workflow,
        status,
        idempotency_key,
        retry_of,
        owner,
        epoch,
        takeovers,
        error,
        ..
    } = record;
    let due = record.due_at.map(|due| (due - record.created_at).to_std().map(to_hours));
    let (started, finished) = (record.started_at.is_some(), record.finished_at.is_some());
    let new = format!(
        "{id:?} {workflow:?} {status:?} {idempotency_key:?} {retry_of:?} {owner:?} {epoch} \
         {takeovers} {error:?} due {due:?} hours started {started} finished {finished}"
    );
    line(text, &new);
}

fn task(text: &mut String, task: &TaskRecord) {
    let TaskRecord { task: id, ordinal, state, error, skip, .. } = task;
    let changes = task.changes.as_ref().map(|json| json.as_str());
    let output = task.output.as_ref().map(|json| json.as_str());
    // What counts as an attempt of a task that a cancel ended is left open.
    let attempts = (*state != TaskState::Cancelled).then_some(task.attempts);
    let new = format!(
        "  task {id:?} {ordinal} {state:?} {attempts:?} {changes:?} {output:?} {error:?} {skip:?}"
    );
    line(text, &new);
}

fn attempt(text: &mut String, attempt: &AttemptRecord) {
    let AttemptRecord { task, attempt: number, epoch, state, company, error, progress, .. } =
        attempt;
    let (ended, retry) = (attempt.ended_at.is_some(), attempt.retry_at.is_some());
    let new = format!(
        "  attempt {task:?} {number} {epoch} {state:?} {company:?} {error:?} {progress:?} ended {ended} \
         retry {retry}"
    );
    line(text, &new);
}

fn events(text: &mut String, events: &[EventRecord]) {
    let fenced = events.iter().any(|it| it.event.kind == EventKind::Fenced);
    for event in events.iter().map(|it| &it.event).filter(|it| it.kind != EventKind::Fenced) {
        match event.kind {
            EventKind::Recovered
            | EventKind::Acquitted
            | EventKind::Cancelled
            | EventKind::Paused
            | EventKind::Resumed => line(text, &format!("  event {:?}", event.kind)),
            _ => line(text, &format!("  event {event:?}")),
        }
    }
    line(text, &format!("  fenced {fenced}"));
}
