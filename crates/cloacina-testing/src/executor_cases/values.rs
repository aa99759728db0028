//! Values on their way through the store.

use cloacina_core::{PipelineResult, PipelineStatus, Task, TaskError};
use serde_json::{Value, json};

use super::fixture::{ExecutorFixture, input, workflow};

/// Values at the edges of what JSON, a database and a float can carry.
fn odd_values() -> Value {
    json!({
        "i64::MIN": i64::MIN,
        "i64::MAX": i64::MAX,
        "u64::MAX": u64::MAX,
        "2^53 + 1": 9_007_199_254_740_993_u64,
        "": {"": ""},
        "nul \u{0} in a key": "nul \u{0} in a text",
        "astral \u{1F600}": "\u{10FFFF}\u{1F600}\u{200B}",
        "quotes ' \" ` \\": "'; drop table executions; --",
        "lines": "\r\n\t\u{1}\u{7f}\u{2028}",
        "not normal": ["\u{e9}", "e\u{301}"],
        "null": null,
        "empty": [[], {}, ""],
        "floats": [0.1, -0.0, f64::MIN_POSITIVE, f64::MAX, f64::MIN, 5e-324, 1e23, 1.0, 1.5e300],
    })
}

fn assert_same(what: &str, seen: &Value) {
    let sent = odd_values();
    assert_eq!(seen, &sent, "{what}");
    // `-0.0 == 0.0`, so floats are compared by their bits.
    let bits = |value: &Value| -> Vec<u64> {
        let floats = value["floats"].as_array().into_iter().flatten();
        floats.filter_map(Value::as_f64).map(f64::to_bits).collect()
    };
    assert_eq!(bits(seen), bits(&sent), "the bits of the floats, {what}");
}

fn assert_all_same(what: &str, result: &PipelineResult) {
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    let mut context = result.final_context.clone();
    let copy = context.remove("copy").expect("the task set a copy");
    assert_same(&format!("the copy, {what}"), &copy);
    assert_same(&format!("the input, {what}"), &context.into_value());
    let output = result.task("copy").and_then(|task| task.output.clone());
    assert_same(&format!("the output, {what}"), &output.expect("the task returned a copy"));
}

/// Catches whatever changes a value on its way: rounding, trimming, escaping, normalising.
pub async fn values_come_back_exactly_as_they_went_in(fx: &ExecutorFixture) {
    let copy = Task::new("copy", |context, _| {
        Box::pin(async move {
            let all = context.clone().into_value();
            context.insert("copy", all.clone())?;
            Ok::<_, TaskError>(all)
        })
    });
    let look = Task::new("look", |context, _| {
        Box::pin(async move {
            let copy = context.get("copy").cloned().unwrap_or_default();
            assert_same("what the next task saw", &copy);
        })
    });
    let flow = workflow("w", [copy, look.depends_on(["copy"])]);
    let (here, there) = (fx.process([flow.clone()]).await, fx.process([flow]).await);
    let told = here.run_on("w", input(odd_values())).await;
    assert_all_same("as the waiter got it", &told);
    let read = there.get_execution_result(told.execution_id).await.expect("a result is read");
    assert_all_same("as another process read it", &read);
}

/// Catches ids and texts that a store takes for something else.
pub async fn odd_names_and_errors_come_back(fx: &ExecutorFixture) {
    let id = "it's \"a\" task; -- \u{1F600}\n";
    let text = "no \u{0} way: '\u{10FFFF}'\r\n";
    let bad =
        Task::new(id, move |_, _| Box::pin(async move { Err::<(), _>(TaskError::new(text)) }));
    let name = "o'workflow \"\u{fc}\"";
    let process = fx.process([workflow(name, [bad])]).await;
    let told = process.run(name).await;
    let read = process.get_execution_result(told.execution_id).await.expect("a result is read");
    for result in [told, read] {
        assert_eq!(result.workflow_name, name);
        let error = result.task(id).and_then(|task| task.error_message.clone());
        // Not every store takes a NUL character in a text.
        let text = text.replace('\0', "\u{fffd}");
        assert_eq!(error.as_deref(), Some(&*text), "{result:?}");
        assert_eq!(result.error_message, Some(format!("task `{id}` failed: {text}")));
    }
}
