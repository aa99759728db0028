//! "Setting Up Per-Tenant Credentials".

use cloacina_admin::{Database, DatabaseAdmin, TenantConfig, TenantCredentials};
use cloacina_core::Context;
use cloacina_postgres::UnifiedExecutor;

use super::support::admin_server;

/// The guide leaves this one to its reader.
fn store_in_secrets_manager(creds: &TenantCredentials) -> Result<(), Box<dyn std::error::Error>> {
    assert_eq!(creds.password.len(), 32);
    Ok(())
}

#[tokio::test]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (_server, url) = admin_server().await;

    // Step 1: Create admin connection
    let admin_db = Database::new(&url, "cloacina", 10);
    let admin = DatabaseAdmin::new(admin_db);

    // Step 2: Create tenant with auto-generated password
    let tenant_creds = admin
        .create_tenant(TenantConfig {
            schema_name: "tenant_secure".to_string(),
            username: "secure_user".to_string(),
            password: "".to_string(), // Empty = secure auto-generation
        })
        .await?;

    println!("Tenant created:");
    println!("  Username: {}", tenant_creds.username);
    println!("  Password: {}", tenant_creds.password);
    println!("  Connection: {}", tenant_creds.connection_string);

    // Step 3: Save credentials securely (e.g., secrets manager)
    store_in_secrets_manager(&tenant_creds)?;

    // Step 4: Tenant application uses their credentials
    let executor =
        UnifiedExecutor::with_schema(&tenant_creds.connection_string, &tenant_creds.schema_name)
            .await?;

    let result = executor.execute("test_workflow", Context::new()).await?;
    assert!(result.is_success());
    let elsewhere = UnifiedExecutor::with_schema(&tenant_creds.connection_string, "other").await;
    elsewhere.expect_err("a tenant cannot make itself another schema");
    executor.shutdown().await?;
    Ok(())
}
