//! Real processes, really killed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cloacina_core::{Backend as _, ExecutionQuery, PipelineStatus, TaskState};
use cloacina_sqlite::{SqliteBackend, SqliteOptions};
use cloacina_tests::layered;

/// Kills before the workflow is let run to its end.
const KILLS: usize = 8;

fn start(database: &Path, log: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_crash_worker"))
        .args([database, log])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills the child after it began so many bodies; false if it ended before.
fn kill_after(mut child: Child, bodies: usize) -> bool {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let begun = lines.map_while(Result::ok).take(bodies).count();
    child.kill().unwrap();
    child.wait().unwrap();
    begun == bodies
}

/// What is committed: the tasks that completed, and whether the execution ended.
async fn committed(database: &Path) -> (BTreeSet<String>, Option<PipelineStatus>) {
    let backend = SqliteBackend::open(SqliteOptions::new(database)).await.unwrap();
    let Some(record) = backend.list(&ExecutionQuery::new()).await.unwrap().pop() else {
        return (BTreeSet::new(), None);
    };
    let snapshot = backend.load(record.id).await.unwrap().unwrap();
    let done = snapshot.tasks.iter().filter(|task| task.state == TaskState::Completed);
    let done = done.map(|task| task.task.to_string()).collect();
    backend.close().await;
    (done, Some(record.status))
}

/// Checks a part of the log that one process wrote: nothing committed before began again, and nothing began before its
/// parents had ended.
fn check(log: &str, from: usize, committed_before: &BTreeSet<String>) {
    let parents: BTreeMap<String, Vec<String>> = layered::edges()
        .into_iter()
        .map(|(id, parents)| {
            (id.to_string(), parents.into_iter().map(|id| id.to_string()).collect())
        })
        .collect();
    let mut ended: BTreeSet<&str> =
        log.lines().take(from).filter_map(|line| line.strip_prefix("end ")).collect();
    for line in log.lines().skip(from) {
        if let Some(task) = line.strip_prefix("end ") {
            ended.insert(task);
            continue;
        }
        let task = line.strip_prefix("begin ").unwrap();
        assert!(!committed_before.contains(task), "`{task}` was committed and ran again");
        for parent in &parents[task] {
            assert!(ended.contains(parent.as_str()), "`{task}` began before `{parent}` had ended");
        }
    }
}

#[tokio::test]
async fn a_killed_workflow_goes_on_where_it_was() {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let (database, log) = (folder.path().join("app.db"), folder.path().join("effects.log"));
    let mut before = BTreeSet::new();
    let mut seen = 0;
    for _ in 0..KILLS {
        let was_killed = kill_after(start(&database, &log), random.usize(1..12));
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        check(&text, seen, &before);
        seen = text.lines().count();
        let (done, _) = committed(&database).await;
        assert!(done.is_superset(&before), "a committed result is gone");
        before = done;
        if !was_killed {
            break;
        }
    }
    let child = start(&database, &log);
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    check(&std::fs::read_to_string(&log).unwrap(), seen, &before);
    let (done, status) = committed(&database).await;
    assert_eq!(done.len(), layered::edges().len(), "all tasks completed");
    assert_eq!(status, Some(PipelineStatus::Completed));
}

#[tokio::test]
async fn two_processes_share_a_file_and_nothing_runs_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (database, log) = (folder.path().join("app.db"), folder.path().join("effects.log"));
    let first = start(&database, &log);
    let second = start(&database, &log);
    for child in [first, second] {
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
    }
    let log = std::fs::read_to_string(&log).unwrap();
    let executions = {
        let backend = SqliteBackend::open(SqliteOptions::new(&database)).await.unwrap();
        backend.list(&ExecutionQuery::new()).await.unwrap().len()
    };
    let begun = log.lines().filter(|line| line.starts_with("begin ")).count();
    assert_eq!(begun, executions * layered::edges().len(), "each body ran once an execution");
}
