//! The manager of tenants: what users hold.

use std::fmt;
use std::sync::Arc;

use super::roster::Roster;
use super::{
    Creation, OpenTenants, Removal, TenantError, TenantManagerBuilder, TenantMetrics, TenantStore,
};
use crate::{Context, ExecutorError, PipelineResult, TenantId, UnifiedExecutor};

/// Runs the workflows of many tenants in one process. Cheap to clone; all clones are one manager.
///
/// Use the alias of the back end's crate, such as `cloacina_postgres::TenantManager`. At its start it finds every tenant with
/// unfinished work and resumes it, without anyone asking for that tenant. An executor that has nothing to do, and that nobody holds, is
/// stopped; it comes back when the tenant is asked for, and when work of the tenant falls due. The tenants share the slots for tasks
/// fairly: see [`TenantManagerBuilder`].
///
/// Nothing but [`create_tenant`](Self::create_tenant) creates a tenant. When the last clone is gone without a
/// [`shutdown`](Self::shutdown), everything stops where it is, and the next process takes it up.
pub struct TenantManager<S: TenantStore> {
    handle: Arc<Handle<S>>,
}

/// Stops the caretaker when the last handle is gone.
struct Handle<S: TenantStore> {
    roster: Arc<Roster<S>>,
}

impl<S: TenantStore> Drop for Handle<S> {
    fn drop(&mut self) {
        self.roster.stop();
    }
}

impl<S: TenantStore> Clone for TenantManager<S> {
    fn clone(&self) -> Self {
        Self { handle: Arc::clone(&self.handle) }
    }
}

impl<S: TenantStore> fmt::Debug for TenantManager<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantManager").field("store", &self.roster().store).finish_non_exhaustive()
    }
}

impl<S: OpenTenants> TenantManager<S> {
    /// Opens the store at that address, with the default settings: an address of PostgreSQL, or the folder of SQLite's files.
    ///
    /// Within a runtime it begins to work at once, otherwise with the first call. With PostgreSQL nothing fails before the first
    /// call; with SQLite the folder is created, so there `new` returns a result.
    pub fn new(address: impl AsRef<str>) -> S::Opened<Self> {
        S::open_and(address.as_ref(), |store| Self::builder(store).build_unchecked())
    }
}

impl<S: TenantStore> TenantManager<S> {
    /// Starts with the default settings.
    pub fn builder(store: S) -> TenantManagerBuilder<S> {
        TenantManagerBuilder::new(store)
    }

    pub(super) fn from_roster(roster: Roster<S>) -> Self {
        let roster = Arc::new(roster);
        roster.begin();
        Self { handle: Arc::new(Handle { roster }) }
    }

    fn roster(&self) -> &Arc<Roster<S>> {
        &self.handle.roster
    }

    /// What holds the tenants.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.roster().store
    }

    /// Returns the executor of a tenant, and starts it if there is none: one, however many ask at once.
    ///
    /// While the executor or a clone of it is held, it is not stopped. If this future is dropped, the start goes on.
    ///
    /// # Errors
    ///
    /// [`TenantError::InvalidName`], [`TenantError::UnknownTenant`], [`TenantError::ShuttingDown`], settings or workflows that are
    /// not allowed, a store that failed.
    pub async fn get_executor(
        &self,
        tenant: &str,
    ) -> Result<UnifiedExecutor<S::Backend>, TenantError> {
        self.roster().executor(&TenantId::new(tenant)?).await
    }

    /// Runs a workflow of a tenant and waits for its end, as [`UnifiedExecutor::execute`] does.
    ///
    /// A workflow that fails is `Ok`. If this future is dropped after the submit, the execution goes on.
    ///
    /// # Errors
    ///
    /// As [`get_executor`](Self::get_executor) and [`UnifiedExecutor::execute`].
    pub async fn execute_for_tenant(
        &self,
        tenant: &str,
        workflow: &str,
        input: Context,
    ) -> Result<PipelineResult, TenantError> {
        let executor = self.get_executor(tenant).await?;
        match executor.execute(workflow, input).await {
            // Not everything stops, so it is this tenant that is being removed.
            Err(ExecutorError::ShuttingDown) if self.roster().ready().is_ok() => {
                Err(TenantError::UnknownTenant(TenantId::new(tenant)?))
            }
            executed => Ok(executed?),
        }
    }

    /// Counts what a tenant has done and does, in one query of its store. Starts no executor.
    ///
    /// # Errors
    ///
    /// As [`get_executor`](Self::get_executor).
    pub async fn get_tenant_metrics(&self, tenant: &str) -> Result<TenantMetrics, TenantError> {
        self.roster().metrics(&TenantId::new(tenant)?).await
    }

    /// Creates a tenant, and brings one that exists up to date. Twice is no error. If this future is dropped, it goes on.
    ///
    /// # Errors
    ///
    /// As [`TenantStore::create`], [`TenantError::InvalidName`] and [`TenantError::ShuttingDown`].
    pub async fn create_tenant(&self, tenant: &str) -> Result<Creation, TenantError> {
        self.roster().create(&TenantId::new(tenant)?).await
    }

    /// Removes a tenant with all that it holds: stops its executor, waits for the tasks that run as a
    /// [`shutdown`](UnifiedExecutor::shutdown) does, and then removes it. Twice is no error. If this future is dropped, it goes on.
    ///
    /// What is submitted meanwhile, through an executor that was got before, fails. Who asks for the tenant meanwhile
    /// waits, and hears that it does not exist.
    ///
    /// # Errors
    ///
    /// As [`TenantStore::remove`], [`TenantError::InvalidName`] and [`TenantError::ShuttingDown`]. Then the tenant is still there,
    /// stopped; asking for it starts it again.
    #[doc(alias = "delete_tenant")]
    pub async fn remove_tenant(&self, tenant: &str) -> Result<Removal, TenantError> {
        self.roster().remove(&TenantId::new(tenant)?).await
    }

    /// Lists the tenants, by name.
    ///
    /// # Errors
    ///
    /// A store that failed.
    pub async fn list_tenants(&self) -> Result<Vec<TenantId>, TenantError> {
        self.roster().ready()?;
        self.store().list().await
    }

    /// Lists the tenants whose executors run now, by name. Reads memory only.
    #[must_use]
    pub fn active_tenants(&self) -> Vec<TenantId> {
        self.roster().active()
    }

    /// Stops all executors, as their own [`shutdown`](UnifiedExecutor::shutdown) does, and closes the store. Twice is no error, on
    /// any clone.
    ///
    /// If this future is dropped, nothing new starts any more, and calling it again goes on.
    ///
    /// # Errors
    ///
    /// The first error of an executor's shutdown. All are stopped in any case.
    pub async fn shutdown(&self) -> Result<(), TenantError> {
        self.roster().shutdown().await
    }
}
