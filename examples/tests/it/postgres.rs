//! The examples on a real PostgreSQL server.

use std::process::Output;

use cloacina_core::{PipelineStatus, TaskResult};
use cloacina_examples::Database;
use cloacina_examples::wf::{Ended, bakery};
use cloacina_postgres::UnifiedExecutor;
use cloacina_testing::postgres::{schema_name, server};

use crate::program::{example, run};
use crate::runs::{assert_order, leave_unfinished};
use crate::{execute, settings, settings_on};

/// A schema that no other test has.
fn database(schema: &str) -> Database {
    Database::new(server().url(), Some(schema)).unwrap()
}

/// What does not depend on when it ran.
fn outcome(ended: &Ended) -> impl PartialEq + std::fmt::Debug {
    let result = &ended.result;
    let task =
        |task: &TaskResult| (task.task_id.clone(), task.status, task.attempts, task.output.clone());
    let tasks: Vec<_> = result.task_results.iter().map(task).collect();
    let (name, context) = (result.workflow_name.clone(), result.final_context.clone());
    (name, result.status, context, tasks, ended.executed_this_run)
}

#[tokio::test]
async fn a_recorded_workflow_ends_as_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let instance = bakery().unwrap();
    let on_sqlite = execute(&instance, &settings(folder.path(), false)).await;
    let on_postgres = execute(&instance, &settings_on(database(&schema_name()), false)).await;
    assert_eq!(on_postgres.result.status, PipelineStatus::Completed);
    assert_order(&instance, &on_postgres);
    assert_eq!(outcome(&on_postgres), outcome(&on_sqlite));
}

#[tokio::test]
async fn resume_finishes_what_was_shut_down() {
    let (instance, schema) = (bakery().unwrap(), schema_name());
    let builder = UnifiedExecutor::builder().database_url(server().url()).schema(&*schema);
    let begun = leave_unfinished(builder, &instance, false).await;
    let ended = execute(&instance, &settings_on(database(&schema), true)).await;
    assert_eq!(ended.result.execution_id, begun);
    assert_eq!(ended.result.status, PipelineStatus::Completed);
    assert_eq!(ended.executed_this_run, instance.tasks.len());
    let again = execute(&instance, &settings_on(database(&schema), true)).await;
    assert_eq!((again.result.execution_id, again.executed_this_run), (begun, 0));
}

fn multi_worker(schema: &str, arguments: &[&str]) -> (String, Output) {
    let mut command = example("multi_worker");
    run(command.args(["--database", server().url(), "--schema", schema]).args(arguments))
}

#[test]
fn several_workers_fulfil_all_orders_though_one_is_killed() {
    let schema = schema_name();
    for (arguments, workers) in [
        (&["--executions", "60", "--seed", "7"][..], 3),
        (&["--executions", "40", "--workers", "2", "--replace"][..], 3),
    ] {
        let (said, output) = multi_worker(&schema, arguments);
        assert!(output.status.success(), "{said}");
        assert!(said.trim_end().ends_with("the totals agree"), "{said}");
        let executions: usize = arguments[1].parse().unwrap();
        for what in [
            format!("ok   {executions} of {executions} executions completed"),
            format!("ok   {0} of {0} tasks have their one result, 0 have", executions * 7),
            "ok   0 tasks ran again after".to_owned(),
            "ok   `charged_cents` adds up to ".to_owned(),
            "ok   `shipped_grams` adds up to ".to_owned(),
        ] {
            assert!(said.contains(&what), "{what}: {said}");
        }
        assert_eq!(said.matches(" was killed while it ran: ").count(), 1, "{said}");
        let accounts = said.rsplit_once("executions finished").unwrap().1;
        assert_eq!(accounts.matches("  killed at ").count(), 1, "{said}");
        assert_eq!(accounts.matches("  stopped  ").count(), workers - 1, "{said}");
        // The table adds up too: tasks run, committed, lost.
        let total = accounts.lines().find(|line| line.starts_with("total")).unwrap();
        let total: Vec<usize> = total.split_whitespace().flat_map(str::parse).collect();
        assert_eq!(total[0], total[1] + total[2], "{said}");
        assert_eq!((total[1], total[3]), (executions * 7, executions), "{said}");
    }
}

#[test]
fn workers_that_cannot_do_their_work_are_an_error() {
    let (said, output) = multi_worker("Order", &["--executions", "1"]);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("schema name \"Order\" is refused"), "{said}");
    let (said, output) = run(example("multi_worker").args(["--database", "sqlite://x.db"]));
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("is for PostgreSQL"), "{said}");
}

#[test]
fn wfcommons_chooses_the_back_end_by_the_scheme() {
    let (url, schema) = (server().url(), schema_name());
    let arguments = ["--database", url, "--schema", schema.as_str(), "--scale", "0"];
    let (said, output) = run(example("wfcommons").args(arguments));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("\"completed\":16,\"failed\":0"), "{said}");
    let (said, output) = run(example("wfcommons").args(["--database", "mysql://me:secret@h/d"]));
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("error: `mysql:` is no address"), "{said}");
    assert!(!said.contains("secret"), "{said}");
}
