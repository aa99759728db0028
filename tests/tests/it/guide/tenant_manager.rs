//! "Dynamic Tenant Management".

use std::collections::HashMap;
use std::sync::Arc;

use cloacina_core::{Context, PipelineResult, PipelineStatus};
use cloacina_postgres::UnifiedExecutor;
use serde_json::json;
use tokio::sync::RwLock;

use super::support::database;

pub(super) struct TenantManager {
    database_url: String,
    executors: Arc<RwLock<HashMap<String, UnifiedExecutor>>>,
}

impl TenantManager {
    pub(super) fn new(database_url: String) -> Self {
        Self { database_url, executors: Arc::new(RwLock::new(HashMap::new())) }
    }

    pub(super) async fn get_executor(
        &self,
        tenant_id: &str,
    ) -> Result<UnifiedExecutor, Box<dyn std::error::Error>> {
        // Check if executor already exists
        {
            let executors = self.executors.read().await;
            if let Some(executor) = executors.get(tenant_id) {
                return Ok(executor.clone());
            }
        }

        // Create new executor for tenant
        let executor = UnifiedExecutor::with_schema(&self.database_url, tenant_id).await?;

        // Store for reuse
        {
            let mut executors = self.executors.write().await;
            executors.insert(tenant_id.to_string(), executor.clone());
        }

        Ok(executor)
    }

    pub(super) async fn execute_for_tenant(
        &self,
        tenant_id: &str,
        workflow_name: &str,
        context: Context<serde_json::Value>,
    ) -> Result<PipelineResult, Box<dyn std::error::Error>> {
        let executor = self.get_executor(tenant_id).await?;
        let result = executor.execute(workflow_name, context).await?;
        Ok(result)
    }
}

#[tokio::test]
async fn executors_are_made_on_demand_and_kept() {
    let manager = TenantManager::new(database().await);
    for round in 1..=2 {
        let input = Context::from_value(json!({ "count": round })).unwrap();
        let result = manager.execute_for_tenant("acme", "test_workflow", input).await.unwrap();
        assert_eq!(result.status, PipelineStatus::Completed);
        assert_eq!(result.final_context.get("count"), Some(&json!(round + 1)));
        assert_eq!(manager.executors.read().await.len(), 1);
    }
    let unknown = manager.execute_for_tenant("acme", "unknown", Context::new()).await;
    assert!(unknown.unwrap_err().to_string().starts_with("workflow `unknown` is not known here"));
    let refused = manager.get_executor("../acme").await.unwrap_err();
    assert!(refused.to_string().contains("schema name \"../acme\" is refused"), "{refused}");
    let acme = manager.get_executor("acme").await.unwrap();
    assert_eq!(acme.list_executions().await.unwrap().len(), 2);
    acme.shutdown().await.unwrap();
}
