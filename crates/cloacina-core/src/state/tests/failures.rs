//! Failures: retries, and which failures count as handled.

use super::*;

#[test]
fn a_failed_attempt_is_committed_before_its_wait_begins() {
    let mut run = Machine::begin([task("a", &[]).retry(RetryPolicy::new(3))]);
    assert_eq!(run.running["a"].0, 1);
    run.fail("a");
    assert!(run.waits.is_empty(), "not committed");
    assert!(run.commit().is_empty(), "a failed attempt is no end of the task");
    assert_eq!(run.waits, [("a".to_owned(), Duration::from_secs(1))]);
    assert!(run.running().is_empty());
    assert!(run.state.is_idle(), "a wait holds no slot");
    run.apply(Event::RetryDue { ordinal: 0 });
    assert_eq!(run.running["a"].0, 2);
    run.fail("a");
    run.commit();
    assert_eq!(run.waits[1].1, Duration::from_secs(2));
    run.apply(Event::RetryDue { ordinal: 0 });
    assert_eq!(run.running["a"].0, 3);
    run.fail("a");
    assert_eq!(run.commit(), ["a"]);
    assert_eq!(run.row("a").attempts, 3);
    assert_eq!(run.failures, [("a".to_owned(), 1), ("a".to_owned(), 2)]);
    let retried = EventKind::Retried;
    let detail = |attempt: u32, wait: &str| {
        (retried, format!("attempt {attempt} failed, the next is due in {wait}: a broke"))
    };
    assert_eq!(run.events, [detail(1, "1s"), detail(2, "2s")]);
    assert_eq!(run.end_of(), (PipelineStatus::Failed, Some("task `a` failed: a broke")));
}

#[test]
fn success_on_the_last_attempt() {
    let mut run = Machine::begin([task("a", &[]).retry(RetryPolicy::new(2))]);
    run.break_down("a");
    run.apply(Event::RetryDue { ordinal: 0 });
    run.complete("a");
    assert_eq!((run.row("a").state, run.row("a").attempts), (TaskState::Completed, 2));
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
}

#[test]
fn a_permanent_error_is_not_retried() {
    let mut run = Machine::begin([task("a", &[]).retry(RetryPolicy::new(9))]);
    run.end("a", AttemptResult::Failure { error: TaskError::permanent("no"), random: 0.0 });
    run.commit();
    assert_eq!(run.row("a").attempts, 1);
    assert_eq!(run.end_of().1, Some("task `a` failed: no"));
}

#[test]
fn max_elapsed_counts_from_the_first_attempt() {
    let policy = RetryPolicy::new(9).max_elapsed(Duration::from_secs(2));
    let mut run = Machine::begin([task("a", &[]).retry(policy)]);
    run.break_down("a");
    assert_eq!(run.waits.len(), 1, "one second passed, one to wait: two");
    run.apply(Event::RetryDue { ordinal: 0 });
    run.at += Duration::from_secs(2);
    run.break_down("a");
    assert_eq!(run.row("a").attempts, 2);
}

#[test]
fn a_retry_that_falls_due_during_a_pause_waits_for_the_resume() {
    let again = task("a", &[]).retry(RetryPolicy::new(3));
    let mut run = Machine::begin([again, task("b", &[])]);
    run.break_down("a");
    run.apply(Event::Paused);
    run.apply(Event::RetryDue { ordinal: 0 });
    assert_eq!(run.running(), ["b"]);
    run.apply(Event::Resumed);
    assert_eq!(run.running(), ["a", "b"]);
    assert_eq!(run.running["a"].0, 2);
}

#[test]
fn a_failure_is_handled_by_a_task_that_ran_because_of_it() {
    for rule in [
        TriggerRule::task_failed("a"),
        TriggerRule::OneFailed,
        TriggerRule::AllFailed,
        TriggerRule::any([TriggerRule::AllSuccess, TriggerRule::task_failed("a")]),
        TriggerRule::all([TriggerRule::Always, TriggerRule::task_failed("a")]),
    ] {
        let mut run = Machine::begin([task("a", &[]), ruled("handler", &["a"], rule.clone())]);
        run.break_down("a");
        run.complete("handler");
        assert_eq!(run.end_of(), (PipelineStatus::Completed, None), "{rule}");
    }
}

#[test]
fn clean_up_absolves_nothing() {
    for rule in [
        TriggerRule::AllDone,
        TriggerRule::Always,
        TriggerRule::OneDone,
        TriggerRule::NoneSkipped,
        TriggerRule::none([TriggerRule::AllSuccess]),
    ] {
        // As a leaf, and in the middle.
        let mut run = Machine::begin([
            task("a", &[]),
            ruled("clean", &["a"], rule.clone()),
            task("after", &["clean"]),
        ]);
        run.break_down("a");
        run.complete("clean");
        run.complete("after");
        assert_eq!(
            run.end_of(),
            (PipelineStatus::Failed, Some("task `a` failed: a broke")),
            "{rule}"
        );
    }
}

#[test]
fn a_handler_that_does_not_complete_handles_nothing() {
    let mut run = Machine::begin([
        task("a", &[]),
        ruled("handler", &["a"], TriggerRule::OneFailed),
        ruled("second", &["handler"], TriggerRule::OneFailed),
    ]);
    run.break_down("a");
    run.break_down("handler");
    run.complete("second");
    assert_eq!(run.end_of(), (PipelineStatus::Failed, Some("task `a` failed: a broke")));
}

#[test]
fn a_failure_several_steps_away_is_handled_through_the_skips_between() {
    let mut run = Machine::begin([
        task("a", &[]),
        task("b", &["a"]),
        task("c", &["b"]),
        ruled("handler", &["c"], TriggerRule::task_failed("c")),
    ]);
    assert_eq!(run.running(), ["a"]);
    run.break_down("a");
    assert_eq!(run.running(), ["handler"]);
    run.complete("handler");
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
}

#[test]
fn a_handler_handles_every_failure_behind_it() {
    let mut run = Machine::begin([
        task("a", &[]),
        task("b", &[]),
        task("join", &["a", "b"]),
        task("c", &[]),
        ruled("handler", &["join", "c"], TriggerRule::OneFailed),
    ]);
    run.break_down("b");
    run.break_down("c");
    run.break_down("a");
    assert_eq!(*run.skip("join"), SkipReason::UpstreamFailed("a".into()));
    run.complete("handler");
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
}

#[test]
fn the_error_names_the_first_unhandled_task_in_topological_order() {
    let tasks = || {
        [
            task("z", &[]),
            task("b", &[]),
            task("a", &[]),
            ruled("handler", &["z"], TriggerRule::OneFailed),
        ]
    };
    for order in [["a", "b", "z"], ["z", "a", "b"], ["b", "z", "a"]] {
        let mut run = Machine::begin(tasks());
        order.into_iter().for_each(|id| run.break_down(id));
        run.complete("handler");
        assert_eq!(run.end_of(), (PipelineStatus::Failed, Some("task `b` failed: b broke")));
    }
}

#[test]
fn failures_behind_skips_of_several_branches_are_all_handled() {
    let mut run = Machine::begin([
        task("a", &[]),
        task("b", &[]),
        task("below_a", &["a"]),
        task("below_b", &["b"]),
        task("join", &["below_a", "below_b"]),
        task("after", &["join", "below_a"]),
        ruled("handler", &["after"], TriggerRule::task_failed("after")),
    ]);
    run.break_down("b");
    run.break_down("a");
    assert_eq!(*run.skip("after"), SkipReason::UpstreamFailed("a".into()));
    run.complete("handler");
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
}
