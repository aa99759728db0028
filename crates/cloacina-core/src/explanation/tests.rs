//! The words and the JSON of an explanation.

use serde_json::json;

use super::*;

fn explanation(reason: ExecutionReason, tasks: &[(&str, TaskReason)]) -> Explanation {
    let task = |(id, reason): &(&str, TaskReason)| TaskExplanation {
        task_id: (*id).into(),
        reason: reason.clone(),
    };
    Explanation {
        execution_id: "0190a1b2-0000-7000-8000-000000000001".parse().expect("an id"),
        workflow_name: "etl".to_owned(),
        status: PipelineStatus::Paused,
        reason,
        tasks: tasks.iter().map(task).collect(),
    }
}

#[test]
fn it_reads_as_a_few_lines() {
    let due_at = DateTime::UNIX_EPOCH;
    let tasks = [
        ("a", TaskReason::Retry { attempt: 2, due_at }),
        ("b", TaskReason::Execution),
        ("c", TaskReason::Dependencies { tasks: vec!["a".into(), "b".into()] }),
    ];
    let text = explanation(ExecutionReason::Paused, &tasks).to_string();
    let expected = "execution 0190a1b2-0000-7000-8000-000000000001 of workflow `etl` is paused
  task `a` is retried at 1970-01-01T00:00:00.000Z: attempt 2
  task `b` waits: it is paused
  task `c` waits for `a`, `b`";
    assert_eq!(text, expected);
}

#[test]
fn it_is_json_whose_reasons_say_their_kind() {
    let tasks = [("a", TaskReason::Slot { running: 1, limit: 4 }), ("b", TaskReason::Execution)];
    let told = serde_json::to_value(explanation(ExecutionReason::UnknownWorkflow, &tasks));
    let told = told.expect("JSON");
    assert_eq!(told["reason"], json!({ "kind": "unknown_workflow" }));
    let expected = json!([
        { "task_id": "a", "reason": { "kind": "slot", "running": 1, "limit": 4 } },
        { "task_id": "b", "reason": { "kind": "execution" } },
    ]);
    assert_eq!(told["tasks"], expected);
}

#[test]
fn an_owner_is_told_with_its_lease_or_as_gone() {
    let worker = WorkerId::new();
    let owned = |lease_until| ExecutionReason::Owned { worker, lease_until }.to_string();
    let expected = format!("worker {worker} owns it, with a lease until 1970-01-01T00:00:00.000Z");
    assert_eq!(owned(Some(DateTime::UNIX_EPOCH)), expected);
    assert_eq!(owned(None), format!("worker {worker} owned it and is gone"));
}
