//! Tenants at rest: their executors stop, and come back when there is something to do.

use std::time::Duration;

use cloacina_core::{Context, ExecuteOptions, PipelineStatus, RetryPolicy};

use super::ManagerFixture;
use super::fixture::{complete, executor, submit_to, until_all_rest};
use crate::executor_cases::bodies::{Journal, failing, failing_until, idle};
use crate::executor_cases::fixture::{until, workflow};
use crate::tenant_conformance::TenantHarness;

/// Longer than an executor of the suite rests, so that it has stopped by then.
const LATER: Duration = Duration::from_millis(700);

/// Catches executors that are never stopped, and tenants that do not come back.
pub async fn an_executor_at_rest_is_stopped_and_comes_back<H: TenantHarness>(
    fx: &ManagerFixture<H>,
) {
    fx.create(["acme", "globex"]).await;
    let manager = fx.manager([workflow("w", [idle("a")])]).await;
    for _ in 0..3 {
        complete::<H>(&manager, "acme", "w").await;
        complete::<H>(&manager, "globex", "w").await;
        until_all_rest::<H>(&manager).await;
        assert_eq!(fx.workers("acme").await, 0, "workers of a tenant at rest");
    }
    let metrics = manager.get_tenant_metrics("acme").await.expect("metrics");
    assert_eq!(metrics.completed_executions, 3);
    manager.shutdown().await.expect("a shutdown");
}

/// Catches an executor that is stopped under the feet of whoever holds it.
pub async fn an_executor_that_is_held_is_not_stopped<H: TenantHarness>(fx: &ManagerFixture<H>) {
    fx.create(["acme", "globex"]).await;
    let manager = fx.manager([workflow("w", [idle("a")])]).await;
    let held = manager.get_executor("acme").await.expect("an executor");
    // Those that nobody holds come and go meanwhile.
    for _ in 0..3 {
        complete::<H>(&manager, "globex", "w").await;
        until("the other one has stopped", async || manager.active_tenants().len() == 1).await;
    }
    let result = held.execute("w", Context::new()).await.expect("it still works");
    assert_eq!(result.status, PipelineStatus::Completed);
    drop(held);
    until_all_rest::<H>(&manager).await;
    manager.shutdown().await.expect("a shutdown");
}

/// Catches a delayed start that waits until somebody asks for the tenant.
pub async fn a_delayed_start_happens_in_a_tenant_at_rest<H: TenantHarness>(fx: &ManagerFixture<H>) {
    fx.create(["acme"]).await;
    let manager = fx.manager([workflow("w", [idle("a")])]).await;
    let executor = manager.get_executor("acme").await.expect("an executor");
    let options = ExecuteOptions::new().delay(LATER);
    let submitted = executor.execute_with("w", Context::new(), options).await;
    let id = submitted.expect("a submit").execution_id;
    drop(executor);
    until_all_rest::<H>(&manager).await;
    fx.until_completed("acme", id).await;
    manager.shutdown().await.expect("a shutdown");
}

/// Catches a retry that keeps an executor running for nothing else, or that is forgotten with it.
pub async fn a_retry_happens_in_a_tenant_at_rest<H: TenantHarness>(fx: &ManagerFixture<H>) {
    fx.create(["acme"]).await;
    let journal = Journal::new();
    let flaky = failing_until(2, "flaky", &journal).retry(RetryPolicy::new(2).initial_delay(LATER));
    let manager = fx.manager([workflow("w", [flaky])]).await;
    let executor = manager.get_executor("acme").await.expect("an executor");
    let submitted = executor.execute_async("w", Context::new()).await.expect("a submit");
    let id = submitted.execution_id;
    drop((executor, submitted));
    until("the first attempt was made", async || journal.count("flaky") == 1).await;
    until_all_rest::<H>(&manager).await;
    assert_eq!(journal.count("flaky"), 1, "attempts before the executor stopped");
    fx.until_completed("acme", id).await;
    assert_eq!(journal.count("flaky"), 2, "attempts in all");
    manager.shutdown().await.expect("a shutdown");
}

/// Catches an execution that outlives its time limit because its tenant rests.
pub async fn a_timeout_happens_in_a_tenant_at_rest<H: TenantHarness>(fx: &ManagerFixture<H>) {
    fx.create(["acme"]).await;
    let journal = Journal::new();
    let hour = Duration::from_secs(3_600);
    let bad =
        failing("bad", &journal).retry(RetryPolicy::new(2).initial_delay(hour).max_delay(hour));
    let workflows = [workflow("w", [bad])];
    let template = executor::<H>(workflows.clone()).pipeline_timeout(LATER);
    let manager = fx.manager_with(workflows, |manager| manager.executor(template)).await;
    let executor = manager.get_executor("acme").await.expect("an executor");
    let submitted = executor.execute_async("w", Context::new()).await.expect("a submit");
    let id = submitted.execution_id;
    drop((executor, submitted));
    until("the first attempt was made", async || journal.count("bad") == 1).await;
    until_all_rest::<H>(&manager).await;
    let backend = fx.open("acme").await;
    until("the execution has ended", async || {
        let standing = backend.standing(&[id]).await.expect("standing answers");
        standing[0].is_some_and(|standing| standing.status.is_terminal())
    })
    .await;
    backend.close().await;
    manager.shutdown().await.expect("a shutdown");
}

/// Catches an executor that comes and goes all the time because of work that it does not know, and new work that waits for it.
pub async fn work_that_nobody_can_do_starts_an_executor_now_and_then_only<H: TenantHarness>(
    fx: &ManagerFixture<H>,
) {
    fx.create(["acme"]).await;
    let (known, unknown) = (workflow("w", [idle("a")]), workflow("unknown", [idle("a")]));
    let backend = fx.open("acme").await;
    submit_to(&backend, &unknown).await;
    let manager = fx.manager([known.clone()]).await;
    let (mut starts, mut active) = (0, false);
    let began = tokio::time::Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        let now = !manager.active_tenants().is_empty();
        starts += usize::from(now && !active);
        active = now;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // Each rest is twice as long as the one before: after 60 ms, after 120 ms and so on.
    assert!((1..=8).contains(&starts), "{starts} starts");
    let id = submit_to(&backend, &known).await;
    fx.until_completed("acme", id).await;
    backend.close().await;
    manager.shutdown().await.expect("a shutdown");
}

/// Catches an executor that its user has shut down and that is handed out again.
pub async fn an_executor_that_was_shut_down_is_replaced<H: TenantHarness>(fx: &ManagerFixture<H>) {
    fx.create(["acme"]).await;
    let manager = fx.manager([workflow("w", [idle("a")])]).await;
    let executor = manager.get_executor("acme").await.expect("an executor");
    executor.shutdown().await.expect("a shutdown");
    complete::<H>(&manager, "acme", "w").await;
    manager.shutdown().await.expect("a shutdown");
}
