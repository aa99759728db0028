//! The order of things: what starts when, pauses, deadlines.

use super::*;

#[test]
fn a_diamond_runs_in_order_and_only_after_commits() {
    let mut run = Machine::begin([
        task("a", &[]),
        task("b", &["a"]),
        task("c", &["a"]),
        task("d", &["b", "c"]),
    ]);
    assert_eq!(run.running(), ["a"]);
    run.succeed("a", Changes::default());
    assert!(run.running().is_empty(), "nothing starts before the commit");
    run.commit();
    assert_eq!(run.running(), ["b", "c"]);
    run.succeed("b", Changes::default());
    // While that checkpoint is on its way, the other branch ends: it gathers in the next.
    run.succeed("c", Changes::default());
    assert_eq!(run.commit(), ["b"]);
    assert!(run.running().is_empty(), "c is not committed");
    assert_eq!(run.commit(), ["c"]);
    assert_eq!(run.running(), ["d"]);
    run.complete("d");
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
    assert_eq!(run.rows.len(), 4);
    assert!(run.events.is_empty(), "the ordinary path writes no events");
}

#[test]
fn a_join_is_decided_once_all_its_dependencies_ended() {
    // `one_success` could run after the first: what it sees would depend on timing.
    let mut run = Machine::begin([
        task("a", &[]),
        task("b", &[]),
        ruled("join", &["a", "b"], TriggerRule::OneSuccess),
    ]);
    run.succeed("a", changed(json!({"a": 1}), &[]));
    run.commit();
    assert_eq!(run.running(), ["b"]);
    run.succeed("b", changed(json!({"b": 2}), &[]));
    run.commit();
    assert_eq!(run.sees("join"), json!({"a": 1, "b": 2}));
}

#[test]
fn the_last_task_its_skips_and_the_end_share_a_checkpoint() {
    let mut run = Machine::begin([
        task("a", &[]),
        task("b", &["a"]),
        task("c", &["b"]),
        ruled("d", &["c"], TriggerRule::NoneSkipped),
    ]);
    run.fail("a");
    // Even the task that a rule lets through waits for the failure to be committed.
    assert!(run.running().is_empty());
    assert_eq!(run.commit(), ["a", "b", "c"]);
    assert_eq!(run.running(), ["d"], "an upstream failure is no skip to rules");
    run.complete("d");
    assert_eq!(run.end_of().0, PipelineStatus::Failed);

    let mut run = Machine::begin([task("a", &[]), task("b", &["a"]), task("c", &["b"])]);
    run.fail("a");
    assert!(run.draft.as_ref().unwrap().finish.is_some());
    assert_eq!(run.commit(), ["a", "b", "c"]);
    assert_eq!(run.end_of(), (PipelineStatus::Failed, Some("task `a` failed: a broke")));
    assert_eq!(run.row("b").attempts, 0);
    assert_eq!(*run.skip("b"), SkipReason::UpstreamFailed("a".into()));
    assert_eq!(
        *run.skip("c"),
        SkipReason::UpstreamFailed("a".into()),
        "names the task that failed"
    );
}

#[test]
fn skips_at_the_start_are_committed_before_anything_runs() {
    let never = TriggerRule::none([TriggerRule::Always]);
    let mut run = Machine::begin([
        ruled("a", &[], never),
        task("b", &["a"]),
        ruled("c", &["b"], TriggerRule::AllSkipped),
        task("d", &[]),
    ]);
    assert!(run.running().is_empty());
    assert_eq!(run.commit(), ["a", "b"]);
    assert_eq!(run.running(), ["c", "d"]);
    assert_eq!(*run.skip("a"), SkipReason::Condition);
    assert_eq!(*run.skip("b"), SkipReason::UpstreamSkipped("a".into()));
}

#[test]
fn exclusive_branches() {
    for flag in [true, false] {
        let on = |value: bool| {
            TriggerRule::context_value("flag", crate::ValueOperator::Equals, Some(json!(value)))
        };
        let mut run = Machine::begin([
            task("decide", &[]),
            ruled("left", &["decide"], on(true)),
            ruled("right", &["decide"], on(false)),
            ruled("join", &["left", "right"], TriggerRule::NoneFailedMinOneSuccess),
        ]);
        run.succeed("decide", changed(json!({"flag": flag}), &[]));
        run.commit();
        let (taken, other) = if flag { ("left", "right") } else { ("right", "left") };
        assert_eq!(run.running(), [taken]);
        assert_eq!(*run.skip(other), SkipReason::Condition);
        run.complete(taken);
        run.complete("join");
        assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
    }
}

