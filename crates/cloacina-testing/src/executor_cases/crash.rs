//! Processes that die.

use std::time::Duration;

use cloacina_core::backend::EventKind;
use cloacina_core::{Context, PipelineStatus, Task, Workflow};
use serde_json::json;

use super::bodies::{Gate, Journal, endless, gated, noting, setting};
use super::fixture::{ExecutorFixture, until, workflow};
use crate::conformance::soon;

/// A chain whose middle waits for leave.
fn chain(gate: &Gate, journal: &Journal) -> Workflow {
    let (noted, first) = (journal.clone(), "first");
    let first = Task::new(first, move |context, _| {
        noted.note("first");
        Box::pin(async move { drop(context.set("first", json!(1))) })
    });
    let tasks = [
        first,
        gated("second", gate, journal).depends_on(["first"]),
        noting("third", journal).depends_on(["second"]),
    ];
    workflow("chain", tasks)
}

/// Catches a recovery that repeats what was committed, or forgets what was not.
pub async fn after_a_crash_only_uncommitted_tasks_run_again(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let first = fx.process([chain(&gate, &journal)]).await;
    let id = first.submit("chain").await;
    gate.arrived(1).await;
    first.crash().await;
    let second = fx.process([chain(&gate, &journal)]).await;
    gate.arrived(1).await;
    // The body of the crashed process may be waiting still.
    gate.open(2);
    let result = second.ended_as(id, PipelineStatus::Completed).await;
    assert_eq!(journal.entries(), ["first", "second", "second", "third"], "what ran");
    assert_eq!(result.final_context.get("first"), Some(&json!(1)), "its result is there");
    assert!(result.task_results.iter().all(|task| task.attempts == 1), "{result:?}");
    assert_eq!(fx.events_of(id, EventKind::Recovered).await.len(), 1, "the takeover is on record");
    assert_eq!(second.metrics().recovered, 1);
}

/// Catches a process that lets the work of one that died beside it lie.
pub async fn a_process_takes_over_from_one_that_dies_beside_it(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let survivor_journal = Journal::new();
    let doomed = fx.process([workflow("w", [endless("a", &gate, &journal)])]).await;
    let ids = [doomed.submit("w").await, doomed.submit("w").await];
    gate.arrived(2).await;
    let survivor = fx.process([workflow("w", [noting("a", &survivor_journal)])]).await;
    doomed.crash().await;
    for id in ids {
        survivor.ended_as(id, PipelineStatus::Completed).await;
    }
    assert_eq!((journal.count("a"), survivor_journal.count("a")), (2, 2), "what ran");
}

/// Catches a drop without a shutdown that leaves the lease alive: here its handle, and so the proof of life, stays.
pub async fn an_executor_dropped_without_a_shutdown_is_taken_over(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let short = |builder: super::ExecutorBuilder| builder.lease_ttl(Duration::from_millis(900));
    let first = fx.process_with([chain(&gate, &journal)], short).await;
    let id = first.submit("chain").await;
    gate.arrived(1).await;
    drop(first);
    let second = fx.process([chain(&gate, &journal)]).await;
    gate.arrived(1).await;
    gate.open(2);
    second.ended_as(id, PipelineStatus::Completed).await;
    assert_eq!(journal.entries(), ["first", "second", "second", "third"], "what ran");
}

/// Catches progress that the next crash undoes: each process commits one task and dies in the next.
pub async fn several_crashes_in_a_row_are_outlived(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let flow = || {
        let tasks = (0..6).map(|step| {
            let task = gated(&format!("t{step}"), &gate, &journal);
            if step == 0 { task } else { task.depends_on([format!("t{}", step - 1)]) }
        });
        workflow("steps", tasks)
    };
    let mut process = fx.process([flow()]).await;
    let id = process.submit("steps").await;
    for step in 0..5 {
        gate.arrived(1).await;
        gate.open(1);
        until("the step is committed", async || fx.store().load(id).await.tasks.len() > step).await;
        gate.arrived(1).await;
        process.crash().await;
        until("the dead body is gone", async || gate.waiting() == 0).await;
        process = fx.process([flow()]).await;
    }
    gate.arrived(1).await;
    gate.open(1);
    process.ended_as(id, PipelineStatus::Completed).await;
    for step in 0..6 {
        let expected = if step == 0 { 1 } else { 2 };
        let ran = journal.count(&format!("t{step}"));
        assert_eq!(ran, expected, "how often t{step} ran: {:?}", journal.entries());
    }
}

