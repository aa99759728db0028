//! Several processes on one store, and the slots of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloacina_core::{Context, PipelineStatus, Task, UnifiedExecutorBuilder};

use super::bodies::{Gate, Journal, gated, noting};
use super::fixture::{ExecutorFixture, Process, ended, until, workflow};

/// Catches a client that runs bodies, or never hears of their end.
pub async fn a_client_submits_and_others_run(fx: &ExecutorFixture) {
    let (journal, elsewhere) = (Journal::new(), Journal::new());
    let client = fx
        .process_with(
            [workflow("w", [noting("a", &elsewhere)])],
            UnifiedExecutorBuilder::client_only,
        )
        .await;
    let early = client.start("w").await;
    assert_eq!(client.status(early.execution_id).await, PipelineStatus::Pending, "nobody runs it");
    let worker = fx.process([workflow("w", [noting("a", &journal)])]).await;
    assert_eq!(ended(&early).await.status, PipelineStatus::Completed);
    assert_eq!(client.run("w").await.status, PipelineStatus::Completed);
    assert_eq!((journal.count("a"), elsewhere.count("a")), (2, 0), "the worker ran both");
    client.shutdown().await.expect("a shutdown");
    assert_eq!(worker.run("w").await.status, PipelineStatus::Completed);
}

/// Catches an execution that two processes run, and one that none does.
pub async fn two_processes_share_work_and_nothing_runs_twice(fx: &ExecutorFixture) {
    let journals = [Journal::new(), Journal::new()];
    let flow = |journal: &Journal| {
        let journal = journal.clone();
        let first = Task::new("first", move |_, run| {
            let journal = journal.clone();
            Box::pin(async move {
                journal.note(run.execution_id.to_string());
                tokio::task::yield_now().await;
            })
        });
        workflow("w", [first, super::bodies::idle("second").depends_on(["first"])])
    };
    let settings = |builder: super::ExecutorBuilder| builder.max_concurrent_tasks(4);
    let here = fx.process_with([flow(&journals[0])], settings).await;
    let there = fx.process_with([flow(&journals[1])], settings).await;
    let processes = [&here, &there];
    let mut ids = Vec::new();
    for round in 0..200 {
        ids.push(processes[round % 2].submit("w").await);
    }
    for id in &ids {
        here.ended_as(*id, PipelineStatus::Completed).await;
    }
    let mut ran: Vec<String> = journals.iter().flat_map(Journal::entries).collect();
    ran.sort_unstable();
    let mut submitted: Vec<String> = ids.iter().map(ToString::to_string).collect();
    submitted.sort_unstable();
    assert_eq!(ran, submitted, "every execution ran once");
    let fenced = here.metrics().fenced + there.metrics().fenced;
    assert_eq!(fenced, 0, "nobody was taken for dead");
}

/// Catches work that piles up at the process that took it in, although another one is idle.
pub async fn an_idle_process_takes_over_what_waits_for_a_slot(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let flow = workflow("w", [gated("a", &gate, &journal)]);
    let settings = |builder: super::ExecutorBuilder| builder.max_concurrent_tasks(1);
    let busy = fx.process_with([flow.clone()], settings).await;
    let first = busy.start("w").await;
    gate.arrived(1).await;
    let second = busy.start("w").await;
    let idle = fx.process_with([flow], settings).await;
    // Both bodies are inside at once, so each has the one slot of its process.
    gate.arrived(1).await;
    assert_eq!((busy.metrics().running_tasks, idle.metrics().running_tasks), (1, 1));
    gate.open(2);
    for execution in [first, second] {
        assert_eq!(ended(&execution).await.status, PipelineStatus::Completed);
    }
    assert_eq!(journal.count("a"), 2, "each ran once");
}

/// Catches more bodies at once than the limit, within an execution and across executions.
pub async fn no_more_bodies_run_than_there_are_slots(fx: &ExecutorFixture) {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let tasks = (0..10).map(|task| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        Task::new(format!("t{task}"), move |_, _| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            Box::pin(async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                for _ in 0..5 {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::SeqCst);
            })
        })
    });
    let flow = workflow("w", tasks);
    let process = fx.process_with([flow], |builder| builder.max_concurrent_tasks(3)).await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(process.submit("w").await);
    }
    for id in ids {
        process.ended_as(id, PipelineStatus::Completed).await;
    }
    let most = most.load(Ordering::SeqCst);
    assert!((2..=3).contains(&most), "at most {most} bodies ran at once, there are 3 slots");
    assert_eq!(process.metrics().max_concurrent_tasks, 3);
}

/// Catches counters that tell something else than what happened.
pub async fn metrics_tell_what_happened_here(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let workflows = [
        workflow("good", [noting("a", &journal)]),
        workflow("bad", [super::bodies::failing("bad", &journal)]),
        workflow("slow", [gated("hang", &gate, &journal)]),
    ];
    let process = fx.process(workflows).await;
    process.run("good").await;
    process.run("good").await;
    process.run("bad").await;
    let slow = process.start("slow").await;
    gate.arrived(1).await;
    let metrics = process.metrics();
    assert_eq!((metrics.held_executions, metrics.running_tasks), (1, 1), "{metrics:?}");
    slow.cancel().await.expect("a cancel");
    ended(&slow).await;
    until("all is let go", async || {
        let metrics = process.metrics();
        (metrics.held_executions, metrics.running_tasks) == (0, 0)
    })
    .await;
    let metrics = process.metrics();
    let ended = (metrics.completed, metrics.failed, metrics.cancelled);
    assert_eq!(ended, (2, 1, 1), "{metrics:?}");
    assert_eq!((metrics.recovered, metrics.fenced), (0, 0), "{metrics:?}");
}

/// Catches submits that are lost when they come all at once.
pub async fn a_thousand_executions_at_once_complete(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let tasks = [noting("a", &journal), noting("b", &journal).depends_on(["a"])];
    let process = fx.process([workflow("w", tasks)]).await;
    let mut submits = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        submits.spawn(run_one(Process::executor(&process)));
    }
    let joined = crate::conformance::soon("the end of all", submits.join_all()).await;
    assert!(joined.iter().all(|status| *status == PipelineStatus::Completed));
    assert_eq!((journal.count("a"), journal.count("b")), (1_000, 1_000));
    assert_eq!(process.metrics().completed, 1_000);
}

async fn run_one(executor: super::Executor) -> PipelineStatus {
    executor.execute("w", Context::new()).await.expect("an execution comes to its end").status
}
