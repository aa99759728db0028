//! Folders of tenants: what lies in them, what is refused, and what is left.

mod backup;
mod looking;
#[cfg(unix)]
mod unix;

use std::path::{Path, PathBuf};

use cloacina_core::{
    Backend as _, BackendError, Creation, Removal, TenantError, TenantId, TenantStore as _,
};
use cloacina_sqlite::{SqliteBackend, SqliteTenants};
use cloacina_testing::tenant_conformance::tenant;
use sqlx::{Connection as _, Executor as _};
use tempfile::TempDir;

use crate::support::{LONG, new_execution, raw, submit, worker};

/// A store on a folder of its own.
struct Place {
    root: TempDir,
    tenants: SqliteTenants,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let tenants = SqliteTenants::new(root.path().join("tenants")).unwrap();
        Self { root, tenants }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.tenants.path().join(name)
    }

    /// The names of what lies in the folder, but for its lock.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.tenants.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> =
            names.filter(|name| name != ".lock" && name != ".gate").collect();
        names.sort_unstable();
        names
    }

    /// Makes a tenant with an execution that nobody owns, and leaves it open.
    async fn busy(&self, name: &str) -> (TenantId, SqliteBackend) {
        let tenant = tenant(name);
        self.tenants.create(&tenant).await.unwrap();
        let backend = self.tenants.open(&tenant).await.unwrap();
        submit(&backend, new_execution(None)).await;
        (tenant, backend)
    }

    /// Leaves what a crash of a process leaves of a tenant: all is in the log, and a worker's file is there.
    async fn crashed(&self, name: &str) -> TenantId {
        let (_, backend) = self.busy("dying").await;
        worker(&backend, LONG).await;
        for file in self.names() {
            if let Some(rest) = file.strip_prefix("dying.db") {
                std::fs::copy(self.path(&file), self.path(&format!("{name}.db{rest}"))).unwrap();
            }
        }
        backend.close().await;
        self.tenants.remove(&tenant("dying")).await.unwrap();
        let names = self.names();
        assert_eq!(names.len(), 4, "the database, its log and index, a lock: {names:?}");
        tenant(name)
    }

    async fn list(&self) -> Vec<String> {
        self.tenants.list().await.unwrap().iter().map(ToString::to_string).collect()
    }
}

