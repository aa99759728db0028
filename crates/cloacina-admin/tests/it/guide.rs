//! The code of the guide to tenants with credentials of their own, as users write it.

#![expect(clippy::str_to_string, reason = "the guide writes so")]

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use cloacina_admin::{DatabaseAdmin, TenantConfig, TenantCredentials};
use cloacina_postgres::UnifiedExecutor;
use cloacina_testing::postgres::server;
use tokio::sync::RwLock;

use crate::support::{Place, work};

struct SecureTenantManager {
    admin: DatabaseAdmin,
    credentials: Arc<RwLock<HashMap<String, TenantCredentials>>>,
    prefix: String,
}

impl SecureTenantManager {
    async fn create_tenant(&self, tenant_id: &str) -> Result<(), Box<dyn Error>> {
        let schema_name = format!("tenant_{tenant_id}");
        let username = format!("{}_{tenant_id}", self.prefix);
        let creds = self
            .admin
            .create_tenant(TenantConfig { schema_name, username, password: "".to_string() })
            .await?;
        self.credentials.write().await.insert(tenant_id.to_string(), creds);
        Ok(())
    }

    async fn get_executor(&self, tenant_id: &str) -> Result<UnifiedExecutor, Box<dyn Error>> {
        let creds = self.credentials.read().await.get(tenant_id).ok_or("Tenant not found")?.clone();
        let executor =
            UnifiedExecutor::with_schema(&creds.connection_string, &creds.schema_name).await?;
        Ok(executor)
    }

    async fn remove_tenant(&self, tenant_id: &str) -> Result<(), Box<dyn Error>> {
        let creds = self.credentials.read().await.get(tenant_id).ok_or("Tenant not found")?.clone();
        self.admin.remove_tenant(&creds.schema_name, &creds.username).await?;
        self.credentials.write().await.remove(tenant_id);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manager_of_the_guide_works() {
    let place = Place::prepared(server()).await;
    let manager = SecureTenantManager {
        admin: place.admin(),
        credentials: Arc::default(),
        prefix: place.name.clone(),
    };
    manager.create_tenant("secure").await.unwrap();
    let executor = manager.get_executor("secure").await.unwrap();
    work(&executor).await;
    manager.remove_tenant("secure").await.unwrap();
    assert!(manager.get_executor("secure").await.is_err());
}
