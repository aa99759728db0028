//! What an executor does not take.

use cloacina_core::{Context, ContextError, ExecutorError, PipelineStatus, Task, TaskError};
use serde_json::{Value, json};

use super::bodies::{Journal, attempts, noting};
use super::fixture::{ExecutorFixture, input, workflow};

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(0), |inner, _| json!([inner]))
}

/// Catches an input that is stored although it is too large, and an error that does not say how large it was.
pub async fn an_input_over_the_limit_is_refused(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let flow = workflow("w", [noting("a", &journal)]);
    let process = fx.process_with([flow], |builder| builder.max_context_bytes(100)).await;
    // `{"k":"…"}` adds eight bytes.
    let fits = input(json!({"k": "x".repeat(92)}));
    assert_eq!(process.run_on("w", fits).await.status, PipelineStatus::Completed);
    let large = input(json!({"k": "x".repeat(93)}));
    let error = process.execute("w", large).await.expect_err("it is one byte too large");
    let text = "the context has 101 bytes as JSON, the limit is 100";
    assert_eq!(error.to_string(), text);
    let all = process.list_executions().await.expect("a list");
    assert_eq!(all.len(), 1, "what is refused leaves nothing: {all:?}");
}

/// Catches an input that could be written and not be read again.
pub async fn an_input_that_is_nested_too_deep_is_refused(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let process = fx.process([workflow("w", [noting("a", &journal)])]).await;
    let deepest = nested(cloacina_core::MAX_DEPTH);
    let result = process.run_on("w", input(json!({"deep": deepest}))).await;
    assert_eq!(result.final_context.get("deep"), Some(&deepest), "the deepest that is allowed");
    let too_deep = input(json!({"deep": nested(cloacina_core::MAX_DEPTH + 1)}));
    let error = process.execute("w", too_deep).await.expect_err("it is one level too deep");
    let refused = matches!(error, ExecutorError::InvalidInput(ContextError::TooDeep { .. }));
    assert!(refused, "{error:?}");
    assert!(error.to_string().contains("`deep`"), "names the key: {error}");
}

/// Catches a context made from what has no keys.
pub async fn a_context_is_made_from_objects_only(fx: &ExecutorFixture) {
    for value in [json!(null), json!([1]), json!("text"), json!(1), json!(true)] {
        let error = Context::from_value(value.clone()).expect_err("a context from no object");
        assert!(matches!(error, ContextError::NotAnObject(_)), "{value}: {error}");
    }
    let process = fx.process([workflow("w", [super::bodies::idle("a")])]).await;
    assert!(process.run_on("w", input(json!({}))).await.final_context.is_empty());
}

/// Catches a task that makes the context too large or too deep and gets away with it, or is tried again in vain.
pub async fn a_task_over_the_context_limit_fails_with_the_size(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let body = |id: &str, value: Value| {
        let (journal, name) = (journal.clone(), id.to_owned());
        Task::new(id, move |context, _| {
            journal.note(name.clone());
            let value = value.clone();
            Box::pin(async move { drop(context.set("k", value)) })
        })
        .retry(attempts(3))
    };
    let output =
        Task::new("output", |_, _| Box::pin(async { Ok::<_, TaskError>("x".repeat(101)) }));
    let workflows = [
        workflow("large", [body("large", json!("x".repeat(93)))]),
        workflow("deep", [body("deep", nested(cloacina_core::MAX_DEPTH + 1))]),
        workflow("output", [output]),
    ];
    let process = fx.process_with(workflows, |builder| builder.max_context_bytes(100)).await;
    for (name, expected) in [
        ("large", "the context has 101 bytes as JSON, the limit is 100"),
        ("deep", "the value of key `k` is nested deeper than 125 levels"),
        ("output", "what the task returned has 103 bytes as JSON, the limit is 100"),
    ] {
        let result = process.run(name).await;
        assert_eq!(result.status, PipelineStatus::Failed, "{result:?}");
        let error = result.task(name).and_then(|task| task.error_message.clone());
        assert_eq!(error.as_deref(), Some(expected));
        assert!(result.final_context.is_empty(), "nothing of it is kept: {result:?}");
    }
    assert_eq!(journal.entries(), ["large", "deep"], "it would be no smaller next time");
}

/// Catches an error that leaves its reader guessing.
pub async fn an_unknown_workflow_is_refused_with_the_known_ones(fx: &ExecutorFixture) {
    let workflows = ["load", "extract"].map(|name| workflow(name, [super::bodies::idle("a")]));
    let process = fx.process(workflows).await;
    let error = process.execute("extrakt", Context::new()).await.expect_err("it is not known");
    let text = "workflow `extrakt` is not known here, known are: `extract`, `load`";
    assert_eq!(error.to_string(), text);
    assert!(matches!(error, ExecutorError::UnknownWorkflow { .. }), "{error:?}");
}

/// Catches reads about what does not exist that wait for ever, or invent something.
pub async fn an_unknown_execution_is_an_error_that_names_it(fx: &ExecutorFixture) {
    let process = fx.process([workflow("w", [super::bodies::idle("a")])]).await;
    let id = cloacina_core::ExecutionId::new();
    let status = process.get_execution_status(id).await.expect_err("no status");
    let result = process.get_execution_result(id).await.expect_err("no result");
    let waited = crate::conformance::soon("an answer", process.execution(id).wait()).await;
    for error in [status, result, waited.expect_err("no end")] {
        assert_eq!(error.to_string(), format!("execution {id} does not exist"));
    }
    let events = process.list_events(id).await.expect("events answers");
    assert_eq!(events, [], "what does not exist has no events");
}
