//! Who runs when, and what each sees.

use cloacina_core::{PipelineStatus, Task, TaskError, TaskState, TriggerRule, ValueOperator};
use serde_json::json;

use super::bodies::{Gate, Journal, gated, idle, noting, setting, spanning, tracing};
use super::fixture::{ExecutorFixture, ended, input, workflow};

/// Catches a join that starts before all it depends on has ended.
pub async fn a_diamond_runs_in_order(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let tasks = [
        spanning("d", &journal).depends_on(["b", "c"]),
        spanning("b", &journal).depends_on(["a"]),
        spanning("c", &journal).depends_on(["a"]),
        spanning("a", &journal),
    ];
    let process = fx.process([workflow("diamond", tasks)]).await;
    let result = process.run("diamond").await;
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    for (before, after) in [("a-", "b+"), ("a-", "c+"), ("b-", "d+"), ("c-", "d+")] {
        let entries = journal.entries();
        assert!(
            journal.place(before) < journal.place(after),
            "{after} before {before}: {entries:?}"
        );
    }
    assert_eq!(journal.entries().len(), 8, "each task runs once: {:?}", journal.entries());
    assert!(result.task_results.iter().all(|task| task.attempts == 1), "{result:?}");
}

/// Catches an engine that runs one task at a time: both roots have to be inside before either may go on.
pub async fn independent_tasks_run_at_the_same_time(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let tasks = [
        gated("a", &gate, &journal),
        gated("b", &gate, &journal),
        noting("c", &journal).depends_on(["a", "b"]),
        noting("d", &journal).depends_on(["b"]),
        noting("e", &journal).depends_on(["a"]),
    ];
    let process = fx.process([workflow("w", tasks)]).await;
    let execution = process.start("w").await;
    gate.arrived(2).await;
    gate.open(2);
    let result = ended(&execution).await;
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    assert_eq!(journal.entries().len(), 5, "every leaf ran: {:?}", journal.entries());
}

/// Catches a task that runs before what it depends on is in the store.
pub async fn a_task_starts_after_its_dependencies_are_committed(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let tasks =
        [idle("a"), idle("b").depends_on(["a"]), gated("c", &gate, &journal).depends_on(["b"])];
    let process = fx.process([workflow("w", tasks)]).await;
    let execution = process.start("w").await;
    gate.arrived(1).await;
    let rows = fx.store().load(execution.execution_id).await.tasks;
    let rows: Vec<_> = rows.iter().map(|row| (row.task.as_str(), row.state)).collect();
    assert_eq!(rows, [("a", TaskState::Completed), ("b", TaskState::Completed)], "rows when c ran");
    gate.open(1);
    ended(&execution).await;
}

/// Catches a branch that runs against its condition, and a join that does not bear the one that was skipped.
pub async fn exclusive_branches_meet_in_a_join(fx: &ExecutorFixture) {
    let equals =
        |value: bool| TriggerRule::context_value("left", ValueOperator::Equals, Some(json!(value)));
    let tasks = [
        idle("root"),
        tracing("left").depends_on(["root"]).trigger_rules(equals(true)),
        tracing("right").depends_on(["root"]).trigger_rules(equals(false)),
        tracing("join")
            .depends_on(["left", "right"])
            .trigger_rules(TriggerRule::NoneFailedMinOneSuccess),
    ];
    let process = fx.process([workflow("branches", tasks)]).await;
    for (flag, ran, skipped) in [(true, "left", "right"), (false, "right", "left")] {
        let result = process.run_on("branches", input(json!({"left": flag}))).await;
        assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
        let path = result.final_context.get("path");
        assert_eq!(path, Some(&json!([ran, "join"])), "who ran with the flag {flag}");
        let task = result.task(skipped).expect("every task has a result");
        assert_eq!(task.status, TaskState::Skipped, "{task:?}");
        assert_eq!(task.skip_reason, Some(cloacina_core::SkipReason::Condition), "{task:?}");
    }
}

