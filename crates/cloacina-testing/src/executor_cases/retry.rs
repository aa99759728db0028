//! Failed attempts and what follows.

use std::time::Duration;

use cloacina_core::backend::{AttemptState, EventKind};
use cloacina_core::{PipelineStatus, Task, TaskError, TaskState};

use super::bodies::{Gate, Journal, attempts, failing, failing_until, noting};
use super::fixture::{ExecutorFixture, ended, until, workflow};

/// Catches one attempt too many or too few.
pub async fn retries_stop_after_the_last_attempt(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let process = fx.process([workflow("w", [failing("bad", &journal).retry(attempts(5))])]).await;
    let result = process.run("w").await;
    assert_eq!(journal.count("bad"), 5, "how often the body ran");
    assert_eq!(result.status, PipelineStatus::Failed, "{result:?}");
    let error = "task `bad` failed: bad went wrong, attempt 5";
    assert_eq!(result.error_message.as_deref(), Some(error), "the last attempt's error");
    let task = result.task("bad").expect("every task has a result");
    assert_eq!((task.status, task.attempts), (TaskState::Failed, 5), "{task:?}");
}

/// Catches attempts that leave no trace.
pub async fn failed_attempts_are_on_record_with_their_errors(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let process =
        fx.process([workflow("w", [failing_until(3, "flaky", &journal).retry(attempts(3))])]).await;
    let result = process.run("w").await;
    assert_eq!(result.status, PipelineStatus::Completed, "the last attempt went well: {result:?}");
    assert_eq!(result.task("flaky").map(|task| task.attempts), Some(3), "{result:?}");
    let id = result.execution_id;
    let rows = fx.store().load(id).await.attempts;
    let failed: Vec<_> = rows.iter().filter(|row| row.state == AttemptState::Failed).collect();
    let errors: Vec<_> = failed.iter().filter_map(|row| row.error.as_deref()).collect();
    let wrong = ["flaky went wrong, attempt 1", "flaky went wrong, attempt 2"];
    assert_eq!(errors, wrong, "errors of the attempts");
    let events = fx.events_of(id, EventKind::Retried).await;
    assert_eq!(events.len(), 2, "an event for each retry: {events:?}");
    for (event, error) in events.iter().zip(wrong) {
        assert!(event.event.detail.contains(error), "the event tells why: {event:?}");
        assert_eq!(event.event.task, Some("flaky".into()), "{event:?}");
    }
}

/// Catches retries of what can never go well, and errors that lose their kind on the way.
pub async fn a_permanent_error_is_not_retried(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let noted = journal.clone();
    let bad = Task::new("bad", move |_, _| {
        noted.note("bad");
        Box::pin(async { Err::<(), _>(TaskError::permanent("no such customer")) })
    });
    let tasks = [bad.retry(attempts(5)), failing("ordinary", &journal).retry(attempts(2))];
    let process = fx.process([workflow("w", tasks)]).await;
    let result = process.run("w").await;
    assert_eq!((journal.count("bad"), journal.count("ordinary")), (1, 2), "how often they ran");
    let error = result.task("bad").and_then(|task| task.error_message.clone());
    assert_eq!(error.as_deref(), Some("no such customer"));
}

/// Catches a predicate that is not asked, or asked about another error.
pub async fn only_errors_that_the_policy_wants_are_retried(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let policy = attempts(5).retry_on(|error| error.message().contains("attempt 1"));
    let process = fx.process([workflow("w", [failing("bad", &journal).retry(policy)])]).await;
    let result = process.run("w").await;
    assert_eq!(journal.count("bad"), 2, "the second error is not wanted: {result:?}");
}

/// Catches an error's own delay that is passed over: the policy's would outlast the test.
pub async fn an_error_may_set_the_wait_before_its_retry(fx: &ExecutorFixture) {
    let flaky = Task::new("flaky", |_, run| {
        let first = run.attempt == 1;
        Box::pin(async move {
            let busy = || TaskError::new("busy").retry_after(Duration::from_millis(5));
            if first { Err(busy()) } else { Ok(()) }
        })
    });
    let hours = attempts(2).initial_delay(Duration::from_secs(7_200)).max_delay(Duration::MAX);
    let process = fx.process([workflow("w", [flaky.retry(hours)])]).await;
    let result = process.run("w").await;
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
}

/// Catches a retry that comes before its time.
pub async fn a_retry_waits_as_long_as_the_policy_says(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let wait = Duration::from_millis(150);
    let policy = attempts(2).initial_delay(wait);
    let process =
        fx.process([workflow("w", [failing_until(2, "flaky", &journal).retry(policy)])]).await;
    let result = process.run("w").await;
    let rows = fx.store().load(result.execution_id).await;
    let failed = rows.attempts.iter().find(|row| row.state == AttemptState::Failed);
    let failed_at = failed.and_then(|row| row.ended_at).expect("a failed attempt has an end");
    let waited = (rows.tasks[0].started_at - failed_at).to_std().unwrap_or_default();
    // Instants become timestamps by their distance from now, which may shift them a little against each other.
    assert!(waited + Duration::from_millis(20) >= wait, "waited {waited:?} of {wait:?}");
}

