//! Tasks whose dependents need not wait for the commit.

use super::*;
use crate::Durability;

fn pipelined(id: &str, dependencies: &[&str]) -> Task {
    task(id, dependencies).durability(Durability::Pipelined)
}

#[test]
fn what_depends_on_a_pipelined_task_starts_before_its_commit() {
    let tasks = [pipelined("a", &[]), pipelined("b", &["a"]), task("c", &["b"]), task("d", &["c"])];
    let mut run = Machine::begin(tasks);
    run.succeed("a", changed(json!({"a": 1}), &[]));
    assert_eq!(run.sees("b"), json!({"a": 1}));
    run.succeed("b", Changes::default());
    assert_eq!(run.running(), ["c"]);
    run.succeed("c", Changes::default());
    assert!(run.running().is_empty(), "c is strict");
    assert_eq!(run.commit(), ["a"], "one checkpoint at a time, in order");
    assert!(run.running().is_empty());
    assert_eq!(run.commit(), ["b", "c"]);
    run.succeed("d", Changes::default());
    assert!(run.ended.is_none(), "the end is committed first");
    run.commit();
    assert_eq!(run.end_of().0, PipelineStatus::Completed);
}

#[test]
fn a_join_waits_for_the_strict_ones_among_its_dependencies() {
    let mut run = Machine::begin([pipelined("a", &[]), task("b", &[]), task("join", &["a", "b"])]);
    run.succeed("b", Changes::default());
    run.succeed("a", Changes::default());
    assert!(run.running().is_empty());
    assert_eq!(run.commit(), ["b"]);
    assert!(run.running().is_empty(), "decided while b was on its way, it goes with the next");
    assert_eq!(run.commit(), ["a"]);
    assert_eq!(run.running(), ["join"]);
}

#[test]
fn failures_of_pipelined_tasks_are_handed_on_and_skips_are_waited_for() {
    let mut run = Machine::begin([
        pipelined("a", &[]),
        ruled("rescue", &["a"], TriggerRule::OneFailed),
        pipelined("skipped", &["a"]),
        ruled("last", &["skipped"], TriggerRule::AllDone),
    ]);
    run.fail("a");
    assert_eq!(run.running(), ["rescue"], "the skip is not committed");
    assert_eq!(run.commit(), ["a", "skipped"]);
    assert_eq!(run.running(), ["last", "rescue"]);
}

#[test]
fn a_retry_of_a_pipelined_task_waits_for_its_commit() {
    let again = pipelined("a", &[]).retry(RetryPolicy::new(2));
    let mut run = Machine::begin([again, task("b", &["a"])]);
    run.fail("a");
    assert!(run.waits.is_empty());
    run.commit();
    assert_eq!(run.waits.len(), 1);
}

#[test]
fn nothing_starts_on_a_pipelined_result_while_paused_and_a_deadline_ends_it() {
    let mut run = Machine::begin([pipelined("a", &[]), task("b", &["a"])]);
    run.apply(Event::Paused);
    run.succeed("a", Changes::default());
    assert!(run.running().is_empty() && !run.released, "a is on its way");
    run.commit();
    assert!(run.released);

    let mut run = Machine::begin([pipelined("a", &[]), task("b", &["a"])]);
    run.succeed("a", Changes::default());
    run.apply(Event::DeadlinePassed { at: run.at, limit: Duration::from_secs(1) });
    assert!(run.stopped);
    assert_eq!(run.commit(), ["a"]);
    assert_eq!(run.commit(), ["b"]);
    assert_eq!(run.end_of().0, PipelineStatus::Failed);
}
