//! Shapes of workflows: what is none, and what is very large.

use std::path::Path;
use std::process::Command;

use cloacina_core::{
    Backend, Context, PipelineStatus, Task, TriggerRule, UnifiedExecutor, Workflow,
};
use cloacina_postgres::{PostgresBackend, PostgresOptions};
use cloacina_sqlite::{SqliteBackend, SqliteOptions};
use cloacina_testing::{MemoryBackend, postgres};
use cloacina_tests::shapes::Shape;

use super::{Case, check};

/// Tasks as `id < dependency dependency`, and the order in which they run, or what is wrong.
const CASES: &[Case] = &[
    ("", Err("workflow `w` has no tasks")),
    ("a", Ok("a")),
    ("a; b", Ok("a b")),
    ("b < a; a", Ok("a b")),
    ("a; b < a a a", Ok("a b")),
    ("a < a", Err("task `a` depends on itself")),
    ("a < b; b < a", Err("workflow `w` has a cycle: a -> b -> a")),
    ("a < c; b < a; c < b", Err("workflow `w` has a cycle: a -> b -> c -> a")),
    (
        "start; a < start c; b < a; c < b; end < c",
        Err("workflow `w` has a cycle: a -> b -> c -> a"),
    ),
    ("a < b", Err("task `a` depends on `b`, which is not in workflow `w`")),
    (
        "extract; load < extrct",
        Err(
            "task `load` depends on `extrct`, which is not in workflow `w`; did you mean `extract`?",
        ),
    ),
    ("a; b; a", Err("task `a` is in workflow `w` twice")),
    ("a; a < a", Err("task `a` is in workflow `w` twice")),
];

fn task(id: &str) -> Task {
    Task::new(id, |_context, _run| Box::pin(async {}))
}

#[test]
fn every_shape_has_an_order_or_is_refused() {
    check(CASES, |text| {
        let tasks = text.split(';').map(str::trim).filter(|text| !text.is_empty()).map(|text| {
            let (id, dependencies) = text.split_once(" < ").unwrap_or((text, ""));
            task(id).depends_on(dependencies.split_whitespace())
        });
        let workflow = Workflow::builder("w").tasks(tasks).build();
        let workflow = workflow.map_err(|error| error.to_string())?;
        let ids: Vec<_> = workflow.tasks().iter().map(|task| task.id().to_string()).collect();
        Ok(ids.join(" "))
    });
}

#[test]
fn a_cycle_of_ten_thousand_is_told_in_a_few_kilobytes() {
    const TASKS: usize = 10_000;
    let tasks = (0..TASKS)
        .map(|at| task(&format!("t{at}")).depends_on([format!("t{}", (at + TASKS - 1) % TASKS)]));
    let error = Workflow::builder("w").tasks(tasks).build().unwrap_err().to_string();
    assert!(error.starts_with("workflow `w` has a cycle: t0 -> t1 -> t2 -> "), "{error}");
    assert!(error.len() <= 4096 && error.ends_with(" …"), "{} bytes", error.len());
}

#[test]
fn rules_of_a_thousand_levels_are_built_shown_and_dropped() {
    let deep = (0..1_000).fold(TriggerRule::task_success("a"), |rule, level| match level % 3 {
        0 => TriggerRule::all([rule]),
        1 => TriggerRule::any([rule, TriggerRule::task_failed("a")]),
        _ => TriggerRule::none([rule]),
    });
    let tasks = [task("a"), task("b").depends_on(["a"]).trigger_rules(deep.clone())];
    let workflow = Workflow::builder("w").tasks(tasks).build().unwrap();
    assert_eq!(workflow.tasks().len(), 2);
    assert!(deep.to_string().starts_with("all(none(any(all("), "{deep}");
}

async fn completes<B: Backend>(backend: B, shape: Shape) {
    const TASKS: usize = 10_000;
    let builder = UnifiedExecutor::<B>::builder().workflows([shape.workflow(TASKS).unwrap()]);
    let executor = builder.build_on(backend).await.unwrap();
    let result = executor.execute("shape", Context::new()).await.unwrap();
    assert_eq!(result.status, PipelineStatus::Completed, "{shape:?}: {:?}", result.error_message);
    assert_eq!(result.task_results.len(), TASKS, "{shape:?}");
    let read = executor.get_execution_result(result.execution_id).await.unwrap();
    assert_eq!(read.task_results.len(), TASKS, "{shape:?}");
    executor.shutdown().await.unwrap();
}

/// On a thread with the usual stack: whatever recurses along a chain would overflow it.
#[tokio::test]
async fn ten_thousand_tasks_of_any_shape_run_to_the_end_in_memory() {
    for shape in Shape::ALL {
        completes(MemoryBackend::new(), shape).await;
    }
}

#[tokio::test]
async fn ten_thousand_tasks_of_any_shape_run_to_the_end_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    for shape in Shape::ALL {
        let options = SqliteOptions::new(folder.path().join(shape.name()));
        completes(SqliteBackend::open(options).await.unwrap(), shape).await;
    }
}

/// The other shapes are in the suite of all stores.
#[tokio::test]
async fn ten_thousand_tasks_in_a_row_run_to_the_end_on_postgresql() {
    let options = PostgresOptions::from_url(postgres::server().url()).unwrap();
    let options = options.schema(&postgres::schema_name()).unwrap();
    completes(PostgresBackend::open(options).await.unwrap(), Shape::Chain).await;
}

/// The most memory that a process needed for so many tasks, in KiB.
#[cfg(target_os = "linux")]
fn peak(folder: &Path, shape: Shape, tasks: usize) -> u64 {
    let name = shape.name();
    let file = folder.join(format!("{name}_{tasks}.db"));
    let output = Command::new(env!("CARGO_BIN_EXE_shape_worker"))
        .args([name, &tasks.to_string()])
        .arg(file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// Twice as many tasks take twice as much; were it four times, 5,000 more would take three times as much as the first 5,000.
#[cfg(target_os = "linux")]
#[test]
fn memory_grows_with_the_number_of_tasks_and_no_faster() {
    let folder = tempfile::tempdir().unwrap();
    for shape in Shape::ALL {
        let [none, half, whole] =
            [10, 5_000, 10_000].map(|tasks| peak(folder.path(), shape, tasks));
        println!("{shape:?}: {none} KiB for 10 tasks, {half} for 5,000, {whole} for 10,000");
        let (first, second) = (half.saturating_sub(none), whole.saturating_sub(half));
        assert!(second <= first * 2 + 8_192, "{shape:?}: {first} KiB, then {second} KiB");
    }
}
