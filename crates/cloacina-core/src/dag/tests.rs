//! Tests of the DAG.

mod names;

use std::collections::HashSet;

use proptest::prelude::*;

use super::message::{self, Fault};
use super::{Check, Dag, Node, WorkflowError, check_name, count_dependencies};
use crate::{TaskId, TaskMeta};

/// Builds workflow `w` of tasks with their dependencies, in the order of their declaration.
fn build(tasks: &[(&str, &[&str])]) -> Result<Dag, WorkflowError> {
    let owned: Vec<(TaskId, Vec<TaskId>)> = tasks
        .iter()
        .map(|(id, parents)| ((*id).into(), parents.iter().map(|&parent| parent.into()).collect()))
        .collect();
    from_ids("w", &owned)
}

fn from_ids(workflow: &str, tasks: &[(TaskId, Vec<TaskId>)]) -> Result<Dag, WorkflowError> {
    let names: Vec<Vec<&str>> =
        tasks.iter().map(|(_, ids)| ids.iter().map(TaskId::as_str).collect()).collect();
    let nodes = tasks.iter().zip(&names).map(|((id, _), dependencies)| Node {
        id: id.as_str(),
        dependencies,
        rule_tasks: &[],
    });
    Dag::new(workflow, &nodes.collect::<Vec<_>>())
}

fn error(tasks: &[(&str, &[&str])]) -> String {
    build(tasks).unwrap_err().to_string()
}

/// The arrows show the flow of data: each depends on the one before. The walk begins with the first declared.
#[test]
fn a_cycle_is_told_as_a_path() {
    let two = error(&[("a", &["b"]), ("b", &["a"])]);
    assert_eq!(two, "workflow `w` has a cycle: a -> b -> a");
    assert_eq!(error(&[("b", &["a"]), ("a", &["b"])]), "workflow `w` has a cycle: b -> a -> b");
    assert_eq!(error(&[("a", &["a"])]), "task `a` depends on itself");
    let three: [(&str, &[&str]); 3] = [("a", &["c"]), ("b", &["a"]), ("c", &["b"])];
    assert_eq!(error(&three), "workflow `w` has a cycle: a -> b -> c -> a");
    let other_way: [(&str, &[&str]); 3] = [("a", &["b"]), ("b", &["c"]), ("c", &["a"])];
    assert_eq!(error(&other_way), "workflow `w` has a cycle: a -> c -> b -> a");
}

#[test]
fn tasks_before_and_after_a_cycle_are_not_in_its_path() {
    let text = error(&[
        ("after", &["y"]),
        ("before", &[]),
        ("y", &["before", "x"]),
        ("x", &["before", "y"]),
        ("more", &["after"]),
    ]);
    assert_eq!(text, "workflow `w` has a cycle: y -> x -> y");
}

#[test]
fn an_unknown_dependency_is_named_with_the_nearest_task() {
    let tasks: [(&str, &[&str]); 3] = [("extract", &[]), ("exact", &[]), ("load", &["extrct"])];
    assert_eq!(
        error(&tasks),
        "task `load` depends on `extrct`, which is not in workflow `w`; did you mean `extract`?"
    );
    assert_eq!(
        error(&[("load", &["transform"])]),
        "task `load` depends on `transform`, which is not in workflow `w`"
    );
    assert_eq!(
        error(&[("first", &[]), ("load", &["First"]), ("fist", &[])]),
        "task `load` depends on `First`, which is not in workflow `w`; did you mean `first`?"
    );
    // Only the last id is checked against the length of a name when it is declared; this one is only named.
    assert!(matches!(build(&[("a", &["\0"])]), Err(WorkflowError::UnknownDependency { .. })));
}

#[test]
fn duplicates_and_nothing_at_all_are_refused() {
    assert_eq!(
        error(&[("a", &[]), ("b", &[]), ("a", &["b"])]),
        "task `a` is in workflow `w` twice"
    );
    assert_eq!(error(&[]), "workflow `w` has no tasks");
}

#[test]
fn a_dependency_named_twice_counts_once() {
    let dag = build(&[("a", &[]), ("b", &["a", "a"])]).unwrap();
    assert_eq!(dag.dependencies, [vec![], vec![0]]);
    assert_eq!(dag.dependents, [vec![1], vec![]]);
}

#[test]
fn a_rule_may_ask_about_dependencies_only() {
    let check = |named: &str| {
        let node = |id, dependencies, rule_tasks| Node { id, dependencies, rule_tasks };
        let named = [named];
        Dag::new("w", &[node("a", &[], &[]), node("b", &[], &[]), node("c", &["a"], &named)])
    };
    assert!(check("a").is_ok());
    for stranger in ["b", "c", "nobody"] {
        let expected = format!(
            "the trigger rules of task `c` name `{stranger}`, which is not among its dependencies in workflow `w`"
        );
        assert_eq!(check(stranger).unwrap_err().to_string(), expected);
    }
}

