//! Conditions about values of the context.

use serde_json::{Value, json};

use super::{CONDITION, TriggerRule, ValueOperator, decide, run};

fn check(value: &Value, operator: ValueOperator, literal: &Value) -> bool {
    let context = json!({"k": value});
    let decision =
        decide(&TriggerRule::context_value("k", operator, Some(literal.clone())), &[], &context);
    assert!(decision == run(&[]) || decision == CONDITION);
    decision == run(&[])
}

#[test]
fn a_missing_key_is_not_equal_to_anything_and_contains_nothing() {
    use ValueOperator::*;
    let holds = |operator, literal| {
        let rule = TriggerRule::context_value("missing", operator, literal);
        decide(&rule, &[], &json!({"k": 1})) == run(&[])
    };
    for literal in [None, Some(json!(null)), Some(json!(0)), Some(json!(""))] {
        for operator in [Equals, GreaterThan, LessThan, Contains, Exists] {
            assert!(!holds(operator, literal.clone()), "{operator} {literal:?}");
        }
        for operator in [NotEquals, NotContains, NotExists] {
            assert!(holds(operator, literal.clone()), "{operator} {literal:?}");
        }
    }
}

#[test]
fn null_is_a_value() {
    let null = Value::Null;
    assert!(check(&null, ValueOperator::Exists, &null));
    assert!(!check(&null, ValueOperator::NotExists, &null));
    assert!(check(&null, ValueOperator::Equals, &null));
    assert!(!check(&null, ValueOperator::Equals, &json!(0)));
    assert!(!check(&null, ValueOperator::LessThan, &json!(0)));
}

#[test]
fn numbers_compare_by_value() {
    let ascending = [
        json!(-1e308),
        json!(i64::MIN),
        json!(-1.5),
        json!(-1),
        json!(0),
        json!(0.5),
        json!(5),
        json!(9_007_199_254_740_992_u64),
        json!(9_007_199_254_740_993_u64),
        json!(i64::MAX),
        json!(9_223_372_036_854_775_808_u64),
        json!(u64::MAX),
        json!(18_446_744_073_709_551_616.0),
        json!(1e308),
    ];
    for (i, left) in ascending.iter().enumerate() {
        for (j, right) in ascending.iter().enumerate() {
            let is = |operator| check(left, operator, right);
            assert_eq!(is(ValueOperator::LessThan), i < j, "{left} < {right}");
            assert_eq!(is(ValueOperator::GreaterThan), i > j, "{left} > {right}");
            assert_eq!(is(ValueOperator::Equals), i == j, "{left} = {right}");
            assert_eq!(is(ValueOperator::NotEquals), i != j, "{left} != {right}");
        }
    }
}

#[test]
fn integers_equal_floats_of_their_value_also_inside() {
    let pairs = [
        (json!(5), json!(5.0)),
        (json!(0), json!(-0.0)),
        (json!(i64::MIN), json!(-9_223_372_036_854_775_808.0)),
        (json!([1, {"a": 2}]), json!([1.0, {"a": 2.0}])),
    ];
    for (left, right) in pairs {
        assert!(check(&left, ValueOperator::Equals, &right), "{left} = {right}");
        assert!(check(&right, ValueOperator::Equals, &left), "{right} = {left}");
        assert!(!check(&left, ValueOperator::NotEquals, &right), "{left} != {right}");
    }
    assert!(!check(&json!(u64::MAX), ValueOperator::Equals, &json!(-1)));
    assert!(!check(&json!("5"), ValueOperator::Equals, &json!(5)));
    assert!(!check(&json!([1]), ValueOperator::Equals, &json!([1, 2])));
    assert!(!check(&json!({"a": 1}), ValueOperator::Equals, &json!({"b": 1})));
}

#[test]
fn strings_are_ordered_and_other_kinds_are_not() {
    assert!(check(&json!("abc"), ValueOperator::LessThan, &json!("abd")));
    assert!(check(&json!("b"), ValueOperator::GreaterThan, &json!("ab")));
    assert!(!check(&json!("a"), ValueOperator::LessThan, &json!("a")));
    for (left, right) in [
        (json!("1"), json!(2)),
        (json!(1), json!("2")),
        (json!(false), json!(true)),
        (json!([1]), json!([2])),
        (json!({}), json!({"a": 1})),
    ] {
        assert!(!check(&left, ValueOperator::LessThan, &right), "{left} < {right}");
        assert!(!check(&left, ValueOperator::GreaterThan, &right), "{left} > {right}");
    }
}

#[test]
fn contains_looks_into_strings_arrays_and_objects() {
    let holding = [
        (json!("a😀b\u{0}c"), json!("😀b\u{0}")),
        (json!("abc"), json!("")),
        (json!([1, "x", [2]]), json!("x")),
        (json!([1, "x", [2]]), json!([2.0])),
        (json!([1]), json!(1.0)),
        (json!({"key": 1}), json!("key")),
    ];
    for (value, part) in holding {
        assert!(check(&value, ValueOperator::Contains, &part), "{value} contains {part}");
        assert!(!check(&value, ValueOperator::NotContains, &part), "{value} contains {part}");
    }
    let lacking = [
        (json!("abc"), json!("ac")),
        (json!("12"), json!(1)),
        (json!([[1]]), json!(1)),
        (json!({"key": "value"}), json!("value")),
        (json!(12), json!(1)),
        (json!(null), json!(null)),
    ];
    for (value, part) in lacking {
        assert!(!check(&value, ValueOperator::Contains, &part), "{value} lacks {part}");
        assert!(check(&value, ValueOperator::NotContains, &part), "{value} lacks {part}");
    }
}

#[test]
fn an_operator_without_its_literal_compares_with_null() {
    let rule = TriggerRule::context_value("k", ValueOperator::Equals, None);
    assert_eq!(decide(&rule, &[], &json!({"k": null})), run(&[]));
    assert_eq!(decide(&rule, &[], &json!({"k": 0})), CONDITION);
}
