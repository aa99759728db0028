//! Cancelled executions.

use cloacina_core::backend::EventKind;
use cloacina_core::{ExecutionId, ExecutorError, PipelineStatus, Task, TaskState};

use super::bodies::{Gate, Journal, endless, gated, noting};
use super::fixture::{ExecutorFixture, ended, until, workflow};
use crate::conformance::soon;

/// Catches a start after the cancel: the only slot falls free right behind it.
pub async fn a_cancelled_execution_starts_nothing_more(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let workflows = [
        workflow("holds", [gated("hold", &gate, &journal)]),
        workflow("queued", [noting("queued", &journal)]),
        workflow("next", [noting("next", &journal)]),
    ];
    let process = fx.process_with(workflows, |builder| builder.max_concurrent_tasks(1)).await;
    for round in 1..=20 {
        let holder = process.start("holds").await;
        gate.arrived(1).await;
        let queued = process.start("queued").await;
        let next = process.start("next").await;
        let status = queued.cancel().await.expect("a cancel");
        assert_eq!(status, PipelineStatus::Cancelled, "the status that the cancel tells");
        gate.open(1);
        assert_eq!(ended(&next).await.status, PipelineStatus::Completed);
        assert_eq!(ended(&holder).await.status, PipelineStatus::Completed);
        let result = ended(&queued).await;
        assert_eq!(result.status, PipelineStatus::Cancelled, "{result:?}");
        assert_eq!(result.task("queued").map(|task| task.status), Some(TaskState::Cancelled));
        assert_eq!(journal.count("next"), round, "what came later ran");
        assert_eq!(journal.count("queued"), 0, "it started after its cancel");
    }
}

/// Catches a running body that is not told, and a waiter that is kept waiting for one that does not listen.
pub async fn cancelling_tells_the_running_bodies_and_then_drops_them(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let (reports, noted) = (gate.clone(), journal.clone());
    let listens = Task::new("listens", move |_, run| {
        let (reports, noted) = (reports.clone(), noted.clone());
        Box::pin(async move {
            reports.report();
            run.cancellation.cancelled().await;
            noted.note("told");
        })
    });
    let (reports, noted) = (gate.clone(), journal.clone());
    let deaf = Task::new("deaf", move |_, _| {
        let (reports, noted) = (reports.clone(), noted.clone());
        Box::pin(async move {
            let _dropped = NoteWhenDropped(noted);
            reports.stay().await;
        })
    });
    let after = noting("after", &journal).depends_on(["listens"]);
    let process = fx.process([workflow("w", [listens, deaf, after])]).await;
    let execution = process.start("w").await;
    gate.arrived(2).await;
    execution.cancel().await.expect("a cancel");
    let result = ended(&execution).await;
    assert_eq!(result.status, PipelineStatus::Cancelled, "{result:?}");
    for task in &result.task_results {
        assert_eq!(task.status, TaskState::Cancelled, "{task:?}");
    }
    until("both bodies end", async || journal.entries().len() >= 2).await;
    assert_eq!((journal.count("told"), journal.count("dropped")), (1, 1), "how they ended");
    assert_eq!(journal.count("after"), 0, "nothing starts after the cancel");
    until("the slots are free", async || process.metrics().running_tasks == 0).await;
}

struct NoteWhenDropped(Journal);

impl Drop for NoteWhenDropped {
    fn drop(&mut self) {
        self.0.note("dropped");
    }
}

/// Catches a cancel that takes a committed result back.
pub async fn a_cancel_keeps_what_was_committed(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let done = super::bodies::setting("done", "key", serde_json::json!(1));
    let tasks = [done, endless("hang", &gate, &journal).depends_on(["done"])];
    let process = fx.process([workflow("w", tasks)]).await;
    let execution = process.start("w").await;
    gate.arrived(1).await;
    execution.cancel().await.expect("a cancel");
    let result = ended(&execution).await;
    assert_eq!(result.task("done").map(|task| task.status), Some(TaskState::Completed));
    assert_eq!(result.final_context.get("key"), Some(&serde_json::json!(1)));
}

/// Catches an ended execution that a cancel changes, a second event, and an unknown id that is no error.
pub async fn cancelling_what_has_ended_changes_nothing(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let workflows = [
        workflow("quick", [noting("a", &journal)]),
        workflow("slow", [endless("hang", &gate, &journal)]),
    ];
    let process = fx.process(workflows).await;
    let completed = process.run("quick").await.execution_id;
    let status = process.cancel_execution(completed).await.expect("a cancel of what has ended");
    assert_eq!(status, PipelineStatus::Completed, "it stays as it is");
    assert_eq!(fx.events(completed).await, [], "events of the completed one");
    let cancelled = process.submit("slow").await;
    for _ in 0..2 {
        let status = process.cancel_execution(cancelled).await.expect("a cancel");
        assert_eq!(status, PipelineStatus::Cancelled);
    }
    assert_eq!(fx.events(cancelled).await, [EventKind::Cancelled], "one cancel, one event");
    let unknown = ExecutionId::new();
    let error = process.cancel_execution(unknown).await.expect_err("an unknown id is an error");
    assert!(matches!(error, ExecutorError::UnknownExecution(id) if id == unknown), "{error}");
    assert!(error.to_string().contains(&unknown.to_string()), "names the id: {error}");
}

/// Catches waiters that only hear of ends by completion, in the process that cancels and in another.
pub async fn a_cancel_returns_every_waiter(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let flow = workflow("w", [endless("hang", &gate, &journal)]);
    let (owner, other) = (fx.process([flow.clone()]).await, fx.process([flow]).await);
    let execution = owner.start("w").await;
    gate.arrived(1).await;
    let id = execution.execution_id;
    let (here, there) = (owner.execution(id), other.execution(id));
    let waits = async { tokio::join!(execution.wait(), here.wait(), there.wait()) };
    let cancel = async { other.cancel_execution(id).await.expect("a cancel") };
    let ((first, second, third), _) =
        soon("the return of the waiters", async { tokio::join!(waits, cancel) }).await;
    for answer in [first, second, third] {
        let result = answer.expect("a waiter gets the result");
        assert_eq!(result.status, PipelineStatus::Cancelled, "{result:?}");
    }
}
