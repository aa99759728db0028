//! What the assertions of a report say when they do not hold.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Arc, Mutex};

use cloacina_core::{Context, PipelineStatus, SkipReason, Task, TaskError, TaskState, Workflow};
use cloacina_testing::{TestReport, TestRunner};
use serde_json::json;

/// A report of an execution in which `load` failed, after `extract` had completed.
fn failed() -> TestReport {
    let extract = Task::blocking("extract", |context, _| context.insert("rows", json!(3)));
    let load = Task::blocking("load", |_, _| ()).depends_on(["extract"]);
    let tell = Task::blocking("tell", |_, _| ()).depends_on(["load"]);
    let workflow = Workflow::builder("etl").tasks([extract, load, tell]).build().unwrap();
    let error = TaskError::new("the disk is full");
    let runner = TestRunner::new().workflow(workflow).fail_always("load", error);
    runner.run_blocking("etl", Context::new())
}

/// Returns what a failed assertion says, without the report that follows.
fn said(assertion: impl FnOnce(&TestReport) -> &TestReport) -> String {
    let report = failed();
    let panic = catch_unwind(AssertUnwindSafe(|| assertion(&report))).unwrap_err();
    let said = *panic.downcast::<String>().unwrap();
    let (message, shown) = said.split_once("\n\n").unwrap();
    assert_eq!(shown, report.to_string(), "the report follows");
    message.to_owned()
}

#[test]
fn a_report_tells_every_task() {
    let expected = "\
workflow `etl`: failed after 0ns, task `load` failed: the disk is full
  extract  completed  attempts: 1
  load     failed     attempts: 1  error: the disk is full
  tell     skipped    attempts: 0  skipped: task `load` failed
starts: extract, load";
    assert_eq!(failed().to_string(), expected);
}

#[test]
fn what_holds_can_be_chained() {
    failed()
        .assert_failed()
        .assert_status(PipelineStatus::Failed)
        .assert_task("extract", TaskState::Completed)
        .assert_attempts("load", 1)
        .assert_error("load", "disk")
        .assert_skipped("tell", &SkipReason::UpstreamFailed("load".into()))
        .assert_output("extract", json!(null))
        .assert_context("rows", json!(3))
        .assert_order(&["extract", "load"]);
}

#[test]
fn what_does_not_hold_says_what_was_expected_and_found() {
    let both =
        |what, expected, found| format!("{what}\n  expected: {expected}\n  found:    {found}");
    let message = said(|report| report.assert_completed());
    assert_eq!(message, both("the execution", "completed", "failed"));
    let message = said(|report| report.assert_task("load", TaskState::Skipped));
    assert_eq!(message, both("task `load`", "skipped", "failed"));
    let message = said(|report| report.assert_attempts("load", 3));
    assert_eq!(message, both("the attempts of task `load`", "3", "1"));
    let message = said(|report| report.assert_skipped("load", &SkipReason::Condition));
    assert_eq!(
        message,
        both("why task `load` was skipped", "its condition did not hold", "nothing")
    );
    let message = said(|report| report.assert_output("extract", json!(1)));
    assert_eq!(message, both("the output of task `extract`", "1", "null"));
    let message = said(|report| report.assert_context("rows", json!("3")));
    assert_eq!(message, both("`rows` in the final context", "\"3\"", "3"));
    let message = said(|report| report.assert_context("row", json!(null)));
    assert_eq!(message, both("`row` in the final context", "null", "nothing"));
    let message = said(|report| report.assert_error("load", "denied"));
    assert_eq!(message, both("the error of task `load`", "with `denied`", "the disk is full"));
    let message = said(|report| report.assert_order(&["load", "extract"]));
    assert_eq!(message, both("the order of starts", "load, extract", "extract, load"));
    let message = said(|report| report.assert_order(&["extract", "tell"]));
    assert_eq!(message, both("the order of starts", "extract, tell", "extract"));
    let message = said(|report| report.assert_task("lod", TaskState::Failed));
    assert_eq!(message, "task `lod` is not in the workflow");
}

#[test]
fn a_failed_assertion_points_at_its_caller() {
    let seen = Arc::new(Mutex::new(None));
    let (sees, me) = (Arc::clone(&seen), std::thread::current().id());
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == me {
            *sees.lock().unwrap() = info.location().map(|at| (at.file().to_owned(), at.line()));
        } else {
            others(info);
        }
    }));
    let here = Location::caller();
    let line = line!() + 1;
    let _ = catch_unwind(|| _ = failed().assert_completed());
    assert_eq!(seen.lock().unwrap().take(), Some((here.file().to_owned(), line)));
    let line = line!() + 1;
    let _ = catch_unwind(|| drop(TestRunner::new().run_blocking("unheard of", Context::new())));
    assert_eq!(seen.lock().unwrap().take(), Some((here.file().to_owned(), line)));
}
