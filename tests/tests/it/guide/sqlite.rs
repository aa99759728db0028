//! "SQLite File-Based Setup".

use std::fs;

use cloacina_core::Context;
use cloacina_sqlite::UnifiedExecutor;

struct SqliteTenantManager {
    data_dir: String,
}

impl SqliteTenantManager {
    fn new(data_dir: &str) -> Result<Self, Box<dyn std::error::Error>> {
        // Ensure data directory exists
        fs::create_dir_all(data_dir)?;

        Ok(Self { data_dir: data_dir.to_string() })
    }

    async fn get_executor(
        &self,
        tenant_id: &str,
    ) -> Result<UnifiedExecutor, Box<dyn std::error::Error>> {
        // Validate tenant ID
        if !tenant_id.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
            return Err("Invalid tenant ID format".into());
        }

        let db_path = format!("sqlite://{}/{}.db", self.data_dir, tenant_id);
        let executor = UnifiedExecutor::new(&db_path).await?;

        Ok(executor)
    }

    async fn list_tenants(&self) -> Result<Vec<String>, Box<dyn std::error::Error>> {
        let mut tenants = Vec::new();

        for entry in fs::read_dir(&self.data_dir)? {
            let entry = entry?;
            let path = entry.path();

            if path.extension().and_then(|s| s.to_str()) == Some("db") {
                if let Some(name) = path.file_stem().and_then(|s| s.to_str()) {
                    tenants.push(name.to_string());
                }
            }
        }

        Ok(tenants)
    }

    async fn delete_tenant(&self, tenant_id: &str) -> Result<(), Box<dyn std::error::Error>> {
        let db_path = format!("{}/{}.db", self.data_dir, tenant_id);
        fs::remove_file(db_path)?;
        Ok(())
    }
}

#[tokio::test]
async fn tenants_are_files_of_a_folder() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let data_dir = folder.path().join("data/tenants");
    let manager = SqliteTenantManager::new(data_dir.to_str().unwrap())?;
    for tenant in ["acme", "umbrella-corp"] {
        let executor = manager.get_executor(tenant).await?;
        assert!(executor.execute("test_workflow", Context::new()).await?.is_success());
        // The guide makes an executor a call. Another one of the same file works beside it.
        let second = manager.get_executor(tenant).await?;
        assert_eq!(second.list_executions().await?.len(), 1);
        second.shutdown().await?;
        executor.shutdown().await?;
    }
    let refused = manager.get_executor("../acme").await.unwrap_err();
    assert_eq!(refused.to_string(), "Invalid tenant ID format");
    let mut tenants = manager.list_tenants().await?;
    tenants.sort();
    assert_eq!(tenants, ["acme", "umbrella-corp"]);

    // After a shutdown nothing is left but the file: deleting it deletes the tenant.
    manager.delete_tenant("acme").await?;
    let left: Vec<_> = fs::read_dir(&data_dir)?.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["umbrella-corp.db"]);
    let again = manager.get_executor("acme").await?;
    assert_eq!(again.list_executions().await?.len(), 0);
    again.shutdown().await?;
    Ok(())
}
