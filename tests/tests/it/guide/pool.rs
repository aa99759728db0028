//! "Connection Pool Tuning".

use cloacina_core::Context;
use cloacina_postgres::UnifiedExecutor;

use super::support::database;

#[tokio::test]
async fn the_pool_and_the_slots_are_set_when_an_executor_is_built()
-> Result<(), Box<dyn std::error::Error>> {
    let database_url = database().await;
    let tenant_id = "acme".to_string();

    let executor = UnifiedExecutor::builder()
        .database_url(&database_url)
        .schema(&tenant_id)
        .db_pool_size(20) // Tune based on tenant load
        .max_concurrent_tasks(10) // Limit concurrent execution
        .build()
        .await?;

    assert!(executor.execute("test_workflow", Context::new()).await?.is_success());
    executor.shutdown().await?;
    Ok(())
}
