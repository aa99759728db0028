//! Executions that outlive the workflow they were submitted under.

use std::time::Duration;

use cloacina_core::{ExecutionQuery, ExecutorError, PipelineStatus, Workflow};

use super::Process;
use super::bodies::{Gate, Journal, endless, failing, noting};
use super::fixture::{ExecutorFixture, until, workflow};

/// An execution of a workflow `w` in which `a` is committed and `b` was running when its process died.
async fn left_behind(fx: &ExecutorFixture, journal: &Journal) -> cloacina_core::ExecutionId {
    let gate = Gate::new();
    let old = fx.process([old(&gate, journal)]).await;
    let id = old.submit("w").await;
    gate.arrived(1).await;
    old.crash().await;
    id
}

fn old(gate: &Gate, journal: &Journal) -> Workflow {
    let tasks = [
        noting("root", journal),
        noting("a", journal).depends_on(["root"]),
        endless("b", gate, journal).depends_on(["a"]),
    ];
    workflow("w", tasks)
}

async fn quick(fx: &ExecutorFixture, workflows: impl IntoIterator<Item = Workflow>) -> Process {
    // The beat, a third of the lease, paces the look at other versions.
    fx.process_with(workflows, |builder| builder.lease_ttl(Duration::from_millis(900))).await
}

/// Catches a deploy that strands what still fits: a task was appended, the body of another changed.
pub async fn an_execution_goes_on_under_a_version_that_fits(fx: &ExecutorFixture) {
    let (before, after) = (Journal::new(), Journal::new());
    let id = left_behind(fx, &before).await;
    let tasks = [
        noting("root", &after),
        noting("a", &after).depends_on(["root"]),
        noting("b", &after).depends_on(["a"]).fingerprint("changed"),
        noting("c", &after).depends_on(["b"]),
    ];
    let new = quick(fx, [workflow("w", tasks)]).await;
    let result = new.ended_as(id, PipelineStatus::Completed).await;
    assert_eq!(before.entries(), ["root", "a", "b"], "what ran before the deploy");
    assert_eq!(after.entries(), ["b", "c"], "what ran after it: nothing that was committed");
    assert!(result.task("c").is_some(), "the new task is told: {result:?}");
}

/// Catches a takeover that leaves the old version on record: what the new one added would fit nothing afterwards.
pub async fn a_second_crash_after_a_deploy_is_outlived(fx: &ExecutorFixture) {
    let (first, second, third) = (Journal::new(), Journal::new(), Journal::new());
    let id = left_behind(fx, &first).await;
    let new = |journal: &Journal, last: cloacina_core::Task| {
        let tasks = [
            noting("root", journal),
            noting("a", journal).depends_on(["root"]),
            noting("added", journal).depends_on(["a"]),
            last.depends_on(["added"]),
        ];
        workflow("w", tasks)
    };
    let gate = Gate::new();
    let crashes = quick(fx, [new(&second, endless("b", &gate, &second))]).await;
    gate.arrived(1).await;
    crashes.crash().await;
    let ends = quick(fx, [new(&third, noting("b", &third))]).await;
    ends.ended_as(id, PipelineStatus::Completed).await;
    assert_eq!(second.entries(), ["added", "b"], "what ran under the new version");
    assert_eq!(third.entries(), ["b"], "what ran after the second crash");
}

/// Catches an execution that goes on, or fails, under a version in which what it completed is no longer the same.
pub async fn an_execution_that_no_longer_fits_is_left_for_those_who_know_it(fx: &ExecutorFixture) {
    let before = Journal::new();
    let id = left_behind(fx, &before).await;
    let after = Journal::new();
    let without = [noting("root", &after), noting("b", &after).depends_on(["root"])];
    let rewired = [
        noting("root", &after),
        noting("a", &after),
        noting("b", &after).depends_on(["a", "root"]),
    ];
    for tasks in [Vec::from(without), Vec::from(rewired)] {
        let new = quick(fx, [workflow("w", tasks)]).await;
        until("it is free", async || fx.store().record(id).await.owner.is_none()).await;
        // Looked at when the process starts and at each beat; its own work goes on meanwhile.
        for _ in 0..2 {
            let own = new.run("w").await;
            assert_eq!(own.status, PipelineStatus::Completed, "{own:?}");
            fx.store().let_pass(Duration::from_millis(350)).await;
        }
        assert_eq!(new.status(id).await, PipelineStatus::Running, "it is neither failed nor ended");
        let waiting = new.find_executions(&ExecutionQuery::new().unowned()).await.expect("a list");
        let waiting: Vec<_> = waiting.iter().map(|one| one.execution_id).collect();
        assert_eq!(waiting, [id], "it is visible as waiting");
        new.shutdown().await.expect("a shutdown");
    }
    let (gate, journal) = (Gate::new(), Journal::new());
    let knows = fx.process([old(&gate, &journal)]).await;
    gate.arrived(1).await;
    assert_eq!(journal.entries(), ["b"], "who knows its version goes on where it stood");
    knows.cancel_execution(id).await.expect("a cancel");
    assert_eq!(before.entries(), ["root", "a", "b"]);
}

/// Catches a process that fails what it merely does not know.
pub async fn an_execution_of_an_unknown_workflow_is_left_alone(fx: &ExecutorFixture) {
    let before = Journal::new();
    let id = left_behind(fx, &before).await;
    let (other, after) = (Journal::new(), Journal::new());
    let stranger = quick(fx, [workflow("other", [noting("a", &other)])]).await;
    until("it is free", async || fx.store().record(id).await.owner.is_none()).await;
    for _ in 0..2 {
        stranger.run("other").await;
        fx.store().let_pass(Duration::from_millis(350)).await;
    }
    let result = stranger.get_execution_result(id).await.expect("a stranger can read it");
    assert_eq!(result.status, PipelineStatus::Running, "{result:?}");
    let tasks: Vec<_> = result.task_results.iter().map(|task| task.task_id.as_str()).collect();
    assert_eq!(tasks, ["root", "a", "b"], "its structure is on record");
    let tasks = [
        noting("root", &after),
        noting("a", &after).depends_on(["root"]),
        noting("b", &after).depends_on(["a"]),
    ];
    let knows = quick(fx, [workflow("w", tasks)]).await;
    knows.ended_as(id, PipelineStatus::Completed).await;
    assert_eq!(after.entries(), ["b"], "who knows it finishes it");
    assert_eq!(other.count("a"), 2, "the stranger ran its own");
}

/// Catches a repetition under a workflow in which the results that it would keep mean something else.
pub async fn a_repetition_that_no_longer_fits_is_refused(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let before = [noting("a", &journal), failing("b", &journal).depends_on(["a"])];
    let old = fx.process([workflow("w", before)]).await;
    let id = old.run("w").await.execution_id;
    old.shutdown().await.expect("a shutdown");
    let new = fx.process([workflow("w", [noting("b", &journal)])]).await;
    let error = new.retry_execution(id).await.expect_err("`a` is gone");
    assert!(matches!(error, ExecutorError::IncompatibleVersion { .. }), "{error:?}");
    assert!(error.to_string().contains("`a`"), "names the task: {error}");
    let all = new.list_executions().await.expect("a list");
    assert_eq!(all.len(), 1, "a refused repetition leaves nothing: {all:?}");
}
