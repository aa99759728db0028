//! Arguments in any order, each kind, on async and blocking functions.

use cloacina_core::{
    Context, Input, NotCompleted, Output, State, TaskContext, TaskDefinition, TaskError, task,
    workflow,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Rows(Vec<u32>);

#[derive(Deserialize)]
pub struct Request {
    rows: u32,
}

pub struct Pool;

// Under another name it is the same argument, and implies the dependency all the same.
type Extracted = Output<extract>;

#[task]
async fn extract(pool: State<Pool>, Input(request): Input<Request>) -> Result<Rows, TaskError> {
    let State(_pool) = pool;
    Ok(Rows((0..request.rows).collect()))
}

#[task]
async fn transform(run: TaskContext, rows: Extracted, context: &mut Context) -> anyhow_like::Result<usize> {
    context.insert_as("attempt", run.attempt)?;
    Ok(rows.0.0.len())
}

#[task(blocking, trigger_rules = all_done, dependencies = [extract])]
fn report(
    rows: Result<Output<extract>, NotCompleted>,
    mut count: Option<Output<transform>>,
    context: &Context,
) -> String {
    let rows = rows.map_or_else(|reason| reason.to_string(), |rows| rows.0.0.len().to_string());
    format!("{rows} {:?} {}", count.take(), context.len())
}

#[task(blocking)]
fn nothing() {}

mod anyhow_like {
    pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;
}

workflow! { name: "arguments", tasks: [extract, transform, report, nothing] }

fn main() {
    assert_eq!(transform::META.dependencies, ["extract"]);
    assert_eq!(report::META.dependencies, ["extract", "transform"]);
    assert_eq!(nothing::META.dependencies, [""; 0]);
    let run = TaskContext::detached(transform::ID);
    let mut context = Context::new();
    let rows = Output(Rows(vec![1, 2]));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(transform(run, rows, &mut context)).unwrap(), 2);
    assert_eq!(context.len(), 1);
    nothing();
}
