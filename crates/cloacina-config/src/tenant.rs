//! What a process needs to know of its tenant.

use std::time::Duration;

use cloacina_core::{
    Connect, ConnectOptions, ExecutorConfig, TenantError, TenantId, UnifiedExecutor,
    UnifiedExecutorBuilder,
};
use serde::{Deserialize, Serialize};

use crate::DatabaseUrl;

/// A tenant, its store, and the settings of its executor. What is `None` has the default of [`ExecutorConfig`].
///
/// ```
/// use cloacina_config::TenantConfig;
///
/// let text = r#"{ "tenant_id": "acme", "database_url": "postgresql://app:secret@db/app", "schema": "acme" }"#;
/// let config: TenantConfig = serde_json::from_str(text).unwrap();
/// assert!(!format!("{config:?}").contains("secret"));
/// assert!(!serde_json::to_string(&config).unwrap().contains("secret"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TenantConfig {
    /// The tenant: its tasks find it in their `TaskContext`. See [`TenantId`] for what is allowed.
    pub tenant_id: String,
    /// Where its store is.
    pub database_url: DatabaseUrl,
    /// Its schema. `None` on SQLite, which has none; on PostgreSQL `None` is `public`.
    pub schema: Option<String>,
    /// How many task bodies run at once in this process.
    pub max_concurrent_tasks: Option<usize>,
    /// How long one attempt of a task may take, in seconds, unless the task says otherwise.
    pub task_timeout_seconds: Option<u64>,
    /// How many database connections may be open at once.
    pub db_pool_size: Option<u32>,
}

impl TenantConfig {
    /// Names a tenant and its store; everything else has its default.
    #[must_use]
    pub fn new(tenant_id: impl Into<String>, database_url: impl Into<DatabaseUrl>) -> Self {
        Self {
            tenant_id: tenant_id.into(),
            database_url: database_url.into(),
            schema: None,
            max_concurrent_tasks: None,
            task_timeout_seconds: None,
            db_pool_size: None,
        }
    }

    /// Returns the settings of the executor. They are checked when it is built.
    #[must_use]
    pub fn executor_config(&self) -> ExecutorConfig {
        let mut config = ExecutorConfig::default();
        if let Some(count) = self.max_concurrent_tasks {
            config.max_concurrent_tasks = count;
        }
        if let Some(seconds) = self.task_timeout_seconds {
            config.task_timeout = Duration::from_secs(seconds);
        }
        if let Some(connections) = self.db_pool_size {
            config.db_pool_size = connections;
        }
        config
    }

    /// Returns a builder that has all of this, for programs that add more, such as state or workflows.
    ///
    /// # Errors
    ///
    /// [`TenantError::InvalidName`].
    pub fn builder<B: Connect>(&self) -> Result<UnifiedExecutorBuilder<B>, TenantError> {
        let tenant = TenantId::new(self.tenant_id.as_str())?;
        let config = self.executor_config();
        let mut options = ConnectOptions::new(self.database_url.expose());
        options.schema.clone_from(&self.schema);
        options.pool_size = config.db_pool_size;
        let builder = UnifiedExecutor::builder().config(config);
        Ok(builder.connect_options(options).tenant(tenant))
    }

    /// Opens the store and starts the tenant's executor. The back end is the one of the type that is wanted, such as
    /// `cloacina_postgres::UnifiedExecutor`.
    ///
    /// # Errors
    ///
    /// [`TenantError::InvalidName`], and [`TenantError::Executor`] for a setting that is not allowed, a schema where there are
    /// none, a store that may not be used or does not answer.
    pub async fn create_executor<B: Connect>(&self) -> Result<UnifiedExecutor<B>, TenantError> {
        Ok(self.builder()?.build().await?)
    }
}
