//! From an address to a store.

use std::fmt;

use async_trait::async_trait;

use super::{Backend, BackendError};

/// How to reach a store.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// The address. May hold a password, so `Debug` does not show it.
    pub url: String,
    /// The schema that holds the tenant, for stores that have schemas.
    pub schema: Option<String>,
    /// How many connections it may open at most.
    pub pool_size: u32,
}

impl ConnectOptions {
    /// Starts from an address, with no schema and 10 connections.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), schema: None, pool_size: 10 }
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("schema", &self.schema)
            .field("pool_size", &self.pool_size)
            .finish_non_exhaustive()
    }
}

/// A back end that an address leads to.
#[async_trait]
pub trait Connect: Backend + Sized {
    /// Opens the store at that address and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// [`BackendError::Config`] for a malformed address, [`BackendError::Refused`] for a store that may not be
    /// used, [`BackendError::Unavailable`] for one that does not answer.
    async fn connect(options: ConnectOptions) -> Result<Self, BackendError>;
}

/// A back end whose database holds many tenants, each in a schema of its own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no schemas",
    label = "this back end holds one tenant",
    note = "on SQLite, use one file a tenant: `UnifiedExecutor::new(\"sqlite://tenant_a.db\")`"
)]
pub trait ConnectSchema: Connect {}
