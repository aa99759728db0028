//! Executions that outlive the workflow they were submitted under.

use std::time::Duration;

use cloacina_core::{
    ExecutionId, ExecutionQuery, ExecutorError, PipelineResult, PipelineStatus, Task, TaskState,
    Workflow,
};
use serde_json::json;

use super::Process;
use super::bodies::{Gate, Journal, endless, failing, idle, noting, setting};
use super::fixture::{ExecutorFixture, until, workflow};

/// An execution of a workflow `w` in which `root` and `a` are committed and `b` was running when its process died.
async fn left_behind(fx: &ExecutorFixture, journal: &Journal) -> ExecutionId {
    let gate = Gate::new();
    let old = fx.process([old(&gate, journal)]).await;
    let id = old.submit("w").await;
    gate.arrived(1).await;
    old.crash().await;
    id
}

fn old(gate: &Gate, journal: &Journal) -> Workflow {
    let [root, a] = completed(journal);
    workflow("w", [root, a, endless("b", gate, journal).depends_on(["a"])])
}

/// The tasks that completed, as they were.
fn completed(journal: &Journal) -> [Task; 2] {
    [noting("root", journal), noting("a", journal).depends_on(["root"])]
}

async fn quick(fx: &ExecutorFixture, workflows: impl IntoIterator<Item = Workflow>) -> Process {
    // The beat, a third of the lease, paces the look at other versions.
    fx.process_with(workflows, |builder| builder.lease_ttl(Duration::from_millis(900))).await
}

/// Deploys a version that fits what was left behind, and checks what it runs until the end.
async fn assert_goes_on(
    fx: &ExecutorFixture,
    deploy: impl FnOnce(&Journal) -> Vec<Task>,
    runs: &[&str],
) -> PipelineResult {
    let (before, after) = (Journal::new(), Journal::new());
    let id = left_behind(fx, &before).await;
    let new = quick(fx, [workflow("w", deploy(&after))]).await;
    let result = new.ended_as(id, PipelineStatus::Completed).await;
    assert_eq!(before.entries(), ["root", "a", "b"], "what ran before the deploy");
    assert_eq!(after.entries(), runs, "what ran after it: nothing that was committed");
    result
}

/// Catches a deploy that strands an execution because a task was appended, or that never runs that.
pub async fn an_execution_goes_on_under_a_version_that_fits(fx: &ExecutorFixture) {
    let deploy = |journal: &Journal| {
        let [root, a] = completed(journal);
        let b = noting("b", journal).depends_on(["a"]);
        let b = b.takes_output::<()>("a").takes_input::<serde_json::Value>();
        vec![root, a, b, noting("c", journal).depends_on(["b"])]
    };
    let result = assert_goes_on(fx, deploy, &["b", "c"]).await;
    assert!(result.task("c").is_some(), "the new task is told: {result:?}");
}

/// Catches a deploy that strands an execution because bodies changed, those of completed tasks included.
pub async fn an_execution_goes_on_where_only_bodies_changed(fx: &ExecutorFixture) {
    let deploy = |journal: &Journal| {
        let [root, a] = completed(journal).map(|task| task.fingerprint("changed"));
        vec![root, a, noting("b", journal).depends_on(["a"]).fingerprint("changed")]
    };
    assert_goes_on(fx, deploy, &["b"]).await;
}

/// Catches a deploy that strands an execution, or leaves it without an end, because a task that had not completed is gone.
pub async fn an_execution_goes_on_where_an_unfinished_task_is_gone(fx: &ExecutorFixture) {
    let result = assert_goes_on(fx, |journal| completed(journal).into(), &[]).await;
    assert!(result.task("b").is_none(), "it is no task of this version: {result:?}");
}

