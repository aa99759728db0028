//! Runs the layered workflow on an SQLite file until it has ended: `crash_worker DATABASE LOG`.
//!
//! Takes up what an earlier run left; submits only if there is nothing. Meant to be killed.

use std::path::PathBuf;

use cloacina_core::Context;
use cloacina_sqlite::UnifiedExecutor;
use cloacina_tests::layered;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let mut next = || arguments.next().ok_or("expected DATABASE LOG");
    let (database, log) = (next()?, next()?);
    let workflow = layered::workflow(&layered::open_log(&log)?)?;
    let executor = UnifiedExecutor::builder()
        .database_url(format!("sqlite://{}", database.display()))
        .max_concurrent_tasks(4)
        .max_recovery_attempts(1000)
        .workflows([workflow])
        .build()
        .await?;
    let execution = match executor.list_executions().await?.first() {
        Some(known) => executor.execution(known.execution_id),
        None => executor.execute_async(layered::NAME, Context::new()).await?,
    };
    let result = execution.wait().await?;
    executor.shutdown().await?;
    if result.is_success() { Ok(()) } else { Err(format!("{result:?}").into()) }
}
