//! What is seen without opening a tenant, and what that leaves.

use cloacina_core::{Backend as _, Creation, Removal, TenantStore as _};
use cloacina_sqlite::SqliteTenants;
use cloacina_testing::tenant_conformance::tenant;

use super::{Place, unavailable};
use crate::support::{new_execution, submit};

#[tokio::test]
async fn work_that_is_in_the_log_of_a_crash_is_seen() {
    let place = Place::new();
    let acme = place.crashed("acme").await;
    assert_eq!(place.list().await, ["acme"], "its first page may be in the log, too");
    let work = place.tenants.work(None).await.unwrap();
    assert_eq!(work.len(), 1);
    assert_eq!((&work[0].tenant, work[0].owned), (&acme, false));
    assert_eq!(work[0].next_due, Some(std::time::Duration::ZERO));
}

#[tokio::test]
async fn looking_leaves_no_trace() {
    let place = Place::new();
    for name in ["a", "b", "c"] {
        place.busy(name).await.1.close().await;
    }
    let before = place.names();
    assert_eq!(before, ["a.db", "b.db", "c.db"]);
    assert_eq!(place.list().await.len(), 3);
    assert_eq!(place.tenants.work(None).await.unwrap().len(), 3);
    assert!(place.tenants.exists(&tenant("a")).await.unwrap());
    assert_eq!(place.names(), before);
    #[cfg(target_os = "linux")]
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        let Ok(target) = std::fs::read_link(entry.unwrap().path()) else { continue };
        assert!(!target.starts_with(place.tenants.path()), "{} is open", target.display());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn looking_keeps_the_locks_of_what_is_open() {
    let place = Place::new();
    let (acme, backend) = place.busy("acme").await;
    // POSIX locks go with any handle that the process closes.
    place.list().await;
    place.tenants.work(None).await.unwrap();
    place.tenants.exists(&acme).await.unwrap();
    place.tenants.create(&acme).await.unwrap();
    place.tenants.check_integrity(&acme).await.unwrap();
    place.tenants.backup(&acme, &place.root.path().join("copy.db")).await.unwrap();
    unavailable(place.tenants.remove(&acme).await);
    assert!(crate::support::is_locked(&place.path("acme.db")), "no lock on `acme.db`");
    assert!(place.path("acme.db-wal").exists(), "the last one to close removes the log");
    submit(&backend, new_execution(None)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_harms_no_tenant_that_comes_and_goes() {
    let place = Place::new();
    let acme = tenant("acme");
    let comes_and_goes = async {
        for _ in 0..40 {
            assert_eq!(place.tenants.create(&acme).await.unwrap(), Creation::Created);
            let backend = place.tenants.open(&acme).await.unwrap();
            for pending in 1..4 {
                submit(&backend, new_execution(None)).await;
                assert_eq!(backend.counts().await.unwrap().pending, pending);
            }
            backend.close().await;
            assert_eq!(place.tenants.check_integrity(&acme).await.unwrap(), [""; 0]);
            assert_eq!(place.tenants.remove(&acme).await.unwrap(), Removal::Removed);
        }
    };
    // A log that belongs to the next tenant of that name must not be put into the file of the one before.
    let others = async |store: SqliteTenants| {
        loop {
            store.work(None).await.unwrap();
            store.exists(&acme).await.unwrap();
            store.list().await.unwrap();
        }
    };
    let another = || SqliteTenants::new(place.tenants.path()).unwrap();
    tokio::select! {
        () = comes_and_goes => {}
        () = others(another()) => {}
        () = others(another()) => {}
    }
}
