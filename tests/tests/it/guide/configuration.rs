//! "Configuration Structure", as the guide writes it; `cloacina_config::TenantConfig` is the part of the library that does the same.

use std::time::Duration;

use cloacina_config::FromEnv as _;
use cloacina_core::Context;
use cloacina_postgres::UnifiedExecutor;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::support::database;

#[derive(Debug, Deserialize, Serialize)]
struct TenantConfig {
    tenant_id: String,
    database_url: String,
    schema: Option<String>,
    max_concurrent_tasks: Option<usize>,
    task_timeout_seconds: Option<u64>,
    db_pool_size: Option<u32>,
}

impl TenantConfig {
    async fn create_executor(&self) -> Result<UnifiedExecutor, Box<dyn std::error::Error>> {
        let mut builder = UnifiedExecutor::builder().database_url(&self.database_url);

        if let Some(ref schema) = self.schema {
            builder = builder.schema(schema);
        }

        if let Some(max_tasks) = self.max_concurrent_tasks {
            builder = builder.max_concurrent_tasks(max_tasks);
        }

        if let Some(timeout) = self.task_timeout_seconds {
            builder = builder.task_timeout(Duration::from_secs(timeout));
        }

        if let Some(pool_size) = self.db_pool_size {
            builder = builder.db_pool_size(pool_size);
        }

        // CHANGED from `builder.build().await`, whose error is typed.
        Ok(builder.build().await?)
    }
}

#[tokio::test]
async fn the_structure_of_the_guide_creates_an_executor() {
    let config: TenantConfig = serde_json::from_value(json!({
        "tenant_id": "acme",
        "database_url": database().await,
        "schema": "acme",
        "max_concurrent_tasks": 8,
        "task_timeout_seconds": 300,
        "db_pool_size": 4
    }))
    .unwrap();
    assert_eq!(config.tenant_id, "acme");
    let executor = config.create_executor().await.unwrap();
    assert!(executor.execute("test_workflow", Context::new()).await.unwrap().is_success());
    executor.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_part_of_the_library_opens_the_same_store_from_the_variables_of_the_guide() {
    let url = database().await;
    let lookup = |name: &str| {
        let held = match name {
            "DATABASE_URL" => url.as_str(),
            "TENANT_ID" => "production_tenant_123",
            "DEFAULT_SCHEMA" => "public",
            "MAX_CONCURRENT_TASKS" => "8",
            "TASK_TIMEOUT_SECONDS" => "300",
            "DB_POOL_SIZE" => "10",
            _ => return None,
        };
        Some(held.into())
    };
    let config = cloacina_config::TenantConfig::from_lookup(lookup).unwrap();
    let executor: UnifiedExecutor = config.create_executor().await.unwrap();
    assert!(executor.execute("test_workflow", Context::new()).await.unwrap().is_success());
    let same = UnifiedExecutor::with_schema(&url, "production_tenant_123").await.unwrap();
    assert_eq!(same.list_executions().await.unwrap().len(), 1);
    same.shutdown().await.unwrap();
    executor.shutdown().await.unwrap();
}
