//! `close`.

use std::time::Duration;

use cloacina_core::{BackendError, TenantError, TenantId, TenantStore};

use super::fixture::{executions, submit};
use super::{TenantFixture, TenantHarness, tenant};
use crate::conformance::{execution, soon};

/// Calls every method and names those that do not answer `Closed`.
async fn not_closed(store: &impl TenantStore, tenant: &TenantId) -> Vec<String> {
    let answers = [
        ("create", store.create(tenant).await.err()),
        ("open", store.open(tenant).await.err()),
        ("list", store.list().await.err()),
        ("exists", store.exists(tenant).await.err()),
        ("remove", store.remove(tenant).await.err()),
        ("work of all", store.work(None).await.err()),
        ("work of none", store.work(Some(&[])).await.err()),
    ];
    let is_closed = |error: &Option<TenantError>| matches!(error, Some(TenantError::Store(error)) if matches!(**error, BackendError::Closed));
    let wrong = answers.into_iter().filter(|(_, error)| !is_closed(error));
    wrong.map(|(method, error)| format!("{method}: {error:?}")).collect()
}

/// Catches a method that works, hangs or fails in another way on a closed store.
pub async fn close_makes_every_call_answer_closed<H: TenantHarness>(fx: &TenantFixture<H>) {
    let store = fx.another_store().await;
    fx.created("acme").await;
    store.close().await;
    for name in ["acme", "new"] {
        let wrong = soon("an answer of every method", not_closed(&*store, &tenant(name))).await;
        assert_eq!(wrong, [""; 0], "these methods must answer that the store is closed");
    }
    soon("the end of a wait", store.changed(Duration::from_millis(1))).await;
    assert_eq!(fx.list().await, ["acme"], "a closed store changed something");
}

/// Catches a wait that nobody ends any more.
pub async fn close_ends_a_wait<H: TenantHarness>(fx: &TenantFixture<H>) {
    let store = fx.another_store().await;
    let waits = store.changed(Duration::from_millis(100));
    soon("the end of a wait", async { tokio::join!(waits, store.close()) }).await;
}

/// Catches a second close that panics or hangs.
pub async fn close_repeated_is_no_error<H: TenantHarness>(fx: &TenantFixture<H>) {
    let store = fx.another_store().await;
    let closes = async {
        tokio::join!(store.close(), store.close());
        store.close().await;
    };
    soon("the end of three closes", closes).await;
}

/// Catches a close that takes other stores with it.
pub async fn close_leaves_data_and_other_stores_alone<H: TenantHarness>(fx: &TenantFixture<H>) {
    let acme = fx.created("acme").await;
    let backend = fx.open(&acme).await;
    let store = fx.another_store().await;
    let elsewhere = fx.open_on(&store, &acme).await;
    let id = submit(&elsewhere, execution()).await;
    elsewhere.close().await;
    store.close().await;
    assert_eq!(executions(&backend).await, [id], "what another store's tenant holds");
    fx.created("late").await;
    assert_eq!(fx.list().await, ["acme", "late"], "the tenants");
}
