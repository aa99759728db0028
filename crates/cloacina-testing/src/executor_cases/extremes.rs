//! The shortest and the longest times, names and texts that an executor takes.

use std::time::Duration;

use cloacina_core::backend::EventKind;
use cloacina_core::{
    Context, ExecuteOptions, ExecutionQuery, ExecutorError, PipelineStatus, Task, TaskError,
};
use serde_json::{Value, json};

use super::bodies::{Journal, attempts, noting};
use super::fixture::{ExecutorFixture, ended, input, until, workflow};

/// The longest time that a setting takes.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Catches a delay that overflows a clock: here, in the store, or in the process that looks for what falls due next.
pub async fn a_delay_of_any_length_is_taken(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let flow = workflow("w", [noting("a", &journal)]);
    let here = fx.process([flow.clone()]).await;
    let delayed = |delay| ExecuteOptions::new().delay(delay);
    for delay in [Duration::ZERO, Duration::from_nanos(1)] {
        let short = here.execute_with("w", Context::new(), delayed(delay)).await;
        assert_eq!(ended(&short.expect("a submit")).await.status, PipelineStatus::Completed);
    }
    for delay in [Duration::MAX, Duration::from_secs(u64::MAX / 2), CENTURY] {
        let long = here.execute_with("w", Context::new(), delayed(delay)).await;
        let long = long.expect("a submit");
        // Whoever comes later finds it when it looks.
        let there = fx.process([flow.clone()]).await;
        assert_eq!(there.run("w").await.status, PipelineStatus::Completed, "{delay:?}");
        assert_eq!(there.status(long.execution_id).await, PipelineStatus::Pending, "{delay:?}");
        let due = fx.store().record(long.execution_id).await.due_at.expect("it is due some day");
        let created = fx.store().record(long.execution_id).await.created_at;
        let years = (due - created).num_days() / 365;
        assert!(years >= 99, "{delay:?}: it is due {due}, {years} years later");
        long.cancel().await.expect("a cancel");
        there.shutdown().await.expect("a shutdown");
    }
    assert_eq!(journal.count("a"), 5, "those without a delay to speak of");
}

/// Catches a wait that overflows when it is committed, or when another process takes the execution over.
pub async fn a_retry_after_any_time_is_kept(fx: &ExecutorFixture) {
    let late = || {
        Task::new("late", |_, _| {
            let error = TaskError::new("come back later").retry_after(Duration::MAX);
            Box::pin(async move { Err::<(), _>(error) })
        })
    };
    let flow = workflow("w", [late().retry(attempts(2))]);
    let first = fx.process([flow.clone()]).await;
    let id = first.submit("w").await;
    until("the wait is committed", async || !fx.events(id).await.is_empty()).await;
    first.shutdown().await.expect("a shutdown");
    let second = fx.process([flow]).await;
    assert_eq!(second.status(id).await, PipelineStatus::Running, "it waits");
    let events = fx.events_of(id, EventKind::Retried).await;
    assert_eq!(events.len(), 1, "a wait that was cut short: {events:?}");
    second.cancel_execution(id).await.expect("a cancel");
    second.ended_as(id, PipelineStatus::Cancelled).await;
}

/// Catches a limit of nothing that is taken for none.
pub async fn a_timeout_of_nothing_fails_what_does_not_end_at_once(fx: &ExecutorFixture) {
    let hang = Task::new("hang", |_, _| Box::pin(std::future::pending::<()>()));
    let flow = workflow("w", [hang.timeout(Duration::ZERO).retry(attempts(2))]);
    let process = fx.process([flow]).await;
    let result = process.run("w").await;
    assert_eq!(result.status, PipelineStatus::Failed, "{result:?}");
    let error = result.task("hang").and_then(|task| task.error_message.clone());
    assert_eq!(error.as_deref(), Some("the attempt timed out after 0ns"));
}

/// Catches a sum of settings that overflows.
pub async fn settings_of_a_century_change_nothing(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let flow = workflow("w", [noting("a", &journal).timeout(Duration::MAX)]);
    let long = |builder: super::ExecutorBuilder| {
        builder
            .task_timeout(CENTURY)
            .pipeline_timeout(CENTURY)
            .lease_ttl(CENTURY)
            .poll_interval(CENTURY)
            .cancel_grace(CENTURY)
            .shutdown_grace(CENTURY)
    };
    let process = fx.process_with([flow], long).await;
    let execution = process.start("w").await;
    let result = execution.wait_timeout(Duration::MAX).await.expect("an end");
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    let none = process.prune_executions(Duration::MAX).await.expect("a pruning");
    assert_eq!(none, 0, "nothing is as old as that");
    assert_eq!(process.prune_executions(Duration::ZERO).await.expect("a pruning"), 1);
    process.shutdown().await.expect("a shutdown");
}

/// Catches a wait of no time that waits, or that fails for another reason.
pub async fn a_wait_of_no_time_says_that_it_is_over(fx: &ExecutorFixture) {
    let hang = Task::new("hang", |_, _| Box::pin(std::future::pending::<()>()));
    let process = fx.process([workflow("w", [hang])]).await;
    let execution = process.start("w").await;
    let error = execution.wait_timeout(Duration::ZERO).await.expect_err("it has not ended");
    assert!(matches!(error, ExecutorError::WaitTimeout { .. }), "{error:?}");
    execution.cancel().await.expect("a cancel");
    assert_eq!(ended(&execution).await.status, PipelineStatus::Cancelled);
}

