//! What a tenant is to the admin.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::AdminError;

/// A tenant to be created.
#[derive(Clone)]
pub struct TenantConfig {
    /// Its schema: 1 to 48 bytes, lower-case ASCII letters, digits and `_`, a letter first. Other tenants can read the name.
    pub schema_name: String,
    /// Its role, by the same rule. Roles belong to the whole server, so the name must be free in all its databases.
    pub username: String,
    /// Its password. Empty: one of 32 characters is generated, which need no encoding in an address.
    pub password: String,
}

impl fmt::Debug for TenantConfig {
    /// Leaves the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantConfig")
            .field("schema_name", &self.schema_name)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// What a tenant's processes need. Keep it where secrets are kept.
#[derive(Clone)]
pub struct TenantCredentials {
    /// The role that logs in.
    pub username: String,
    /// Its password.
    pub password: String,
    /// Its schema.
    pub schema_name: String,
    /// The address for `UnifiedExecutor::with_schema`: host, port and parameters of the admin's, role and password
    /// percent-encoded. It holds the password.
    pub connection_string: String,
}

impl fmt::Debug for TenantCredentials {
    /// Leaves the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantCredentials")
            .field("username", &self.username)
            .field("schema_name", &self.schema_name)
            .finish_non_exhaustive()
    }
}

/// A tenant that was created here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tenant {
    /// Its schema.
    pub schema_name: String,
    /// Its role.
    pub username: String,
    /// Whether it may work.
    pub state: TenantState,
    /// When it was created, by the server's clock.
    pub created_at: DateTime<Utc>,
    /// When it got its password, by the server's clock.
    pub password_set_at: DateTime<Utc>,
}

/// What is to become of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TenantState {
    /// It may work.
    Active,
    /// It is locked out, and what it had is being dropped. [`remove_tenant`](crate::DatabaseAdmin::remove_tenant) ends that if it was cut off.
    Removing,
}

/// What became of one tenant's tables.
#[derive(Debug)]
#[non_exhaustive]
pub struct TenantMigration {
    /// The tenant's schema.
    pub schema_name: String,
    /// Whether its tables are up to date now. Otherwise they are as they were.
    pub outcome: Result<(), AdminError>,
}
