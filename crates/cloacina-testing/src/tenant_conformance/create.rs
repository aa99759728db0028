//! `create`.

use std::sync::Arc;

use cloacina_core::{Creation, TenantStore as _};

use super::fixture::{executions, submit};
use super::{TenantFixture, TenantHarness, tenant};
use crate::conformance::{drop_after_polls, execution, soon};

/// Catches a second creation that empties what is there, or tells that it made it.
pub async fn create_twice_leaves_what_is_there<H: TenantHarness>(fx: &TenantFixture<H>) {
    let acme = fx.created("acme").await;
    let backend = fx.open(&acme).await;
    let id = submit(&backend, execution()).await;
    for store in [Arc::clone(fx.store()), fx.another_store().await] {
        let creation = store.create(&acme).await.expect("create answers");
        assert_eq!(creation, Creation::Existed, "the second creation");
    }
    assert_eq!(executions(&backend).await, [id], "what an open handle sees");
    backend.close().await;
    assert_eq!(executions(&fx.open(&acme).await).await, [id], "what a new handle sees");
    assert_eq!(fx.list().await, ["acme"], "the tenants");
}

/// Catches a creation that is not one step: racing ones fail, or several make the tenant.
pub async fn create_by_many_at_once_creates_once<H: TenantHarness>(fx: &TenantFixture<H>) {
    let other = fx.another_store().await;
    let acme = tenant("acme");
    let create = async |store: &H::Store| store.create(&acme).await.expect("create answers");
    let (one, two) = (&**fx.store(), &*other);
    let creations = async {
        tokio::join!(
            create(one),
            create(two),
            create(one),
            create(two),
            create(one),
            create(two),
            create(one),
            create(two)
        )
    };
    let (a, b, c, d, e, f, g, h) = soon("the end of eight creations", creations).await;
    let creations = [a, b, c, d, e, f, g, h];
    let created = creations.iter().filter(|creation| **creation == Creation::Created).count();
    assert_eq!(created, 1, "how many of eight made it: {creations:?}");
    submit(&fx.open(&acme).await, execution()).await;
}

/// Catches names that are put into a statement or a path as they are.
pub async fn create_takes_words_of_sql<H: TenantHarness>(fx: &TenantFixture<H>) {
    let longest = "z".repeat(48);
    let names = ["a_b_c", "order", "select", "table", "user", "x__drop", longest.as_str()];
    for name in names {
        let backend = fx.opened(name).await;
        let id = submit(&backend, execution()).await;
        assert_eq!(executions(&backend).await, [id], "tenant `{name}`");
        backend.close().await;
    }
    assert_eq!(fx.list().await, names, "the tenants");
    assert_eq!(fx.work().await.len(), names.len(), "all of them have work");
    for name in names {
        fx.store().remove(&tenant(name)).await.expect("remove answers");
    }
    assert_eq!(fx.list().await, [""; 0], "the tenants after their removal");
}

/// Catches a creation that was given up and leaves what no call can make good.
pub async fn create_dropped_is_completed_by_the_next<H: TenantHarness>(fx: &TenantFixture<H>) {
    for polls in 0..12 {
        let name = tenant(&format!("t{polls}"));
        drop_after_polls(polls, fx.store().create(&name)).await;
        fx.another_store().await.create(&name).await.expect("create answers");
        let backend = fx.open(&name).await;
        submit(&backend, execution()).await;
        backend.close().await;
    }
    assert_eq!(fx.list().await.len(), 12, "the tenants");
}
