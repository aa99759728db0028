//! What an executor tells about executions.

use std::time::Duration;

use cloacina_core::backend::EventKind;
use cloacina_core::{ExecutionQuery, PipelineStatus};

use super::bodies::{Gate, Journal, attempts, endless, failing, failing_until, gated, noting};
use super::fixture::{ExecutorFixture, ended, workflow};

/// Catches lists that are incomplete, out of order, or differ between processes.
pub async fn executions_are_listed_newest_first_in_pages(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let workflows =
        [workflow("good", [noting("a", &journal)]), workflow("bad", [failing("a", &journal)])];
    let process = fx.process(workflows.clone()).await;
    let mut ids = Vec::new();
    for round in 0..12 {
        let name = if round % 3 == 0 { "bad" } else { "good" };
        ids.push(process.run(name).await.execution_id);
    }
    ids.reverse();
    let other = fx.process(workflows).await;
    for process in [&process, &other] {
        let all = process.list_executions().await.expect("a list");
        let all: Vec<_> = all.iter().map(|one| one.execution_id).collect();
        assert_eq!(all, ids, "all of them, the newest first");
        let mut paged = Vec::new();
        let mut query = ExecutionQuery::new().limit(5);
        loop {
            let page = process.find_executions(&query).await.expect("a page");
            let Some(last) = page.last() else { break };
            query = query.before(last.execution_id);
            paged.extend(page.iter().map(|one| one.execution_id));
        }
        assert_eq!(paged, ids, "page by page");
        let failed = ExecutionQuery::new().status(PipelineStatus::Failed);
        let failed = process.find_executions(&failed).await.expect("a list");
        assert_eq!(failed.len(), 4, "those that failed");
        for one in failed {
            assert_eq!((one.workflow_name.as_str(), one.status), ("bad", PipelineStatus::Failed));
            let error = one.error_message.unwrap_or_default();
            assert!(error.starts_with("task `a` failed"), "a summary tells why: {error}");
            assert!(one.duration.is_some() && one.start_time >= Some(one.created_at));
        }
        let good = process.find_executions(&ExecutionQuery::new().workflow("good")).await;
        assert_eq!(good.expect("a list").len(), 8, "those of one workflow");
    }
}

/// Catches an execution in flight that looks as if nothing happened.
pub async fn an_execution_in_flight_shows_how_far_it_is(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let tasks = [
        noting("a", &journal),
        gated("b", &gate, &journal).depends_on(["a"]),
        noting("c", &journal).depends_on(["b"]),
    ];
    let process = fx.process([workflow("w", tasks)]).await;
    let execution = process.start("w").await;
    gate.arrived(1).await;
    let now = process.get_execution_result(execution.execution_id).await.expect("a result");
    assert_eq!((now.status, now.end_time), (PipelineStatus::Running, None), "{now:?}");
    let states: Vec<_> = now.task_results.iter().map(|task| task.status.as_str()).collect();
    assert_eq!((states[0], states[2]), ("completed", "pending"), "{now:?}");
    assert!(matches!(states[1], "running" | "pending"), "{now:?}");
    gate.open(1);
    assert_eq!(ended(&execution).await.status, PipelineStatus::Completed);
}

/// Catches events that are lost, out of order, or written for what the rows tell already.
pub async fn events_tell_in_order_what_the_rows_do_not(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let tasks = [
        failing_until(2, "flaky", &journal).retry(attempts(2)),
        gated("wait", &gate, &journal).depends_on(["flaky"]),
        endless("hang", &gate, &journal).depends_on(["wait"]),
    ];
    let workflows = [workflow("w", tasks), workflow("plain", [noting("a", &journal)])];
    let process = fx.process(workflows).await;
    let plain = process.run("plain").await.execution_id;
    let events = process.list_events(plain).await.expect("events answers");
    assert_eq!(events, [], "the ordinary path writes none");
    let execution = process.start("w").await;
    let id = execution.execution_id;
    gate.arrived(1).await;
    process.pause_execution(id).await.expect("a pause");
    process.resume_execution(id).await.expect("a resume");
    gate.open(1);
    gate.arrived(1).await;
    process.cancel_execution(id).await.expect("a cancel");
    let events = process.list_events(id).await.expect("events answers");
    let kinds: Vec<_> = events.iter().map(|record| record.event.kind).collect();
    let expected =
        [EventKind::Retried, EventKind::Paused, EventKind::Resumed, EventKind::Cancelled];
    assert_eq!(kinds, expected, "events in order");
    assert!(events.is_sorted_by_key(|record| record.at), "times in order: {events:?}");
    assert_eq!(events[0].event.task, Some("flaky".into()), "an event names its task");
}

/// Catches a prune that takes what runs, or leaves what is old.
pub async fn pruning_deletes_what_has_ended_only(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let workflows = [
        workflow("good", [noting("a", &journal)]),
        workflow("bad", [failing("a", &journal), noting("b", &journal).depends_on(["a"])]),
        workflow("slow", [gated("hang", &gate, &journal)]),
    ];
    let process = fx.process(workflows).await;
    let running = process.start("slow").await;
    gate.arrived(1).await;
    for _ in 0..3 {
        process.run("good").await;
        process.run("bad").await;
    }
    let spared = process.prune_executions(Duration::from_secs(3_600)).await.expect("a prune");
    assert_eq!(spared, 0, "what ended lately stays");
    let pruned = process.prune_executions(Duration::ZERO).await.expect("a prune");
    assert_eq!(pruned, 6, "what has ended goes");
    let left = process.list_executions().await.expect("a list");
    let left: Vec<_> = left.iter().map(|one| one.execution_id).collect();
    assert_eq!(left, [running.execution_id], "what runs stays");
    gate.open(1);
    assert_eq!(ended(&running).await.status, PipelineStatus::Completed);
}
