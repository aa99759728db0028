//! What takes too long.

use std::time::Duration;

use cloacina_core::backend::EventKind;
use cloacina_core::{PipelineStatus, Task, TaskState};

use super::bodies::{Gate, Journal, attempts, endless, failing, gated, noting};
use super::fixture::{ExecutorFixture, ended, workflow};

const SHORT: Duration = Duration::from_millis(30);

/// Catches a timeout that is not enforced, not recorded, or not retried.
pub async fn an_attempt_that_times_out_is_recorded_and_retried(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let hang = endless("hang", &gate, &journal).timeout(SHORT).retry(attempts(2));
    let process = fx.process([workflow("w", [hang])]).await;
    let result = process.run("w").await;
    assert_eq!(result.status, PipelineStatus::Failed, "{result:?}");
    assert_eq!(journal.count("hang"), 2, "how often the body ran");
    let error = result.task("hang").and_then(|task| task.error_message.clone());
    assert_eq!(error.as_deref(), Some("the attempt timed out after 30ms"));
    let events = fx.events_of(result.execution_id, EventKind::Retried).await;
    assert_eq!(events.len(), 1, "the first attempt's end is an event");
    assert!(events[0].event.detail.contains("timed out after 30ms"), "{:?}", events[0]);
}

/// Catches a slot that a timed-out attempt keeps: there is one only.
pub async fn a_timed_out_attempt_leaves_its_slot(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let workflows = [
        workflow("hangs", [endless("hang", &gate, &journal).timeout(SHORT)]),
        workflow("other", [noting("a", &journal)]),
    ];
    let process = fx.process_with(workflows, |builder| builder.max_concurrent_tasks(1)).await;
    let hanging = process.submit("hangs").await;
    gate.arrived(1).await;
    let result = process.run("other").await;
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    process.ended_as(hanging, PipelineStatus::Failed).await;
}

/// Catches a body that is never told, or not given the time to clean up.
pub async fn a_timed_out_body_sees_its_token_before_it_is_dropped(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let noted = journal.clone();
    let tidy = Task::new("tidy", move |_, run| {
        let noted = noted.clone();
        Box::pin(async move {
            run.cancellation.cancelled().await;
            noted.note("told");
        })
    });
    let process = fx.process([workflow("w", [tidy.timeout(SHORT)])]).await;
    let result = process.run("w").await;
    assert_eq!(journal.entries(), ["told"]);
    assert_eq!(result.status, PipelineStatus::Failed, "returning late is too late: {result:?}");
}

/// Catches a result that is taken although the attempt had timed out.
pub async fn what_returns_after_its_timeout_has_failed(fx: &ExecutorFixture) {
    let late = Task::new("late", |context, run| {
        Box::pin(async move {
            run.cancellation.cancelled().await;
            context.set("late", serde_json::json!(true));
            Ok::<_, cloacina_core::TaskError>(1)
        })
    });
    let process = fx.process([workflow("w", [late.timeout(SHORT)])]).await;
    let result = process.run("w").await;
    let task = result.task("late").expect("every task has a result");
    assert_eq!((task.status, &task.output), (TaskState::Failed, &None), "{task:?}");
    assert!(result.final_context.is_empty(), "{:?}", result.final_context);
}

/// Catches a result that is taken because its body blocked until it was there.
pub async fn what_blocks_past_its_timeout_and_returns_has_failed(fx: &ExecutorFixture) {
    let late = Task::new("late", |_, run| {
        let deadline = run.deadline;
        Box::pin(async move {
            // Nothing else gets to run on this thread before the deadline has passed.
            while tokio::time::Instant::now() < deadline {
                std::hint::spin_loop();
            }
        })
    });
    let process = fx.process([workflow("w", [late.timeout(SHORT)])]).await;
    let result = process.run("w").await;
    let task = result.task("late").expect("every task has a result");
    assert_eq!(task.status, TaskState::Failed, "{task:?}");
}

