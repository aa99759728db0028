//! Workflows that `TestRunner` runs.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use cloacina_core::backend::EventKind;
use cloacina_core::{
    Context, RetryPolicy, SkipReason, Task, TaskError, TaskState, TriggerRule, Workflow, task,
    workflow,
};
use cloacina_testing::{TestReport, TestRunner};
use serde_json::json;

use crate::planted::panic_of;

const HOUR: Duration = Duration::from_secs(60 * 60);

#[task]
async fn extract(context: &mut Context) -> Result<(), TaskError> {
    Ok(context.insert("rows", json!([1, 2, 3]))?)
}

#[task(dependencies = [extract], retry_attempts = 3, retry_delay_ms = 30_000)]
async fn load(context: &mut Context) -> Result<usize, TaskError> {
    let rows: Vec<i64> = context.get_as("rows")?;
    context.insert("total", json!(rows.iter().sum::<i64>()))?;
    Ok(rows.len())
}

#[task(blocking, dependencies = [load])]
fn report(context: &mut Context) -> Result<(), TaskError> {
    Ok(context.insert("reported", json!(true))?)
}

workflow! { name: "etl", description: "a registered one", tasks: [extract, load, report] }

fn idle(id: &str) -> Task {
    Task::new(id, |_, _| Box::pin(async {}))
}

fn endless(id: &str) -> Task {
    Task::new(id, |_, _| Box::pin(std::future::pending::<()>()))
}

fn workflow_of(tasks: impl IntoIterator<Item = Task>) -> Workflow {
    Workflow::builder("w").tasks(tasks).build().unwrap()
}

async fn run(tasks: impl IntoIterator<Item = Task>) -> TestReport {
    TestRunner::new().workflow(workflow_of(tasks)).run("w", Context::new()).await
}

fn assert_runs(report: &TestReport) {
    report.assert_completed().assert_attempts("load", 3);
    report.assert_order(&["extract", "load", "report"]);
    report.assert_context("total", json!(6)).assert_context("reported", json!(true));
    report.assert_output("load", json!(3)).assert_output("extract", json!(null));
}