/// Catches branches that are lost or counted twice at the join.
pub async fn a_fan_out_of_fifty_meets_in_one(fx: &ExecutorFixture) {
    let mut tasks = vec![setting("source", "base", json!(1_000))];
    let branches: Vec<String> = (0..50).map(|branch| format!("branch{branch}")).collect();
    for (branch, name) in branches.iter().enumerate() {
        let (name, key) = (name.clone(), name.clone());
        let body = Task::new(name, move |context, _| {
            let key = key.clone();
            Box::pin(async move {
                let base: usize = context.get_as("base")?;
                context.insert(key, json!(base + branch))?;
                Ok::<_, TaskError>(())
            })
        });
        tasks.push(body.depends_on(["source"]));
    }
    let sum = Task::new("sum", |context, _| {
        let branches = context.iter().filter(|(key, _)| key.starts_with("branch"));
        let sum: u64 = branches.filter_map(|(_, value)| value.as_u64()).sum();
        Box::pin(async move { context.insert("sum", json!(sum)) })
    });
    tasks.push(sum.depends_on(&branches));
    let process = fx.process([workflow("fan", tasks)]).await;
    let result = process.run("fan").await;
    assert_eq!(result.status, PipelineStatus::Completed, "{:?}", result.error_message);
    assert_eq!(result.final_context.get("sum"), Some(&json!(50 * 1_000 + 49 * 25)), "the sum");
}

/// Catches a task that sees more than its ancestors did, and one that misses what a parent removed.
pub async fn a_task_sees_what_its_ancestors_left(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let remove =
        Task::new("remove", |context, _| Box::pin(async move { drop(context.remove("secret")) }));
    let look = Task::new("look", |context, _| {
        let keys: Vec<_> = context.iter().map(|(key, _)| key.clone()).collect();
        Box::pin(async move { Ok::<_, TaskError>(keys) })
    });
    let tasks = [
        setting("beside", "beside", json!(1)),
        gated("wait", &gate, &journal).depends_on(["beside"]),
        setting("set", "set", json!(2)).depends_on(["remove"]),
        remove,
        look.depends_on(["set"]),
    ];
    let process = fx.process([workflow("w", tasks)]).await;
    let secret = input(json!({"secret": 1, "input": 2}));
    let execution = process.execute_async("w", secret).await.expect("a submit is accepted");
    gate.arrived(1).await;
    gate.open(1);
    let result = ended(&execution).await;
    let seen = result.task("look").and_then(|task| task.output.clone());
    assert_eq!(seen, Some(json!(["input", "set"])), "what `look` saw");
    let last = result.final_context.into_value();
    assert_eq!(last, json!({"beside": 1, "input": 2, "set": 2}), "the final context");
}

/// Catches a result that depends on which of two branches was faster.
pub async fn concurrent_writes_go_by_the_order_of_declaration(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let slow = |id: &str, value: u32| {
        let gate = gate.clone();
        Task::new(id, move |context, _| {
            let gate = gate.clone();
            Box::pin(async move {
                gate.pass().await;
                context.set("key", json!(value));
            })
        })
    };
    let tasks = [
        slow("first", 1),
        setting("second", "key", json!(2)),
        noting("join", &journal).depends_on(["first", "second"]),
    ];
    let process = fx.process([workflow("w", tasks)]).await;
    let execution = process.start("w").await;
    gate.arrived(1).await;
    let id = execution.execution_id;
    super::fixture::until("the quick branch is committed", async || {
        fx.store().load(id).await.tasks.len() == 1
    })
    .await;
    gate.open(1);
    let result = ended(&execution).await;
    assert_eq!(result.final_context.get("key"), Some(&json!(2)), "the later in order wins");
    let kind = cloacina_core::backend::EventKind::ConflictingWrites;
    let events = fx.events_of(id, kind).await;
    assert_eq!(events.len(), 1, "one conflict, one event");
    let detail = &events[0].event.detail;
    for name in ["`first`", "`second`", "`key`"] {
        assert!(detail.contains(name), "the event names {name}: {detail}");
    }
}

/// Catches an event that the store refuses, and with it the end of the execution, for what a key holds.
pub async fn concurrent_writes_of_an_odd_key_are_told(fx: &ExecutorFixture) {
    let key = "nul \0 and 'quotes'";
    let tasks = [setting("first", key, json!(1)), setting("second", key, json!(2))];
    let process = fx.process([workflow("w", tasks)]).await;
    let result = process.run("w").await;
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    assert_eq!(result.final_context.get(key), Some(&json!(2)), "the later in order wins");
    let kind = cloacina_core::backend::EventKind::ConflictingWrites;
    assert_eq!(fx.events_of(result.execution_id, kind).await.len(), 1, "one conflict, one event");
}
