//! What an older version has written: it is brought up to date, nothing of it is lost or changed, and what was in flight goes on.

use std::time::Duration;

use cloacina_core::{ExecutionQuery, PipelineResult, PipelineStatus, TaskState, UnifiedExecutor};
use cloacina_tests::upgrade::{self, Act, CASES, Ran, WORKFLOW};

use super::place::{File, Place, Schema};

const PATIENCE: Duration = Duration::from_secs(60);

/// How many open it at the same time.
const OPENERS: usize = 8;

async fn is_migrated_and_loses_nothing<P: Place>() {
    let fresh = P::new(None).await;
    fresh.open().await.unwrap();
    for version in super::versions(P::KIND) {
        let place = P::new(Some(version)).await;
        let mut columns = place.columns().await;
        columns.retain(|(table, _)| table != "cloacina_migrations");
        let before = place.rows(&columns).await;
        let executions = before.iter().find(|(table, _)| table == "executions").unwrap();
        assert_eq!(executions.1.len(), CASES.len() + 1, "each case, and one that is a repetition");
        assert_eq!(place.seen().await, (1..=version).collect::<Vec<_>>());
        place.open().await.unwrap();
        assert_eq!(place.rows(&columns).await, before, "version {version}");
        let newest = super::versions(P::KIND);
        assert!(place.seen().await.into_iter().eq(newest), "version {version}");
        // The order of the columns included: what was migrated is what would have been made.
        assert_eq!(place.structure().await, fresh.structure().await, "version {version}");
    }
}

async fn is_migrated_once<P: Place + Send + 'static>() {
    for version in super::versions(P::KIND) {
        let place = P::new(Some(version)).await;
        let mut columns = place.columns().await;
        columns.retain(|(table, _)| table != "cloacina_migrations");
        let before = place.rows(&columns).await;
        let opening = (0..OPENERS).map(|_| place.open());
        for opened in futures_util::future::join_all(opening).await {
            opened.unwrap();
        }
        assert!(place.seen().await.into_iter().eq(super::versions(P::KIND)), "version {version}");
        assert_eq!(place.rows(&columns).await, before, "version {version}");
    }
}

/// What became of a case: its status, and which act each task's result is of.
fn outcome(result: &PipelineResult) -> (PipelineStatus, [Option<String>; 3]) {
    let output = |task: &str| {
        let output = result.task(task)?.output.clone()?;
        Some(output.as_str()?.to_owned())
    };
    (result.status, ["fetch", "charge", "ship"].map(output))
}

fn expected(case: &str) -> (PipelineStatus, [Option<String>; 3]) {
    let (first, second) = (Some(Act::First), Some(Act::Second));
    let (status, acts) = match case {
        "pending" | "delayed" => (PipelineStatus::Completed, [second, second, second]),
        "running" | "waiting" | "paused" => (PipelineStatus::Completed, [first, second, second]),
        "completed" => (PipelineStatus::Completed, [first, first, first]),
        "failed" => (PipelineStatus::Failed, [first, None, None]),
        "cancelled" => (PipelineStatus::Cancelled, [first, None, None]),
        other => panic!("{other}"),
    };
    let mut tasks = ["fetch", "charge", "ship"].into_iter();
    let outputs = acts.map(|act| {
        let task = tasks.next().unwrap();
        act.map(|act| format!("{task} of {act:?}"))
    });
    (status, outputs)
}

async fn goes_on<P: Place>() {
    for version in super::versions(P::KIND) {
        let (place, ran) = (P::new(Some(version)).await, Ran::default());
        let workflow = upgrade::workflow(Act::Second, &ran).unwrap();
        let executor: UnifiedExecutor<P::Backend> =
            place.builder().workflows([workflow]).build().await.unwrap();
        for case in CASES {
            // The keys are still taken, so this finds what there is.
            let execution = upgrade::submit(&executor, case).await.unwrap();
            if case == "paused" {
                assert_eq!(execution.status().await.unwrap(), PipelineStatus::Paused);
                executor.resume_execution(execution.execution_id).await.unwrap();
            }
            let result = execution.wait_timeout(PATIENCE).await.unwrap();
            assert_eq!(outcome(&result), expected(case), "{case} of version {version}: {result:?}");
            let done = result.task_results.iter();
            let done = done.filter(|task| task.status == TaskState::Completed);
            for task in done.map(|task| task.task_id.as_str()) {
                let left = result.final_context.get(task).unwrap();
                let expected = serde_json::json!({"done": true, "big": 9_007_199_254_740_993_u64, "text": "'ü\"\\"});
                assert_eq!(*left, expected, "what `{task}` left");
            }
            if case == "waiting" {
                assert_eq!(
                    result.task("charge").unwrap().attempts,
                    2,
                    "the first is not forgotten"
                );
            }
            if case == "failed" {
                let error = result.error_message.as_deref();
                assert_eq!(error, Some("task `charge` failed: no such account"));
            }
        }
        let listed = executor.find_executions(&ExecutionQuery::new()).await.unwrap();
        assert_eq!(listed.len(), CASES.len() + 1);
        assert!(listed.iter().all(|one| &*one.workflow_name == WORKFLOW));
        let expected = [
            "delayed charge",
            "delayed fetch",
            "delayed ship",
            "paused charge",
            "paused ship",
            "pending charge",
            "pending fetch",
            "pending ship",
            "running charge",
            "running ship",
            "waiting charge",
            "waiting ship",
        ];
        assert_eq!(ran.sorted(), expected, "what was committed did not run again");
        executor.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_any_version_is_migrated_and_loses_nothing() {
    is_migrated_and_loses_nothing::<File>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_any_version_is_migrated_and_loses_nothing() {
    is_migrated_and_loses_nothing::<Schema>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_many_open_at_once_is_migrated_once() {
    is_migrated_once::<File>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_many_open_at_once_is_migrated_once() {
    is_migrated_once::<Schema>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_flight_in_a_file_of_any_version_goes_on() {
    goes_on::<File>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_flight_in_a_schema_of_any_version_goes_on() {
    goes_on::<Schema>().await;
}
