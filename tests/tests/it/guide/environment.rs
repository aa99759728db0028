//! "Environment-Based Configuration". A process of its own, since the environment belongs to the whole process.

#![expect(clippy::disallowed_methods, reason = "the guide reads the environment")]

use std::env;
use std::process::{Command, Stdio};

use cloacina_core::Context;
use cloacina_postgres::UnifiedExecutor;

use super::support::database;

async fn create_tenant_executor() -> Result<UnifiedExecutor, Box<dyn std::error::Error>> {
    let database_url = env::var("DATABASE_URL")?;
    let tenant_id = env::var("TENANT_ID")?;

    // Validate tenant ID format
    if !tenant_id.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Err("Invalid tenant ID format".into());
    }

    let executor = UnifiedExecutor::with_schema(&database_url, &tenant_id).await?;
    Ok(executor)
}

/// Set only where the test below starts the process.
const CHILD: &str = "CLOACINA_GUIDE_CHILD";

#[tokio::test]
async fn child() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    let executor = create_tenant_executor().await.unwrap();
    executor.execute("test_workflow", Context::new()).await.unwrap();
    executor.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_tenant_is_taken_from_the_environment() {
    let url = database().await;
    for (tenant, runs) in [("production_tenant_123", true), ("not a tenant", false)] {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", "guide::environment::child"]).stdin(Stdio::null());
        child.envs([("DATABASE_URL", url.as_str()), ("TENANT_ID", tenant), (CHILD, "1")]);
        let ended = child.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        assert_eq!(ended.status.success(), runs, "{said}");
        assert!(runs || said.contains("Invalid tenant ID format"), "{said}");
    }
    let executor = UnifiedExecutor::with_schema(&url, "production_tenant_123").await.unwrap();
    assert_eq!(executor.list_executions().await.unwrap().len(), 1);
    executor.shutdown().await.unwrap();
}
