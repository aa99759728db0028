//! What tasks see of each other's changes.

use super::*;

fn set(key: &str, value: impl Into<Value>) -> Changes {
    changed(json!({ key: value.into() }), &[])
}

#[test]
fn a_task_sees_the_changes_of_its_ancestors_only() {
    let flow = workflow([task("a", &[]), task("b", &["a"]), task("other", &[]), task("c", &["b"])]);
    let mut run = Machine::take_up(&flow, json!({"in": 0, "k": "input"}), Vec::new());
    assert_eq!(run.sees("a"), json!({"in": 0, "k": "input"}));
    run.succeed("other", set("k", "other"));
    run.commit();
    run.succeed("a", set("k", "a"));
    run.commit();
    assert_eq!(run.sees("b"), json!({"in": 0, "k": "a"}));
    run.complete("b");
    assert_eq!(run.sees("c"), json!({"in": 0, "k": "a"}));
}

#[test]
fn of_two_branches_the_later_in_topological_order_wins_whenever_it_ends() {
    for first in ["one", "two"] {
        let second = if first == "one" { "two" } else { "one" };
        let mut run =
            Machine::begin([task("join", &["two", "one"]), task("two", &[]), task("one", &[])]);
        run.succeed(first, set("k", first));
        run.commit();
        run.succeed(second, set("k", second));
        run.commit();
        // `two` is declared before `one`, whatever the names and the dependencies' order.
        assert_eq!(run.sees("join"), json!({"k": "one"}));
        run.complete("join");
        let detail = "tasks `two` and `one` run concurrently and set key `k` to different values; \
                      that of `one` counts";
        assert_eq!(run.events, [(EventKind::ConflictingWrites, detail.to_owned())]);
    }
}

#[test]
fn an_older_write_does_not_hide_a_newer_one_through_another_path() {
    // `a` wrote first, `b` after it; the join reaches `a` directly and through `b`.
    let mut run = Machine::begin([task("a", &[]), task("b", &["a"]), task("join", &["b", "a"])]);
    run.succeed("a", set("k", 1));
    run.commit();
    run.succeed("b", set("k", 2));
    run.commit();
    assert_eq!(run.sees("join"), json!({"k": 2}));
    run.complete("join");
    assert!(run.events.is_empty(), "b saw what it overwrote");
}

#[test]
fn removed_keys_are_gone_for_those_downstream() {
    let flow = workflow([
        task("a", &[]),
        task("b", &["a"]),
        task("side", &["a"]),
        task("join", &["b", "side"]),
    ]);
    let mut run = Machine::take_up(&flow, json!({"in": 0, "keep": 1}), Vec::new());
    run.succeed("a", set("k", 1));
    run.commit();
    run.succeed("b", changed(json!({}), &["in", "k"]));
    run.commit();
    assert_eq!(run.sees("side"), json!({"in": 0, "keep": 1, "k": 1}));
    run.complete("side");
    assert_eq!(run.sees("join"), json!({"keep": 1}));
    assert_eq!(run.running["join"].1.keys(), ["keep"]);
    run.succeed("join", set("in", "back"));
    run.commit();
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
    assert_eq!(
        run.rows.last().unwrap().changes.as_ref().unwrap().as_str(),
        r#"{"set":{"in":"back"}}"#
    );
}

#[test]
fn a_condition_sees_what_the_task_would_get() {
    let big = TriggerRule::context_value("n", crate::ValueOperator::GreaterThan, Some(json!(5)));
    let flow = workflow([
        task("a", &[]),
        task("other", &[]),
        ruled("b", &["a"], big.clone()),
        ruled("c", &["a", "other"], big),
    ]);
    let mut run = Machine::take_up(&flow, json!({"n": 1}), Vec::new());
    run.succeed("other", set("n", 9));
    run.commit();
    run.complete("a");
    assert_eq!(*run.skip("b"), SkipReason::Condition, "other is no ancestor of b");
    assert_eq!(run.running(), ["c"]);
}

#[test]
fn a_failed_task_changes_nothing_and_passes_on_what_it_got() {
    let mut run = Machine::begin([
        task("a", &[]),
        task("b", &["a"]),
        task("c", &["b"]),
        ruled("d", &["c"], TriggerRule::AllDone),
    ]);
    run.succeed("a", set("k", 1));
    run.commit();
    run.break_down("b");
    assert_eq!(run.sees("d"), json!({"k": 1}));
}

/// Runs all tasks in the order of their names, each of which sets key `k`, and returns the conflicts.
fn conflicts(tasks: Vec<Task>, values: &[(&str, i32)]) -> Vec<(String, String)> {
    let mut run = Machine::begin(tasks);
    for (id, value) in values {
        run.succeed(id, set("k", *value));
        run.commit();
    }
    let ids = |(kind, detail): &(EventKind, String)| {
        assert_eq!(*kind, EventKind::ConflictingWrites);
        let names: Vec<&str> = detail.split('`').collect();
        (names[1].to_owned(), names[3].to_owned())
    };
    run.events.iter().map(ids).collect()
}

fn pair(first: &str, second: &str) -> Vec<(String, String)> {
    vec![(first.to_owned(), second.to_owned())]
}

#[test]
fn a_conflict_is_two_concurrent_tasks_with_different_values() {
    let two = || vec![task("a", &[]), task("b", &[])];
    assert_eq!(conflicts(two(), &[("a", 1), ("b", 1)]), []);
    assert_eq!(conflicts(two(), &[("b", 2), ("a", 1)]), pair("a", "b"));
    let chain = vec![task("a", &[]), task("b", &["a"]), task("c", &["b"])];
    assert_eq!(conflicts(chain, &[("a", 1), ("b", 2), ("c", 3)]), []);
    // `c` overwrites what it saw of `b`, but not what `a` wrote, though `a` and `b` agreed.
    let beside = || vec![task("a", &[]), task("b", &[]), task("c", &["b"])];
    assert_eq!(conflicts(beside(), &[("a", 1), ("b", 1), ("c", 2)]), pair("a", "c"));
    let beside = || vec![task("a", &[]), task("b", &[]), task("c", &["a"])];
    assert_eq!(conflicts(beside(), &[("a", 1), ("b", 1), ("c", 2)]), pair("b", "c"));
    // A join that saw both is in conflict with none.
    let join = vec![task("a", &[]), task("b", &[]), task("c", &["a", "b"])];
    assert_eq!(conflicts(join, &[("a", 1), ("b", 1), ("c", 2)]), []);
    // What a branch overwrote itself does not count.
    let branch = vec![task("a", &[]), task("b", &["a"]), task("c", &[])];
    assert_eq!(conflicts(branch, &[("a", 1), ("b", 2), ("c", 2)]), []);
}

#[test]
fn a_removal_and_a_value_are_in_conflict() {
    let flow = workflow([task("a", &[]), task("b", &[])]);
    let mut run = Machine::take_up(&flow, json!({"k": 0}), Vec::new());
    run.succeed("b", changed(json!({}), &["k"]));
    run.commit();
    run.succeed("a", set("k", 1));
    run.commit();
    assert_eq!(run.events.len(), 1);
}

#[test]
fn conflicts_beyond_the_first_thirty_two_are_not_listed() {
    let ids: Vec<String> = (0..100).map(|index| format!("t{index}")).collect();
    let mut run = Machine::begin(ids.iter().map(|id| task(id, &[])));
    for (index, id) in ids.iter().enumerate() {
        run.succeed(id, set("k", index));
        run.commit();
    }
    assert_eq!(run.events.len(), 32);
}
