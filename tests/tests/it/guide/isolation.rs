//! "Testing Multi-Tenant Setup".

use cloacina_core::Context;
use cloacina_postgres::UnifiedExecutor;

use super::support::database;

#[tokio::test]
async fn test_tenant_isolation() {
    let database_url = &database().await;

    // Create two tenant executors
    let tenant_a = UnifiedExecutor::with_schema(database_url, "test_tenant_a").await.unwrap();
    let tenant_b = UnifiedExecutor::with_schema(database_url, "test_tenant_b").await.unwrap();

    // Execute workflows in each tenant
    let context_a = Context::new();
    let context_b = Context::new();

    let result_a = tenant_a.execute_async("test_workflow", context_a).await.unwrap();
    let result_b = tenant_b.execute_async("test_workflow", context_b).await.unwrap();

    // Verify executions are isolated
    assert_ne!(result_a.execution_id, result_b.execution_id);

    // Beyond the guide: neither knows the other's.
    tenant_a.get_execution_status(result_a.execution_id).await.unwrap();
    tenant_a.get_execution_status(result_b.execution_id).await.unwrap_err();
    tenant_b.get_execution_status(result_a.execution_id).await.unwrap_err();

    // Cleanup
    tenant_a.shutdown().await.unwrap();
    tenant_b.shutdown().await.unwrap();
}
