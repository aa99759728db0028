//! Copies, and damage.

use cloacina_core::backend::Batch;
use cloacina_core::{Backend as _, BackendError, ExecutionQuery, TenantError, TenantStore as _};
use cloacina_testing::tenant_conformance::tenant;
use sqlx::Connection as _;

use super::{Place, text};
use crate::support::{new_execution, number, raw, submit};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_a_sound_tenant_of_one_moment() {
    let place = Place::new();
    let (acme, backend) = place.busy("acme").await;
    let copy = place.path("copy.db");
    let pairs = async {
        loop {
            let submits = vec![new_execution(None), new_execution(None)];
            backend.commit(Batch { submits, checkpoints: Vec::new() }.into()).await.unwrap();
        }
    };
    tokio::select! {
        backed_up = place.tenants.backup(&acme, &copy) => backed_up.unwrap(),
        () = pairs => {}
    }
    assert!(!place.path("copy.db.partial").exists());
    assert_eq!(place.list().await, ["acme", "copy"]);
    let restored = place.tenants.open(&tenant("copy")).await.unwrap();
    let found = restored.list(&ExecutionQuery::new()).await.unwrap().len();
    assert_eq!(found % 2, 1, "half a transaction is in the copy: {found}");
    submit(&restored, new_execution(None)).await;
    restored.close().await;
    assert_eq!(place.tenants.check_integrity(&tenant("copy")).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_backup_replaces_nothing() {
    let place = Place::new();
    let (acme, backend) = place.busy("acme").await;
    let copy = place.root.path().join("copy.db");
    let error = place.tenants.backup(&tenant("unknown"), &copy).await.unwrap_err();
    assert!(matches!(error, TenantError::UnknownTenant(_)), "{error:?}");
    std::fs::write(&copy, "mine").unwrap();
    let said = text(place.tenants.backup(&acme, &copy).await);
    assert!(said.contains("exists"), "{said}");
    assert_eq!(std::fs::read(&copy).unwrap(), b"mine");
    let other = place.root.path().join("other.db");
    std::fs::write(place.root.path().join("other.db.partial"), "").unwrap();
    let said = text(place.tenants.backup(&acme, &other).await);
    assert!(said.contains("other.db.partial"), "{said}");
    let said = text(place.tenants.backup(&acme, &place.root.path().join("no/copy.db")).await);
    assert!(said.contains("cannot be created"), "{said}");
    assert!(!other.exists());
    backend.close().await;
}

#[tokio::test]
async fn damage_is_found_and_not_copied() {
    let place = Place::new();
    let (acme, backend) = place.busy("acme").await;
    backend.close().await;
    assert_eq!(place.tenants.check_integrity(&acme).await.unwrap(), [""; 0]);
    let mut connection = raw(&place.path("acme.db")).await;
    let page = "SELECT rootpage FROM sqlite_schema WHERE name = 'executions'";
    let page = usize::try_from(number(&mut connection, page).await).unwrap();
    connection.close().await.unwrap();
    let mut content = std::fs::read(place.path("acme.db")).unwrap();
    // The kind of the page and the number of its cells.
    content[(page - 1) * 4096..][..8].fill(0xee);
    std::fs::write(place.path("acme.db"), content).unwrap();
    assert!(!place.tenants.check_integrity(&acme).await.unwrap().is_empty());
    let copy = place.root.path().join("copy.db");
    let error = place.tenants.backup(&acme, &copy).await.unwrap_err();
    let told = matches!(&error, TenantError::Store(error) if matches!(**error, BackendError::Corrupt { .. }));
    assert!(told, "{error:?}");
    assert!(!copy.exists() && !place.root.path().join("copy.db.partial").exists());
    // The others are read all the same.
    place.busy("sound").await.1.close().await;
    let work = place.tenants.work(None).await.unwrap();
    assert_eq!(work.len(), 1, "a tenant that cannot be read is left out: {work:?}");
    assert_eq!(place.list().await, ["acme", "sound"]);
}
