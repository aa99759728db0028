//! How an execution ends, given how its tasks did.

use cloacina_core::{PipelineResult, PipelineStatus, SkipReason, TaskState, TriggerRule};

use super::bodies::{Journal, failing, idle, noting};
use super::fixture::{ExecutorFixture, workflow};

fn state(result: &PipelineResult, task: &str) -> TaskState {
    result.task(task).map(|task| task.status).expect("every task has a result")
}

/// Catches an end that forgets what a task returned, when it ran, or how often.
pub async fn an_execution_completes_when_all_tasks_did(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let tasks = [noting("a", &journal), noting("b", &journal).depends_on(["a"])];
    let process = fx.process([workflow("w", tasks)]).await;
    let result = process.run("w").await;
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    assert_eq!((result.error_message.as_deref(), result.is_success()), (None, true), "{result:?}");
    let ids: Vec<_> = result.task_results.iter().map(|task| task.task_id.as_str()).collect();
    assert_eq!(ids, ["a", "b"], "tasks are told in topological order");
    for task in &result.task_results {
        let told = (task.status, task.attempts, task.error_message.as_deref());
        assert_eq!(told, (TaskState::Completed, 1, None), "{task:?}");
    }
}

/// Catches times that contradict each other.
pub async fn times_of_a_result_are_in_order(fx: &ExecutorFixture) {
    let (gate, journal) = (super::bodies::Gate::new(), Journal::new());
    let tasks = [
        super::bodies::gated("a", &gate, &journal),
        super::bodies::gated("b", &gate, &journal).depends_on(["a"]),
    ];
    let process = fx.process([workflow("w", tasks)]).await;
    let execution = process.start("w").await;
    for _ in 0..2 {
        gate.arrived(1).await;
        fx.store().let_pass(std::time::Duration::from_millis(30)).await;
        gate.open(1);
    }
    let told = super::fixture::ended(&execution).await;
    let read = process.get_execution_result(told.execution_id).await.expect("a result is read");
    for result in [told, read] {
        let mut last = result.start_time;
        for task in &result.task_results {
            let (Some(start), Some(end)) = (task.start_time, task.end_time) else {
                panic!("a completed task has times: {task:?}");
            };
            assert!(last <= start && start <= end, "from {last}: {task:?}");
            last = end;
        }
        assert!(result.end_time.is_some_and(|end| last <= end), "{last}: {result:?}");
    }
}

/// Catches a failure that is passed over, and dependents that run in spite of it.
pub async fn a_failed_task_fails_the_execution(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let tasks = [
        failing("bad", &journal),
        noting("after", &journal).depends_on(["bad"]),
        noting("later", &journal).depends_on(["after"]),
        noting("beside", &journal),
    ];
    let process = fx.process([workflow("w", tasks)]).await;
    let result = process.run("w").await;
    assert_eq!(result.status, PipelineStatus::Failed, "{result:?}");
    let error = "task `bad` failed: bad went wrong, attempt 1";
    assert_eq!(result.error_message.as_deref(), Some(error));
    assert_eq!(state(&result, "beside"), TaskState::Completed, "what does not depend on it runs");
    assert_eq!((journal.count("after"), journal.count("later")), (0, 0), "what ran");
    for task in ["after", "later"] {
        assert_eq!(state(&result, task), TaskState::Skipped, "{result:?}");
        let reason = result.task(task).and_then(|task| task.skip_reason.clone());
        assert_eq!(reason, Some(SkipReason::UpstreamFailed("bad".into())), "why {task} is skipped");
    }
}

/// Catches an engine that looks at leaves only: clean-up that went well does not undo a failure.
pub async fn a_clean_up_absolves_nothing(fx: &ExecutorFixture) {
    for rule in [TriggerRule::AllDone, TriggerRule::Always] {
        let journal = Journal::new();
        let tasks = [
            failing("bad", &journal),
            noting("clean", &journal).depends_on(["bad"]).trigger_rules(rule.clone()),
            noting("leaf", &journal).depends_on(["clean"]),
        ];
        let process = fx.process([workflow("w", tasks)]).await;
        let result = process.run("w").await;
        assert_eq!(result.status, PipelineStatus::Failed, "with {rule}: {result:?}");
        assert_eq!(journal.entries(), ["bad", "clean", "leaf"], "what ran with {rule}");
        process.shutdown().await.expect("a shutdown");
    }
}

/// Catches a handler that does not count, for every rule that speaks of failure.
pub async fn a_handled_failure_lets_the_execution_complete(fx: &ExecutorFixture) {
    let rules = [TriggerRule::task_failed("bad"), TriggerRule::OneFailed, TriggerRule::AllFailed];
    for rule in rules {
        let journal = Journal::new();
        let tasks = [
            failing("bad", &journal),
            noting("handler", &journal).depends_on(["bad"]).trigger_rules(rule.clone()),
        ];
        let process = fx.process([workflow("w", tasks)]).await;
        let result = process.run("w").await;
        assert_eq!(result.status, PipelineStatus::Completed, "with {rule}: {result:?}");
        assert_eq!(result.error_message, None, "with {rule}");
        assert_eq!(state(&result, "bad"), TaskState::Failed, "the failure stays on record");
        process.shutdown().await.expect("a shutdown");
    }
}

/// Catches a handler that counts although it failed itself.
pub async fn a_handler_that_fails_handles_nothing(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let tasks = [
        failing("bad", &journal),
        failing("handler", &journal).depends_on(["bad"]).trigger_rules(TriggerRule::OneFailed),
    ];
    let process = fx.process([workflow("w", tasks)]).await;
    let result = process.run("w").await;
    assert_eq!(result.status, PipelineStatus::Failed, "{result:?}");
    let error = "task `bad` failed: bad went wrong, attempt 1";
    assert_eq!(result.error_message.as_deref(), Some(error), "the first that nobody handled");
}

/// Catches one handler that absolves all failures.
pub async fn one_handled_failure_does_not_hide_another(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let tasks = [
        failing("bad", &journal),
        idle("handler").depends_on(["bad"]).trigger_rules(TriggerRule::OneFailed),
        failing("worse", &journal),
    ];
    let process = fx.process([workflow("w", tasks)]).await;
    let result = process.run("w").await;
    assert_eq!(result.status, PipelineStatus::Failed, "{result:?}");
    let error = result.error_message.unwrap_or_default();
    assert!(error.starts_with("task `worse` failed"), "names the unhandled one: {error}");
}

/// Catches a skip that counts as a failure.
pub async fn a_skip_by_condition_fails_nothing(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let exists = TriggerRule::context_value("missing", cloacina_core::ValueOperator::Exists, None);
    let tasks = [
        noting("a", &journal).trigger_rules(exists),
        noting("b", &journal).depends_on(["a"]),
        noting("c", &journal).depends_on(["b"]).trigger_rules(TriggerRule::NoneFailed),
    ];
    let process = fx.process([workflow("w", tasks)]).await;
    let result = process.run("w").await;
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    assert_eq!(journal.entries(), ["c"], "what ran");
    let reason = |task: &str| result.task(task).and_then(|task| task.skip_reason.clone());
    assert_eq!(reason("a"), Some(SkipReason::Condition));
    assert_eq!(reason("b"), Some(SkipReason::UpstreamSkipped("a".into())));
}
