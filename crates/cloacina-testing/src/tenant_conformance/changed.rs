//! `changed`.

use std::sync::Arc;
use std::time::Duration;

use cloacina_core::{Changes, TenantId, TenantStore};

use super::fixture::submit;
use super::{TenantFixture, TenantHarness, tenant};
use crate::conformance::{drop_after_polls, execution, soon};

const POLL: Duration = Duration::from_millis(100);

/// Waits on a store until it says that something changed in a tenant, and returns once that has work.
async fn until_work(store: &impl TenantStore, tenant: &TenantId) {
    loop {
        let found = store.work(Some(std::slice::from_ref(tenant))).await.expect("work answers");
        if found.iter().any(|work| work.next_due.is_some()) {
            return;
        }
        told(store, tenant).await;
    }
}

/// Waits on a store until it says that something changed in a tenant.
async fn told(store: &impl TenantStore, tenant: &TenantId) {
    loop {
        match store.changed(POLL).await {
            Changes::Anywhere => return,
            Changes::In(names) if names.contains(tenant) => return,
            Changes::In(_) => {}
        }
    }
}

/// Catches a process that sleeps while another one gives a tenant work that nobody owns.
pub async fn changed_ends_when_another_store_gives_work<H: TenantHarness>(fx: &TenantFixture<H>) {
    let acme = fx.created("acme").await;
    fx.created("idle").await;
    let other = fx.another_store().await;
    let backend = fx.open_on(&other, &acme).await;
    let submits = async { submit(&backend, execution()).await };
    let waits = until_work(&**fx.store(), &acme);
    soon("the wake-up by a submit", async { tokio::join!(waits, submits) }).await;
}

/// Catches a process that knows only the tenants of its own beginning.
pub async fn changed_ends_when_another_store_creates_and_gives_work<H: TenantHarness>(
    fx: &TenantFixture<H>,
) {
    let other = fx.another_store().await;
    let acme = tenant("acme");
    let submits = async {
        other.create(&acme).await.expect("create answers");
        // Opened, used and closed between two looks.
        let backend = fx.open_on(&other, &acme).await;
        submit(&backend, execution()).await;
        backend.close().await;
    };
    let waits = until_work(&**fx.store(), &acme);
    soon("the wake-up by a new tenant's work", async { tokio::join!(waits, submits) }).await;
}

/// Catches a change that is lost because nobody was waiting when it happened.
pub async fn changed_remembers_what_happened_meanwhile<H: TenantHarness>(fx: &TenantFixture<H>) {
    let acme = fx.created("acme").await;
    let waiting = fx.another_store().await;
    // The first wait may be told of anything from before; the change comes after it.
    drop_after_polls(3, waiting.changed(POLL)).await;
    let backend = fx.open(&acme).await;
    submit(&backend, execution()).await;
    backend.close().await;
    soon("the end of a wait that begins after the change", told(&*waiting, &acme)).await;
}

/// Catches a dropped wait that takes a change with it.
pub async fn changed_dropped_loses_nothing<H: TenantHarness>(fx: &TenantFixture<H>) {
    let acme = fx.created("acme").await;
    let waiting: Arc<H::Store> = fx.another_store().await;
    let backend = fx.open(&acme).await;
    submit(&backend, execution()).await;
    for polls in 0..5 {
        drop_after_polls(polls, told(&*waiting, &acme)).await;
        submit(&backend, execution()).await;
    }
    soon("the end of a wait after dropped ones", told(&*waiting, &acme)).await;
}