/// What `workflow!` lets rustc say of these tasks, by place.
fn compiled<const N: usize, const E: usize>(tasks: [TaskMeta; N]) -> Vec<Option<String>> {
    assert_eq!(count_dependencies(&tasks), E);
    let check: &'static Check<N, E> = Box::leak(Box::new(Check::new("w", &tasks)));
    let said = |place| {
        let panic = std::panic::catch_unwind(|| check.report(place)).err()?;
        panic.downcast_ref::<String>().cloned()
    };
    (0..N).map(said).collect()
}

#[test]
fn rustc_says_the_same_of_every_task_at_once() {
    let meta =
        |id, dependencies, rule_tasks| TaskMeta { id, dependencies, rule_tasks, fingerprint: "" };
    let some = |text: &str| Some(text.to_owned());
    let sound = [meta("a", &[], &[]), meta("b", &["a"], &["a"])];
    assert_eq!(compiled::<_, 1>(sound), [None, None]);
    let broken = [
        meta("extract", &[], &[]),
        meta("load", &["extrct"], &[]),
        meta("extract", &[], &[]),
        meta("tell", &["extract"], &["load"]),
        meta("free", &[], &[]),
    ];
    assert_eq!(
        compiled::<_, 2>(broken),
        [
            None,
            some(
                "task `load` depends on `extrct`, which is not in workflow `w`; did you mean `extract`?"
            ),
            some("task `extract` is in workflow `w` twice"),
            some(
                "the trigger rules of task `tell` name `load`, which is not among its dependencies in workflow `w`"
            ),
            None,
        ]
    );
    let circle = [meta("x", &["a"], &[]), meta("b", &["a"], &[]), meta("a", &["b"], &[])];
    assert_eq!(
        compiled::<_, 3>(circle),
        [None, some("workflow `w` has a cycle: b -> a -> b"), None]
    );
}

