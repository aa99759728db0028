//! Tests of the table.

use std::time::Duration;

use chrono::DateTime;

use super::{line, rounded};
use crate::{
    Context, ExecutionId, PipelineResult, PipelineStatus, SkipReason, TaskResult, TaskState,
};

fn task(id: &str, status: TaskState, attempts: u32, millis: Option<u64>) -> TaskResult {
    TaskResult {
        task_id: id.into(),
        status,
        attempts,
        start_time: None,
        end_time: None,
        duration: millis.map(Duration::from_millis),
        progress: None,
        output: None,
        error_message: None,
        skip_reason: None,
    }
}

fn result(task_results: Vec<TaskResult>) -> PipelineResult {
    PipelineResult {
        execution_id: ExecutionId::from_uuid(uuid::Uuid::nil()),
        workflow_name: "etl".to_owned(),
        status: PipelineStatus::Failed,
        start_time: DateTime::UNIX_EPOCH,
        end_time: None,
        duration: Some(Duration::from_millis(1_250)),
        final_context: Context::new(),
        task_results,
        error_message: Some("task `load` failed: no route".to_owned()),
    }
}

#[test]
fn a_result_is_a_table_with_a_line_a_task() {
    let load = TaskResult {
        error_message: Some("no route\nto host".to_owned()),
        ..task("load", TaskState::Failed, 3, Some(1_200))
    };
    let report = TaskResult {
        skip_reason: Some(SkipReason::UpstreamFailed("load".into())),
        ..task("report", TaskState::Skipped, 0, None)
    };
    let index = TaskResult {
        progress: Some("page 3 of 20".to_owned()),
        ..task("index", TaskState::Running, 1, None)
    };
    let tasks = vec![task("größe", TaskState::Completed, 1, Some(12)), load, report, index];
    let expected = "\
workflow etl, execution 00000000-0000-0000-0000-000000000000: failed after 1.2 s
task `load` failed: no route
  task    state      attempts  last took  note
  größe   completed         1      12 ms
  load    failed            3      1.2 s  no route to host
  report  skipped           0          -  task `load` failed
  index   running           1          -  page 3 of 20";
    assert_eq!(result(tasks).to_string(), expected);
}

#[test]
fn an_execution_without_a_row_shows_its_headings() {
    let mut pending = result(Vec::new());
    pending.status = PipelineStatus::Pending;
    (pending.duration, pending.error_message) = (None, None);
    let expected = "\
workflow etl, execution 00000000-0000-0000-0000-000000000000: pending
  task  state  attempts  last took  note";
    assert_eq!(pending.to_string(), expected);
}

#[test]
fn durations_have_the_unit_that_suits_them() {
    let cases = [
        (Duration::ZERO, "0 µs"),
        (Duration::from_micros(1_999), "1 ms"),
        (Duration::from_millis(10), "10 ms"),
        (Duration::from_millis(999), "999 ms"),
        (Duration::from_secs(1), "1.0 s"),
        (Duration::from_secs(59), "59.0 s"),
        (Duration::from_secs(125), "2 m 5 s"),
        (Duration::from_secs(86_399), "23 h 59 m"),
    ];
    for (duration, expected) in cases {
        assert_eq!(rounded(duration), expected, "{duration:?}");
    }
}

#[test]
fn a_note_is_one_line_of_bounded_length() {
    assert_eq!(line("a\r\nb\tc\u{1b}[31m"), "a  b c [31m");
    let cut = line(&("ä".repeat(5_000) + ": no route to host"));
    assert_eq!(cut.chars().count(), 101);
    assert!(cut.starts_with("ää") && cut.contains("ä…ä"), "{cut}");
    assert!(cut.ends_with("ä: no route to host"), "the cause stays: {cut}");
    let mut failed = result(Vec::new());
    let error = "x".repeat(500) + "\nthe cause";
    failed.error_message = Some(error.clone());
    assert!(failed.to_string().contains(&error.replace('\n', " ")), "this one is whole");
}
