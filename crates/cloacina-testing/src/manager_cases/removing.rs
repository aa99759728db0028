//! Removing a tenant that works.

use std::time::Duration;

use cloacina_core::{Context, Removal, TenantError, TenantStore as _};

use super::ManagerFixture;
use super::fixture::{executor, spawn, until_all_rest};
use crate::conformance::soon;
use crate::executor_cases::bodies::{Gate, Journal, gated, idle};
use crate::executor_cases::fixture::{until, workflow};
use crate::tenant_conformance::{TenantHarness, tenant};

/// Catches a removal under the feet of a task, one that leaves an executor, and one that cannot be repeated.
pub async fn a_removal_waits_for_running_tasks<H: TenantHarness>(fx: &ManagerFixture<H>) {
    fx.create(["acme", "globex"]).await;
    let (gate, journal) = (Gate::new(), Journal::new());
    let workflows = [workflow("w", [gated("a", &gate, &journal)]), workflow("idle", [idle("a")])];
    let manager = fx.manager(workflows).await;
    let executor = manager.get_executor("acme").await.expect("an executor");
    executor.execute_async("w", Context::new()).await.expect("a submit");
    gate.arrived(1).await;
    let removals: Vec<_> = (0..2)
        .map(|_| {
            let manager = manager.clone();
            spawn(async move { manager.remove_tenant("acme").await })
        })
        .collect();
    until("the executor takes nothing new", async || {
        executor.execute_async("idle", Context::new()).await.is_err()
    })
    .await;
    assert_eq!(gate.waiting(), 1, "the task goes on");
    assert!(fx.store().exists(&tenant("acme")).await.expect("exists answers"));
    gate.open(1);
    let mut removed = Vec::new();
    for removal in removals {
        let removal = soon("the end of a removal", removal).await.expect("no panic");
        removed.push(removal.expect("a removal"));
    }
    removed.sort_by_key(|removal| *removal == Removal::Absent);
    assert_eq!(removed, [Removal::Removed, Removal::Absent]);
    let error = manager.get_executor("acme").await.expect_err("it is gone");
    assert!(matches!(error, TenantError::UnknownTenant(_)), "{error:?}");
    assert_eq!(manager.list_tenants().await.expect("a list"), [tenant("globex")]);
    manager.shutdown().await.expect("a shutdown");
}

/// Catches a tenant that comes back to life because somebody submits while it is removed.
pub async fn a_removal_during_submits_leaves_nothing<H: TenantHarness>(fx: &ManagerFixture<H>) {
    let manager = fx.manager([workflow("w", [idle("a")])]).await;
    for _ in 0..3 {
        manager.create_tenant("acme").await.expect("a creation");
        let submits: Vec<_> = (0..8)
            .map(|_| {
                let manager = manager.clone();
                spawn(async move {
                    let mut done = 0;
                    while manager.execute_for_tenant("acme", "w", Context::new()).await.is_ok() {
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        until("something was done", async || {
            let metrics = manager.get_tenant_metrics("acme").await.expect("metrics");
            metrics.completed_executions > 8
        })
        .await;
        let removed = manager.remove_tenant("acme").await.expect("a removal");
        assert_eq!(removed, Removal::Removed);
        for submit in submits {
            soon("the last submit", submit).await.expect("no panic");
        }
        assert_eq!(manager.list_tenants().await.expect("a list"), []);
    }
    manager.create_tenant("acme").await.expect("a creation");
    let metrics = manager.get_tenant_metrics("acme").await.expect("metrics");
    assert_eq!(metrics.total_executions, 0, "what the removed tenant held came back");
    manager.shutdown().await.expect("a shutdown");
}

/// Catches an executor that goes on for ever with a tenant that another process has removed.
pub async fn a_removal_by_another_process_is_noticed<H: TenantHarness>(fx: &ManagerFixture<H>) {
    fx.create(["acme"]).await;
    let workflows = [workflow("w", [idle("a")])];
    let template = executor::<H>(workflows.clone()).lease_ttl(Duration::from_secs(2));
    let manager = fx.manager_with(workflows, |manager| manager.executor(template)).await;
    let held = manager.get_executor("acme").await.expect("an executor");
    let removed = fx.store().remove(&tenant("acme")).await;
    if removed.is_err() {
        // This store does not take a tenant from a process that works on it.
        drop(held);
        until_all_rest::<H>(&manager).await;
        let removed = fx.store().remove(&tenant("acme")).await.expect("nobody uses it");
        assert_eq!(removed, Removal::Removed);
    }
    until_all_rest::<H>(&manager).await;
    let error = manager.get_executor("acme").await.expect_err("it is gone");
    assert!(matches!(error, TenantError::UnknownTenant(_)), "{error:?}");
    manager.shutdown().await.expect("a shutdown");
}