#[test]
fn a_sentence_about_very_many_tasks_is_cut_between_names() {
    let names: Vec<String> = (0..2_000).map(|n| format!("ä{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let text = message::text("w", &Fault::Cycle { cycle: &names });
    let text = text.as_str();
    assert!(text.starts_with("workflow `w` has a cycle: ä0 -> ä1 -> "), "{text}");
    assert!(text.ends_with(" -> …") || text.ends_with(" …"), "{text}");
    assert!(text.len() <= 4096);
}

#[test]
fn names_have_one_to_255_bytes_and_no_nul() {
    let longest = "ü".repeat(127) + "x";
    assert_eq!(longest.len(), 255);
    for good in ["a", " ", "ä😀", "a.b/c d\"`", &longest] {
        assert_eq!(check_name("task id", good), Ok(()), "{good:?}");
        assert!(build(&[(good, &[])]).is_ok());
    }
    for bad in ["", "\0", "a\0b", &"x".repeat(256)] {
        assert!(matches!(build(&[(bad, &[])]), Err(WorkflowError::InvalidName { .. })), "{bad:?}");
        let tasks = [("a".into(), vec![])];
        let workflow = from_ids(bad, &tasks).unwrap_err();
        assert!(workflow.to_string().starts_with("workflow name "), "{workflow}");
    }
    let rest = "is refused: it must have 1 to 255 bytes and no NUL character";
    assert_eq!(error(&[("a\0b", &[])]), format!("task id \"a\\0b\" {rest}"));
    let cut = error(&[(&"é".repeat(300), &[])]);
    assert_eq!(cut, format!("task id {:?} {rest}", "é".repeat(64)));
}

#[test]
fn the_order_is_topological_and_ties_go_by_declaration() {
    let tasks: [(&str, &[&str]); 6] =
        [("z", &["m"]), ("c", &[]), ("m", &["b"]), ("a", &[]), ("b", &[]), ("k", &["c", "a"])];
    let dag = build(&tasks).unwrap();
    let order: Vec<&str> = dag.order.iter().map(|&place| tasks[place].0).collect();
    // Of those that could come next it is always the first declared.
    assert_eq!(order, ["c", "a", "b", "m", "z", "k"]);
    assert_eq!(dag.dependencies[5], [0, 1], "in the order of the declaration");
}

/// Task `t` of any graph, and the places on which it depends.
fn any_graph() -> impl Strategy<Value = Vec<Vec<usize>>> {
    (1..9_usize)
        .prop_flat_map(|count| prop::collection::vec(prop::collection::vec(0..count, 0..3), count))
}

fn of_places(graph: &[Vec<usize>]) -> Result<Dag, WorkflowError> {
    let id = |place: &usize| TaskId::from(format!("t{place}"));
    let tasks: Vec<(TaskId, Vec<TaskId>)> = graph
        .iter()
        .enumerate()
        .map(|(place, parents)| (id(&place), parents.iter().map(id).collect()))
        .collect();
    from_ids("w", &tasks)
}

/// Reports whether one task leads to another, by looking at every path.
fn leads(graph: &[Vec<usize>], from: usize, to: usize, seen: &mut HashSet<usize>) -> bool {
    graph[to]
        .iter()
        .any(|&parent| parent == from || (seen.insert(parent) && leads(graph, from, parent, seen)))
}

proptest! {
    #[test]
    fn a_graph_is_refused_if_and_only_if_it_has_a_cycle(graph in any_graph()) {
        let reaches = |from, to| leads(&graph, from, to, &mut HashSet::new());
        let cyclic = (0..graph.len()).any(|place| reaches(place, place));
        match of_places(&graph) {
            Ok(dag) => {
                prop_assert!(!cyclic);
                check_order(&graph, &dag)?;
                for (of, place) in dag.order.iter().enumerate() {
                    for least in 0..graph.len() {
                        let found = dag.ancestors(super::to_ordinal(of), super::to_ordinal(least));
                        let naive: HashSet<u32> = (least..graph.len())
                            .filter(|&one| reaches(dag.order[one], *place))
                            .map(super::to_ordinal)
                            .collect();
                        prop_assert_eq!(found, naive);
                    }
                }
            }
            Err(WorkflowError::Cycle { cycle, .. }) => {
                prop_assert!(cyclic);
                let path: Vec<usize> =
                    cycle.iter().map(|id| id.as_str()[1..].parse().unwrap()).collect();
                prop_assert!(path.len() >= 2);
                prop_assert_eq!(path.first(), path.last());
                prop_assert_eq!(path.first(), path.iter().min(), "begins with the first declared");
                for pair in path.windows(2) {
                    prop_assert!(graph[pair[1]].contains(&pair[0]), "{:?}", path);
                }
                let inside: HashSet<usize> = path[1..].iter().copied().collect();
                prop_assert_eq!(inside.len(), path.len() - 1, "nothing comes up twice");
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}

/// The order by its definition: again and again the first declared task whose dependencies have all come.
fn check_order(graph: &[Vec<usize>], dag: &Dag) -> Result<(), TestCaseError> {
    let mut come = Vec::new();
    for &place in &dag.order {
        let next = (0..graph.len()).find(|one| {
            !come.contains(one) && graph[*one].iter().all(|parent| come.contains(parent))
        });
        prop_assert_eq!(Some(place), next);
        come.push(place);
    }
    for (ordinal, dependents) in dag.dependents.iter().enumerate() {
        prop_assert!(dependents.is_sorted());
        for &dependent in dependents {
            prop_assert!(
                dag.dependencies[dependent as usize].contains(&super::to_ordinal(ordinal))
            );
        }
    }
    let edges: usize = dag.dependencies.iter().map(Vec::len).sum();
    prop_assert_eq!(edges, dag.dependents.iter().map(Vec::len).sum::<usize>());
    Ok(())
}

/// Nothing here recurses, so depth needs no stack; and a graph of this size takes no time worth noting.
#[test]
fn large_graphs() {
    let count = 10_000_usize;
    let chain: Vec<Vec<usize>> =
        (0..count).map(|place| place.checked_sub(1).into_iter().collect()).collect();
    let dag = of_places(&chain).unwrap();
    assert_eq!(dag.ancestors(super::to_ordinal(count - 1), 0).len(), count - 1);
    // The same, declared from the last to the first.
    let reversed: Vec<Vec<usize>> = (0..count)
        .map(|place| (place + 1 < count).then_some(place + 1).into_iter().collect())
        .collect();
    assert_eq!(of_places(&reversed).unwrap().order[0], count - 1);
    let mut circle = chain;
    circle[0].push(count - 1);
    let Err(WorkflowError::Cycle { cycle, .. }) = of_places(&circle) else { panic!("a circle") };
    assert_eq!(cycle.len(), count + 1);

    let wide: Vec<Vec<usize>> = (0..count)
        .map(|place| match place {
            0 => Vec::new(),
            last if last == count - 1 => (1..count - 1).collect(),
            _ => vec![0],
        })
        .collect();
    assert_eq!(of_places(&wide).unwrap().dependents[0].len(), count - 2);
    let layered: Vec<Vec<usize>> = (0..count)
        .map(|place| {
            (place / 10 * 10).checked_sub(10).map_or_else(Vec::new, |l| (l..l + 10).collect())
        })
        .collect();
    let dag = of_places(&layered).unwrap();
    assert_eq!(dag.ancestors(super::to_ordinal(count - 1), 0).len(), count - 10);
}

/// A rule that asks about each of very many dependencies is checked without looking through them for each.
#[test]
fn a_rule_about_very_many_tasks() {
    let ids: Vec<String> = (0..10_000).map(|index| format!("t{index}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut nodes: Vec<Node<'_>> =
        ids.iter().map(|id| Node { id, dependencies: &[], rule_tasks: &[] }).collect();
    nodes.push(Node { id: "last", dependencies: &ids, rule_tasks: &ids });
    assert_eq!(Dag::new("w", &nodes).unwrap().len(), 10_001);
}