/// Catches a worker that goes on writing after it was taken for dead.
pub async fn what_a_fenced_worker_ran_is_not_committed(fx: &ExecutorFixture) {
    let stale = Gate::new();
    let waits = stale.clone();
    let late = Task::new("a", move |context, _| {
        let waits = waits.clone();
        Box::pin(async move {
            waits.pass().await;
            context.set("by", json!("the dead"));
        })
    });
    // It beats too rarely to notice by itself, or it might register anew and take the execution up again.
    let rare = |builder: super::ExecutorBuilder| {
        builder.lease_ttl(Duration::from_secs(3_600)).poll_interval(Duration::from_secs(1))
    };
    let doomed = fx.process_with([workflow("w", [late])], rare).await;
    let execution = doomed.start("w").await;
    let id = execution.execution_id;
    stale.arrived(1).await;
    // Whoever declares it dead is wrong: it lives on, and finds out when it commits.
    let owner = fx.store().record(id).await.owner.expect("it is owned");
    fx.store().doom(owner).await;
    fx.store().bury(owner).await;
    let living = fx.process([workflow("w", [setting("a", "by", json!("the living"))])]).await;
    let result = living.ended_as(id, PipelineStatus::Completed).await;
    stale.open(1);
    assert_eq!(result.final_context.get("by"), Some(&json!("the living")));
    let told = soon("the end at the fenced one", execution.wait()).await.expect("a result");
    assert_eq!(told.final_context.get("by"), Some(&json!("the living")));
    let read = living.get_execution_result(id).await.expect("a result is read");
    assert_eq!(read.final_context.get("by"), Some(&json!("the living")), "it stays so");
}

/// Catches a submit that is cut in half when its caller goes away.
pub async fn a_submit_whose_caller_goes_away_is_whole_or_absent(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let process = fx.process([workflow("w", [noting("a", &journal)])]).await;
    for polls in 1..=10 {
        let submit = process.execute_async("w", Context::new());
        crate::conformance::drop_after_polls(polls, submit).await;
    }
    assert_eq!(process.run("w").await.status, PipelineStatus::Completed, "the store is sane");
    until("everything that exists ends", async || {
        let all = process.list_executions().await.expect("a list");
        all.iter().all(|one| one.status == PipelineStatus::Completed)
            && process.metrics().held_executions == 0
    })
    .await;
    let all = process.list_executions().await.expect("a list");
    assert_eq!(journal.count("a"), all.len(), "each that exists ran once");
}

/// Catches a suspicion that shows nowhere, or outlives its reason.
pub async fn a_recovered_execution_is_suspected_until_it_survives(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let first = fx.process([chain(&gate, &journal)]).await;
    let id = first.submit("chain").await;
    gate.arrived(1).await;
    first.crash().await;
    let second = fx.process([chain(&gate, &journal)]).await;
    gate.arrived(1).await;
    let started = fx.store().load(id).await.attempts;
    let started: Vec<_> = started.iter().map(|attempt| attempt.task.as_str()).collect();
    assert_eq!(started, ["second"], "what runs under suspicion is on record");
    gate.open(2);
    second.ended_as(id, PipelineStatus::Completed).await;
    let events = fx.events(id).await;
    assert_eq!(events, [EventKind::Recovered, EventKind::Suspected, EventKind::Cleared], "events");
}
