//! Work that nobody asks for.

use std::time::Duration;

use super::ManagerFixture;
use super::fixture::{submit_to, until_all_rest};
use crate::conformance::soon;
use crate::executor_cases::bodies::{Gate, Journal, gated, idle};
use crate::executor_cases::fixture::workflow;
use crate::tenant_conformance::TenantHarness;

/// Catches a start that waits until somebody asks for a tenant, and one that starts those that have nothing to do.
pub async fn unfinished_work_is_resumed_at_the_start_without_anyone_asking<H: TenantHarness>(
    fx: &ManagerFixture<H>,
) {
    let w = workflow("w", [idle("a")]);
    let names = ["a", "b", "c", "d", "e"];
    fx.create(names).await;
    fx.create(["nothing_to_do"]).await;
    let mut ids = Vec::new();
    for name in names {
        let backend = fx.open(name).await;
        ids.push(submit_to(&backend, &w).await);
        backend.close().await;
    }
    let manager = fx.manager_with([w], |m| m.idle_timeout(Duration::from_secs(3_600))).await;
    for (name, id) in names.into_iter().zip(ids) {
        fx.until_completed(name, id).await;
    }
    let active = manager.active_tenants();
    assert!(active.iter().all(|name| names.contains(&name.as_str())), "active: {active:?}");
    manager.shutdown().await.expect("a shutdown");
}

/// Catches work that stays with a process that is no more.
pub async fn work_of_a_dead_process_is_resumed_at_the_start<H: TenantHarness>(
    fx: &ManagerFixture<H>,
) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let w = || workflow("w", [gated("a", &gate, &journal)]);
    fx.create(["acme", "globex"]).await;
    let manager = fx.manager([w()]).await;
    let mut ids = Vec::new();
    for name in ["acme", "globex"] {
        let executor = manager.get_executor(name).await.expect("an executor");
        let submitted = executor.execute_async("w", cloacina_core::Context::new()).await;
        ids.push((name, submitted.expect("a submit").execution_id));
    }
    gate.arrived(2).await;
    drop(manager);
    let manager = fx.manager([w()]).await;
    gate.arrived(2).await;
    gate.open(4);
    for (name, id) in ids {
        fx.until_completed(name, id).await;
    }
    manager.shutdown().await.expect("a shutdown");
}

/// Catches a manager that does not hear what others submit to tenants at rest.
pub async fn work_that_another_process_submits_is_taken_up<H: TenantHarness>(
    fx: &ManagerFixture<H>,
) {
    let w = workflow("w", [idle("a")]);
    fx.create(["acme"]).await;
    let manager = fx.manager([w.clone()]).await;
    manager.get_executor("acme").await.expect("an executor");
    until_all_rest::<H>(&manager).await;
    let backend = fx.open("acme").await;
    let id = submit_to(&backend, &w).await;
    backend.close().await;
    fx.until_completed("acme", id).await;
    manager.shutdown().await.expect("a shutdown");
}

/// Catches a death that is noticed only where the tenant is active.
pub async fn work_of_a_process_that_dies_is_taken_over_by_one_in_which_the_tenant_rests<
    H: TenantHarness,
>(
    fx: &ManagerFixture<H>,
) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let w = || workflow("w", [gated("a", &gate, &journal)]);
    fx.create(["acme"]).await;
    let survivor = fx.manager([w()]).await;
    survivor.get_executor("acme").await.expect("an executor");
    until_all_rest::<H>(&survivor).await;
    let victim = fx.manager([w()]).await;
    let executor = victim.get_executor("acme").await.expect("an executor");
    let submitted = executor.execute_async("w", cloacina_core::Context::new()).await;
    let id = submitted.expect("a submit").execution_id;
    gate.arrived(1).await;
    drop((executor, victim));
    soon("the takeover", gate.arrived(1)).await;
    gate.open(2);
    fx.until_completed("acme", id).await;
    survivor.shutdown().await.expect("a shutdown");
}

/// Catches work that is forgotten because somebody makes sure, at that moment, that its tenant exists.
pub async fn work_for_a_tenant_that_is_being_created_is_not_forgotten<H: TenantHarness>(
    fx: &ManagerFixture<H>,
) {
    let w = workflow("w", [idle("a")]);
    let names: Vec<String> = (0..12).map(|number| format!("t{number}")).collect();
    fx.create(names.iter().map(String::as_str)).await;
    let mut ids = Vec::new();
    for name in &names {
        let backend = fx.open(name).await;
        ids.push(submit_to(&backend, &w).await);
        backend.close().await;
    }
    let manager = fx.manager([w]).await;
    let creations = names.iter().map(|name| manager.create_tenant(name));
    for creation in futures_util::future::join_all(creations).await {
        assert_eq!(creation.expect("a creation"), cloacina_core::Creation::Existed);
    }
    for (name, id) in names.iter().zip(ids) {
        fx.until_completed(name, id).await;
    }
    manager.shutdown().await.expect("a shutdown");
}
