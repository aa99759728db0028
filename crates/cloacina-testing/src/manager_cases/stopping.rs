//! Stopping everything.

use cloacina_core::{Context, TenantError};

use super::ManagerFixture;
use super::fixture::spawn;
use crate::conformance::soon;
use crate::executor_cases::bodies::{Gate, Journal, gated, idle};
use crate::executor_cases::fixture::{until, workflow};
use crate::tenant_conformance::TenantHarness;

/// Catches a shutdown that forgets an executor, that drops running tasks, or that cannot be repeated.
pub async fn a_shutdown_stops_everything_once<H: TenantHarness>(fx: &ManagerFixture<H>) {
    fx.create(["acme", "globex"]).await;
    let (gate, journal) = (Gate::new(), Journal::new());
    let manager = fx
        .manager([workflow("w", [gated("a", &gate, &journal)]), workflow("idle", [idle("a")])])
        .await;
    let mut ids = Vec::new();
    for name in ["acme", "globex"] {
        let executor = manager.get_executor(name).await.expect("an executor");
        let submitted = executor.execute_async("w", Context::new()).await;
        ids.push((name, submitted.expect("a submit").execution_id));
    }
    gate.arrived(2).await;
    let shutdowns: Vec<_> = (0..3)
        .map(|_| {
            let manager = manager.clone();
            spawn(async move { manager.shutdown().await })
        })
        .collect();
    until("nothing new starts", async || {
        matches!(manager.get_executor("acme").await, Err(TenantError::ShuttingDown))
    })
    .await;
    gate.open(2);
    for shutdown in shutdowns {
        soon("the end of a shutdown", shutdown).await.expect("no panic").expect("a shutdown");
    }
    manager.shutdown().await.expect("a shutdown of what is shut down");
    assert!(matches!(manager.create_tenant("other").await, Err(TenantError::ShuttingDown)));
    assert!(matches!(manager.remove_tenant("acme").await, Err(TenantError::ShuttingDown)));
    assert!(matches!(manager.list_tenants().await, Err(TenantError::ShuttingDown)));
    for (name, id) in ids {
        fx.until_completed(name, id).await;
        assert_eq!(fx.workers(name).await, 0, "workers after the shutdown");
    }
    assert_eq!(journal.count("a"), 2, "how often the bodies ran");
}

/// Catches tasks that go on when nobody holds the manager any more, and work that is lost with it.
pub async fn a_manager_without_a_handle_stops_as_in_a_crash<H: TenantHarness>(
    fx: &ManagerFixture<H>,
) {
    fx.create(["acme"]).await;
    let (gate, journal) = (Gate::new(), Journal::new());
    let w = || workflow("w", [gated("a", &gate, &journal)]);
    let manager = fx.manager([w()]).await;
    let executor = manager.get_executor("acme").await.expect("an executor");
    let submitted = executor.execute_async("w", Context::new()).await.expect("a submit");
    let id = submitted.execution_id;
    gate.arrived(1).await;
    drop((executor, submitted, manager));
    until("the body is dropped", async || gate.waiting() == 0).await;
    let manager = fx.manager([w()]).await;
    gate.arrived(1).await;
    gate.open(1);
    fx.until_completed("acme", id).await;
    manager.shutdown().await.expect("a shutdown");
}
