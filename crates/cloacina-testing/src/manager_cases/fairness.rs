//! Slots that tenants share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloacina_core::{Context, PipelineStatus, Task, TaskReason};
use futures_util::StreamExt as _;
use futures_util::future::poll_immediate;
use futures_util::stream::FuturesUnordered;

use super::ManagerFixture;
use super::fixture::{complete, executor};
use crate::conformance::soon;
use crate::executor_cases::bodies::{Gate, Journal, gated, noting};
use crate::executor_cases::fixture::{until, workflow};
use crate::tenant_conformance::TenantHarness;

/// Catches one queue for all, in which a single execution waits behind everything that another tenant submitted.
pub async fn a_flood_does_not_hold_up_another_tenant<H: TenantHarness>(fx: &ManagerFixture<H>) {
    const FLOOD: usize = 300;
    fx.create(["busy", "quiet"]).await;
    let (gate, journal) = (Gate::new(), Journal::new());
    let workflows = || {
        [
            workflow("many", [gated("many", &gate, &journal)]),
            workflow("one", [noting("one", &journal)]),
        ]
    };
    let manager = fx.manager_with(workflows(), |manager| manager.max_concurrent_tasks(2)).await;
    let busy = manager.get_executor("busy").await.expect("an executor");
    let submits = (0..FLOOD).map(|_| busy.execute_async("many", Context::new()));
    for submitted in futures_util::future::join_all(submits).await {
        submitted.expect("a submit");
    }
    gate.arrived(2).await;
    let quiet = manager.get_executor("quiet").await.expect("an executor");
    let single = quiet.execute_async("one", Context::new()).await.expect("a submit");
    until("it waits for a slot", async || {
        let explained = quiet.explain(single.execution_id).await.expect("an explanation");
        matches!(explained.task("one"), Some(TaskReason::Slot { .. }))
    })
    .await;
    let before = journal.count("many");
    // Slots become free one by one.
    let single = async { single.wait().await.expect("its end") };
    let others = async {
        loop {
            gate.open(1);
            gate.arrived(1).await;
        }
    };
    soon("the end of the single execution", async {
        tokio::select! {
            _ = single => {}
            () = others => {}
        }
    })
    .await;
    let overtook = journal.entries().iter().take_while(|entry| *entry != "one").count() - before;
    assert!(overtook <= 20, "{overtook} of {FLOOD} were preferred to another tenant's single one");
    gate.open(FLOOD);
    manager.shutdown().await.expect("a shutdown");
}

/// Catches one line for all at the limit of submits, in which a single one waits behind everything that another tenant submits.
pub async fn submits_that_wait_do_not_hold_up_another_tenant<H: TenantHarness>(
    fx: &ManagerFixture<H>,
) {
    const FLOOD: usize = 300;
    fx.create(["busy", "quiet"]).await;
    let workflows = || [workflow("w", [Task::new("w", |_, _| Box::pin(async {}))])];
    let template = executor::<H>(workflows()).max_waiting_submits(2);
    let manager = fx.manager_with(workflows(), |manager| manager.executor(template)).await;
    let busy = manager.get_executor("busy").await.expect("an executor");
    let quiet = manager.get_executor("quiet").await.expect("an executor");
    let mut flood: FuturesUnordered<_> =
        (0..FLOOD).map(|_| busy.execute_async("w", Context::new())).collect();
    // All of them are begun; a store may be so fast that one is through already.
    let first = poll_immediate(flood.next()).await.flatten();
    let mut acknowledged = Vec::from_iter(first.map(|submitted| submitted.expect("a submit")));
    let mut single = Box::pin(quiet.execute_async("w", Context::new()));
    let single = soon("the single submit", async {
        loop {
            tokio::select! {
                biased;
                single = &mut single => break single,
                Some(submitted) = flood.next() => acknowledged.push(submitted.expect("a submit")),
            }
        }
    });
    let single = single.await.expect("a submit");
    // Two of the others are committed at once, while the single one is.
    assert!(acknowledged.len() < FLOOD / 2, "{} of {FLOOD} came first", acknowledged.len());
    let result = soon("the end of the single execution", single.wait()).await.expect("an end");
    assert_eq!(result.status, PipelineStatus::Completed);
    while let Some(submitted) = soon("a submit", flood.next()).await {
        acknowledged.push(submitted.expect("a submit"));
    }
    assert_eq!(acknowledged.len(), FLOOD);
    for execution in acknowledged {
        let result = soon("the end of an execution", execution.wait()).await.expect("an end");
        assert_eq!(result.status, PipelineStatus::Completed);
    }
    manager.shutdown().await.expect("a shutdown");
}

/// Catches limits that hold for each tenant but not for all, and the other way round.
pub async fn slots_are_bounded_for_the_process_and_for_each_tenant<H: TenantHarness>(
    fx: &ManagerFixture<H>,
) {
    let names = ["a", "b", "c"];
    fx.create(names).await;
    let (gate, journal) = (Gate::new(), Journal::new());
    let workflows = [workflow("w", [gated("w", &gate, &journal)])];
    let template = executor::<H>(workflows.clone()).max_concurrent_tasks(2);
    let manager = fx
        .manager_with(workflows, |manager| manager.executor(template).max_concurrent_tasks(5))
        .await;
    let a = manager.get_executor("a").await.expect("an executor");
    for _ in 0..4 {
        a.execute_async("w", Context::new()).await.expect("a submit");
    }
    gate.arrived(2).await;
    let most = Arc::new(AtomicUsize::new(0));
    for name in ["b", "c"] {
        let executor = manager.get_executor(name).await.expect("an executor");
        for _ in 0..4 {
            executor.execute_async("w", Context::new()).await.expect("a submit");
        }
    }
    // Two of the first, two of the second, and one for the third: all five slots.
    gate.arrived(3).await;
    for _ in 0..12 {
        most.fetch_max(gate.waiting(), Ordering::Relaxed);
        assert!(a.metrics().running_tasks <= 2, "{:?}", a.metrics());
        gate.open(1);
        tokio::task::yield_now().await;
    }
    assert!(most.load(Ordering::Relaxed) <= 5, "bodies at once: {most:?}");
    drop(a);
    manager.shutdown().await.expect("a shutdown");
    let idle = Task::new("idle", |_, _| Box::pin(async {}));
    let manager = fx.manager([workflow("other", [idle])]).await;
    complete::<H>(&manager, "a", "other").await;
    manager.shutdown().await.expect("a shutdown");
}
