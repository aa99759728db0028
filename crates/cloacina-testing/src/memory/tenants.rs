//! The reference model of what holds many tenants: one [`MemoryBackend`] each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use cloacina_core::backend::BackendError;
use cloacina_core::{Changes, Creation, Removal, TenantError, TenantId, TenantStore, TenantWork};
use tokio::sync::Notify;

use super::store::StoreId;
use super::{MemoryBackend, lock};

/// A [`TenantStore`] that keeps everything in memory.
///
/// [`new`](Self::new) makes one without tenants and one handle on it, [`another_handle`](Self::another_handle) opens a second
/// one, as another process would; a clone is the same handle. What it opens follows [`tokio::time`], as a [`MemoryBackend`]
/// does; [`changed`](TenantStore::changed) needs no clock: it is told at once what another handle did, and when a
/// handle was closed or dropped that left workers behind.
///
/// ```
/// use cloacina_core::{Creation, TenantStore};
/// use cloacina_testing::MemoryTenants;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let here = MemoryTenants::new();
/// let there = here.another_handle();
/// let acme = "acme".parse().unwrap();
/// assert_eq!(here.create(&acme).await.unwrap(), Creation::Created);
/// assert_eq!(there.list().await.unwrap(), [acme]);
/// # });
/// ```
#[derive(Clone)]
pub struct MemoryTenants {
    handle: Arc<Handle>,
}

/// What the clones of one handle share.
struct Handle {
    id: StoreId,
    shared: Arc<Shared>,
    closed: AtomicBool,
    mailbox: Arc<Mailbox>,
}

/// What all handles share.
#[derive(Default)]
struct Shared {
    next_handle: AtomicU64,
    /// The first handle of each is kept here and never used: it holds the store.
    tenants: Mutex<BTreeMap<TenantId, MemoryBackend>>,
    mailboxes: Arc<Mailboxes>,
}

/// Where the handles are told of changes. Its lock is taken under those of the stores, and none under it.
#[derive(Default)]
struct Mailboxes(Mutex<BTreeMap<StoreId, Arc<Mailbox>>>);

/// In which tenants others changed something since the last look.
#[derive(Default)]
struct Mailbox {
    names: Mutex<BTreeSet<TenantId>>,
    woken: Notify,
}

impl MemoryTenants {
    /// Makes a store without tenants, with one handle.
    #[must_use]
    pub fn new() -> Self {
        Self::open_handle(Arc::default())
    }

    /// Opens a second handle on the same tenants, as another process would.
    #[must_use]
    pub fn another_handle(&self) -> Self {
        Self::open_handle(Arc::clone(&self.handle.shared))
    }

    fn open_handle(shared: Arc<Shared>) -> Self {
        let id = StoreId(shared.next_handle.fetch_add(1, Ordering::Relaxed));
        let mailbox = Arc::default();
        lock(&shared.mailboxes.0).insert(id, Arc::clone(&mailbox));
        Self { handle: Arc::new(Handle { id, shared, closed: AtomicBool::new(false), mailbox }) }
    }

    /// Gives the tenants, unless the handle is closed.
    fn tenants(&self) -> Result<MutexGuard<'_, BTreeMap<TenantId, MemoryBackend>>, BackendError> {
        if self.is_closed() {
            Err(BackendError::Closed)
        } else {
            Ok(lock(&self.handle.shared.tenants))
        }
    }

    fn is_closed(&self) -> bool {
        self.handle.closed.load(Ordering::Acquire)
    }
}

impl Mailboxes {
    /// Tells all handles but the one through which it came.
    fn deliver(&self, tenant: &TenantId, origin: Option<StoreId>) {
        let mailboxes = lock(&self.0);
        for (_, mailbox) in mailboxes.iter().filter(|(id, _)| Some(**id) != origin) {
            lock(&mailbox.names).insert(tenant.clone());
            mailbox.woken.notify_one();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        lock(&self.shared.mailboxes.0).remove(&self.id);
    }
}

impl Default for MemoryTenants {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryTenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTenants").field("handle", &self.handle.id).finish_non_exhaustive()
    }
}

#[async_trait]
impl TenantStore for MemoryTenants {
    type Backend = MemoryBackend;

    async fn create(&self, tenant: &TenantId) -> Result<Creation, TenantError> {
        let mut tenants = self.tenants()?;
        if tenants.contains_key(tenant) {
            return Ok(Creation::Existed);
        }
        let (mailboxes, name) = (Arc::clone(&self.handle.shared.mailboxes), tenant.clone());
        let observer = Box::new(move |origin| mailboxes.deliver(&name, origin));
        tenants.insert(tenant.clone(), MemoryBackend::observed(observer));
        Ok(Creation::Created)
    }

    async fn open(&self, tenant: &TenantId) -> Result<MemoryBackend, TenantError> {
        let tenants = self.tenants()?;
        let store =
            tenants.get(tenant).ok_or_else(|| TenantError::UnknownTenant(tenant.clone()))?;
        Ok(store.opened_through(self.handle.id))
    }

    async fn list(&self) -> Result<Vec<TenantId>, TenantError> {
        Ok(self.tenants()?.keys().cloned().collect())
    }

    async fn exists(&self, tenant: &TenantId) -> Result<bool, TenantError> {
        Ok(self.tenants()?.contains_key(tenant))
    }

    async fn remove(&self, tenant: &TenantId) -> Result<Removal, TenantError> {
        let mut tenants = self.tenants()?;
        let Some(store) = tenants.get(tenant) else { return Ok(Removal::Absent) };
        if lock(&store.handle.state).open_handles() > 1 {
            let reason = format!("tenant `{tenant}` is in use, it was not removed");
            return Err(BackendError::Unavailable { reason, source: None }.into());
        }
        tenants.remove(tenant);
        Ok(Removal::Removed)
    }

    async fn work(&self, among: Option<&[TenantId]>) -> Result<Vec<TenantWork>, TenantError> {
        let tenants = self.tenants()?;
        let wanted = tenants.iter().filter(|(name, _)| among.is_none_or(|it| it.contains(name)));
        let work = wanted.filter_map(|(tenant, store)| {
            let found = lock(&store.handle.state).work();
            let tenant = tenant.clone();
            let work = TenantWork { tenant, owned: found.owned, next_due: found.next_due };
            (work.owned || work.next_due.is_some()).then_some(work)
        });
        Ok(work.collect())
    }

    async fn changed(&self, poll: Duration) -> Changes {
        loop {
            if self.is_closed() {
                // Neither hangs nor spins whoever has not noticed the close yet.
                tokio::time::sleep(poll).await;
                return Changes::Anywhere;
            }
            let names = std::mem::take(&mut *lock(&self.handle.mailbox.names));
            if !names.is_empty() {
                return Changes::In(names.into_iter().collect());
            }
            self.handle.mailbox.woken.notified().await;
        }
    }

    async fn close(&self) {
        self.handle.closed.store(true, Ordering::Release);
        let woken = &self.handle.mailbox.woken;
        // Those who wait, and one who is about to.
        woken.notify_waiters();
        woken.notify_one();
    }
}
