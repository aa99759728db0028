//! Asking for a tenant.

use cloacina_core::{Context, Task, TaskError, TenantError, TenantStore as _};
use serde_json::json;

use super::ManagerFixture;
use super::fixture::{complete, spawn, until_all_rest};
use crate::conformance::soon;
use crate::executor_cases::bodies::idle;
use crate::executor_cases::fixture::workflow;
use crate::tenant_conformance::TenantHarness;

/// Catches the race of everybody who looks into a map and then opens.
pub async fn a_thousand_first_requests_start_one_executor<H: TenantHarness>(
    fx: &ManagerFixture<H>,
) {
    fx.create(["acme"]).await;
    let manager = fx.manager([workflow("w", [idle("a")])]).await;
    let requests: Vec<_> = (0..1_000)
        .map(|_| {
            let manager = manager.clone();
            spawn(async move { manager.get_executor("acme").await })
        })
        .collect();
    let mut executors = Vec::new();
    for request in requests {
        let executor = soon("the answer to a request", request).await.expect("no panic");
        executors.push(executor.expect("an executor"));
    }
    assert_eq!(fx.workers("acme").await, 1, "how many workers there are");
    drop(executors);
    manager.shutdown().await.expect("a shutdown");
}

/// Catches a question that creates what it asks for.
pub async fn asking_for_an_unknown_tenant_creates_nothing<H: TenantHarness>(
    fx: &ManagerFixture<H>,
) {
    let manager = fx.manager([workflow("w", [idle("a")])]).await;
    let errors = [
        manager.get_executor("acme").await.err(),
        manager.execute_for_tenant("acme", "w", Context::new()).await.err(),
        manager.get_tenant_metrics("acme").await.err(),
    ];
    for error in errors {
        let error = error.expect("there is no such tenant");
        assert!(matches!(&error, TenantError::UnknownTenant(tenant) if tenant.as_str() == "acme"));
        assert!(error.to_string().contains("tenant `acme` does not exist"), "{error}");
    }
    assert_eq!(manager.list_tenants().await.expect("a list"), []);
    assert_eq!(fx.store().list().await.expect("a list"), []);
    manager.create_tenant("acme").await.expect("a creation");
    complete::<H>(&manager, "acme", "w").await;
    manager.shutdown().await.expect("a shutdown");
}

/// Catches a name that becomes a path or a statement.
pub async fn names_that_break_a_rule_are_refused<H: TenantHarness>(fx: &ManagerFixture<H>) {
    let manager = fx.manager([workflow("w", [idle("a")])]).await;
    let long = "a".repeat(49);
    let names = [
        ("", "1 to 48 bytes"),
        (&long, "1 to 48 bytes"),
        ("../acme", "begin with a letter"),
        ("/etc/passwd", "begin with a letter"),
        ("a/../../b", "lower-case ASCII"),
        ("a\\b", "lower-case ASCII"),
        ("a.b", "lower-case ASCII"),
        ("a\0b", "lower-case ASCII"),
        ("a\"; DROP TABLE x; --", "lower-case ASCII"),
        ("Acme", "begin with a letter"),
        ("aCME", "lower-case ASCII"),
        ("acm\u{435}", "lower-case ASCII"),
        ("\u{ff41}cme", "begin with a letter"),
        ("a\u{301}", "lower-case ASCII"),
        ("1acme", "begin with a letter"),
        ("_acme", "begin with a letter"),
        ("pg_acme", "belong to PostgreSQL"),
        ("public", "reserved"),
        ("information_schema", "reserved"),
        ("con", "reserved"),
        ("nul", "reserved"),
        ("com1", "reserved"),
        ("lpt9", "reserved"),
    ];
    for (name, rule) in names {
        let errors = [
            manager.create_tenant(name).await.err(),
            manager.remove_tenant(name).await.err(),
            manager.get_executor(name).await.err(),
            manager.get_tenant_metrics(name).await.err(),
        ];
        for error in errors {
            let error = error.expect("the name is refused");
            assert!(matches!(error, TenantError::InvalidName(_)), "{name:?}: {error:?}");
            assert!(error.to_string().contains(rule), "{name:?}: {error}");
        }
    }
    assert_eq!(manager.list_tenants().await.expect("a list"), []);
    manager.shutdown().await.expect("a shutdown");
}

/// Catches tasks that cannot tell for whom they run.
pub async fn tasks_know_their_tenant<H: TenantHarness>(fx: &ManagerFixture<H>) {
    fx.create(["acme", "globex"]).await;
    let tell = Task::new("tell", |context, run| {
        let tenant = run.tenant.as_ref().map(ToString::to_string);
        context.set("tenant", json!(tenant));
        Box::pin(async { Ok::<_, TaskError>(()) })
    });
    let manager = fx.manager([workflow("w", [tell])]).await;
    for name in ["acme", "globex"] {
        let result = complete::<H>(&manager, name, "w").await;
        assert_eq!(result.final_context.get("tenant"), Some(&json!(name)));
    }
    manager.shutdown().await.expect("a shutdown");
}

/// Catches figures that are made up, or of another tenant, and a question that starts an executor.
pub async fn metrics_count_what_a_tenant_did_and_start_nothing<H: TenantHarness>(
    fx: &ManagerFixture<H>,
) {
    fx.create(["acme", "globex"]).await;
    let bad = Task::new("bad", |_, _| Box::pin(async { Err::<(), _>(TaskError::new("no")) }));
    let manager = fx.manager([workflow("w", [idle("a")]), workflow("fails", [bad])]).await;
    complete::<H>(&manager, "acme", "w").await;
    complete::<H>(&manager, "acme", "w").await;
    let failed = manager.execute_for_tenant("acme", "fails", Context::new()).await;
    failed.expect("a workflow that fails is a result");
    until_all_rest::<H>(&manager).await;
    let metrics = manager.get_tenant_metrics("acme").await.expect("metrics");
    assert_eq!((metrics.total_executions, metrics.active_executions), (3, 0), "{metrics:?}");
    assert_eq!((metrics.completed_executions, metrics.failed_executions), (2, 1), "{metrics:?}");
    let other = manager.get_tenant_metrics("globex").await.expect("metrics");
    assert_eq!(other, cloacina_core::TenantMetrics::default(), "a tenant that did nothing");
    assert_eq!(manager.active_tenants(), [], "metrics started an executor");
    manager.shutdown().await.expect("a shutdown");
}