fn text<T: std::fmt::Debug>(answer: Result<T, TenantError>) -> String {
    match answer {
        Err(TenantError::Store(error)) if matches!(*error, BackendError::Refused { .. }) => {
            error.to_string()
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[track_caller]
fn unavailable<T: std::fmt::Debug>(answer: Result<T, TenantError>) {
    let error = answer.unwrap_err();
    let told = matches!(&error, TenantError::Store(error) if matches!(**error, BackendError::Unavailable { .. }));
    assert!(told, "{error:?}");
}

/// Asks for everything that needs a tenant, which must be refused, and leaves the folder as it is.
async fn refuses(place: &Place, tenant: &TenantId, why: &str) {
    let before = place.names();
    for said in [
        text(place.tenants.open(tenant).await),
        text(place.tenants.create(tenant).await),
        text(place.tenants.remove(tenant).await),
        text(place.tenants.check_integrity(tenant).await),
        text(place.tenants.backup(tenant, &place.root.path().join("copy.db")).await),
    ] {
        assert!(said.contains(why) && said.contains(&format!("{tenant}.db")), "{said}");
    }
    assert!(!place.tenants.exists(tenant).await.unwrap(), "{tenant}");
    let among = std::slice::from_ref(tenant);
    assert!(place.tenants.work(Some(among)).await.unwrap().is_empty(), "{tenant}");
    assert_eq!(place.names(), before);
}

#[tokio::test]
async fn foreign_files_are_left_alone() {
    let place = Place::new();
    std::fs::write(place.path("text.db"), "lorem ipsum ".repeat(1000)).unwrap();
    std::fs::write(place.path("tiny.db"), "x").unwrap();
    std::fs::create_dir(place.path("folder.db")).unwrap();
    let mut theirs = raw(&place.path("theirs.db")).await;
    theirs.execute("CREATE TABLE t (x)").await.unwrap();
    theirs.close().await.unwrap();
    let mut writing = raw(&place.path("writing.db")).await;
    writing.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (x)").await.unwrap();
    let before: Vec<_> =
        ["text.db", "tiny.db", "theirs.db"].map(|it| std::fs::read(place.path(it)).unwrap()).into();
    for (name, why) in [
        ("text", "not a SQLite database"),
        ("tiny", "not a SQLite database"),
        ("folder", "not a regular file"),
        ("theirs", "another program"),
        ("writing", "another program"),
    ] {
        refuses(&place, &tenant(name), why).await;
    }
    let after: Vec<_> =
        ["text.db", "tiny.db", "theirs.db"].map(|it| std::fs::read(place.path(it)).unwrap()).into();
    assert!(before == after, "a foreign file changed");
    assert_eq!(place.list().await, [""; 0]);
    assert!(place.tenants.work(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn names_that_are_none_are_not_listed() {
    let place = Place::new();
    let (_, backend) = place.busy("acme").await;
    backend.close().await;
    for name in ["Acme.db", "pg_acme.db", "public.db", ".db", "a.b.db", "acme.db.bak", "acme.DB"] {
        std::fs::copy(place.path("acme.db"), place.path(name)).unwrap();
    }
    assert_eq!(place.list().await, ["acme"]);
    assert_eq!(place.tenants.work(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_creation_that_was_cut_off_is_no_tenant_until_it_is_completed() {
    let place = Place::new();
    std::fs::write(place.path("empty.db"), "").unwrap();
    let mut begun = raw(&place.path("begun.db")).await;
    begun.execute("PRAGMA journal_mode = WAL").await.unwrap();
    begun.close().await.unwrap();
    assert!(std::fs::metadata(place.path("begun.db")).unwrap().len() > 0);
    for name in ["empty", "begun"] {
        let tenant = tenant(name);
        assert!(!place.tenants.exists(&tenant).await.unwrap());
        let error = place.tenants.open(&tenant).await.unwrap_err();
        assert!(matches!(error, TenantError::UnknownTenant(_)), "{error:?}");
        assert_eq!(place.tenants.remove(&tenant).await.unwrap(), Removal::Absent);
        assert_eq!(place.list().await, [""; 0]);
    }
    for name in ["empty", "begun"] {
        assert_eq!(place.tenants.create(&tenant(name)).await.unwrap(), Creation::Created);
    }
    assert_eq!(place.list().await, ["begun", "empty"]);
}

#[tokio::test]
async fn a_newer_version_is_listed_and_left_alone() {
    let place = Place::new();
    let (acme, backend) = place.busy("acme").await;
    backend.close().await;
    let mut connection = raw(&place.path("acme.db")).await;
    connection.execute("PRAGMA user_version = 7").await.unwrap();
    connection.close().await.unwrap();
    assert_eq!(place.list().await, ["acme"]);
    assert!(place.tenants.exists(&acme).await.unwrap());
    assert!(place.tenants.work(None).await.unwrap().is_empty(), "it cannot be read");
    for said in [
        text(place.tenants.open(&acme).await),
        text(place.tenants.create(&acme).await),
        text(place.tenants.remove(&acme).await),
    ] {
        assert!(said.contains("version 7"), "{said}");
    }
}

#[tokio::test]
async fn removal_takes_the_log_the_index_and_the_lock_files_along() {
    let place = Place::new();
    let acme = place.crashed("acme").await;
    let (other, backend) = place.busy("acme-2").await;
    backend.close().await;
    assert_eq!(place.tenants.remove(&acme).await.unwrap(), Removal::Removed);
    assert_eq!(place.names(), ["acme-2.db"]);
    assert_eq!(place.tenants.remove(&acme).await.unwrap(), Removal::Absent);
    place.tenants.create(&acme).await.unwrap();
    let backend = place.tenants.open(&acme).await.unwrap();
    assert_eq!(backend.counts().await.unwrap().pending, 0, "nothing came back");
    backend.close().await;
    assert!(place.tenants.exists(&other).await.unwrap());
}

#[tokio::test]
async fn what_is_open_is_not_removed() {
    let place = Place::new();
    let (acme, backend) = place.busy("acme").await;
    unavailable(place.tenants.remove(&acme).await);
    let elsewhere = SqliteTenants::new(place.tenants.path()).unwrap();
    unavailable(elsewhere.remove(&acme).await);
    submit(&backend, new_execution(None)).await;
    assert_eq!(backend.counts().await.unwrap().pending, 2, "it works on");
    // What was dropped is on its way out.
    drop(backend);
    assert_eq!(place.tenants.remove(&acme).await.unwrap(), Removal::Removed);
    assert_eq!(place.names(), [""; 0]);
}

#[tokio::test]
async fn a_lock_that_is_held_forbids_the_removal() {
    let place = Place::new();
    let acme = place.crashed("acme").await;
    let lock = place.names().into_iter().find(|name| name.contains(".worker-")).unwrap();
    let held = std::fs::File::options().write(true).open(place.path(&lock)).unwrap();
    held.try_lock().unwrap();
    unavailable(place.tenants.remove(&acme).await);
    assert!(place.path("acme.db").exists() && place.path(&lock).exists());
    drop(held);
    assert_eq!(place.tenants.remove(&acme).await.unwrap(), Removal::Removed);
}

#[tokio::test]
async fn folders_are_created_and_files_are_no_folders() {
    let root = tempfile::tempdir().unwrap();
    let deep = root.path().join("a/b?c#d%20/ä");
    let tenants = SqliteTenants::new(&deep).unwrap();
    let acme = tenant("acme");
    tenants.create(&acme).await.unwrap();
    assert_eq!(tenants.list().await.unwrap().len(), 1, "no character means anything");
    assert!(tenants.work(None).await.unwrap().is_empty());
    tenants.remove(&acme).await.unwrap();
    std::fs::write(root.path().join("file"), "").unwrap();
    for path in ["file", "file/tenants"] {
        let error = SqliteTenants::new(root.path().join(path)).unwrap_err();
        assert!(matches!(error, BackendError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains(path), "{error}");
    }
}

#[test]
fn an_address_in_place_of_a_folder_is_refused_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    for address in ["sqlite://tenants", "sqlite:tenants", "postgresql://app:secret@host/app"] {
        let error = SqliteTenants::new(address).unwrap_err();
        assert!(error.to_string().contains("is a path such as"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(!folder.path().join(address).exists());
    }
}