#[test]
fn a_pause_lets_what_runs_finish_and_then_gives_the_execution_back() {
    let mut run = Machine::begin([task("a", &[]), task("b", &["a"]), task("c", &[])]);
    run.apply(Event::Paused);
    assert!(!run.released, "a and c run");
    run.succeed("a", Changes::default());
    run.commit();
    assert_eq!(run.running(), ["c"], "b may not start");
    run.succeed("c", Changes::default());
    assert!(!run.released, "what c did is not committed");
    run.commit();
    assert!(run.released);
    assert_eq!(run.ended, None);
}

#[test]
fn a_resume_starts_what_was_held_back() {
    let mut run = Machine::begin([task("a", &[]), task("b", &["a"]), task("c", &[])]);
    run.apply(Event::Paused);
    run.complete("a");
    run.apply(Event::Resumed);
    assert_eq!(run.running(), ["b", "c"]);
    run.complete("b");
    run.complete("c");
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
}

#[test]
fn a_start_that_was_called_off_uses_no_attempt_up() {
    let mut run = Machine::begin([task("a", &[])]);
    run.apply(Event::Paused);
    run.running.clear();
    run.apply(Event::NotStarted { ordinal: 0 });
    assert!(run.released && run.running().is_empty());
    run.apply(Event::Resumed);
    assert_eq!(run.running["a"].0, 1);
    run.complete("a");
    assert_eq!(run.row("a").attempts, 1);
}

#[test]
fn an_execution_at_its_end_ends_though_it_is_paused() {
    let mut run = Machine::begin([task("a", &[])]);
    run.apply(Event::Paused);
    run.complete("a");
    assert!(!run.released);
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
}

#[test]
fn what_comes_too_late_or_twice_changes_nothing() {
    let mut run = Machine::begin([task("a", &[]), task("b", &["a"])]);
    run.succeed("a", Changes::default());
    let stale = || AttemptResult::Failure { error: TaskError::new("late"), random: 0.0 };
    for ordinal in [0, 1] {
        let (started, ended) = (run.at, run.at);
        run.apply(Event::AttemptEnded { ordinal, started, ended, result: stale() });
        run.apply(Event::NotStarted { ordinal });
        run.apply(Event::RetryDue { ordinal });
    }
    run.commit();
    assert_eq!(run.running(), ["b"]);
    run.complete("b");
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
    assert_eq!(run.rows.len(), 2);
}

#[test]
fn a_deadline_cancels_all_that_has_not_ended() {
    let retried = task("d", &["a"]).retry(RetryPolicy::new(3));
    let mut run = Machine::begin([task("a", &[]), task("b", &["a"]), task("c", &["b"]), retried]);
    run.complete("a");
    run.break_down("d");
    run.apply(Event::DeadlinePassed { at: run.at, limit: Duration::from_secs(5) });
    assert!(run.stopped);
    run.apply(Event::RetryDue { ordinal: run.ordinal("d") });
    assert_eq!(run.commit(), ["b", "c", "d"]);
    let state = |id| (run.row(id).state, run.row(id).attempts);
    assert_eq!(state("a"), (TaskState::Completed, 1));
    assert_eq!(state("b"), (TaskState::Cancelled, 1), "it was running");
    assert_eq!(state("c"), (TaskState::Cancelled, 0));
    assert_eq!(state("d"), (TaskState::Cancelled, 1));
    let error = "the execution took longer than its timeout of 5s";
    assert_eq!(run.end_of(), (PipelineStatus::Failed, Some(error)));
}

#[test]
fn a_deadline_waits_for_the_checkpoint_on_its_way() {
    let mut run = Machine::begin([task("a", &[]), task("b", &["a"])]);
    run.succeed("a", Changes::default());
    run.apply(Event::DeadlinePassed { at: run.at, limit: Duration::from_secs(5) });
    assert_eq!(run.commit(), ["a"]);
    assert!(run.running().is_empty(), "b may not start any more");
    assert_eq!(run.commit(), ["b"]);
    assert_eq!(run.end_of().0, PipelineStatus::Failed);
}

#[test]
fn a_deadline_comes_too_late_for_what_is_decided() {
    let mut run = Machine::begin([task("a", &[])]);
    run.succeed("a", Changes::default());
    run.apply(Event::DeadlinePassed { at: run.at, limit: Duration::from_secs(5) });
    assert!(!run.stopped);
    run.commit();
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
}

#[test]
fn a_pause_that_comes_before_the_beginning_gives_the_execution_back() {
    let workflow = workflow([task("a", &[])]);
    let mut state = ExecutionState::new(workflow, InputValues::default(), Vec::new());
    let commands = state.apply(Event::Paused);
    assert!(matches!(commands[..], [Command::Release]), "{commands:?}");
}
