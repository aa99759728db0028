//! Whole runs of the instance that comes with the examples.

use std::collections::HashMap;
use std::time::Duration;

use cloacina_core::{
    Connect, Context, ExecutionId, PipelineStatus, TaskResult, UnifiedExecutorBuilder,
};
use cloacina_examples::Database;
use cloacina_examples::wf::{Bodies, Ended, Instance, Report, bakery, run, workflow};
use serde_json::Value;

use crate::{execute, settings};

/// Asserts that each task began only when all its parents had ended, by the times on record.
pub(crate) fn assert_order(instance: &Instance, ended: &Ended) {
    let results: HashMap<&str, &TaskResult> =
        ended.result.task_results.iter().map(|task| (task.task_id.as_str(), task)).collect();
    for task in &instance.tasks {
        let start = results[task.id.as_str()].start_time.unwrap();
        for parent in &task.parents {
            let end = results[parent.as_str()].end_time.unwrap();
            assert!(end <= start, "`{}` began at {start}, `{parent}` ended at {end}", task.id);
        }
    }
}

#[tokio::test]
async fn every_task_runs_after_its_parents() {
    let folder = tempfile::tempdir().unwrap();
    let instance = bakery().unwrap();
    let mut settings = settings(folder.path(), false);
    settings.scale = 0.001;
    let ended = execute(&instance, &settings).await;
    assert_eq!(ended.result.status, PipelineStatus::Completed);
    assert_eq!(ended.executed_this_run, instance.tasks.len());
    assert_order(&instance, &ended);
    assert!(ended.makespan.as_secs_f64() >= ended.bounds.critical_path_s);
}

#[tokio::test]
async fn the_report_is_one_line_with_all_fields() {
    let folder = tempfile::tempdir().unwrap();
    let instance = bakery().unwrap();
    let ended = execute(&instance, &settings(folder.path(), false)).await;
    let line = Report::new(&instance, &ended, 16).to_line().unwrap();
    assert!(!line.contains('\n'));
    let report: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(report["instance"], "bakery-morning");
    let whole = [
        ("tasks", 16),
        ("edges", 21),
        ("completed", 16),
        ("failed", 0),
        ("skipped", 0),
        ("executed_this_run", 16),
    ];
    for (field, value) in whole {
        assert_eq!(report[field], value, "{field}");
    }
    assert!(report["makespan_s"].as_f64().unwrap() > 0.0);
    assert_eq!(report["critical_path_s"], 0.0);
    assert_eq!(report["lower_bound_s"], 0.0);
    assert_eq!(report.as_object().unwrap().len(), 10);
}

#[tokio::test]
async fn resume_submits_when_there_is_nothing_and_then_reports_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let instance = bakery().unwrap();
    let first = execute(&instance, &settings(folder.path(), true)).await;
    assert_eq!(first.executed_this_run, 16);
    let second = execute(&instance, &settings(folder.path(), true)).await;
    assert_eq!(second.executed_this_run, 0);
    assert_eq!(second.result.execution_id, first.result.execution_id);
    assert_eq!(second.result.status, PipelineStatus::Completed);

    let third = execute(&instance, &settings(folder.path(), false)).await;
    assert_eq!(third.executed_this_run, 16);
    assert_ne!(third.result.execution_id, first.result.execution_id);
    let fourth = execute(&instance, &settings(folder.path(), true)).await;
    assert_eq!(fourth.result.execution_id, third.result.execution_id);
}

#[tokio::test]
async fn resume_refuses_another_workflow_of_that_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut instance = bakery().unwrap();
    execute(&instance, &settings(folder.path(), false)).await;
    instance.tasks.retain(|task| task.parents.is_empty());
    let settings = settings(folder.path(), true);
    let error = run(&instance, &settings).await.unwrap_err().to_string();
    assert!(error.contains("another workflow named `bakery-morning`"), "{error}");
}

/// Starts an execution whose tasks take very long, lets somebody do something to it, and stops.
pub(crate) async fn leave_unfinished<B: Connect>(
    builder: UnifiedExecutorBuilder<B>,
    instance: &Instance,
    pause: bool,
) -> ExecutionId {
    let executor = builder
        .workflows([workflow(instance, 1e3, &Bodies::default()).unwrap()])
        .shutdown_grace(Duration::ZERO)
        .build()
        .await
        .unwrap();
    let begun = executor.execute_async(&instance.name, Context::new()).await.unwrap();
    if pause {
        executor.pause_execution(begun.execution_id).await.unwrap();
    }
    executor.shutdown().await.unwrap();
    begun.execution_id
}

async fn assert_resumed(pause: bool) {
    let folder = tempfile::tempdir().unwrap();
    let instance = bakery().unwrap();
    let settings = settings(folder.path(), true);
    let Database::Sqlite { url } = &settings.database else { unreachable!() };
    let builder = cloacina_sqlite::UnifiedExecutor::builder().database_url(url);
    let begun = leave_unfinished(builder, &instance, pause).await;
    let ended = execute(&instance, &settings).await;
    assert_eq!(ended.result.execution_id, begun);
    assert_eq!(ended.result.status, PipelineStatus::Completed);
    assert_eq!(ended.executed_this_run, instance.tasks.len());
}

#[tokio::test]
async fn resume_finishes_what_was_shut_down() {
    assert_resumed(false).await;
}

#[tokio::test]
async fn resume_finishes_what_was_paused() {
    assert_resumed(true).await;
}