/// Catches a deploy that strands an execution because a task that had not completed has other dependencies now, or that runs
/// it before them.
pub async fn an_execution_goes_on_where_an_unfinished_task_was_rewired(fx: &ExecutorFixture) {
    let deploy = |journal: &Journal| {
        let [root, a] = completed(journal);
        let b = noting("b", journal).depends_on(["root", "added"]);
        vec![root, a, b, noting("added", journal).depends_on(["a"])]
    };
    assert_goes_on(fx, deploy, &["added", "b"]).await;
}

/// Catches a deploy that strands an execution of which nothing has completed.
pub async fn an_execution_that_completed_nothing_runs_under_any_version(fx: &ExecutorFixture) {
    let (gate, before, after) = (Gate::new(), Journal::new(), Journal::new());
    let old = fx.process([workflow("w", [endless("a", &gate, &before)])]).await;
    let id = old.submit("w").await;
    gate.arrived(1).await;
    old.crash().await;
    let tasks = [noting("b", &after), noting("a", &after).depends_on(["b"])];
    let new = quick(fx, [workflow("w", tasks)]).await;
    new.ended_as(id, PipelineStatus::Completed).await;
    assert_eq!(after.entries(), ["b", "a"]);
}

/// Catches a result that goes by the order in which an older version had the tasks.
pub async fn a_final_context_goes_by_the_order_of_the_last_version(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let first = || setting("first", "key", json!("first"));
    // In the old version `first` is the third task, in the new one its dependent is the second.
    let tasks = [idle("x"), idle("y"), first(), endless("gone", &gate, &journal)];
    let old = fx.process([workflow("w", tasks.map(|task| task.fingerprint("old")))]).await;
    let id = old.submit("w").await;
    gate.arrived(1).await;
    until("`first` is committed", async || {
        let result = old.get_execution_result(id).await.expect("a result");
        result.task_results.iter().filter(|task| task.status.is_terminal()).count() == 3
    })
    .await;
    old.crash().await;
    let last = setting("last", "key", json!("last")).depends_on(["first"]);
    let new = quick(fx, [workflow("w", [first(), last, idle("x"), idle("y")])]).await;
    let told = new.ended_as(id, PipelineStatus::Completed).await;
    let read = new.get_execution_result(id).await.expect("a result");
    for result in [told, read] {
        assert_eq!(result.final_context.get("key"), Some(&json!("last")), "{result:?}");
    }
}

