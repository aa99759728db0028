//! Tests of the trigger rules.

mod table;
mod values;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Decision, Dependency, TriggerRule, ValueOperator, View};
use crate::{SkipReason, TaskId};

/// Decides for dependencies `d0`, `d1`, and so on, with that context.
fn decide(rule: &TriggerRule, states: &[Dependency], context: &Value) -> Decision {
    let ids: Vec<TaskId> =
        (0..states.len()).map(|index| TaskId::from(format!("d{index}"))).collect();
    let dependencies: Vec<(&TaskId, Dependency)> = ids.iter().zip(states.iter().cloned()).collect();
    let read = |key: &str| context.get(key).cloned();
    rule.decide(&View { dependencies: &dependencies, context: &read })
}

fn roots(names: &[&str]) -> BTreeSet<TaskId> {
    names.iter().map(|&name| name.into()).collect()
}

fn upstream_failed(names: &[&str]) -> Dependency {
    Dependency::UpstreamFailed(Arc::new(roots(names)))
}

fn run(because_of: &[&str]) -> Decision {
    Decision::Run { because_of: roots(because_of) }
}

const CONDITION: Decision = Decision::Skip(SkipReason::Condition);

fn skip_for_failure(task: &str) -> Decision {
    Decision::Skip(SkipReason::UpstreamFailed(task.into()))
}

fn skip_for_skip(task: &str) -> Decision {
    Decision::Skip(SkipReason::UpstreamSkipped(task.into()))
}

fn holds() -> TriggerRule {
    TriggerRule::context_value("here", ValueOperator::Exists, None)
}

fn fails() -> TriggerRule {
    TriggerRule::context_value("gone", ValueOperator::Exists, None)
}

use Dependency::{Completed, Failed, Skipped};

#[test]
fn a_rule_about_one_task_looks_at_that_task_only() {
    let context = json!({});
    let other = [Failed, Skipped, Completed, upstream_failed(&["far"])];
    let cases = [
        (TriggerRule::task_success("d2"), run(&[])),
        (TriggerRule::task_success("d0"), skip_for_failure("d0")),
        (TriggerRule::task_success("d1"), skip_for_skip("d1")),
        (TriggerRule::task_success("d3"), skip_for_failure("far")),
        (TriggerRule::task_failed("d0"), run(&["d0"])),
        (TriggerRule::task_failed("d3"), run(&["far"])),
        (TriggerRule::task_failed("d1"), CONDITION),
        (TriggerRule::task_failed("d2"), CONDITION),
        (TriggerRule::task_skipped("d1"), run(&[])),
        (TriggerRule::task_skipped("d0"), CONDITION),
        (TriggerRule::task_skipped("d3"), CONDITION),
    ];
    for (rule, expected) in cases {
        assert_eq!(decide(&rule, &other, &context), expected, "{rule}");
    }
}

#[test]
fn rules_that_speak_of_failure_blame_what_failed() {
    let context = json!({});
    let states = [Failed, upstream_failed(&["x", "y"]), Failed];
    let all = run(&["d0", "d2", "x", "y"]);
    assert_eq!(decide(&TriggerRule::AllFailed, &states, &context), all);
    assert_eq!(decide(&TriggerRule::OneFailed, &states, &context), all);
    assert_eq!(decide(&TriggerRule::AllDone, &states, &context), run(&[]));
    assert_eq!(decide(&TriggerRule::Always, &states, &context), run(&[]));
    assert_eq!(decide(&TriggerRule::NoneSkipped, &states, &context), run(&[]));
    let none = TriggerRule::none([TriggerRule::AllSuccess]);
    assert_eq!(decide(&none, &states, &context), run(&[]), "a negation handles nothing");
    let both = TriggerRule::all([TriggerRule::task_failed("d0"), TriggerRule::task_failed("d1")]);
    assert_eq!(decide(&both, &states, &context), run(&["d0", "x", "y"]));
    let either = TriggerRule::any([TriggerRule::AllSuccess, TriggerRule::task_failed("d2")]);
    assert_eq!(decide(&either, &states, &context), run(&["d2"]));
}

#[test]
fn conditions_alone_imply_that_all_dependencies_completed() {
    let context = json!({"here": 1});
    let nested = TriggerRule::any([TriggerRule::none([fails()]), holds()]);
    for rule in [holds(), TriggerRule::all([holds()]), nested, TriggerRule::all([])] {
        assert_eq!(decide(&rule, &[Completed, Completed], &context), run(&[]), "{rule}");
        assert_eq!(decide(&rule, &[Completed, Failed], &context), skip_for_failure("d1"), "{rule}");
        assert_eq!(decide(&rule, &[Skipped, Completed], &context), skip_for_skip("d0"), "{rule}");
        assert_eq!(decide(&rule, &[], &context), run(&[]), "{rule}");
    }
    // As soon as one part speaks of dependencies, the expression stands for itself.
    let with_done = TriggerRule::all([holds(), TriggerRule::AllDone]);
    assert_eq!(decide(&with_done, &[Failed, Skipped], &context), run(&[]));
    let deep = TriggerRule::all([
        holds(),
        TriggerRule::none([TriggerRule::any([TriggerRule::task_skipped("d0")])]),
    ]);
    assert_eq!(decide(&deep, &[Failed], &context), run(&[]));
}

