//! `list` and `exists`.

use cloacina_core::TenantStore as _;

use super::{TenantFixture, TenantHarness, tenant};

/// Catches a list in the order of creation, with holes, or of this handle's tenants only.
pub async fn list_is_sorted_and_complete<H: TenantHarness>(fx: &TenantFixture<H>) {
    assert_eq!(fx.list().await, [""; 0], "the tenants of an empty place");
    let other = fx.another_store().await;
    for name in ["b", "a1", "c", "a_1", "a"] {
        other.create(&tenant(name)).await.expect("create answers");
    }
    fx.created("d").await;
    assert_eq!(fx.list().await, ["a", "a1", "a_1", "b", "c", "d"], "the tenants");
}

/// Catches a question that creates what it asks for, or an answer of yesterday.
pub async fn exists_tells_and_creates_nothing<H: TenantHarness>(fx: &TenantFixture<H>) {
    let other = fx.another_store().await;
    let acme = tenant("acme");
    let exists = async |store: &H::Store| store.exists(&acme).await.expect("exists answers");
    for _ in 0..2 {
        assert!(!exists(fx.store()).await, "before its creation");
    }
    assert_eq!(fx.list().await, [""; 0], "the tenants");
    other.create(&acme).await.expect("create answers");
    assert!(exists(fx.store()).await, "after its creation");
    other.remove(&acme).await.expect("remove answers");
    assert!(!exists(fx.store()).await, "after its removal");
}
