//! Workflows of thousands of tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloacina_core::{Context, PipelineStatus, Task, TaskState};

use super::fixture::{ExecutorFixture, workflow};
use crate::conformance::PATIENCE;

/// How many tasks.
const TASKS: usize = 10_000;

/// How many tasks in a row: each has a commit of its own, so that ten thousand would take some stores a minute.
const DEEP: usize = 2_000;

fn counting(id: String, ran: &Arc<AtomicUsize>) -> Task {
    let ran = Arc::clone(ran);
    Task::new(id, move |_, _| {
        ran.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {})
    })
}

async fn completes(fx: &ExecutorFixture, tasks: Vec<Task>, ran: &AtomicUsize) {
    let count = tasks.len();
    let process = fx.process([workflow("large", tasks)]).await;
    // Machines may be slow, and other tests run beside this one.
    let ended = tokio::time::timeout(PATIENCE * 10, process.execute("large", Context::new())).await;
    let result = ended.expect("it takes too long").expect("an execution comes to its end");
    assert_eq!(result.status, PipelineStatus::Completed, "{:?}", result.error_message);
    assert_eq!(ran.load(Ordering::SeqCst), count, "each task ran once");
    assert_eq!(result.task_results.len(), count);
    assert!(result.task_results.iter().all(|task| task.status == TaskState::Completed));
    let rows = fx.store().load(result.execution_id).await.tasks;
    assert_eq!(rows.len(), count, "each task has a row");
}

/// Catches recursion, or a cost that grows with the square of the depth.
pub async fn a_chain_of_two_thousand_tasks_completes(fx: &ExecutorFixture) {
    let ran = Arc::default();
    let tasks = (0..DEEP).map(|step| {
        let task = counting(format!("t{step}"), &ran);
        if step == 0 { task } else { task.depends_on([format!("t{}", step - 1)]) }
    });
    completes(fx, tasks.collect(), &ran).await;
}

/// Catches a cost that grows with the square of the width.
pub async fn a_fan_of_ten_thousand_tasks_completes(fx: &ExecutorFixture) {
    let ran = Arc::default();
    let branches: Vec<String> = (0..TASKS).map(|branch| format!("branch{branch}")).collect();
    let mut tasks = vec![counting("source".to_owned(), &ran)];
    tasks.extend(branches.iter().map(|id| counting(id.clone(), &ran).depends_on(["source"])));
    tasks.push(counting("sink".to_owned(), &ran).depends_on(&branches));
    completes(fx, tasks, &ran).await;
}

/// Catches a cost that grows with the number of ways through the graph, or with each edge's distance from the source.
pub async fn a_thousand_layers_of_ten_complete(fx: &ExecutorFixture) {
    const WIDTH: usize = 10;
    let ran = Arc::default();
    let id = |layer: usize, column: usize| format!("t{layer}.{column}");
    let tasks = (0..TASKS).map(|at| {
        let (layer, column) = (at / WIDTH, at % WIDTH);
        let task = counting(id(layer, column), &ran);
        if layer == 0 {
            task
        } else {
            task.depends_on((0..WIDTH).map(|above| id(layer - 1, above)))
        }
    });
    completes(fx, tasks.collect(), &ran).await;
}