#[test]
fn the_gravest_reason_to_skip_counts() {
    let context = json!({"here": 1});
    let states = [Skipped, Failed];
    let success_of = |task: &str| TriggerRule::task_success(task);
    for rule in [
        TriggerRule::all([fails(), success_of("d0"), success_of("d1")]),
        TriggerRule::all([success_of("d1"), success_of("d0"), fails()]),
        TriggerRule::any([fails(), success_of("d0"), success_of("d1")]),
        TriggerRule::all([holds(), TriggerRule::any([fails(), success_of("d1")])]),
    ] {
        assert_eq!(decide(&rule, &states, &context), skip_for_failure("d1"), "{rule}");
    }
    let rule = TriggerRule::all([fails(), success_of("d0")]);
    assert_eq!(decide(&rule, &states, &context), skip_for_skip("d0"));
    // The condition that does not hold does not hide that a dependency failed.
    assert_eq!(decide(&fails(), &states, &context), skip_for_failure("d1"));
    // Of two of one weight the first counts.
    let states = [Failed, upstream_failed(&["far"])];
    let rule = TriggerRule::all([success_of("d1"), success_of("d0")]);
    assert_eq!(decide(&rule, &states, &context), skip_for_failure("far"));
    assert_eq!(decide(&TriggerRule::AllSuccess, &states, &context), skip_for_failure("d0"));
}

#[test]
fn compositions_nest() {
    let context = json!({"here": 1});
    let (yes, no) = (holds, fails);
    let cases = [
        (TriggerRule::all([]), true),
        (TriggerRule::any([]), false),
        (TriggerRule::none([]), true),
        (TriggerRule::all([yes(), yes()]), true),
        (TriggerRule::all([yes(), no()]), false),
        (TriggerRule::any([no(), yes()]), true),
        (TriggerRule::any([no(), no()]), false),
        (TriggerRule::none([no(), no()]), true),
        (TriggerRule::none([no(), yes()]), false),
        (TriggerRule::none([TriggerRule::none([yes()])]), true),
        (TriggerRule::all([TriggerRule::any([no(), TriggerRule::none([no()])]), yes()]), true),
        (TriggerRule::any([TriggerRule::all([yes(), no()]), TriggerRule::none([yes()])]), false),
    ];
    for (rule, expected) in cases {
        let expected = if expected { run(&[]) } else { CONDITION };
        assert_eq!(decide(&rule, &[Completed], &context), expected, "{rule}");
    }
}

#[test]
fn every_named_rule_holds_without_dependencies() {
    for (name, rule) in table::NAMED {
        assert_eq!(decide(&rule, &[], &json!({})), run(&[]), "{name}");
    }
    assert_eq!(decide(&fails(), &[], &json!({})), CONDITION);
}

#[test]
fn the_text_is_what_the_macro_takes() {
    for (name, rule) in table::NAMED {
        assert_eq!(rule.to_string(), name);
    }
    let rule = TriggerRule::any([
        TriggerRule::all([TriggerRule::task_success("a"), TriggerRule::task_failed("b\"c")]),
        TriggerRule::none([TriggerRule::task_skipped("d"), TriggerRule::none([])]),
        TriggerRule::context_value("k", ValueOperator::Exists, None),
        TriggerRule::context_value("k", ValueOperator::GreaterThan, Some(json!(1.5))),
        TriggerRule::context_value("k", ValueOperator::NotContains, Some(json!("x"))),
    ]);
    assert_eq!(
        rule.to_string(),
        r#"any(all(task_success("a"), task_failed("b\"c")), none(task_skipped("d"), none()), "#
            .to_owned()
            + r#"context_value("k", exists), context_value("k", greater_than, 1.5), "#
            + r#"context_value("k", not_contains, "x"))"#
    );
    // JSON would write `\u0000`, which is no text to Rust.
    let rule = TriggerRule::context_value("\0", ValueOperator::Equals, Some(json!("\0\u{8}'\n")));
    assert_eq!(rule.to_string(), r#"context_value("\0", equals, "\0\u{8}'\n")"#);
}

#[test]
fn an_expression_names_the_tasks_it_asks_about() {
    let rule = TriggerRule::all([
        TriggerRule::task_success("a"),
        TriggerRule::none([TriggerRule::any([TriggerRule::task_failed("b"), holds()])]),
        TriggerRule::task_skipped("c"),
        TriggerRule::AllDone,
    ]);
    assert_eq!(rule.tasks(), [&TaskId::from("a"), &"b".into(), &"c".into()]);
}
