//! Idempotency keys and delayed starts.

use std::time::Duration;

use cloacina_core::{Context, ExecuteOptions, ExecutorError, PipelineStatus};

use super::bodies::{Gate, Journal, gated, noting};
use super::fixture::{ExecutorFixture, ended, until, workflow};

fn keyed(key: &str) -> ExecuteOptions {
    ExecuteOptions::new().idempotency_key(key)
}

/// Catches a key that makes two executions, in one process or in two, before the end of the first or after.
pub async fn one_key_makes_one_execution(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let flow = workflow("w", [gated("a", &gate, &journal)]);
    let (here, there) = (fx.process([flow.clone()]).await, fx.process([flow]).await);
    let submit = |process| submit(process, "w", "order-1");
    let first = submit(&here).await.expect("a first submit");
    for process in [&here, &there] {
        let again = submit(process).await.expect("a second submit");
        assert_eq!(again.execution_id, first.execution_id);
    }
    gate.arrived(1).await;
    gate.open(1);
    let second = submit(&there).await.expect("a second submit");
    assert_eq!(ended(&second).await.status, PipelineStatus::Completed, "its waiter hears the end");
    let late = submit(&here).await.expect("a submit after the end");
    assert_eq!(late.execution_id, first.execution_id);
    assert_eq!(ended(&late).await.status, PipelineStatus::Completed, "a late waiter too");
    assert_eq!(journal.entries(), ["a"], "it ran once");
}

async fn submit(
    process: &super::Process,
    workflow: &str,
    key: &str,
) -> Result<cloacina_core::PipelineExecution, ExecutorError> {
    process.execute_with(workflow, Context::new(), keyed(key)).await
}

/// Catches a race for one key that more than one wins.
pub async fn a_race_for_one_key_makes_one_execution(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let flow = workflow("w", [noting("a", &journal)]);
    let (here, there) = (fx.process([flow.clone()]).await, fx.process([flow]).await);
    for round in 1..=10 {
        let key = format!("race {round}");
        let (a, b, c, d) = tokio::join!(
            submit(&here, "w", &key),
            submit(&there, "w", &key),
            submit(&here, "w", &key),
            submit(&there, "w", &key)
        );
        let executions = [a, b, c, d].map(|answer| answer.expect("a submit"));
        for execution in &executions {
            assert_eq!(execution.execution_id, executions[0].execution_id);
            assert_eq!(ended(execution).await.status, PipelineStatus::Completed);
        }
        assert_eq!(journal.count("a"), round, "it ran once");
    }
}

/// Catches a key that leads to an execution of something else, and one that no store takes.
pub async fn a_key_that_cannot_be_used_is_refused(fx: &ExecutorFixture) {
    let workflows = ["one", "other"].map(|name| workflow(name, [super::bodies::idle("a")]));
    let process = fx.process(workflows).await;
    let first = submit(&process, "one", "key").await.expect("a first submit").execution_id;
    let error = submit(&process, "other", "key").await.expect_err("the key is taken");
    let text = format!("idempotency key \"key\" belongs to execution {first} of workflow `one`");
    assert_eq!(error.to_string(), text);
    for key in ["", "nul \u{0}", &"x".repeat(256)] {
        let error = submit(&process, "one", key).await.expect_err("a malformed key");
        assert!(matches!(error, ExecutorError::InvalidIdempotencyKey { .. }), "{key:?}: {error}");
    }
    submit(&process, "one", &"x".repeat(255)).await.expect("the longest key");
    let all = process.list_executions().await.expect("a list");
    assert_eq!(all.len(), 2, "what is refused leaves nothing: {all:?}");
}

/// Catches a start before its time, by whichever process: one that submits and runs, and one that only submits.
pub async fn a_delayed_execution_does_not_start_before_its_time(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let flow = workflow("w", [noting("a", &journal)]);
    let worker = fx.process([flow.clone()]).await;
    let client = fx.process_with([flow], cloacina_core::UnifiedExecutorBuilder::client_only).await;
    for process in [&worker, &client] {
        let delay = Duration::from_millis(300);
        let options = ExecuteOptions::new().delay(delay);
        let delayed = process.execute_with("w", Context::new(), options).await.expect("a submit");
        let before = fx.store().record(delayed.execution_id).await;
        assert_eq!(before.status, PipelineStatus::Pending, "{before:?}");
        let prompt = process.run("w").await;
        assert_eq!(prompt.status, PipelineStatus::Completed, "one without a delay passes it");
        assert_eq!(ended(&delayed).await.status, PipelineStatus::Completed);
        let record = fx.store().record(delayed.execution_id).await;
        let started = record.started_at.expect("an execution that ran has a start");
        let waited = (started - record.created_at).to_std().unwrap_or_default();
        assert!(waited >= delay, "it started after {waited:?} of {delay:?}");
    }
    assert_eq!(journal.count("a"), 4);
}

/// Catches a delayed execution that can be neither cancelled nor held.
pub async fn a_delayed_execution_takes_orders(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let process = fx.process([workflow("w", [noting("a", &journal)])]).await;
    let hours = ExecuteOptions::new().delay(Duration::from_secs(7_200));
    let delayed = process.execute_with("w", Context::new(), hours).await.expect("a submit");
    process.pause_execution(delayed.execution_id).await.expect("a pause");
    process.resume_execution(delayed.execution_id).await.expect("a resume");
    assert_eq!(process.run("w").await.status, PipelineStatus::Completed);
    let status = process.status(delayed.execution_id).await;
    assert_eq!(status, PipelineStatus::Pending, "a resume does not cut the delay short");
    delayed.cancel().await.expect("a cancel");
    assert_eq!(ended(&delayed).await.status, PipelineStatus::Cancelled);
    until("nothing is held", async || process.metrics().held_executions == 0).await;
    assert_eq!(journal.count("a"), 1, "the delayed one never ran");
}
