//! Many tenants in one process, each with a role of its own.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use cloacina_core::{
    BackendError, Changes, Creation, Removal, TenantError, TenantId, TenantStore, TenantWork,
};
use cloacina_postgres::{PostgresBackend, PostgresTenants};
use tokio_util::sync::CancellationToken;

use crate::{AdminError, DatabaseAdmin, TenantConfig};

/// What the roles of tenants begin with, if nothing else is said.
const PREFIX: &str = "tenant_";

/// The tenants of a database, each in a schema of its own with a role of its own: an admin creates and removes them, and all of
/// them share the few connections of a login that has no rights but to become one of them for a transaction.
///
/// The tenant `acme` has the schema `acme` and the role `tenant_acme`. Nobody knows the role's password, which is generated and forgotten;
/// [`DatabaseAdmin::rotate_password`] gives one to whoever is to log in as that tenant.
///
/// ```no_run
/// use cloacina_admin::{Database, DatabaseAdmin, SecureTenants};
/// use cloacina_core::{Context, TenantManager};
/// use cloacina_postgres::PostgresTenants;
///
/// # async fn serve(admin_url: &str, runtime_url: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let admin = DatabaseAdmin::new(Database::new(admin_url, "app", 2)).runtime_role("app_runtime");
/// let store = SecureTenants::new(admin, PostgresTenants::new(runtime_url));
/// let manager = TenantManager::builder(store).build()?;
/// manager.create_tenant("acme").await?;
/// manager.execute_for_tenant("acme", "etl", Context::new()).await?;
/// # Ok(())
/// # }
/// ```
///
/// The process that has this has the admin's address. Where tasks are not trusted, the processes that run them get a
/// [`PostgresTenants`] of the runtime login only, and another one creates and removes tenants.
pub struct SecureTenants {
    admin: DatabaseAdmin,
    tenants: PostgresTenants,
    prefix: String,
    closed: CancellationToken,
}

impl SecureTenants {
    /// Creates and removes tenants through `admin`, whose [`runtime_role`](DatabaseAdmin::runtime_role) is the login of `tenants`, through
    /// which all work goes.
    #[must_use]
    pub fn new(admin: DatabaseAdmin, tenants: PostgresTenants) -> Self {
        Self { admin, tenants, prefix: PREFIX.to_owned(), closed: CancellationToken::new() }
    }

    /// Chooses what the names of the roles begin with: `tenant_` if not called. Roles belong to the whole server, so two databases
    /// with tenants of the same names need two prefixes. With the tenant's name it makes at most 63 bytes.
    #[must_use]
    pub fn role_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    fn role(&self, tenant: &TenantId) -> String {
        format!("{}{tenant}", self.prefix)
    }

    fn check_open(&self) -> Result<(), BackendError> {
        if self.closed.is_cancelled() { Err(BackendError::Closed) } else { Ok(()) }
    }
}

#[async_trait]
impl TenantStore for SecureTenants {
    type Backend = PostgresBackend;

    async fn create(&self, tenant: &TenantId) -> Result<Creation, TenantError> {
        self.check_open()?;
        let config = TenantConfig {
            schema_name: tenant.to_string(),
            username: self.role(tenant),
            password: String::new(),
        };
        match self.admin.create_tenant(config).await {
            Ok(_) => Ok(Creation::Created),
            Err(AdminError::TenantExists { .. }) => {
                self.admin.migrate(tenant.as_str(), &self.role(tenant)).await.map_err(told)?;
                Ok(Creation::Existed)
            }
            Err(error) => Err(told(error)),
        }
    }

    async fn open(&self, tenant: &TenantId) -> Result<PostgresBackend, TenantError> {
        self.tenants.open(tenant).await
    }

    async fn list(&self) -> Result<Vec<TenantId>, TenantError> {
        self.tenants.list().await
    }

    async fn exists(&self, tenant: &TenantId) -> Result<bool, TenantError> {
        self.tenants.exists(tenant).await
    }

    async fn remove(&self, tenant: &TenantId) -> Result<Removal, TenantError> {
        self.check_open()?;
        let removed = self.admin.remove_tenant(tenant.as_str(), &self.role(tenant)).await;
        removed.map_err(told)
    }

    async fn work(&self, among: Option<&[TenantId]>) -> Result<Vec<TenantWork>, TenantError> {
        self.tenants.work(among).await
    }

    async fn changed(&self, poll: Duration) -> Changes {
        self.tenants.changed(poll).await
    }

    async fn close(&self) {
        self.closed.cancel();
        self.tenants.close().await;
    }
}

impl fmt::Debug for SecureTenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureTenants")
            .field("admin", &self.admin)
            .field("tenants", &self.tenants)
            .field("prefix", &self.prefix)
            .finish()
    }
}

/// What the admin says, as a store says it.
fn told(error: AdminError) -> TenantError {
    let reason = error.to_string();
    let error = match error {
        AdminError::Config { reason } => BackendError::Config { reason },
        error if error.is_transient() => {
            BackendError::Unavailable { reason, source: Some(Box::new(error)) }
        }
        error => BackendError::Refused { reason, source: Some(Box::new(error)) },
    };
    error.into()
}