/// Catches a wait that keeps a slot: there is one only.
pub async fn the_wait_before_a_retry_holds_no_slot(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let hours = attempts(2).initial_delay(Duration::from_secs(7_200)).max_delay(Duration::MAX);
    let workflows = [
        workflow("waits", [failing("bad", &journal).retry(hours)]),
        workflow("other", [noting("a", &journal), noting("b", &journal).depends_on(["a"])]),
    ];
    let process = fx.process_with(workflows, |builder| builder.max_concurrent_tasks(1)).await;
    let waiting = process.submit("waits").await;
    until("the wait is committed", async || !fx.events(waiting).await.is_empty()).await;
    let result = process.run("other").await;
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    assert_eq!(process.status(waiting).await, PipelineStatus::Running, "it waits still");
}

/// Catches a wait that begins anew, or is cut short, when another process takes the execution over.
pub async fn the_wait_before_a_retry_survives_a_handover(fx: &ExecutorFixture) {
    attempts_survive(fx, async |process| process.shutdown().await.expect("a shutdown")).await;
}

/// Catches attempts that a crash makes undone.
pub async fn the_wait_before_a_retry_survives_a_crash(fx: &ExecutorFixture) {
    attempts_survive(fx, super::Process::crash).await;
}

async fn attempts_survive(fx: &ExecutorFixture, leave: impl AsyncFnOnce(super::Process)) {
    let journal = Journal::new();
    let wait = Duration::from_millis(300);
    let policy = attempts(3).initial_delay(wait).backoff(cloacina_core::Backoff::Fixed);
    let flow = workflow("w", [failing("bad", &journal).retry(policy)]);
    let first = fx.process([flow.clone()]).await;
    let id = first.submit("w").await;
    until("the first wait is committed", async || !fx.events(id).await.is_empty()).await;
    leave(first).await;
    let second = fx.process([flow]).await;
    let result = second.ended_as(id, PipelineStatus::Failed).await;
    assert_eq!(journal.count("bad"), 3, "how often the body ran in both processes");
    assert_eq!(result.task("bad").map(|task| task.attempts), Some(3), "{result:?}");
    let rows = fx.store().load(id).await.attempts;
    let failed: Vec<_> = rows.iter().filter(|row| row.state == AttemptState::Failed).collect();
    assert_eq!(failed.len(), 2, "attempts on record: {rows:?}");
    let ended = failed[0].ended_at.expect("a failed attempt has an end");
    let waited = (failed[1].started_at - ended).to_std().unwrap_or_default();
    assert!(waited + Duration::from_millis(20) >= wait, "waited {waited:?} of {wait:?}");
}

/// Catches a cancel or an end that leaves an execution in its wait.
pub async fn an_execution_that_waits_for_a_retry_can_be_cancelled(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let hours = attempts(2).initial_delay(Duration::from_secs(7_200)).max_delay(Duration::MAX);
    let process = fx.process([workflow("w", [failing("bad", &journal).retry(hours)])]).await;
    let execution = process.start("w").await;
    let id = execution.execution_id;
    until("the wait is committed", async || !fx.events(id).await.is_empty()).await;
    execution.cancel().await.expect("a cancel");
    let result = ended(&execution).await;
    assert_eq!(result.status, PipelineStatus::Cancelled, "{result:?}");
    assert_eq!(result.task("bad").map(|task| task.status), Some(TaskState::Cancelled));
}

/// Catches work that nobody looks for when a wait makes room: with another process about, only as much is held as
/// there are slots.
pub async fn the_wait_before_a_retry_makes_room_for_what_nobody_owns(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let noted = gate.clone();
    let bad = Task::new("bad", move |_, _| {
        let noted = noted.clone();
        Box::pin(async move {
            noted.pass().await;
            Err::<(), _>(TaskError::new("busy").retry_after(Duration::from_secs(7_200)))
        })
    });
    let workflows =
        [workflow("waits", [bad.retry(attempts(2))]), workflow("other", [noting("a", &journal)])];
    let _stranger = fx.process([workflow("stranger", [noting("b", &journal)])]).await;
    // The beat, which looks for work in any case, is out of the test's reach.
    let rare = |builder: super::ExecutorBuilder| {
        builder.max_concurrent_tasks(1).lease_ttl(Duration::from_secs(3_600))
    };
    let process = fx.process_with(workflows, rare).await;
    process.submit("waits").await;
    gate.arrived(1).await;
    let other = process.submit("other").await;
    gate.open(1);
    process.ended_as(other, PipelineStatus::Completed).await;
}
