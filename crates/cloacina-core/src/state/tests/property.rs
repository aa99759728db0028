//! Whatever the order of events, the pauses and the crashes: every execution comes to what the definitions say.

use proptest::prelude::*;

use super::reference::{Deed, Outcome as Expected, Plan, Script, interpret};
use super::sim::World;
use super::*;
use crate::ValueOperator;

const KEYS: [&str; 4] = ["k0", "k1", "k2", "k3"];

fn any_key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&KEYS[..])
}

fn any_condition() -> impl Strategy<Value = TriggerRule> {
    use ValueOperator::*;
    let operator = prop::sample::select(vec![
        Equals,
        NotEquals,
        GreaterThan,
        LessThan,
        Contains,
        NotContains,
        Exists,
        NotExists,
    ]);
    let literal =
        prop_oneof![(0..3_i64).prop_map(Value::from), Just(json!("t1")), Just(json!("+"))];
    (any_key(), operator, literal).prop_map(|(key, operator, literal)| {
        let bare = matches!(operator, Exists | NotExists);
        TriggerRule::context_value(key, operator, (!bare).then_some(literal))
    })
}

/// Rules name tasks by a number here, which becomes one of the dependencies later.
fn any_rule() -> impl Strategy<Value = TriggerRule> {
    let named = prop::sample::select(vec![
        TriggerRule::AllSuccess,
        TriggerRule::AllFailed,
        TriggerRule::AllDone,
        TriggerRule::OneSuccess,
        TriggerRule::OneFailed,
        TriggerRule::OneDone,
        TriggerRule::NoneFailed,
        TriggerRule::NoneFailedMinOneSuccess,
        TriggerRule::NoneSkipped,
        TriggerRule::AllSkipped,
        TriggerRule::AllDoneMinOneSuccess,
        TriggerRule::Always,
    ]);
    let about_one = (0..3_u8, 0..12_usize).prop_map(|(kind, number)| {
        let task = number.to_string();
        match kind {
            0 => TriggerRule::task_success(task),
            1 => TriggerRule::task_failed(task),
            _ => TriggerRule::task_skipped(task),
        }
    });
    let leaf = prop_oneof![4 => named, 2 => about_one, 1 => any_condition()];
    let tree = leaf.prop_recursive(3, 8, 3, |inner| {
        (0..3_u8, prop::collection::vec(inner, 0..3)).prop_map(|(kind, parts)| match kind {
            0 => TriggerRule::All(parts),
            1 => TriggerRule::Any(parts),
            _ => TriggerRule::None(parts),
        })
    });
    prop_oneof![2 => Just(TriggerRule::AllSuccess), 3 => tree]
}

/// Makes a rule name dependencies only; without any, what names one becomes the default.
fn fit(rule: TriggerRule, dependencies: &[String]) -> TriggerRule {
    let name = |task: &crate::TaskId| -> Option<String> {
        let number: usize = task.as_str().parse().unwrap();
        dependencies.get(number.checked_rem(dependencies.len())?).cloned()
    };
    let fit_all = |parts: Vec<TriggerRule>| parts.into_iter().map(|part| fit(part, dependencies));
    match rule {
        TriggerRule::TaskSuccess(task) => name(&task).map(TriggerRule::task_success),
        TriggerRule::TaskFailed(task) => name(&task).map(TriggerRule::task_failed),
        TriggerRule::TaskSkipped(task) => name(&task).map(TriggerRule::task_skipped),
        TriggerRule::All(parts) => Some(TriggerRule::all(fit_all(parts))),
        TriggerRule::Any(parts) => Some(TriggerRule::any(fit_all(parts))),
        TriggerRule::None(parts) => Some(TriggerRule::none(fit_all(parts))),
        other => Some(other),
    }
    .unwrap_or_default()
}

fn any_script() -> impl Strategy<Value = Script> {
    let deed = prop_oneof![
        3 => (any_key(), 0..3_i64).prop_map(|(key, value)| Deed::Set(key, value)),
        2 => any_key().prop_map(Deed::Append),
        1 => any_key().prop_map(Deed::Remove),
    ];
    let failures = prop_oneof![4 => Just(0_u32), 1 => 1..3_u32, 1 => Just(9)];
    let permanent = prop_oneof![8 => Just(None), 1 => (1..3_u32).prop_map(Some)];
    (failures, permanent, 1..4_u32, prop::collection::vec(deed, 0..4)).prop_map(
        |(failures, permanent, max_attempts, deeds)| Script {
            failures,
            permanent,
            max_attempts,
            deeds,
        },
    )
}

/// Draws a DAG: each task, in some order, depends on some of those before it; the declaration is in another order.
fn any_plans() -> impl Strategy<Value = Vec<Plan>> {
    (1..=12_usize).prop_flat_map(|count| {
        let kept = prop_oneof![7 => Just(None), 1 => (any_key(), 0..3_i64).prop_map(Some)];
        // Few edges: a mask that is the meet of two draws.
        let edges = (any::<u16>(), any::<u16>()).prop_map(|(one, other)| one & other);
        let task = (edges, any_rule(), any_script(), kept);
        let declared = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
        (prop::collection::vec(task, count), declared).prop_map(move |(drawn, declared)| {
            let mut plans: Vec<Option<Plan>> = vec![None; count];
            for (index, (edges, rule, script, kept)) in drawn.into_iter().enumerate() {
                let parents = (0..index).filter(|parent| edges & (1 << parent) != 0);
                let dependencies: Vec<usize> = parents.map(|parent| declared[parent]).collect();
                let names: Vec<String> = dependencies
                    .iter()
                    .map(|&place| plans[place].as_ref().unwrap().name.clone())
                    .collect();
                let kept =
                    kept.map(|(key, value)| ([(key.to_owned(), json!(value))].into(), [].into()));
                let rule = fit(rule, &names);
                let name = format!("t{index}");
                plans[declared[index]] = Some(Plan { name, dependencies, rule, script, kept });
            }
            plans.into_iter().map(Option::unwrap).collect()
        })
    })
}