#[tokio::test]
async fn it_runs_on_a_current_thread_runtime() {
    assert_runs(&TestRunner::new().fail_first("load", 2).run("etl", Context::new()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_on_a_multi_thread_runtime() {
    assert_runs(&TestRunner::new().fail_first("load", 2).run("etl", Context::new()).await);
}

#[tokio::test(start_paused = true)]
async fn it_runs_where_the_clock_is_paused_already() {
    assert_runs(&TestRunner::new().fail_first("load", 2).run("etl", Context::new()).await);
}

#[test]
fn it_runs_without_a_runtime() {
    assert_runs(&TestRunner::new().fail_first("load", 2).run_blocking("etl", Context::new()));
}

#[tokio::test]
async fn many_runs_at_once_do_not_meet() {
    let mut runs = tokio::task::JoinSet::new();
    for run in 0..50 {
        let input = Context::from_value(json!({ "run": run })).unwrap();
        // Every third succeeds at once, after two retries, never.
        let runner = TestRunner::new().fail_first("load", [0, 2, 3][run % 3]);
        let report = runner.run("etl", input);
        runs.spawn(async move { (run, report.await) });
    }
    for (run, report) in runs.join_all().await {
        report.assert_context("run", json!(run)).assert_attempts("load", [1, 3, 3][run % 3]);
        let state = if run % 3 == 2 { TaskState::Failed } else { TaskState::Completed };
        report.assert_task("load", state);
    }
}

#[test]
fn every_start_is_noted_with_its_time() {
    let report = TestRunner::new().fail_first("load", 2).run_blocking("etl", Context::new());
    let starts = report.starts.iter().map(|start| (start.task.as_str(), start.attempt));
    let expected = [("extract", 1), ("load", 1), ("load", 2), ("load", 3), ("report", 1)];
    assert_eq!(starts.collect::<Vec<_>>(), expected);
    let seconds = report.starts.iter().map(|start| start.at.as_secs());
    assert_eq!(seconds.collect::<Vec<_>>(), [0, 0, 30, 90, 90]);
    assert_eq!(report.elapsed.as_secs(), 90);
    let retried = report.events.iter().filter(|record| record.event.kind == EventKind::Retried);
    assert_eq!(retried.count(), 2);
}

#[test]
fn what_needs_no_wait_takes_no_time() {
    let report = TestRunner::new().run_blocking("etl", Context::new());
    assert_eq!(report.elapsed, Duration::ZERO);
    assert_eq!(report.result.duration, Some(Duration::ZERO));
}

#[tokio::test]
async fn a_task_that_fails_once_too_often_fails_the_execution() {
    let report = TestRunner::new().fail_first("load", 3).run("etl", Context::new()).await;
    report.assert_failed().assert_task("extract", TaskState::Completed);
    report.assert_attempts("load", 3).assert_error("load", "scripted failure");
    report.assert_skipped("report", &SkipReason::UpstreamFailed("load".into()));
}

#[tokio::test]
async fn a_permanent_error_is_not_retried() {
    let error = TaskError::permanent("no such table");
    let report = TestRunner::new().fail_always("load", error).run("etl", Context::new()).await;
    report.assert_failed().assert_attempts("load", 1).assert_error("load", "no such table");
}

#[tokio::test]
async fn a_scripted_error_may_set_the_wait() {
    let error = TaskError::new("busy").retry_after(7 * HOUR);
    let runner = TestRunner::new().fail_first_with("load", 1, error);
    let report = runner.run("etl", Context::new()).await;
    report.assert_completed();
    assert_eq!(report.elapsed.as_secs(), 7 * HOUR.as_secs());
}

#[tokio::test]
async fn a_blocking_task_fails_by_script_too() {
    let error = TaskError::new("the printer is out of paper");
    let report = TestRunner::new().fail_always("report", error).run("etl", Context::new()).await;
    report.assert_failed().assert_error("report", "out of paper");
}

#[tokio::test]
async fn a_stub_replaces_the_body() {
    let runner = TestRunner::new()
        .stub("extract", |context, _run| context.insert("rows", json!([40, 2])))
        .returns("report", json!("printed"));
    let report = runner.run("etl", Context::new()).await;
    report.assert_completed().assert_context("total", json!(42));
    report.assert_output("report", json!("printed"));
    assert_eq!(report.result.final_context.get("reported"), None, "the body did not run");
}

#[tokio::test]
async fn scripted_failures_come_before_the_stub() {
    let runner = TestRunner::new().returns("load", json!(0)).fail_first("load", 1);
    let report = runner.run("etl", Context::new()).await;
    report.assert_completed().assert_attempts("load", 2).assert_output("load", json!(0));
}

#[tokio::test]
async fn a_handler_of_a_scripted_failure_runs() {
    let tasks = [
        idle("card"),
        idle("invoice").depends_on(["card"]).trigger_rules(TriggerRule::TaskFailed("card".into())),
    ];
    let runner = TestRunner::new().workflow(workflow_of(tasks));
    let refused = TaskError::permanent("the card was refused");
    let report = runner.fail_always("card", refused).run("w", Context::new()).await;
    report.assert_completed().assert_order(&["card", "invoice"]);
}

#[tokio::test]
async fn waits_of_hours_pass_at_once() {
    let policy = RetryPolicy::new(5).initial_delay(5 * HOUR).max_delay(100 * HOUR);
    let runner = TestRunner::new().workflow(workflow_of([idle("a").retry(policy)]));
    let report = runner.fail_first("a", 4).run("w", Context::new()).await;
    report.assert_completed();
    assert_eq!(report.elapsed.as_secs(), (5 + 10 + 20 + 40) * HOUR.as_secs());
}

#[tokio::test]
async fn a_timeout_of_an_hour_passes_at_once() {
    let report = run([endless("a").timeout(HOUR)]).await;
    report.assert_failed().assert_error("a", "timed out after 3600s");
    assert_eq!(report.elapsed.as_secs(), HOUR.as_secs());
}

#[tokio::test]
async fn a_body_that_never_ends_runs_into_the_default_timeout() {
    let report = run([endless("a"), idle("b").depends_on(["a"])]).await;
    report.assert_failed().assert_error("a", "timed out after 300s");
    report.assert_skipped("b", &SkipReason::UpstreamFailed("a".into()));
}

#[tokio::test]
async fn parallel_tasks_start_in_the_order_of_their_declaration() {
    let tasks = || [idle("z"), idle("m"), idle("a"), idle("end").depends_on(["a", "m", "z"])];
    run(tasks()).await.assert_order(&["z", "m", "a", "end"]);
    let runner = TestRunner::new().workflow(workflow_of(tasks()));
    let report = runner.configure(|executor| executor.max_concurrent_tasks(1));
    report.run("w", Context::new()).await.assert_order(&["z", "m", "a", "end"]);
}

#[tokio::test]
async fn settings_reach_the_executor() {
    let runner = TestRunner::new()
        .workflow(workflow_of([endless("a")]))
        .configure(|executor| executor.task_timeout(HOUR))
        .configure(|executor| executor.task_timeout(2 * HOUR));
    let report = runner.run("w", Context::new()).await;
    report.assert_error("a", "timed out after 7200s");
}

#[tokio::test]
async fn a_body_may_wait_for_the_outside_in_real_time() {
    let (sender, receiver) = std::sync::mpsc::channel::<tokio::sync::oneshot::Sender<()>>();
    let outside = std::thread::spawn(move || receiver.recv().unwrap().send(()).unwrap());
    let body = Task::new("a", move |_, _| {
        let (told, heard) = tokio::sync::oneshot::channel();
        sender.send(told).unwrap();
        Box::pin(heard)
    });
    let runner = TestRunner::new().workflow(workflow_of([body])).real_time();
    runner.run("w", Context::new()).await.assert_completed();
    outside.join().unwrap();
}

#[tokio::test]
async fn a_workflow_that_was_given_goes_before_a_registered_one() {
    let other = Workflow::builder("etl").task(idle("only")).build().unwrap();
    let report = TestRunner::new().workflow(other).run("etl", Context::new()).await;
    report.assert_order(&["only"]);
}

#[tokio::test]
async fn the_input_reaches_the_tasks() {
    let input = Context::from_value(json!({ "rows": [9] })).unwrap();
    let report = TestRunner::new().returns("extract", json!(1)).run("etl", input).await;
    report.assert_context("total", json!(9));
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_stops() {
    let (sender, mut started) = tokio::sync::mpsc::unbounded_channel();
    let body = Task::new("a", move |_, _| {
        sender.send(()).unwrap();
        Box::pin(std::future::pending::<()>())
    });
    let runner = TestRunner::new().workflow(workflow_of([body])).real_time();
    tokio::select! {
        report = runner.run("w", Context::new()) => panic!("it does not end: {report}"),
        begun = started.recv() => assert_eq!(begun, Some(())),
    }
    // The sender goes with the workflow, and that with the executor.
    assert_eq!(started.recv().await, None);
}

#[test]
fn an_unknown_workflow_is_refused_with_the_known_ones() {
    let said = panic_of(async || drop(TestRunner::new().run("elt", Context::new()).await));
    assert_eq!(said.unwrap(), "workflow `elt` is not known here, known are: `etl`");
}

#[test]
fn a_script_for_an_unknown_task_is_refused_with_the_known_ones() {
    let runner = TestRunner::new().fail_first("lod", 1);
    let said = panic_of(async || drop(runner.run("etl", Context::new())));
    let expected =
        "task `lod` is not in workflow `etl`, its tasks are: `extract`, `load`, `report`";
    assert_eq!(said.unwrap(), expected);
}

#[test]
fn a_setting_that_is_not_allowed_is_told() {
    let runner = TestRunner::new().configure(|executor| executor.max_concurrent_tasks(0));
    let said = panic_of(async || drop(runner.run("etl", Context::new()).await)).unwrap();
    assert!(said.contains("`max_concurrent_tasks` is 0"), "{said}");
}

/// Where this thread panicked last.
fn panicked_at(work: impl FnOnce()) -> String {
    thread_local!(static PLACE: RefCell<String> = const { RefCell::new(String::new()) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
            PLACE.with_borrow_mut(|last| *last = place.unwrap_or_default());
            before(panic);
        }));
    });
    work();
    PLACE.with_borrow(Clone::clone)
}

#[test]
fn what_is_refused_is_told_with_its_causes_at_the_caller() {
    let runner = || {
        let count = idle("count").takes_input::<Vec<u8>>();
        TestRunner::new().workflow(workflow_of([count]))
    };
    let (mut said, mut line) = (None, 0);
    let at = panicked_at(|| {
        said = panic_of(async || {
            line = line!() + 1;
            runner().run("w", Context::new()).await;
        });
    });
    let expected = "the workflow could not be run: the input of workflow `w` is not what task `count` takes as \
                    `alloc::vec::Vec<u8>`: invalid type: map, expected a sequence";
    assert_eq!(said.as_deref(), Some(expected));
    assert_eq!(at, format!("{}:{line}", file!()));
    let at = panicked_at(|| {
        said = panic_of(async || {
            line = line!() + 1;
            runner().run_blocking("w", Context::new());
        });
    });
    assert_eq!(said.as_deref(), Some(expected));
    assert_eq!(at, format!("{}:{line}", file!()));
}

#[test]
fn stubs_start_in_the_order_of_their_declaration() {
    for _ in 0..20 {
        let tasks = [idle("z"), idle("m"), idle("a"), idle("end").depends_on(["a", "m", "z"])];
        let stubbed = ["z", "m", "a"]
            .iter()
            .fold(TestRunner::new().workflow(workflow_of(tasks)), |runner, task| {
                runner.returns(task, json!(1)).fail_first(task, 0)
            });
        stubbed.run_blocking("w", Context::new()).assert_order(&["z", "m", "a", "end"]);
    }
}

/// Its timeout is due in a time that does not come while it runs.
#[test]
fn a_body_that_blocks_for_ever_is_told() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let body = Task::blocking("sleepy", move |_, _| {
        let _ = released.lock().unwrap().recv();
    });
    let runner = TestRunner::new()
        .workflow(workflow_of([idle("a"), body.timeout(HOUR)]))
        .stall_limit(Duration::from_millis(50));
    let said = panic_of(async || drop(runner.run("w", Context::new()).await)).unwrap();
    assert!(said.starts_with("the run stalled in task `sleepy`: "), "{said}");
    drop(release);
}

#[tokio::test]
async fn a_panic_of_a_body_fails_its_task() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let body = Task::blocking("a", move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        assert!(counted.load(Ordering::SeqCst) > 1, "not at once");
    });
    let report = run([body.retry(RetryPolicy::new(2))]).await;
    report.assert_completed().assert_attempts("a", 2);
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}
