//! What goes wrong with tenants.

use std::sync::Arc;

use crate::{BackendError, ExecutorError, TenantId, TenantIdError};

/// What could not be done with a tenant, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TenantError {
    /// The text is not the name of a tenant.
    #[error(transparent)]
    InvalidName(#[from] TenantIdError),
    /// There is no such tenant, or it is being removed. Asking for one never creates it.
    #[error("tenant `{0}` does not exist: `create_tenant` creates it")]
    UnknownTenant(TenantId),
    /// The manager is shutting down, or has.
    #[error("the manager of tenants is shutting down")]
    ShuttingDown,
    /// The tenant's executor could not be started, or not do what was asked.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    /// What holds the tenants failed.
    #[error(transparent)]
    Store(Arc<BackendError>),
}

impl From<BackendError> for TenantError {
    fn from(error: BackendError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl TenantError {
    /// Reports whether the same call may succeed later without anybody correcting it.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Executor(error) => error.is_transient(),
            Self::Store(error) => error.is_transient(),
            Self::InvalidName(_) | Self::UnknownTenant(_) | Self::ShuttingDown => false,
        }
    }
}
