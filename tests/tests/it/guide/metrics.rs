//! "Monitoring".

use std::time::Duration;

use cloacina_core::{Context, PipelineStatus};

use super::support::database;
use super::tenant_manager::TenantManager;

struct TenantMetrics {
    active_executions: usize,
    total_executions: u64,
    avg_execution_time: Duration,
}

impl TenantManager {
    async fn get_tenant_metrics(
        &self,
        tenant_id: &str,
    ) -> Result<TenantMetrics, Box<dyn std::error::Error>> {
        let executor = self.get_executor(tenant_id).await?;
        let executions = executor.list_executions().await?;

        let total = executions.len() as u64;
        let avg_duration =
            executions.iter().filter_map(|e| e.duration).sum::<Duration>() / (total.max(1) as u32);

        Ok(TenantMetrics {
            active_executions: executions
                .iter()
                .filter(|e| matches!(e.status, PipelineStatus::Running))
                .count(),
            total_executions: total,
            avg_execution_time: avg_duration,
        })
    }
}

#[tokio::test]
async fn the_executions_of_a_tenant_are_counted_and_timed() {
    let manager = TenantManager::new(database().await);
    for _ in 0..3 {
        manager.execute_for_tenant("acme", "test_workflow", Context::new()).await.unwrap();
    }
    let metrics = manager.get_tenant_metrics("acme").await.unwrap();
    assert_eq!((metrics.active_executions, metrics.total_executions), (0, 3));
    assert!(metrics.avg_execution_time > Duration::ZERO);
    manager.get_executor("acme").await.unwrap().shutdown().await.unwrap();
}
