//! Bodies that panic.

use cloacina_core::{PipelineStatus, Task, TaskState};

use super::bodies::{Gate, Journal, attempts, gated, noting};
use super::fixture::{ExecutorFixture, ended, workflow};

/// Catches a panic that takes more than its task down, wherever in the body it happens.
pub async fn a_panic_fails_its_task_only(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let bodies = [
        (
            "late",
            Task::new("late", |_, _| {
                Box::pin(async {
                    let _ = late(42);
                })
            }),
        ),
        (
            "early",
            Task::new("early", |_, _| -> cloacina_core::TaskFuture<'_, ()> { panic!("early") }),
        ),
        ("blocking", Task::blocking("blocking", |_, _| -> () { panic!("blocking") })),
    ];
    let innocent = workflow("innocent", [gated("a", &gate, &journal)]);
    let mut workflows = vec![innocent];
    for (name, body) in bodies {
        let tasks =
            [body, noting("beside", &journal), noting("after", &journal).depends_on([name])];
        workflows.push(workflow(name, tasks));
    }
    let process = fx.process(workflows).await;
    let innocent = process.start("innocent").await;
    gate.arrived(1).await;
    for (name, text) in [("late", "late: 42"), ("early", "early"), ("blocking", "blocking")] {
        let result = process.run(name).await;
        assert_eq!(result.status, PipelineStatus::Failed, "{result:?}");
        let task = result.task(name).expect("every task has a result");
        let expected = format!("the task panicked: {text}");
        assert_eq!(task.error_message, Some(expected), "the panic's text is on record");
        let beside = result.task("beside").map(|task| task.status);
        assert_eq!(beside, Some(TaskState::Completed), "{result:?}");
    }
    gate.open(1);
    assert_eq!(ended(&innocent).await.status, PipelineStatus::Completed, "others go on");
}

/// Catches a panic that is not retried as other failures are.
pub async fn a_panic_is_retried_by_the_policy(fx: &ExecutorFixture) {
    let flaky = Task::new("flaky", |_, run| {
        let first = run.attempt == 1;
        Box::pin(async move { assert!(!first, "the first attempt") })
    });
    let process = fx.process([workflow("w", [flaky.retry(attempts(2))])]).await;
    let result = process.run("w").await;
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    assert_eq!(result.task("flaky").map(|task| task.attempts), Some(2));
}

/// Catches a panic whose payload is no text.
pub async fn a_panic_without_a_text_is_a_failure_too(fx: &ExecutorFixture) {
    let odd = Task::new("odd", |_, _| Box::pin(async { odd_end() }));
    let process = fx.process([workflow("w", [odd])]).await;
    let result = process.run("w").await;
    let error = result.task("odd").and_then(|task| task.error_message.clone());
    assert_eq!(error.as_deref(), Some("the task panicked"));
}

/// Panics with a text that is made at run time.
fn late(number: u32) -> u32 {
    panic!("late: {number}")
}

/// Panics with what is no text.
fn odd_end() {
    std::panic::panic_any(7)
}
