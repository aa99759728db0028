//! A place for tenants in a test, with what most cases do to it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloacina_core::backend::{Backend, Batch, Checkpoint, NewExecution, NewWorker, SubmitVerdict};
use cloacina_core::{Creation, ExecutionId, TenantId, TenantStore, TenantWork, WorkerId};

use super::TenantHarness;

/// A lease that no test outlives.
const LONG: Duration = Duration::from_secs(3_600);

/// Makes a name that must be one.
///
/// # Panics
///
/// If it is none.
#[must_use]
pub fn tenant(name: &str) -> TenantId {
    TenantId::new(name).expect("the name of a tenant")
}

/// A place with one open store, and short words for what most cases do.
///
/// Its methods panic when the store answers with an error, for a case goes no further then.
pub struct TenantFixture<H: TenantHarness> {
    harness: H,
    store: Arc<H::Store>,
    /// All of them, to be closed before the place is removed.
    stores: Mutex<Vec<Arc<H::Store>>>,
    opened: Mutex<Vec<Arc<dyn Backend>>>,
}

impl<H: TenantHarness> TenantFixture<H> {
    /// Opens the first store on a place.
    pub async fn new(harness: H) -> Self {
        let store = Arc::new(harness.store().await);
        let stores = Mutex::new(vec![Arc::clone(&store)]);
        Self { harness, store, stores, opened: Mutex::default() }
    }

    /// Closes all that was opened.
    pub async fn close(self) -> H {
        for backend in self.opened.into_inner().unwrap_or_else(PoisonError::into_inner) {
            backend.close().await;
        }
        for store in self.stores.into_inner().unwrap_or_else(PoisonError::into_inner) {
            store.close().await;
        }
        self.harness
    }

    /// Returns the first store.
    #[must_use]
    pub fn store(&self) -> &Arc<H::Store> {
        &self.store
    }

    /// Opens another store on the same place, as another process would.
    pub async fn another_store(&self) -> Arc<H::Store> {
        let store = Arc::new(self.harness.store().await);
        lock(&self.stores).push(Arc::clone(&store));
        store
    }

    /// Creates a tenant, which must be new.
    pub async fn created(&self, name: &str) -> TenantId {
        let tenant = tenant(name);
        let creation = self.store.create(&tenant).await.expect("create answers");
        assert_eq!(creation, Creation::Created, "a new tenant");
        tenant
    }

    /// Opens a tenant of the first store.
    pub async fn open(&self, tenant: &TenantId) -> Arc<dyn Backend> {
        self.open_on(&self.store, tenant).await
    }

    /// Opens a tenant of a store.
    pub async fn open_on(&self, store: &H::Store, tenant: &TenantId) -> Arc<dyn Backend> {
        let backend: Arc<dyn Backend> = Arc::new(store.open(tenant).await.expect("open answers"));
        lock(&self.opened).push(Arc::clone(&backend));
        backend
    }

    /// Creates a tenant, which must be new, and opens it.
    pub async fn opened(&self, name: &str) -> Arc<dyn Backend> {
        let tenant = self.created(name).await;
        self.open(&tenant).await
    }

    /// Lists the names of the tenants.
    pub async fn list(&self) -> Vec<String> {
        let found = self.store.list().await.expect("list answers");
        found.iter().map(ToString::to_string).collect()
    }

    /// Asks for the work of all tenants.
    pub async fn work(&self) -> Vec<TenantWork> {
        self.store.work(None).await.expect("work answers")
    }

    /// Asks for the work of one tenant.
    pub async fn work_of(&self, tenant: &TenantId) -> Option<TenantWork> {
        let among = std::slice::from_ref(tenant);
        let mut found = self.store.work(Some(among)).await.expect("work answers");
        assert!(found.len() < 2, "one tenant is told once");
        let found = found.pop();
        assert!(found.iter().all(|work| work.tenant == *tenant), "another tenant: {found:?}");
        found
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<H: TenantHarness> fmt::Debug for TenantFixture<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantFixture").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Submits an execution, which must be created.
pub(crate) async fn submit(
    backend: &Arc<dyn Backend>,
    new: impl Into<NewExecution>,
) -> ExecutionId {
    let new = new.into();
    let id = new.id;
    let batch = Batch { submits: vec![new], checkpoints: Vec::new() };
    let verdicts = backend.commit(batch.into()).await.expect("commit answers");
    assert_eq!(verdicts.submits, [SubmitVerdict::Created], "a new execution");
    id
}

/// Commits a checkpoint.
pub(crate) async fn commit(backend: &Arc<dyn Backend>, checkpoint: impl Into<Checkpoint>) {
    let batch = Batch { submits: Vec::new(), checkpoints: vec![checkpoint.into()] };
    backend.commit(batch.into()).await.expect("commit answers");
}

/// Registers a worker, with a lease that no test outlives.
pub(crate) async fn worker(backend: &Arc<dyn Backend>) -> WorkerId {
    let id = WorkerId::new();
    let worker = NewWorker { id, lease_ttl: LONG };
    backend.register_worker(&worker).await.expect("register_worker answers");
    id
}

/// Lists the executions of a tenant.
pub(crate) async fn executions(backend: &Arc<dyn Backend>) -> Vec<ExecutionId> {
    let found = backend.list(&cloacina_core::ExecutionQuery::new()).await.expect("list answers");
    found.iter().map(|record| record.id).collect()
}
