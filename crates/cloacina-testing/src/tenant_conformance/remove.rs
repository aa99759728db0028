//! `remove`.

use cloacina_core::backend::Batch;
use cloacina_core::{BackendError, Creation, Removal, TenantError, TenantStore as _};

use super::fixture::{executions, submit, worker};
use super::{TenantFixture, TenantHarness, tenant};
use crate::conformance::{drop_after_polls, execution, soon};

/// Catches a removal that leaves something, or that fails when there is nothing.
pub async fn remove_leaves_nothing<H: TenantHarness>(fx: &TenantFixture<H>) {
    let acme = fx.created("acme").await;
    let backend = fx.open(&acme).await;
    submit(&backend, execution()).await;
    backend.close().await;
    let remove = async || fx.store().remove(&acme).await.expect("remove answers");
    assert_eq!(remove().await, Removal::Removed, "the first removal");
    assert_eq!(remove().await, Removal::Absent, "the second removal");
    assert_eq!(fx.list().await, [""; 0], "the tenants");
    assert!(fx.work().await.is_empty(), "the work of a tenant that is gone");
    for store in [fx.store(), &fx.another_store().await] {
        let error = store.open(&acme).await.expect_err("it is gone");
        assert!(matches!(error, TenantError::UnknownTenant(_)), "after its removal: {error:?}");
    }
}

/// Catches a removal of an unknown tenant that creates it first.
pub async fn remove_of_an_unknown_tenant_creates_nothing<H: TenantHarness>(fx: &TenantFixture<H>) {
    fx.created("acme").await;
    let removal = fx.store().remove(&tenant("acm")).await.expect("remove answers");
    assert_eq!(removal, Removal::Absent, "an unknown tenant");
    assert_eq!(fx.list().await, ["acme"], "the tenants");
}

/// Catches what comes back with a tenant of the same name.
pub async fn remove_and_create_makes_an_empty_tenant<H: TenantHarness>(fx: &TenantFixture<H>) {
    let other = fx.another_store().await;
    for _ in 0..3 {
        let backend = fx.opened("acme").await;
        assert_eq!(executions(&backend).await, [], "a new tenant");
        worker(&backend).await;
        submit(&backend, execution()).await;
        backend.close().await;
        let removal = other.remove(&tenant("acme")).await.expect("remove answers");
        assert_eq!(removal, Removal::Removed, "the removal");
    }
}

/// Catches a removal that goes by the beginning of a name, or takes everything.
pub async fn remove_leaves_the_others<H: TenantHarness>(fx: &TenantFixture<H>) {
    let names = ["acme", "acme2", "acme3", "acme_2"];
    for name in names {
        let backend = fx.opened(name).await;
        submit(&backend, execution()).await;
        backend.close().await;
    }
    let open = fx.open(&tenant("acme2")).await;
    fx.store().remove(&tenant("acme")).await.expect("remove answers");
    assert_eq!(fx.list().await, names[1..], "the tenants");
    submit(&open, execution()).await;
    for name in &names[1..] {
        let found = executions(&fx.open(&tenant(name)).await).await;
        assert!(!found.is_empty(), "tenant `{name}` lost what it held");
    }
}

/// Catches a removal under the feet of another process that goes on as if nothing had happened.
///
/// A store may refuse it, or take the tenant from the other process, which must hear of it then.
pub async fn remove_is_refused_or_noticed_while_others_use_it<H: TenantHarness>(
    fx: &TenantFixture<H>,
) {
    let acme = fx.created("acme").await;
    let other = fx.another_store().await;
    let backend = fx.open_on(&other, &acme).await;
    let me = worker(&backend).await;
    let id = submit(&backend, execution().owner(me)).await;
    let error = match fx.store().remove(&acme).await {
        Ok(removal) => {
            assert_eq!(removal, Removal::Removed, "the removal");
            assert_eq!(fx.list().await, [""; 0], "the tenants");
            let batch = Batch { submits: vec![execution().into()], checkpoints: Vec::new() };
            backend.commit(batch.into()).await.expect_err("a submit to a tenant that is gone");
            return;
        }
        Err(error) => error,
    };
    let told = matches!(&error, TenantError::Store(error) if matches!(**error, BackendError::Unavailable { .. }));
    assert!(told, "a tenant in use must be told as such: {error:?}");
    assert_eq!(fx.list().await, ["acme"], "the tenants");
    assert_eq!(executions(&backend).await, [id], "what the other process sees");
    backend.retire_worker(me).await.expect("retire_worker answers");
    backend.close().await;
    let removal = fx.store().remove(&acme).await.expect("remove answers");
    assert_eq!(removal, Removal::Removed, "the removal of what nobody uses");
}

/// Catches racing removals that fail, or that several take credit for.
pub async fn remove_by_many_at_once_removes_once<H: TenantHarness>(fx: &TenantFixture<H>) {
    let other = fx.another_store().await;
    let acme = fx.created("acme").await;
    let remove = async |store: &H::Store| store.remove(&acme).await.expect("remove answers");
    let (one, two) = (&**fx.store(), &*other);
    let removals = async { tokio::join!(remove(one), remove(two), remove(one), remove(two)) };
    let (a, b, c, d) = soon("the end of four removals", removals).await;
    let removals = [a, b, c, d];
    let removed = removals.iter().filter(|removal| **removal == Removal::Removed).count();
    assert_eq!(removed, 1, "how many of four removed it: {removals:?}");
    assert_eq!(fx.list().await, [""; 0], "the tenants");
}

/// Catches a removal that was given up and leaves what no call can make good.
pub async fn remove_dropped_is_completed_by_the_next<H: TenantHarness>(fx: &TenantFixture<H>) {
    for polls in 0..12 {
        let backend = fx.opened("acme").await;
        submit(&backend, execution()).await;
        backend.close().await;
        let acme = tenant("acme");
        drop_after_polls(polls, fx.store().remove(&acme)).await;
        fx.another_store().await.remove(&acme).await.expect("remove answers");
        assert_eq!(fx.list().await, [""; 0], "the tenants");
    }
    let creation = fx.store().create(&tenant("acme")).await.expect("create answers");
    assert_eq!(creation, Creation::Created, "the creation after all removals");
}
