//! Runs one workflow of a shape and a size on a new SQLite file, and prints how much memory that took at most, in KiB.
//!
//! `shape_worker chain|fan|layers TASKS FILE`. A process of its own: what others need would be counted too. Linux only.

use std::error::Error;

use cloacina_core::{Context, PipelineStatus};
use cloacina_sqlite::UnifiedExecutor;
use cloacina_tests::shapes::Shape;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [shape, tasks, file] = &*arguments else { return Err("three arguments".into()) };
    let shape = Shape::named(shape).ok_or("no such shape")?;
    let workflow = shape.workflow(tasks.parse()?)?;
    let builder = UnifiedExecutor::builder().workflows([workflow]);
    let executor = builder.database_url(format!("sqlite://{file}")).build().await?;
    let result = executor.execute("shape", Context::new()).await?;
    if result.status != PipelineStatus::Completed {
        return Err(format!("it ended as {}", result.status).into());
    }
    executor.shutdown().await?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|line| line.split_whitespace().next()).ok_or("no peak is told")?;
    #[expect(clippy::print_stdout, reason = "the test reads it")]
    {
        println!("{peak}");
    }
    Ok(())
}
