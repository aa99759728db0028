//! The accounts of several workers, with what can be wrong with them.

use cloacina_core::{
    Context, ExecutionId, PipelineResult, Task, TaskError, UnifiedExecutor, Workflow,
};
use cloacina_examples::fleet::{Body, Fate, Log, Receipt, Report, Totals};
use cloacina_testing::MemoryBackend;
use serde_json::json;

const FIRST: Body = Body { worker: 1, number: 1 };
const SECOND: Body = Body { worker: 2, number: 1 };

/// An execution of two tasks, `a` and then `b`, of which these bodies are on record as having returned the results.
async fn execution(a: Body, b: Body) -> Vec<PipelineResult> {
    let task = |id: &str, by: Body| {
        Task::new(id, move |context, _run| {
            context.set("value", json!(7));
            Box::pin(async move { Ok::<_, TaskError>(Receipt { value: 7, by }) })
        })
    };
    let workflow = Workflow::builder("two").tasks([task("a", a), task("b", b).depends_on(["a"])]);
    let builder =
        UnifiedExecutor::<MemoryBackend>::builder().workflows([workflow.build().unwrap()]);
    let executor = builder.build_on(MemoryBackend::new()).await.unwrap();
    let result = executor.execute("two", Context::new()).await.unwrap();
    executor.shutdown().await.unwrap();
    vec![result]
}

fn ran(log: &mut Log, execution: ExecutionId, task: &str, body: Body) {
    log.note(body.worker, Report::Began { body, execution, task: task.into() });
    log.note(body.worker, Report::Ended { body });
}

/// Two workers that are alive, and to whom this is the first execution that counts.
fn two_workers(since: ExecutionId) -> Log {
    let mut log = Log::new(since);
    for (worker, process) in [(1, 100), (2, 200)] {
        log.started(process);
        log.note(worker, Report::Ready);
    }
    log
}

/// What does not hold.
fn broken(totals: &Totals) -> Vec<&str> {
    assert_eq!(totals.agree(), totals.checks().iter().all(|check| check.holds));
    let broken = totals.checks().iter().filter(|check| !check.holds);
    broken.map(|check| check.what.as_str()).collect()
}

#[tokio::test]
async fn what_a_dead_worker_did_not_commit_runs_again_and_the_totals_agree() {
    let results = execution(FIRST, SECOND).await;
    let id = results[0].execution_id;
    let mut log = two_workers(results[0].execution_id);
    ran(&mut log, id, "a", FIRST);
    let lost = Body { worker: 1, number: 2 };
    log.note(1, Report::Began { body: lost, execution: id, task: "b".into() });
    assert_eq!(log.busy(), [1]);
    assert_eq!(log.killed(1), "b 1");
    ran(&mut log, id, "b", SECOND);
    let (first, count) = log.moves().unwrap();
    assert_eq!((first.from, first.to, count), (1, 2, 1));
    assert!(
        log.picture(2).contains(
            "executions of worker 1 that went on elsewhere: 1; the first one at worker 2"
        )
    );

    let mut totals = Totals::new(&log, &results, 1, 2);
    totals.check_sum(&results, "value", 7);
    assert!(totals.agree(), "{totals}");
    let text = totals.to_string();
    assert!(text.contains("3 tasks run = 2 committed + 1 lost"), "{text}");
    assert!(text.ends_with("the totals agree"), "{text}");
}

#[tokio::test]
async fn what_an_earlier_run_left_does_not_count() {
    let before = ExecutionId::new();
    let results = execution(FIRST, SECOND).await;
    let mut log = two_workers(results[0].execution_id);
    let old = Body { worker: 1, number: 9 };
    log.note(1, Report::Began { body: old, execution: before, task: "a".into() });
    assert!(log.busy().is_empty());
    log.note(1, Report::Ended { body: old });
    assert_eq!(log.ended(), 0);
    ran(&mut log, results[0].execution_id, "a", FIRST);
    ran(&mut log, results[0].execution_id, "b", SECOND);
    assert_eq!(log.ended(), 2);
    assert!(log.picture(2).contains("an earlier run left: 1"));
    assert!(Totals::new(&log, &results, 1, 2).agree());
}

#[tokio::test]
async fn a_sum_that_differs_is_found() {
    let results = execution(FIRST, SECOND).await;
    let mut log = two_workers(results[0].execution_id);
    ran(&mut log, results[0].execution_id, "a", FIRST);
    ran(&mut log, results[0].execution_id, "b", SECOND);
    let mut totals = Totals::new(&log, &results, 1, 2);
    assert!(totals.agree(), "{totals}");
    totals.check_sum(&results, "value", 8);
    assert_eq!(broken(&totals), ["`value` adds up to 7, 8 was expected"]);
    assert!(totals.to_string().ends_with("the totals do not agree"), "{totals}");
}

#[tokio::test]
async fn a_result_of_nobody_is_found() {
    let results = execution(FIRST, SECOND).await;
    let mut log = two_workers(results[0].execution_id);
    ran(&mut log, results[0].execution_id, "a", FIRST);
    let totals = Totals::new(&log, &results, 1, 2);
    assert_eq!(
        broken(&totals),
        ["1 of 2 tasks have their one result, 1 have one of an unknown body"]
    );
}

#[tokio::test]
async fn a_body_that_a_living_worker_lost_is_found_unless_it_was_fenced() {
    let results = execution(FIRST, SECOND).await;
    let id = results[0].execution_id;
    let mut log = two_workers(results[0].execution_id);
    ran(&mut log, id, "a", Body { worker: 2, number: 5 });
    ran(&mut log, id, "a", FIRST);
    ran(&mut log, id, "b", SECOND);
    let stop = |log: &mut Log, fenced| log.note(2, Report::Stopped { recovered: 0, fenced });
    stop(&mut log, 0);
    assert!(matches!(log.fate(2), Some(Fate::Stopped { .. })));
    assert_eq!(broken(&Totals::new(&log, &results, 1, 2)).len(), 1);
    stop(&mut log, 1);
    assert!(Totals::new(&log, &results, 1, 2).agree());
}

#[tokio::test]
async fn a_task_that_ran_again_after_its_commit_is_found() {
    let results = execution(FIRST, SECOND).await;
    let id = results[0].execution_id;
    let mut log = two_workers(results[0].execution_id);
    ran(&mut log, id, "a", FIRST);
    log.killed(1);
    ran(&mut log, id, "a", Body { worker: 2, number: 2 });
    ran(&mut log, id, "b", SECOND);
    log.note(2, Report::Stopped { recovered: 1, fenced: 1 });
    assert_eq!(
        broken(&Totals::new(&log, &results, 1, 2)),
        ["1 tasks ran again after their result was committed"]
    );
}