fn input() -> BTreeMap<String, Value> {
    [("k0".to_owned(), json!(1)), ("k1".to_owned(), json!("t1"))].into()
}

/// Compares what is in the store with what the definitions say.
fn check(world: &World<'_>, plans: &[Plan], expected: &Expected) {
    for (plan, fate) in plans.iter().zip(&expected.fates) {
        let row = &world.rows[&plan.name];
        let id = &plan.name;
        assert_eq!(
            (row.state, &row.skip, &row.error),
            (fate.state, &fate.skip, &fate.error),
            "{id}"
        );
        assert_eq!(row.attempts, fate.attempts, "attempts of {id}");
        let text = row.changes.as_ref().map_or("{}", JsonText::as_str);
        let changes: Changes = serde_json::from_str(text).unwrap();
        assert_eq!(
            (changes.set, changes.removed),
            (fate.set.clone(), fate.removed.clone()),
            "{id}"
        );
    }
    let mut rows: Vec<&TaskEnd> = world.rows.values().collect();
    rows.sort_by_key(|row| row.ordinal);
    let order: Vec<&str> = rows.iter().map(|row| row.task.as_str()).collect();
    let expected_order: Vec<&str> =
        expected.order.iter().map(|&place| plans[place].name.as_str()).collect();
    assert_eq!(order, expected_order, "the topological order");
    let mut context = input();
    for row in rows {
        let text = row.changes.as_ref().map_or("{}", JsonText::as_str);
        let changes: Changes = serde_json::from_str(text).unwrap();
        context.extend(changes.set);
        context.retain(|key, _| !changes.removed.contains(key));
    }
    assert_eq!(context, expected.context, "the final context");
    let finish = world.finish.as_ref().unwrap();
    let failed = expected.error.is_some();
    let status = if failed { PipelineStatus::Failed } else { PipelineStatus::Completed };
    assert_eq!((finish.status, &finish.error), (status, &expected.error));
    check_conflicts(world, plans, expected);
}

/// What a task did to a key: nothing, removed it, or set it.
fn write<'a>(expected: &'a Expected, place: usize, key: &str) -> Option<Option<&'a Value>> {
    let fate = &expected.fates[place];
    fate.set.get(key).map(Some).or_else(|| fate.removed.contains(key).then_some(None))
}

fn check_conflicts(world: &World<'_>, plans: &[Plan], expected: &Expected) {
    let concurrent = |one: usize, other: usize| {
        !expected.ancestors[one].contains(&other) && !expected.ancestors[other].contains(&one)
    };
    let place = |name: &str| plans.iter().position(|plan| plan.name == name).unwrap();
    let mut reported = std::collections::BTreeSet::new();
    for event in world.events.iter().filter(|event| event.kind == EventKind::ConflictingWrites) {
        let parts: Vec<&str> = event.detail.split('`').collect();
        let (first, second, key) = (place(parts[1]), place(parts[3]), parts[5]);
        let (one, other) = (write(expected, first, key), write(expected, second, key));
        assert!(one.is_some() && other.is_some() && one != other, "{event:?}");
        assert!(concurrent(first, second), "{event:?}");
        reported.insert(key);
    }
    for key in KEYS {
        let writers: Vec<usize> = expected
            .order
            .iter()
            .copied()
            .filter(|&place| write(expected, place, key).is_some())
            .collect();
        for (index, &second) in writers.iter().enumerate() {
            for &first in &writers[..index] {
                let overwritten =
                    writers[..=index].iter().any(|&w| expected.ancestors[w].contains(&first));
                let differ = write(expected, first, key) != write(expected, second, key);
                if differ && !overwritten {
                    assert!(reported.contains(key), "no word of the conflict about {key}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_order_of_events_comes_to_the_same_end(
        plans in any_plans(), choices in prop::collection::vec(any::<u16>(), 0..120),
    ) {
        let expected = interpret(&plans, &input());
        let mut world = World::new(&plans, &expected, &input(), false);
        world.run(&choices);
        check(&world, &plans, &expected);
        // And without any mishap.
        let mut world = World::new(&plans, &expected, &input(), false);
        world.run(&[]);
        check(&world, &plans, &expected);
    }

    #[test]
    fn a_deadline_ends_every_execution_and_changes_nothing_committed(
        plans in any_plans(), choices in prop::collection::vec(any::<u16>(), 0..60),
    ) {
        let expected = interpret(&plans, &input());
        let mut world = World::new(&plans, &expected, &input(), true);
        world.run(&choices);
        let cancelled = world.rows.values().any(|row| row.state == TaskState::Cancelled);
        if !cancelled {
            // It came too late, or not at all; or all that was left had been taken over.
            let finish = world.finish.as_ref().unwrap();
            if finish.error == expected.error {
                check(&world, &plans, &expected);
                return Ok(());
            }
        }
        prop_assert!(world.overdue);
        let finish = world.finish.clone().unwrap();
        prop_assert_eq!(finish.status, PipelineStatus::Failed);
        prop_assert_eq!(finish.error.unwrap(), "the execution took longer than its timeout of 60s");
        for (plan, fate) in plans.iter().zip(&expected.fates) {
            let row = &world.rows[&plan.name];
            if row.state == TaskState::Cancelled {
                prop_assert!(row.attempts <= fate.attempts.max(plan.script.max_attempts));
            } else {
                prop_assert_eq!((row.state, row.attempts), (fate.state, fate.attempts));
            }
        }
    }
}
