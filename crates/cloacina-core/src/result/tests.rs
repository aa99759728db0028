//! Tests of results.

use chrono::DateTime;

use crate::backend::{
    AttemptRecord, AttemptState, Company, ExecutionRecord, ExecutionSnapshot, JsonText, WorkflowKey,
};
use crate::{ExecutionId, PipelineResult, PipelineStatus, TaskState};

use super::TaskRecord;

/// A running execution whose task `a` has made these attempts.
fn snapshot(attempts: &[AttemptState]) -> ExecutionSnapshot {
    let epoch = DateTime::UNIX_EPOCH;
    let record = ExecutionRecord {
        id: ExecutionId::new(),
        workflow: WorkflowKey { name: "w".into(), version: "1".into() },
        status: PipelineStatus::Running,
        idempotency_key: None,
        retry_of: None,
        owner: None,
        epoch: 1,
        takeovers: 0,
        error: None,
        created_at: epoch,
        due_at: None,
        started_at: Some(epoch),
        finished_at: None,
    };
    let attempts = attempts.iter().zip(1..).map(|(state, attempt)| AttemptRecord {
        task: "a".into(),
        attempt,
        epoch: 1,
        state: *state,
        company: Company::Shared,
        error: (*state == AttemptState::Failed).then(|| format!("attempt {attempt} failed")),
        progress: None,
        started_at: epoch,
        ended_at: None,
        retry_at: None,
    });
    let attempts = attempts.collect();
    ExecutionSnapshot {
        record,
        input: JsonText::new("{}"),
        tasks: Vec::new(),
        attempts,
        now: epoch,
    }
}

#[test]
fn the_attempt_that_runs_counts() {
    use AttemptState::{Failed, Running};
    let cases: [(&[AttemptState], TaskState, u32); 4] = [
        (&[], TaskState::Pending, 0),
        (&[Running], TaskState::Running, 1),
        (&[Failed], TaskState::Pending, 1),
        (&[Failed, Running], TaskState::Running, 2),
    ];
    for (attempts, status, count) in cases {
        let result = PipelineResult::from_snapshot(snapshot(attempts), &["a".into()]).unwrap();
        let task = result.task("a").unwrap();
        assert_eq!((task.status, task.attempts), (status, count), "{attempts:?}");
    }
}

#[test]
fn what_ran_when_it_was_cancelled_is_told_by_its_attempt() {
    use AttemptState::{Failed, Running};
    let cases: [(&[AttemptState], u32, Option<&str>); 3] =
        [(&[], 0, None), (&[Running], 1, Some("half")), (&[Failed, Running], 2, Some("half"))];
    for (attempts, count, progress) in cases {
        let mut snapshot = snapshot(attempts);
        if let Some(last) = snapshot.attempts.last_mut() {
            last.progress = Some("half".to_owned());
        }
        snapshot.record.status = PipelineStatus::Cancelled;
        snapshot.tasks.push(TaskRecord {
            task: "a".into(),
            ordinal: 0,
            state: TaskState::Cancelled,
            attempts: 0,
            changes: None,
            output: None,
            error: None,
            skip: None,
            started_at: snapshot.now,
            ended_at: snapshot.now,
        });
        let result = PipelineResult::from_snapshot(snapshot, &["a".into()]).unwrap();
        let task = result.task("a").unwrap();
        assert_eq!((task.attempts, task.progress.as_deref()), (count, progress), "{attempts:?}");
        assert_eq!(task.start_time.is_some(), count > 0, "{attempts:?}");
    }
}