/// Catches a takeover that leaves the old version on record: what the new one added would fit nothing afterwards.
pub async fn a_second_crash_after_a_deploy_is_outlived(fx: &ExecutorFixture) {
    let (first, second, third) = (Journal::new(), Journal::new(), Journal::new());
    let id = left_behind(fx, &first).await;
    let new = |journal: &Journal, last: Task| {
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

/// Deploys a version that does not fit what was left behind: it must leave that alone, until somebody knows it.
async fn assert_left_alone(fx: &ExecutorFixture, deploy: impl FnOnce(&Journal) -> Vec<Task>) {
    let (before, after) = (Journal::new(), Journal::new());
    let id = left_behind(fx, &before).await;
    let new = quick(fx, [workflow("w", deploy(&after))]).await;
    fx.until_unowned(id).await;
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

    let (gate, journal) = (Gate::new(), Journal::new());
    let knows = fx.process([old(&gate, &journal)]).await;
    gate.arrived(1).await;
    assert_eq!(journal.entries(), ["b"], "who knows its version goes on where it stood");
    knows.cancel_execution(id).await.expect("a cancel");
    assert_eq!(before.entries(), ["root", "a", "b"]);
}

/// Catches an execution that goes on, or fails, under a version that lacks what it completed.
pub async fn an_execution_is_left_alone_where_a_completed_task_is_gone(fx: &ExecutorFixture) {
    let deploy = |journal: &Journal| {
        vec![noting("root", journal), noting("b", journal).depends_on(["root"])]
    };
    assert_left_alone(fx, deploy).await;
}

/// Catches an execution that goes on, or fails, under a version in which what it completed rests on something else.
pub async fn an_execution_is_left_alone_where_a_completed_task_was_rewired(fx: &ExecutorFixture) {
    let deploy = |journal: &Journal| {
        let b = noting("b", journal).depends_on(["a", "root"]);
        vec![noting("root", journal), noting("a", journal), b]
    };
    assert_left_alone(fx, deploy).await;
}

/// Catches an execution that fails under a version that takes what was committed for something else.
pub async fn an_execution_is_left_alone_where_a_result_is_of_another_type(fx: &ExecutorFixture) {
    let deploy = |journal: &Journal| {
        let [root, a] = completed(journal);
        let b = noting("b", journal).depends_on(["a"]).fingerprint("takes a number");
        // It returned nothing.
        vec![root, a, b.takes_output::<u32>("a")]
    };
    assert_left_alone(fx, deploy).await;
}

/// Catches an execution that fails under a version that takes its input for something else, and one that is stranded because
/// a task does so that need not run any more.
pub async fn an_execution_is_left_alone_where_its_input_is_of_another_type(fx: &ExecutorFixture) {
    let (before, after) = (Journal::new(), Journal::new());
    let id = left_behind(fx, &before).await;
    let b = |version| noting("b", &after).depends_on(["a"]).fingerprint(version);
    let [root, a] = completed(&after);
    let strange = workflow("w", [root, a, b("takes a list").takes_input::<Vec<u32>>()]);
    let strange = quick(fx, [strange, workflow("other", [idle("c")])]).await;
    fx.until_unowned(id).await;
    for _ in 0..2 {
        strange.run("other").await;
        fx.store().let_pass(Duration::from_millis(350)).await;
    }
    assert_eq!(strange.status(id).await, PipelineStatus::Running, "it is neither failed nor ended");
    let [root, a] = completed(&after).map(Task::takes_input::<Vec<u32>>);
    let fits = quick(fx, [workflow("w", [root, a, b("takes nothing")])]).await;
    fits.ended_as(id, PipelineStatus::Completed).await;
    assert_eq!(after.entries(), ["b"]);
}

/// Catches an execution that can never be got rid of, because nobody knows its version any more.
pub async fn an_execution_that_no_longer_fits_can_be_cancelled(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let id = left_behind(fx, &journal).await;
    let new = quick(fx, [workflow("w", [noting("b", &journal)])]).await;
    fx.until_unowned(id).await;
    let status = new.cancel_execution(id).await.expect("a cancel");
    assert_eq!(status, PipelineStatus::Cancelled);
    let result = new.ended(id).await;
    let states = result.task_results.iter().map(|task| (task.task_id.as_str(), task.status));
    let [done, cancelled] = [TaskState::Completed, TaskState::Cancelled];
    let expected = [("root", done), ("a", done), ("b", cancelled)];
    assert_eq!(states.collect::<Vec<_>>(), expected, "told by its own version");
}

/// Catches a process that fails what it merely does not know.
pub async fn an_execution_of_an_unknown_workflow_is_left_alone(fx: &ExecutorFixture) {
    let before = Journal::new();
    let id = left_behind(fx, &before).await;
    let (other, after) = (Journal::new(), Journal::new());
    let stranger = quick(fx, [workflow("other", [noting("a", &other)])]).await;
    fx.until_unowned(id).await;
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

/// Catches a repetition from which nothing is left to run, and which never ends.
pub async fn a_repetition_without_the_task_that_failed_completes(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let before = [setting("a", "key", json!(1)), failing("b", &journal).depends_on(["a"])];
    let old = fx.process([workflow("w", before)]).await;
    let id = old.run("w").await.execution_id;
    old.shutdown().await.expect("a shutdown");
    let new = fx.process([workflow("w", [setting("a", "key", json!(2))])]).await;
    let again = new.retry_execution(id).await.expect("what completed still fits");
    let result = new.ended_as(again.execution_id, PipelineStatus::Completed).await;
    assert_eq!(result.final_context.get("key"), Some(&json!(1)), "it keeps its result");
}