/// Catches an engine that waits for a body which gives its thread back only after the end.
pub async fn a_body_that_blocks_its_thread_is_recorded_as_failed(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let (leave, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let block = Task::new("block", move |_, _| {
        // The call itself blocks, where nothing can interrupt it.
        let _ = wait.lock().map(|wait| wait.recv_timeout(super::PATIENCE));
        Box::pin(async {})
    });
    let workflows = [
        workflow("blocks", [block.timeout(SHORT)]),
        workflow("other", [noting("a", &journal), noting("b", &journal).depends_on(["a"])]),
    ];
    let process = fx.process(workflows).await;
    let blocked = process.submit("blocks").await;
    let failed = process.ended(blocked).await;
    let other = process.run("other").await;
    leave.send(()).expect("the body still blocks");
    assert_eq!(failed.status, PipelineStatus::Failed, "{failed:?}");
    let error = failed.task("block").and_then(|task| task.error_message.clone());
    assert_eq!(error.as_deref(), Some("the attempt timed out after 30ms"));
    assert_eq!(other.status, PipelineStatus::Completed, "the engine goes on: {other:?}");
}

/// Catches a blocking body whose timeout waits for it.
pub async fn a_blocking_task_times_out_too(fx: &ExecutorFixture) {
    let (leave, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let block = Task::blocking("block", move |_, _| {
        let _ = wait.lock().map(|wait| wait.recv_timeout(super::PATIENCE));
    });
    let process = fx.process([workflow("w", [block.timeout(SHORT)])]).await;
    let result = process.run("w").await;
    leave.send(()).expect("the body still blocks");
    assert_eq!(result.status, PipelineStatus::Failed, "{result:?}");
}

/// Catches an execution's timeout that depends on somebody waiting, that leaves tasks running, or of which a waiter hears otherwise
/// than is on record.
pub async fn a_pipeline_timeout_cancels_the_rest_and_fails(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let noted = journal.clone();
    let told = Task::new("told", move |_, run| {
        let noted = noted.clone();
        Box::pin(async move {
            run.cancellation.cancelled().await;
            noted.note("told");
        })
    });
    let tasks = [
        noting("done", &journal),
        told.depends_on(["done"]),
        noting("after", &journal).depends_on(["told"]),
        failing("again", &journal).retry(attempts(2).initial_delay(Duration::from_secs(3_600))),
    ];
    let limit = Duration::from_millis(200);
    let process =
        fx.process_with([workflow("w", tasks)], |builder| builder.pipeline_timeout(limit)).await;
    let result = process.run("w").await;
    assert_eq!(result.status, PipelineStatus::Failed, "{result:?}");
    let error = "the execution took longer than its timeout of 200ms";
    assert_eq!(result.error_message.as_deref(), Some(error));
    let cancelled = TaskState::Cancelled;
    for (task, expected) in [
        ("done", TaskState::Completed),
        ("told", cancelled),
        ("after", cancelled),
        ("again", cancelled),
    ] {
        assert_eq!(result.task(task).expect("a task of it").status, expected, "{task}");
    }
    let read = process.get_execution_result(result.execution_id).await.expect("a result is read");
    assert_eq!(result.task_results, read.task_results, "told and read");
    super::fixture::until("the body was told", async || journal.count("told") == 1).await;
    assert_eq!(journal.count("after"), 0, "nothing starts after the end");
}

/// Catches a timeout that strikes what ended in time.
pub async fn a_pipeline_timeout_spares_what_ends_in_time(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let tasks = [gated("a", &gate, &journal), noting("b", &journal).depends_on(["a"])];
    let limit = Duration::from_secs(3_600);
    let process =
        fx.process_with([workflow("w", tasks)], |builder| builder.pipeline_timeout(limit)).await;
    let execution = process.start("w").await;
    gate.arrived(1).await;
    gate.open(1);
    assert_eq!(ended(&execution).await.status, PipelineStatus::Completed);
}
