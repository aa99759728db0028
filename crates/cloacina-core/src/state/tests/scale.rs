//! Large workflows: the work grows with the tasks and edges. What is counted is steps, never time.

use std::collections::VecDeque;

use super::*;

/// How the bodies end.
#[derive(Clone, Copy, PartialEq)]
enum Bodies {
    DoNothing,
    WriteOneKeyEach,
    WriteTheSameKey,
    Fail,
}

/// Runs a workflow to its end and returns how many commands that took.
fn commands(flow: &Workflow, bodies: Bodies) -> (usize, Finish) {
    let at = Instant::now();
    let mut state = ExecutionState::new(flow.clone(), InputValues::default(), Vec::new());
    let mut events = VecDeque::from([Event::Begun { at }]);
    let mut count = 0;
    while let Some(event) = events.pop_front() {
        for command in state.apply(event) {
            count += 1;
            match command {
                Command::Start { ordinal } => {
                    let key = if bodies == Bodies::WriteTheSameKey { 0 } else { ordinal };
                    let changes = match bodies {
                        Bodies::DoNothing | Bodies::Fail => Changes::default(),
                        _ => changed(json!({ format!("k{key}"): ordinal }), &[]),
                    };
                    let result = match bodies {
                        Bodies::Fail => {
                            let error = TaskError::new("no");
                            AttemptResult::Failure { error, random: 0.0 }
                        }
                        _ => AttemptResult::Success { changes, changes_json: None, output: None },
                    };
                    events.push_back(Event::AttemptEnded {
                        ordinal,
                        started: at,
                        ended: at,
                        result,
                    });
                }
                Command::Commit(_) => events.push_back(Event::Committed),
                Command::Ended(finish) => {
                    assert_eq!(invariants::violation(&state), None);
                    return (count, finish);
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }
    panic!("the execution has no end");
}

fn chain(length: usize) -> Workflow {
    workflow((0..length).map(|index| match index.checked_sub(1) {
        Some(before) => task(&format!("t{index}"), &[&format!("t{before}")]),
        None => task("t0", &[]),
    }))
}

/// One task, `width` that depend on it, one that depends on those.
fn fan(width: usize) -> Workflow {
    let middle: Vec<String> = (0..width).map(|index| format!("m{index}")).collect();
    let ids: Vec<&str> = middle.iter().map(String::as_str).collect();
    let mut tasks = vec![task("first", &[])];
    tasks.extend(ids.iter().map(|id| task(id, &["first"])));
    tasks.push(task("last", &ids));
    workflow(tasks)
}

/// `depth` layers of `width`, each depending on the whole layer before.
fn layers(depth: usize, width: usize) -> Workflow {
    let id = |layer: usize, index: usize| format!("l{layer}i{index}");
    workflow((0..depth * width).map(|number| {
        let (layer, index) = (number / width, number % width);
        let before: Vec<String> = match layer.checked_sub(1) {
            Some(before) => (0..width).map(|index| id(before, index)).collect(),
            None => Vec::new(),
        };
        task(&id(layer, index), &before.iter().map(String::as_str).collect::<Vec<_>>())
    }))
}

#[test]
fn a_chain_of_ten_thousand() {
    let flow = chain(10_000);
    let (count, finish) = commands(&flow, Bodies::DoNothing);
    // Each task is started and committed, and then comes the end.
    assert_eq!(count, 20_001);
    assert_eq!(finish.status, PipelineStatus::Completed);
    assert_eq!(commands(&flow, Bodies::WriteOneKeyEach).0, 20_001);
    assert_eq!(commands(&flow, Bodies::WriteTheSameKey).0, 20_001);
    // One failure settles all the rest in its own checkpoint.
    let (count, finish) = commands(&flow, Bodies::Fail);
    assert_eq!(count, 3);
    assert_eq!(finish.error.unwrap(), "task `t0` failed: no");
}

#[test]
fn a_fan_of_ten_thousand() {
    let flow = fan(10_000);
    let (count, finish) = commands(&flow, Bodies::DoNothing);
    assert_eq!(finish.status, PipelineStatus::Completed);
    assert!((10_002..=20_005).contains(&count), "{count}");
    commands(&flow, Bodies::WriteTheSameKey);
    commands(&flow, Bodies::WriteOneKeyEach);
    assert_eq!(commands(&flow, Bodies::Fail).0, 3);
}

#[test]
fn a_thousand_layers_of_ten() {
    let flow = layers(1000, 10);
    let (count, finish) = commands(&flow, Bodies::DoNothing);
    assert_eq!(finish.status, PipelineStatus::Completed);
    assert!((10_000..=20_001).contains(&count), "{count}");
    assert_eq!(commands(&flow, Bodies::WriteTheSameKey).1.status, PipelineStatus::Completed);
    let (_, finish) = commands(&flow, Bodies::Fail);
    assert_eq!(finish.error.unwrap(), "task `l0i0` failed: no");
}

/// Below a wide failure, each skipped task has thousands of failures behind it.
#[test]
fn a_long_chain_below_a_wide_failure() {
    let ids: Vec<String> = (0..5000).map(|index| format!("m{index}")).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut tasks: Vec<Task> = all.iter().map(|id| task(id, &[])).collect();
    tasks.push(task("c0", &all));
    tasks.extend((1..5000).map(|n| task(&format!("c{n}"), &[&format!("c{}", n - 1)])));
    let (_, finish) = commands(&workflow(tasks), Bodies::Fail);
    assert_eq!(finish.error.unwrap(), "task `m0` failed: no");
}

/// Ten thousand concurrent tasks agree about a key, and one that saw them all changes it.
#[test]
fn a_wide_agreement_costs_no_search_for_each() {
    let ids: Vec<String> = (0..10_000).map(|index| format!("m{index}")).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut tasks: Vec<Task> = all.iter().map(|id| task(id, &[])).collect();
    tasks.push(task("last", &all));
    let same = |value: i32| completed(changed(json!({ "k": value }), &[]));
    let recorded = all.iter().map(|_| same(1)).chain([same(2)]).collect();
    let mut run = Machine::take_up(&workflow(tasks), json!({}), recorded);
    run.commit();
    assert_eq!(run.end_of(), (PipelineStatus::Completed, None));
    assert!(run.events.is_empty(), "it saw what it overwrote");
}
