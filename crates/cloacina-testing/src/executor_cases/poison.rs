//! Tasks that take their process down with them.

use cloacina_core::backend::EventKind;
use cloacina_core::{ExecutionId, PipelineStatus, TaskState, WorkerId, Workflow};

use super::Process;
use super::bodies::{Gate, Journal, endless, gated, noting};
use super::fixture::{ExecutorFixture, until, workflow};

/// Bodies of `poison` report at the first gate, whereupon the case lets their process die.
fn flows(poison: &Gate, innocent: &Gate, journal: &Journal) -> [Workflow; 2] {
    let culprit = [
        noting("before", journal),
        endless("poison", poison, journal).depends_on(["before"]),
        noting("after", journal).depends_on(["poison"]),
    ];
    let beside = [gated("innocent", innocent, journal)];
    [workflow("culprit", culprit), workflow("innocent", beside)]
}

/// Starts a process and lets it die as soon as the poison works; returns it if the poison does not work any more.
async fn survives(
    fx: &ExecutorFixture,
    id: ExecutionId,
    (poison, innocent): (&Gate, &Gate),
    journal: &Journal,
) -> Option<Process> {
    let process = fx.process(flows(poison, innocent, journal)).await;
    let ended = tokio::select! {
        () = poison.arrived(1) => false,
        _ = process.ended(id) => true,
    };
    if ended {
        return Some(process);
    }
    process.crash().await;
    None
}

/// Catches a poisonous task that is run for ever, one that is given up too soon, and an error that does not say why.
pub async fn a_task_whose_worker_dies_every_time_is_abandoned(fx: &ExecutorFixture) {
    let (poison, innocent, journal) = (Gate::new(), Gate::new(), Journal::new());
    let first = fx.process(flows(&poison, &innocent, &journal)).await;
    let id = first.submit("culprit").await;
    poison.arrived(1).await;
    first.crash().await;
    let mut process = None;
    for _ in 0..6 {
        process = survives(fx, id, (&poison, &innocent), &journal).await;
        if process.is_some() {
            break;
        }
    }
    let process = process.expect("it is given up after a few crashes");
    let result = process.ended_as(id, PipelineStatus::Failed).await;
    let task = result.task("poison").expect("every task has a result");
    assert_eq!(task.status, TaskState::Failed, "{task:?}");
    let error = task.error_message.clone().unwrap_or_default();
    assert!(error.contains("abandoned") && error.contains('3'), "says why: {error}");
    assert!(result.error_message.is_some_and(|text| text.contains("`poison`")), "names the task");
    let ran = journal.count("poison");
    assert!((3..=4).contains(&ran), "it ran {ran} times: {:?}", journal.entries());
    assert_eq!((journal.count("before"), journal.count("after")), (1, 0), "what else ran");
    let abandoned = fx.events_of(id, EventKind::Abandoned).await;
    assert_eq!(abandoned.len(), 1, "{abandoned:?}");
    assert_eq!(abandoned[0].event.task, Some("poison".into()));
    innocent.open(1);
    let next = process.run("innocent").await;
    assert_eq!(next.status, PipelineStatus::Completed, "the process lives on: {next:?}");
}

/// Catches the innocent punished: what was in flight beside the culprit is abandoned with it, or stays suspected.
pub async fn what_runs_beside_a_poisonous_task_is_not_abandoned(fx: &ExecutorFixture) {
    let (poison, innocent, journal) = (Gate::new(), Gate::new(), Journal::new());
    let first = fx.process(flows(&poison, &innocent, &journal)).await;
    let beside = [first.submit("innocent").await, first.submit("innocent").await];
    innocent.arrived(2).await;
    let id = first.submit("culprit").await;
    poison.arrived(1).await;
    first.crash().await;
    // From here on the innocent may finish whenever they get to run.
    innocent.open(1_000);
    let mut process = None;
    for _ in 0..6 {
        process = survives(fx, id, (&poison, &innocent), &journal).await;
        if process.is_some() {
            break;
        }
    }
    let process = process.expect("the culprit is given up after a few crashes");
    process.ended_as(id, PipelineStatus::Failed).await;
    for id in beside {
        process.ended_as(id, PipelineStatus::Completed).await;
        assert_eq!(fx.events_of(id, EventKind::Abandoned).await, [], "it did nothing");
        until("it is cleared", async || fx.store().record(id).await.takeovers == 0).await;
    }
}

/// Catches false alarms that count as crashes: a long task is abandoned although no process ever died.
pub async fn a_task_whose_worker_is_declared_dead_and_lives_is_not_abandoned(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let strict = |builder: super::ExecutorBuilder| builder.max_recovery_attempts(2);
    let flow = workflow("long", [gated("long", &gate, &journal)]);
    let process = fx.process_with([flow], strict).await;
    let id = process.submit("long").await;
    for alarms in 1..=3 {
        gate.arrived(1).await;
        let owner = fx.store().record(id).await.owner.expect("it is owned");
        // Its heartbeats go on: one in between saves it.
        until("it is declared dead", async || {
            let burials = fx.store().store().bury_dead_workers(WorkerId::new()).await;
            let burials = burials.expect("bury answers");
            let buried = burials.iter().any(|burial| burial.worker == owner);
            if !buried {
                fx.store().doom(owner).await;
            }
            buried
        })
        .await;
        until("it is acquitted", async || {
            fx.events_of(id, EventKind::Acquitted).await.len() == alarms
        })
        .await;
    }
    gate.arrived(1).await;
    gate.open(1_000);
    process.ended_as(id, PipelineStatus::Completed).await;
    assert_eq!(journal.count("long"), 4, "each alarm costs a run");
    assert_eq!(fx.events_of(id, EventKind::Abandoned).await, [], "nobody died");
}

/// Catches a start that goes without a record because what began before it came to its end meanwhile.
pub async fn all_that_could_start_after_a_crash_starts_on_record(fx: &ExecutorFixture) {
    let ids = ["a", "b", "c", "d"];
    let gates = ids.map(|_| Gate::new());
    let journal = Journal::new();
    let flow = || {
        let tasks = ids.iter().zip(&gates).map(|(id, gate)| gated(id, gate, &journal));
        [workflow("wide", tasks.collect::<Vec<_>>())]
    };
    let one_slot = |builder: super::ExecutorBuilder| builder.max_concurrent_tasks(1);
    let first = fx.process_with(flow(), one_slot).await;
    let id = first.submit("wide").await;
    gates[0].arrived(1).await;
    first.crash().await;
    let second = fx.process_with(flow(), one_slot).await;
    for (id_of_task, gate) in ids.iter().zip(&gates) {
        gate.arrived(1).await;
        let attempts = fx.store().load(id).await.attempts;
        let on_record = attempts.iter().any(|attempt| attempt.task == *id_of_task);
        assert!(on_record, "`{id_of_task}` runs without a record: {attempts:?}");
        // One more leave for the body of the dead process.
        gate.open(2);
    }
    second.ended_as(id, PipelineStatus::Completed).await;
}
