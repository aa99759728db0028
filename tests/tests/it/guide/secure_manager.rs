//! "Multi-Tenant Service with Per-Tenant Credentials".

use std::collections::HashMap;
use std::sync::Arc;

use cloacina_admin::{Database, DatabaseAdmin, TenantConfig, TenantCredentials};
use cloacina_core::Context;
use cloacina_postgres::UnifiedExecutor;
use tokio::sync::RwLock;

use super::support::admin_server;

struct SecureTenantManager {
    admin: DatabaseAdmin,
    // In production, load from secrets manager
    credentials: Arc<RwLock<HashMap<String, TenantCredentials>>>,
}

impl SecureTenantManager {
    async fn create_tenant(&self, tenant_id: &str) -> Result<(), Box<dyn std::error::Error>> {
        // Generate secure schema and username
        let schema_name = format!("tenant_{}", tenant_id);
        let username = format!("user_{}", tenant_id);

        // Create tenant with auto-generated password
        let creds = self
            .admin
            .create_tenant(TenantConfig { schema_name, username, password: "".to_string() })
            .await?;

        // Store credentials securely
        self.credentials.write().await.insert(tenant_id.to_string(), creds);

        Ok(())
    }

    async fn get_executor(
        &self,
        tenant_id: &str,
    ) -> Result<UnifiedExecutor, Box<dyn std::error::Error>> {
        let creds = self.credentials.read().await.get(tenant_id).ok_or("Tenant not found")?.clone();

        let executor =
            UnifiedExecutor::with_schema(&creds.connection_string, &creds.schema_name).await?;

        Ok(executor)
    }

    async fn remove_tenant(&self, tenant_id: &str) -> Result<(), Box<dyn std::error::Error>> {
        let creds = self.credentials.read().await.get(tenant_id).ok_or("Tenant not found")?.clone();

        // Remove from database
        self.admin.remove_tenant(&creds.schema_name, &creds.username).await?;

        // Remove from cache
        self.credentials.write().await.remove(tenant_id);

        Ok(())
    }
}

#[tokio::test]
async fn tenants_come_work_and_go() -> Result<(), Box<dyn std::error::Error>> {
    let (_server, url) = admin_server().await;
    let manager = SecureTenantManager {
        admin: DatabaseAdmin::new(Database::new(&url, "cloacina", 10)),
        credentials: Arc::default(),
    };
    for tenant in ["acme", "umbrella"] {
        manager.create_tenant(tenant).await?;
    }
    let acme = manager.get_executor("acme").await?;
    let umbrella = manager.get_executor("umbrella").await?;
    assert!(acme.execute("test_workflow", Context::new()).await?.is_success());
    assert_eq!(umbrella.list_executions().await?.len(), 0);
    acme.shutdown().await?;

    let creds = manager.credentials.read().await["acme"].clone();
    let foreign = manager.credentials.read().await["umbrella"].schema_name.clone();
    let stolen = UnifiedExecutor::with_schema(&creds.connection_string, &foreign).await;
    stolen.expect_err("the credentials of one tenant do not open another");

    manager.remove_tenant("acme").await?;
    let gone = UnifiedExecutor::with_schema(&creds.connection_string, &creds.schema_name).await;
    gone.expect_err("the login went with the tenant");
    assert_eq!(manager.get_executor("acme").await.unwrap_err().to_string(), "Tenant not found");
    assert!(umbrella.execute("test_workflow", Context::new()).await?.is_success());
    umbrella.shutdown().await?;
    Ok(())
}
