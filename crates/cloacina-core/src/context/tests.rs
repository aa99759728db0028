//! Tests of the context.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Changes, Context, ContextError, MAX_DEPTH};
use crate::state::ContextView;

fn view(input: Value) -> ContextView {
    let input: BTreeMap<String, Value> = serde_json::from_value(input).unwrap();
    ContextView::new(input.into(), Arc::default())
}

/// Lets a task loose on a context and tells what it changed, as set keys and removed keys.
fn changes(input: Value, task: impl FnOnce(&mut Context)) -> (Value, Vec<String>) {
    let view = view(input);
    let mut context = view.to_context();
    task(&mut context);
    let changes = context.into_changes(&view);
    (json!(changes.set), changes.removed.into_iter().collect())
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(
        json!(1),
        |inner, level| {
            if level % 2 == 0 { json!([inner]) } else { json!({ "k": inner }) }
        },
    )
}

#[test]
fn insert_is_for_new_keys_and_update_for_old_ones() {
    let mut context = Context::new();
    context.insert("a", json!(1)).unwrap();
    let error = context.insert("a", json!(2)).unwrap_err();
    assert_eq!(error.to_string(), "key `a` exists already");
    assert_eq!(context.get("a"), Some(&json!(1)), "the old value stays");
    assert_eq!(context.update("a", json!(3)).unwrap(), json!(1));
    let error = context.update("b", json!(3)).unwrap_err();
    assert_eq!(error.to_string(), "key `b` does not exist");
    assert!(!context.contains_key("b"));
    assert_eq!(context.set("b", json!(null)), None);
    assert_eq!(context.set("b", json!(4)), Some(json!(null)));
    assert_eq!(context.remove("a"), Some(json!(3)));
    assert_eq!(context.remove("a"), None);
    assert_eq!((context.len(), context.is_empty()), (1, false));
    assert_eq!(context.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(context.into_value(), json!({"b": 4}));
}

#[test]
fn a_context_is_made_from_objects_only() {
    for (value, kind) in [
        (json!(null), "null"),
        (json!(true), "a boolean"),
        (json!(1), "a number"),
        (json!("x"), "a string"),
        (json!([{}]), "an array"),
    ] {
        let error = Context::from_value(value).unwrap_err();
        assert_eq!(error.to_string(), format!("a context is a JSON object, this is {kind}"));
    }
    let context = Context::from_value(json!({"a": {"b": 1}})).unwrap();
    assert_eq!(context.into_value(), json!({"a": {"b": 1}}));
    assert!(serde_json::from_str::<Context>("[]").is_err());
}

#[test]
fn typed_access_tells_what_does_not_fit() {
    let mut context = Context::new();
    context.insert_as("pair", (1_u8, "x")).unwrap();
    assert_eq!(context.get_as::<(u8, String)>("pair").unwrap(), (1, "x".to_owned()));
    let error = context.get_as::<u32>("pair").unwrap_err();
    let text = "the value of key `pair` is not of the type that was asked for";
    assert_eq!(error.to_string(), text);
    assert!(std::error::Error::source(&error).is_some(), "the cause is kept");
    let error = context.get_as::<u32>("none").unwrap_err();
    assert_eq!(error.to_string(), "key `none` does not exist");
    assert!(matches!(context.insert_as("pair", 1), Err(ContextError::KeyExists(_))));
    let bad = BTreeMap::from([((1, 2), 3)]);
    let error = context.insert_as("bad", bad).unwrap_err().to_string();
    assert!(error.starts_with("the value for key `bad` cannot be written as JSON"), "{error}");
    context.insert_as("nan", f64::NAN).unwrap();
    assert_eq!(context.get("nan"), Some(&Value::Null));
}

/// The claim behind `MAX_DEPTH`: what passes can be read back, as a context and as the changes of a task; one level
/// more could not.
#[test]
fn what_passes_the_depth_limit_can_be_read_back() {
    let deepest = Context::from_value(json!({"k": nested(MAX_DEPTH)})).unwrap();
    let text = deepest.to_json(usize::MAX).unwrap();
    assert_eq!(serde_json::from_str::<Context>(&text).unwrap(), deepest);
    let set = BTreeMap::from([("k".to_owned(), nested(MAX_DEPTH))]);
    let changes = Changes { set, ..Changes::default() };
    let text = serde_json::to_string(&changes).unwrap();
    assert_eq!(serde_json::from_str::<Changes>(&text).unwrap(), changes);

    let deeper = Context::from_value(json!({"a": 1, "k": nested(MAX_DEPTH + 1)})).unwrap();
    let error = deeper.to_json(usize::MAX).unwrap_err();
    assert_eq!(error.to_string(), "the value of key `k` is nested deeper than 125 levels");
    let set = BTreeMap::from([("k".to_owned(), nested(MAX_DEPTH + 1))]);
    let text = serde_json::to_string(&Changes { set, ..Changes::default() }).unwrap();
    assert!(serde_json::from_str::<Changes>(&text).is_err(), "the limit could be higher");
}

#[test]
fn depth_is_checked_without_going_deeper_than_the_limit() {
    let abyss = Context::from_value(json!({"k": nested(2000)})).unwrap();
    assert!(matches!(abyss.to_json(10), Err(ContextError::TooDeep { limit: MAX_DEPTH, .. })));
    let wide = Context::from_value(json!({"k": [[], {}, [[1]], nested(MAX_DEPTH - 1)]})).unwrap();
    assert!(wide.to_json(usize::MAX).is_ok());
    let wide = Context::from_value(json!({"k": [[], {}, [[1]], nested(MAX_DEPTH)]})).unwrap();
    assert!(wide.to_json(usize::MAX).is_err());
}

#[test]
fn the_size_limit_counts_bytes_of_json() {
    let context = Context::from_value(json!({"k": "ü\u{0}😀"})).unwrap();
    let text = context.to_json(usize::MAX).unwrap();
    assert_eq!(text, "{\"k\":\"ü\\u0000😀\"}");
    assert_eq!(text.len(), 20);
    assert_eq!(context.to_json(20).unwrap(), text);
    let error = context.to_json(19).unwrap_err();
    assert_eq!(error.to_string(), "the context has 20 bytes as JSON, the limit is 19");
    assert_eq!(Context::<Value>::new().to_json(2).unwrap(), "{}");
}

#[test]
fn numbers_and_texts_survive_the_store_to_the_bit() {
    let mut context = Context::new();
    context.insert_as("integers", (i64::MIN, i64::MAX, u64::MAX, 0)).unwrap();
    let floats = [-0.0, 1e308, -1e308, f64::MIN_POSITIVE, 5e-324, 0.1, 1.0 / 3.0, 1e16, 123.0];
    context.insert_as("floats", floats).unwrap();
    context.insert_as("", "\u{0}\u{1f}\u{7f}\u{2028}😀\u{10ffff}\"\\").unwrap();
    context.insert_as("\u{0}😀", json!({"\u{0}": []})).unwrap();
    let back: Context = serde_json::from_str(&context.to_json(usize::MAX).unwrap()).unwrap();
    assert_eq!(back, context);
    let (min, max, largest, zero) = back.get_as::<(i64, i64, u64, u8)>("integers").unwrap();
    assert_eq!((min, max, largest, zero), (i64::MIN, i64::MAX, u64::MAX, 0));
    let bits = back.get_as::<Vec<f64>>("floats").unwrap();
    assert_eq!(bits.iter().map(|f| f.to_bits()).collect::<Vec<_>>(), floats.map(f64::to_bits));
}

#[test]
fn setting_a_key_to_the_value_it_has_counts_as_setting_it() {
    let input = || json!({"a": 1, "b": 2});
    assert_eq!(changes(input(), |_| ()), (json!({}), vec![]));
    let set = |context: &mut Context| drop(context.set("a", json!(1)));
    assert_eq!(changes(input(), set), (json!({"a": 1}), vec![]));
    let update = |context: &mut Context| drop(context.update("a", json!(1)).unwrap());
    assert_eq!(changes(input(), update), (json!({"a": 1}), vec![]));
    let refused = |context: &mut Context| {
        assert!(context.insert("a", json!(7)).is_err());
        assert!(context.update("z", json!(7)).is_err());
        assert_eq!(context.remove("z"), None);
        assert!(context.is_untouched());
    };
    assert_eq!(changes(input(), refused), (json!({}), vec![]));
}

#[test]
fn the_last_thing_that_was_done_to_a_key_counts() {
    let input = || json!({"a": 1, "b": 2});
    let new_and_gone = |context: &mut Context| {
        context.insert("c", json!(1)).unwrap();
        context.remove("c");
    };
    assert_eq!(changes(input(), new_and_gone), (json!({}), vec![]));
    let removed = |context: &mut Context| drop(context.remove("a"));
    assert_eq!(changes(input(), removed), (json!({}), vec!["a".to_owned()]));
    let back = |context: &mut Context| {
        context.remove("a");
        context.insert("a", json!(1)).unwrap();
    };
    assert_eq!(changes(input(), back), (json!({"a": 1}), vec![]));
}

#[test]
fn a_context_in_place_of_the_one_it_got_replaces_everything() {
    let input = || json!({"a": 1, "b": 2});
    let replace = |context: &mut Context| {
        *context = Context::from_value(json!({"a": 1, "c": 3})).unwrap();
    };
    assert_eq!(changes(input(), replace), (json!({"a": 1, "c": 3}), vec!["b".to_owned()]));
    let take = |context: &mut Context| drop(std::mem::take(context));
    assert_eq!(changes(input(), take), (json!({}), vec!["a".to_owned(), "b".to_owned()]));
    let copy = |context: &mut Context| {
        let mut copy = context.clone();
        copy.set("c", json!(3));
        *context = copy;
    };
    assert_eq!(changes(input(), copy), (json!({"c": 3}), vec![]));
}

#[test]
fn changes_leave_out_what_is_empty() {
    let text = |changes: &Changes| serde_json::to_string(changes).unwrap();
    let mut changes = Changes::default();
    assert!(changes.is_empty());
    assert_eq!(text(&changes), "{}");
    changes.removed.insert("b".to_owned());
    assert_eq!(text(&changes), r#"{"removed":["b"]}"#);
    changes.set.insert("a".to_owned(), json!(1));
    assert_eq!(text(&changes), r#"{"set":{"a":1},"removed":["b"]}"#);
    assert_eq!(serde_json::from_str::<Changes>(&text(&changes)).unwrap(), changes);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn any_context_can_be_read_back(values in prop::collection::btree_map(any::<String>(), any_json(), 0..6)) {
        let context: Context = values.into_iter().collect();
        let text = context.to_json(usize::MAX).unwrap();
        let back: Context = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&back, &context);
        prop_assert_eq!(Context::from_value(back.into_value()).unwrap(), context);
    }

    /// Changes applied to what the task got give what the task left, and values that it shares look like its own.
    #[test]
    fn changes_tell_the_difference(
        steps in prop::collection::vec((0..4_u8, 0..5_usize, 0..3_u8), 0..12), replace in 0..12_usize,
    ) {
        let input = json!({"a": 0, "b": 1, "c": 2});
        let view = view(input.clone());
        let mut context = view.to_context();
        let mut own = Context::from_value(input.clone()).unwrap();
        for (index, (what, key, value)) in steps.into_iter().enumerate() {
            let key = ["a", "b", "c", "d", "e"][key];
            if index == replace {
                context = Context::from_value(json!({"a": 0, "d": value})).unwrap();
                own = context.clone();
            }
            prop_assert_eq!(context.get(key), own.get(key));
            prop_assert_eq!((context.len(), context.is_empty()), (own.len(), own.is_empty()));
            let size = own.to_json(usize::MAX).unwrap().len();
            prop_assert!(context.check(size).is_ok() && context.check(size - 1).is_err());
            // Asked for all its values now and then only.
            if value == 0 {
                prop_assert_eq!(&context, &own);
            }
            let [shared, owned] = [&mut context, &mut own].map(|context| match what {
                0 => context.insert(key, json!(value)).ok().map(Value::from),
                1 => context.update(key, json!(value)).ok(),
                2 => context.set(key, json!(value)),
                _ => context.remove(key),
            });
            prop_assert_eq!(shared, owned);
        }
        let left = context.clone().into_value();
        let Changes { set, removed } = context.into_changes(&view);
        let mut applied = Context::from_value(input).unwrap();
        for key in &removed {
            prop_assert!(applied.remove(key).is_some(), "`{}` was not there", key);
        }
        for (key, value) in set {
            applied.set(key, value);
        }
        prop_assert_eq!(applied.into_value(), left);
    }
}
