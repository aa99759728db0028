//! Taking up an execution from what is on record.

use super::*;

fn chain() -> Workflow {
    workflow([task("a", &[]), task("b", &["a"]), task("c", &["b"])])
}

fn set(value: i32) -> Changes {
    changed(json!({ "k": value }), &[])
}

#[test]
fn what_is_on_record_is_not_done_again() {
    let mut run = Machine::take_up(&chain(), json!({"in": 1}), vec![completed(set(7))]);
    assert!(run.draft.is_none(), "nothing new to commit");
    assert_eq!(run.running(), ["b"]);
    assert_eq!(run.sees("b"), json!({"in": 1, "k": 7}));
    run.complete("b");
    run.complete("c");
    assert_eq!(run.rows.len(), 2);
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
}

#[test]
fn everything_on_record_but_the_end() {
    let all = (0..3).map(|value| completed(set(value))).collect();
    let mut run = Machine::take_up(&chain(), json!({}), all);
    assert!(run.commit().is_empty());
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
}

#[test]
fn failures_and_skips_on_record_give_the_same_end() {
    let flow = workflow([
        task("a", &[]),
        task("b", &["a"]),
        ruled("handler", &["b"], TriggerRule::OneFailed),
    ]);
    let failed = || Recorded {
        outcome: Some(Box::new(Outcome::Failed { error: "a broke".to_owned() })),
        ..Recorded::default()
    };
    let skipped = || Recorded {
        outcome: Some(Box::new(Outcome::Skipped(SkipReason::UpstreamFailed("a".into())))),
        ..Recorded::default()
    };
    let mut run = Machine::take_up(&flow, json!({}), vec![failed(), skipped()]);
    run.complete("handler");
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));

    let all = vec![failed(), skipped(), completed(Changes::default())];
    let mut run = Machine::take_up(&flow, json!({}), all);
    run.commit();
    assert_eq!(
        run.end_of(),
        (PipelineStatus::Completed, None),
        "who handled it is found out again"
    );

    let mut run = Machine::take_up(&chain(), json!({}), vec![failed()]);
    assert_eq!(run.commit(), ["b", "c"]);
    assert_eq!(run.end_of(), (PipelineStatus::Failed, Some("task `a` failed: a broke")));
}

#[test]
fn attempts_on_record_count_and_their_wait_goes_on() {
    let flow = workflow([task("a", &[]).retry(RetryPolicy::new(3))]);
    let wait = Duration::from_millis(300);
    let recorded = Recorded {
        failed_attempts: 2,
        first_started: Some(Instant::now()),
        retry_in: Some(wait),
        ..Recorded::default()
    };
    let mut run = Machine::take_up(&flow, json!({}), vec![recorded]);
    assert!(run.running().is_empty());
    assert_eq!(run.waits, [("a".to_owned(), wait)]);
    run.apply(Event::RetryDue { ordinal: 0 });
    assert_eq!(run.running["a"].0, 3);
    run.break_down("a");
    assert_eq!(run.row("a").attempts, 3);

    let due = Recorded { failed_attempts: 1, ..Recorded::default() };
    let run = Machine::take_up(&flow, json!({}), vec![due]);
    assert_eq!(run.running["a"].0, 2, "its wait is over");
}

#[test]
fn max_elapsed_goes_on_across_a_recovery() {
    let policy = RetryPolicy::new(9).max_elapsed(Duration::from_secs(60));
    let flow = workflow([task("a", &[]).retry(policy)]);
    let long_ago = Instant::now().checked_sub(Duration::from_secs(61));
    let recorded = Recorded { failed_attempts: 1, first_started: long_ago, ..Recorded::default() };
    let mut run = Machine::take_up(&flow, json!({}), vec![recorded]);
    assert_eq!(run.running["a"].0, 2);
    run.break_down("a");
    assert_eq!(run.row("a").state, TaskState::Failed);
}

#[test]
fn an_abandoned_task_fails_without_running() {
    let flow = workflow([task("a", &[]), ruled("handler", &["a"], TriggerRule::OneFailed)]);
    let recorded = || Recorded {
        failed_attempts: 1,
        retry_in: Some(Duration::from_secs(9)),
        abandoned: Some("its worker died 3 times".into()),
        ..Recorded::default()
    };
    let mut run = Machine::take_up(&flow, json!({}), vec![recorded()]);
    assert!(run.running().is_empty() && run.waits.is_empty());
    assert_eq!(run.commit(), ["a"]);
    assert_eq!((run.row("a").state, run.row("a").attempts), (TaskState::Failed, 2));
    assert_eq!(run.events, [(EventKind::Abandoned, "its worker died 3 times".to_owned())]);
    assert_eq!(run.running(), ["handler"]);
    run.complete("handler");
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));

    let alone = workflow([task("a", &[])]);
    let mut run = Machine::take_up(&alone, json!({}), vec![recorded()]);
    run.commit();
    assert_eq!(run.end_of().1, Some("task `a` failed: its worker died 3 times"));
}

/// What `retry_execution` begins with: completed tasks are on record though an ancestor of theirs is not.
#[test]
fn a_task_that_was_taken_over_still_waits_for_its_ancestors() {
    let flow = workflow([
        task("a", &[]),
        ruled("clean", &["a"], TriggerRule::AllDone),
        task("after", &["clean"]),
    ]);
    let kept = || vec![Recorded::default(), completed(changed(json!({"clean": true}), &[]))];
    let mut run = Machine::take_up(&flow, json!({}), kept());
    assert_eq!(run.running(), ["a"], "`after` waits, though `clean` is on record");
    run.succeed("a", changed(json!({"a": 1}), &[]));
    assert_eq!(run.running(), [""; 0], "and for the commit");
    assert_eq!(run.commit(), ["a"], "`clean` keeps its row");
    assert_eq!(run.sees("after"), json!({"a": 1, "clean": true}));
    run.complete("after");
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
    assert_eq!(run.rows.len(), 2);
}

#[test]
fn a_deadline_leaves_the_rows_that_were_taken_over() {
    let flow = workflow([task("a", &[]), ruled("clean", &["a"], TriggerRule::AllDone)]);
    let kept = vec![Recorded::default(), completed(Changes::default())];
    let mut run = Machine::take_up(&flow, json!({}), kept);
    run.apply(Event::DeadlinePassed { at: run.at, limit: Duration::from_secs(1) });
    assert_eq!(run.commit(), ["a"]);
}

#[test]
fn a_handler_that_was_taken_over_handles_the_failure_of_the_new_run() {
    let flow = workflow([
        task("a", &[]),
        ruled("handler", &["a"], TriggerRule::OneFailed),
        task("b", &[]),
    ]);
    let kept = || vec![Recorded::default(), Recorded::default(), completed(Changes::default())];
    assert_eq!(flow.tasks()[1].id(), "handler");
    let mut recorded = kept();
    recorded[1] = completed(Changes::default());
    let mut run = Machine::take_up(&flow, json!({}), recorded);
    run.fail("a");
    run.commit();
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
}