/// Catches an error that fills the store, is lost for its size, or is cut within a character.
pub async fn an_error_of_megabytes_is_cut_and_says_so(fx: &ExecutorFixture) {
    let text = || "\u{1f980}\u{e9}".repeat(500_000);
    let returned = Task::new("returned", move |_, _| {
        Box::pin(async move { Err::<(), _>(TaskError::new(text())) })
    });
    let panicked = Task::new("panicked", move |_, _| {
        Box::pin(async move {
            if true {
                std::panic::panic_any(text());
            }
        })
    });
    let process = fx.process([workflow("w", [returned, panicked])]).await;
    let told = process.run("w").await;
    let read = process.get_execution_result(told.execution_id).await.expect("a result");
    for result in [told, read] {
        for (id, bytes, begins) in [
            ("returned", 3_000_000, "\u{1f980}\u{e9}\u{1f980}"),
            ("panicked", 3_000_019, "the task panicked: \u{1f980}\u{e9}"),
        ] {
            let error = result.task(id).and_then(|task| task.error_message.clone());
            let error = error.expect("a failed task has an error");
            assert!(error.starts_with(begins), "{id}: {}", error.len());
            assert!(error.len() < 70_000, "{id}: {} bytes are kept", error.len());
            let end = format!("… (cut, {bytes} bytes in all)");
            assert!(error.ends_with(&end), "{id}: it ends otherwise");
        }
    }
}

/// Catches a name that is cut, folded or refused by a store although it is within the limit.
pub async fn the_longest_names_are_kept_whole(fx: &ExecutorFixture) {
    let journal = Journal::new();
    // 255 bytes each, most of them half a character.
    let long = |first: char| format!("{first}{}", "\u{e9}".repeat(127));
    let (name, id, twin) = (long('w'), long('t'), long('u'));
    let tasks = [noting(&id, &journal), noting(&twin, &journal).depends_on([&id])];
    let process = fx.process([workflow(&name, tasks)]).await;
    let key = ExecuteOptions::new().idempotency_key(long('k'));
    let execution = process.execute_with(&name, Context::new(), key.clone()).await;
    let execution = execution.expect("a submit");
    let result = ended(&execution).await;
    assert_eq!((&result.workflow_name, result.status), (&name, PipelineStatus::Completed));
    assert_eq!(journal.entries(), [id, twin]);
    let again = process.execute_with(&name, Context::new(), key).await.expect("a second submit");
    assert_eq!(again.execution_id, execution.execution_id, "the key is found again");
    let found = process.find_executions(&ExecutionQuery::new().workflow(&*name)).await;
    assert_eq!(found.expect("a list").len(), 1);
}

/// Catches keys of a context that a store takes for something else, or that are lost when they are removed.
pub async fn odd_and_long_keys_of_a_context_come_back(fx: &ExecutorFixture) {
    let keys = [
        String::new(),
        "\0".to_owned(),
        "nul \0 within".to_owned(),
        "$.path[0].to'\"\\x".to_owned(),
        "\u{1f980}\u{10ffff}\u{200b}".to_owned(),
        "k".repeat(1_000_000),
    ];
    let swap = Task::new("swap", |context, _| {
        let all = context.clone();
        for (key, value) in &all {
            context.remove(key);
            context.set(format!("{key}+"), value.clone());
        }
        Box::pin(async {})
    });
    let look = Task::new("look", |_, _| Box::pin(async {})).depends_on(["swap"]);
    let flow = workflow("w", [swap, look]);
    let (here, there) = (fx.process([flow.clone()]).await, fx.process([flow]).await);
    let sent = |suffix: &str| -> Value {
        let pairs = keys.iter().map(|key| (format!("{key}{suffix}"), json!({ key.as_str(): 1 })));
        Value::Object(pairs.collect())
    };
    let told = here.run_on("w", input(sent(""))).await;
    let read = there.get_execution_result(told.execution_id).await.expect("a result is read");
    for result in [told, read] {
        assert_eq!(result.status, PipelineStatus::Completed, "{:?}", result.error_message);
        assert!(result.final_context.into_value() == sent("+"), "the keys changed");
    }
}

/// Catches a page of nothing that is taken for one without a limit, and one that overflows.
pub async fn a_page_of_any_size_can_be_asked_for(fx: &ExecutorFixture) {
    let process = fx.process([workflow("w", [super::bodies::idle("a")])]).await;
    for _ in 0..3 {
        process.run("w").await;
    }
    for (limit, expected) in [(0, 0), (1, 1), (3, 3), (u32::MAX, 3)] {
        let found = process.find_executions(&ExecutionQuery::new().limit(limit)).await;
        assert_eq!(found.expect("a list").len(), expected, "a page of at most {limit}");
    }
    for (place, expected) in [("00000000", 0), ("ffffffff", 3)] {
        let id = format!("{place}-0000-0000-0000-000000000000").parse().expect("a UUID");
        let found = process.find_executions(&ExecutionQuery::new().before(id)).await;
        assert_eq!(found.expect("a list").len(), expected, "before {id}");
    }
}
