//! `open`.

use std::sync::Arc;

use cloacina_core::backend::{
    Backend, ClaimRequest, ClaimScope, Heartbeat, JsonText, Pulse, WorkflowDefinition,
};
use cloacina_core::{TenantError, TenantStore as _};
use std::time::Duration;

use super::fixture::{executions, submit, worker};
use super::{TenantFixture, TenantHarness, tenant};
use crate::conformance::{execution, workflow_key};

/// Catches a store that makes a tenant because somebody asked for it.
pub async fn open_of_an_unknown_tenant_creates_nothing<H: TenantHarness>(fx: &TenantFixture<H>) {
    fx.created("acme").await;
    let unknown = tenant("unknown");
    for _ in 0..2 {
        let error = fx.store().open(&unknown).await.expect_err("there is no such tenant");
        let told = matches!(&error, TenantError::UnknownTenant(name) if *name == unknown);
        assert!(told, "an unknown tenant must be told as such: {error:?}");
    }
    assert_eq!(fx.list().await, ["acme"], "the tenants");
}

/// Catches tenants that share a table, a worker or a definition.
pub async fn open_tenants_see_nothing_of_each_other<H: TenantHarness>(fx: &TenantFixture<H>) {
    let (one, two) = (fx.opened("one").await, fx.opened("two").await);
    let (first, second) = (worker(&one).await, worker(&two).await);
    let id = submit(&one, execution().key("order-7")).await;
    let definition = WorkflowDefinition { key: workflow_key(), structure: JsonText::new("[]") };
    one.define_workflows(&[definition]).await.expect("define answers");

    assert_eq!(executions(&two).await, [], "the executions of another tenant");
    assert!(two.load(id).await.expect("load answers").is_none(), "another's execution");
    assert_eq!(two.standing(&[id]).await.expect("standing answers"), [None], "where it stands");
    let found = two.definition(&workflow_key()).await.expect("definition answers");
    assert_eq!(found, None, "the structure of another tenant's workflow");
    let scope = ClaimScope::Workflows(vec![workflow_key()]);
    let request = ClaimRequest { worker: second, limit: 10, scope };
    let claims = two.claim(&request).await.expect("claim answers");
    assert!(claims.executions.is_empty(), "another tenant's execution was given away");
    assert_eq!(claims.peers, 0, "another tenant's worker counts");
    let beat = Heartbeat { worker: first, lease_ttl: Duration::from_secs(60) };
    let pulse = two.heartbeat(&beat).await.expect("heartbeat answers");
    assert_eq!(pulse, Pulse::Buried, "another tenant's worker");
    submit(&two, execution().key("order-7")).await;
    let counts = [&one, &two].map(|backend| backend.counts());
    for count in counts {
        assert_eq!(count.await.expect("counts answers").pending, 1, "pending executions");
    }
}

/// Catches what is kept in the handle that wrote it.
pub async fn open_finds_what_was_written<H: TenantHarness>(fx: &TenantFixture<H>) {
    let acme = fx.created("acme").await;
    let backend = fx.open(&acme).await;
    let id = submit(&backend, execution()).await;
    let again = fx.open(&acme).await;
    let elsewhere = fx.open_on(&*fx.another_store().await, &acme).await;
    for handle in [&again, &elsewhere] {
        assert_eq!(executions(handle).await, [id], "what a second handle sees");
    }
    for handle in [&backend, &again, &elsewhere] {
        handle.close().await;
    }
    assert_eq!(executions(&fx.open(&acme).await).await, [id], "what a later handle sees");
}

/// Catches a tenant that takes others, or the store, with it when it is closed.
pub async fn open_tenants_are_closed_one_by_one<H: TenantHarness>(fx: &TenantFixture<H>) {
    let (one, two) = (fx.opened("one").await, fx.opened("two").await);
    let again = fx.open(&tenant("one")).await;
    one.close().await;
    for handle in [&two, &again] {
        submit(handle, execution()).await;
    }
    assert_eq!(fx.list().await, ["one", "two"], "the tenants");
    let late: Arc<dyn Backend> = fx.open(&tenant("one")).await;
    assert_eq!(executions(&late).await.len(), 1, "what a later handle sees");
    fx.created("three").await;
}
