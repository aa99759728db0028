//! "Create Multi-Tenant Executors".

use std::collections::HashMap;

use cloacina_core::Context;
use cloacina_postgres::UnifiedExecutor;

use super::support::database;

#[tokio::test]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database_url = &database().await;

    // Create executors for different tenants
    let mut executors = HashMap::new();

    // Tenant A
    let tenant_a = UnifiedExecutor::with_schema(database_url, "tenant_a").await?;
    executors.insert("tenant_a", tenant_a);

    // Tenant B
    let tenant_b = UnifiedExecutor::with_schema(database_url, "tenant_b").await?;
    executors.insert("tenant_b", tenant_b);

    // Each is a tenant of its own.
    executors["tenant_a"].execute("test_workflow", Context::new()).await?;
    assert_eq!(executors["tenant_a"].list_executions().await?.len(), 1);
    assert_eq!(executors["tenant_b"].list_executions().await?.len(), 0);
    for executor in executors.values() {
        executor.shutdown().await?;
    }
    Ok(())
}
