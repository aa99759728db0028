//! The examples on a real PostgreSQL server.

use std::path::PathBuf;
use std::process::{Command, Output};

use cloacina_core::{PipelineStatus, TaskResult};
use cloacina_examples::Database;
use cloacina_examples::wf::{Ended, bakery};
use cloacina_postgres::UnifiedExecutor;
use cloacina_testing::postgres::{schema_name, server};

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

/// An example, built beside this test.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let path: PathBuf = profile.join("examples").join(name);
    assert!(path.exists(), "{} is missing: build it by `cargo build --examples`", path.display());
    Command::new(path)
}

fn run(command: &mut Command) -> (String, Output) {
    let output = command.output().unwrap();
    let (said, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (format!("{said}{errors}"), output)
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
