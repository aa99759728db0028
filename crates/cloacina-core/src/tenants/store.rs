//! The contract with what holds many tenants.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::TenantError;
use crate::{Backend, TenantId};

/// What holds many tenants, each walled off from the others: the schemas of a database, the files of a folder.
///
/// What all methods share: a name is checked before a path or a statement is made of it; nothing but [`create`](Self::create)
/// creates a tenant; what is not a tenant of ours, such as another program's schema or file, is neither listed, opened nor
/// removed. Any returned future may be dropped at any point: what it began either happens whole, or is completed by the same call
/// made again. Each method lists the conformance cases of `cloacina-testing` that pin it down.
#[async_trait]
pub trait TenantStore: fmt::Debug + Send + Sync + 'static {
    /// What holds one tenant.
    type Backend: Backend;

    /// Creates a tenant, and brings one that exists up to date. Any number of processes may do so at once.
    ///
    /// Cases: `create_*`.
    ///
    /// # Errors
    ///
    /// [`BackendError::Config`](crate::BackendError::Config) for a name that the store cannot use,
    /// [`BackendError::Refused`](crate::BackendError::Refused) if something of that name is there that is no tenant, or the right
    /// to create one is missing.
    async fn create(&self, tenant: &TenantId) -> Result<Creation, TenantError>;

    /// Opens a tenant that exists, and brings it up to date where this process may.
    ///
    /// What it opens shares the store's connections: closing it leaves these open. Cases: `open_*`.
    ///
    /// # Errors
    ///
    /// [`TenantError::UnknownTenant`] if it does not exist, and a store that fails or refuses.
    async fn open(&self, tenant: &TenantId) -> Result<Self::Backend, TenantError>;

    /// Lists the tenants, by name. Cases: `list_*`.
    ///
    /// # Errors
    ///
    /// A store that fails.
    async fn list(&self) -> Result<Vec<TenantId>, TenantError>;

    /// Reports whether a tenant exists. Cases: `exists_*`.
    ///
    /// # Errors
    ///
    /// A store that fails.
    async fn exists(&self, tenant: &TenantId) -> Result<bool, TenantError>;

    /// Removes a tenant with all that it holds. What was opened of it has to be closed before. Cases: `remove_*`.
    ///
    /// # Errors
    ///
    /// [`BackendError::Refused`](crate::BackendError::Refused) for what is no tenant of ours, or the right to remove it is missing;
    /// [`BackendError::Unavailable`](crate::BackendError::Unavailable) while other processes use it.
    async fn remove(&self, tenant: &TenantId) -> Result<Removal, TenantError>;

    /// Tells which tenants have unfinished work that may need a worker: of those, or of all. A tenant that does not exist, or whose
    /// unfinished work is all on hold, is left out. Cases: `work_*`.
    ///
    /// # Errors
    ///
    /// A store that fails. A tenant that cannot be read for now is told as if it had work; one that never can be is left out. Both
    /// are logged.
    async fn work(&self, among: Option<&[TenantId]>) -> Result<Vec<TenantWork>, TenantError>;

    /// Waits until somebody else may have given a tenant work, looking no more often than `poll` where nothing tells.
    ///
    /// It may return for no reason, and need not notice what this very process did. Cancel safe: what happens while nobody waits
    /// ends the next call. Cases: `changed_*`.
    async fn changed(&self, poll: Duration) -> Changes;

    /// Closes what all tenants share. Later calls answer [`BackendError::Closed`](crate::BackendError::Closed). Repeating it is no
    /// error. Cases: `close_*`.
    async fn close(&self);
}

/// A store that an address leads to, for [`TenantManager::new`](crate::TenantManager::new).
pub trait OpenTenants: TenantStore + Sized {
    /// What opening returns: `M` itself where nothing can fail before the first use, or a result.
    type Opened<M>;

    /// Opens the store and makes something of it.
    fn open_and<M>(address: &str, make: impl FnOnce(Self) -> M) -> Self::Opened<M>;
}

/// What became of the order to create a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It exists now.
    Created,
    /// It existed, and what it holds is untouched.
    Existed,
}

/// What became of the order to remove a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone now.
    Removed,
    /// It did not exist.
    Absent,
}

/// The unfinished work of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantWork {
    /// The tenant.
    pub tenant: TenantId,
    /// Whether workers own some of it, living ones or dead ones.
    pub owned: bool,
    /// How long until the first that nobody owns falls due: zero if it is due, nothing if there is none.
    pub next_due: Option<Duration>,
}

/// Where somebody else may have changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// In these tenants. Names that are no tenants may be among them.
    In(Vec<TenantId>),
    /// Anywhere.
    Anywhere,
}
