//! The same configuration on both back ends.

use cloacina_config::TenantConfig;
use cloacina_core::{
    BackendError, Connect, Context, ExecutorError, TaskContext, TaskError, TenantError, task,
    workflow,
};
use cloacina_postgres::PostgresBackend;
use cloacina_sqlite::SqliteBackend;
use cloacina_testing::postgres;

#[task]
async fn whose(run: TaskContext) -> Result<String, TaskError> {
    Ok(format!("{:?} for {:?}", run.tenant.as_ref().map(ToString::to_string), run.attempt))
}

workflow! { name: "whose", description: "says whose task it is", tasks: [whose] }

/// Runs the workflow and returns what its task said.
async fn run<B: Connect>(config: &TenantConfig) -> String {
    let executor = config.create_executor::<B>().await.unwrap();
    let result = executor.execute("whose", Context::new()).await.unwrap();
    executor.shutdown().await.unwrap();
    result.task("whose").unwrap().output.as_ref().unwrap().to_string()
}

#[tokio::test]
async fn an_executor_is_created_on_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("acme.db").display());
    let mut config = TenantConfig::new("acme", url);
    config.db_pool_size = Some(2);
    assert!(run::<SqliteBackend>(&config).await.contains("acme"));
}

#[tokio::test]
async fn an_executor_is_created_on_a_schema() {
    let server = postgres::server();
    let mut config = TenantConfig::new("acme", server.url());
    config.schema = Some(postgres::schema_name());
    assert!(run::<PostgresBackend>(&config).await.contains("acme"));
    config.schema = Some(postgres::schema_name());
    let other: cloacina_postgres::UnifiedExecutor = config.create_executor().await.unwrap();
    assert_eq!(other.list_executions().await.unwrap(), []);
    other.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_a_store_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("acme.db");
    let mut config = TenantConfig::new("Acme", format!("sqlite://{}", file.display()));
    let refused =
        async |config: &TenantConfig| config.create_executor::<SqliteBackend>().await.unwrap_err();
    assert!(matches!(refused(&config).await, TenantError::InvalidName(_)));

    config.tenant_id = "acme".to_owned();
    config.task_timeout_seconds = Some(0);
    let error = refused(&config).await;
    assert!(matches!(error, TenantError::Executor(ExecutorError::Config(_))), "{error}");

    config.task_timeout_seconds = None;
    config.schema = Some("acme".to_owned());
    let error = refused(&config).await;
    let TenantError::Executor(ExecutorError::Backend(backend)) = &error else { panic!("{error}") };
    assert!(matches!(**backend, BackendError::Config { .. }), "{error}");
    assert!(!file.exists());
}
