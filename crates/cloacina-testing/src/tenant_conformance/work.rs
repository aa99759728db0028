//! `work`.

use std::time::Duration;

use cloacina_core::backend::{ClaimRequest, Control};
use cloacina_core::{PipelineStatus, TenantStore as _};

use super::fixture::{commit, submit, worker};
use super::{TenantFixture, TenantHarness, tenant};
use crate::conformance::{adopt, checkpoint, execution, soon, take_a_breath};

const HOUR: Duration = Duration::from_secs(3_600);

/// Catches what somebody owns, living or dead, and nobody is told of.
pub async fn work_tells_what_is_owned<H: TenantHarness>(fx: &TenantFixture<H>) {
    let acme = fx.created("acme").await;
    let backend = fx.open(&acme).await;
    let me = worker(&backend).await;
    submit(&backend, execution().owner(me)).await;
    for _ in 0..2 {
        let work = fx.work_of(&acme).await.expect("it has unfinished work");
        assert!(work.owned, "a worker owns it");
        assert_eq!(work.next_due, None, "nothing waits for a worker");
        // Closed without a word, the worker is dead, and owns it still.
        backend.close().await;
    }
}

/// Catches what waits for a worker and nobody is told of.
pub async fn work_tells_what_is_due<H: TenantHarness>(fx: &TenantFixture<H>) {
    let acme = fx.created("acme").await;
    let backend = fx.open(&acme).await;
    submit(&backend, execution().delay(HOUR)).await;
    submit(&backend, execution()).await;
    let work = fx.work_of(&acme).await.expect("it has unfinished work");
    assert!(!work.owned, "nobody owns it");
    assert_eq!(work.next_due, Some(Duration::ZERO), "how long until it is due");
    let me = worker(&backend).await;
    submit(&backend, execution().owner(me)).await;
    let work = fx.work_of(&acme).await.expect("it has unfinished work");
    assert!(work.owned, "a worker owns some");
    assert_eq!(work.next_due, Some(Duration::ZERO), "some still waits");
}

/// Catches a tenant that sleeps over its time, or is woken long before it.
pub async fn work_tells_when_it_falls_due<H: TenantHarness>(fx: &TenantFixture<H>) {
    let acme = fx.created("acme").await;
    let backend = fx.open(&acme).await;
    for (workflow, hours) in [("c", 3), ("a", 1), ("b", 2)] {
        submit(&backend, execution().workflow(workflow, "v").delay(HOUR * hours)).await;
    }
    let work = fx.work_of(&acme).await.expect("it has unfinished work");
    let due = work.next_due.expect("something falls due");
    assert!(due > Duration::ZERO && due <= HOUR, "the first falls due in an hour, not in {due:?}");
    let late = submit(&backend, execution().delay(Duration::from_millis(1))).await;
    let passed = async {
        // Once it can be claimed its time has come, by the store's own clock.
        let me = worker(&backend).await;
        let scope = adopt(vec![late]);
        let request = ClaimRequest { worker: me, limit: 1, scope };
        while backend.claim(&request).await.expect("claim answers").executions.is_empty() {
            take_a_breath().await;
        }
        backend.retire_worker(me).await.expect("retire_worker answers");
    };
    soon("the time of an execution", passed).await;
    let work = fx.work_of(&acme).await.expect("it has unfinished work");
    assert_eq!((work.owned, work.next_due), (false, Some(Duration::ZERO)), "its time has come");
}

/// Catches a tenant that is kept awake by what is on hold.
pub async fn work_leaves_out_what_is_on_hold<H: TenantHarness>(fx: &TenantFixture<H>) {
    let acme = fx.created("acme").await;
    let backend = fx.open(&acme).await;
    let me = worker(&backend).await;
    let free = submit(&backend, execution()).await;
    let owned = submit(&backend, execution().owner(me)).await;
    for id in [free, owned] {
        backend.control(id, &Control::Pause).await.expect("control answers");
    }
    assert_eq!(fx.work_of(&acme).await, None, "all of its work is on hold");
    backend.control(free, &Control::Resume).await.expect("control answers");
    let work = fx.work_of(&acme).await.expect("some of it was resumed");
    assert_eq!((work.owned, work.next_due), (false, Some(Duration::ZERO)), "(owned, next due)");
    backend.control(free, &Control::Pause).await.expect("control answers");
    backend.control(owned, &Control::Resume).await.expect("control answers");
    let work = fx.work_of(&acme).await.expect("some of it was resumed");
    assert_eq!((work.owned, work.next_due), (true, None), "(owned, next due)");
}

/// Catches a tenant that is kept awake by what has ended.
pub async fn work_leaves_out_what_has_ended<H: TenantHarness>(fx: &TenantFixture<H>) {
    let empty = fx.created("empty").await;
    let acme = fx.created("acme").await;
    let backend = fx.open(&acme).await;
    let me = worker(&backend).await;
    for status in [PipelineStatus::Completed, PipelineStatus::Failed] {
        let id = submit(&backend, execution().owner(me)).await;
        commit(&backend, checkpoint(id, me, 1).finish(status)).await;
    }
    let cancelled = submit(&backend, execution()).await;
    let order = Control::Cancel { tasks: Vec::new() };
    backend.control(cancelled, &order).await.expect("control answers");
    for tenant in [&empty, &acme] {
        assert_eq!(fx.work_of(tenant).await, None, "tenant `{tenant}` has no work left");
    }
    assert!(fx.work().await.is_empty(), "no tenant has work left");
}

/// Catches an answer about others than those asked for, an unknown one that fails the call or is made by it.
pub async fn work_looks_among_those_it_is_given<H: TenantHarness>(fx: &TenantFixture<H>) {
    for name in ["a", "b", "c", "idle"] {
        let backend = fx.opened(name).await;
        if name != "idle" {
            submit(&backend, execution()).await;
        }
        backend.close().await;
    }
    let work = async |among: Option<&[&str]>| {
        let among = among.map(|names| names.iter().map(|it| tenant(it)).collect::<Vec<_>>());
        let found = fx.another_store().await.work(among.as_deref()).await;
        let found = found.expect("work answers").into_iter();
        let mut found: Vec<String> = found.map(|work| work.tenant.to_string()).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(work(None).await, ["a", "b", "c"], "of all");
    assert_eq!(work(Some(&["c", "unknown", "a", "idle"])).await, ["a", "c"], "of four");
    assert_eq!(work(Some(&["unknown"])).await, [""; 0], "of an unknown one");
    assert_eq!(work(Some(&[])).await, [""; 0], "of none");
    assert_eq!(fx.list().await, ["a", "b", "c", "idle"], "the tenants");
}
