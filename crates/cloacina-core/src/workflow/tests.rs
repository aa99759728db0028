//! Tests of workflows.

use super::{Workflow, Workflows};
use crate::{RetryPolicy, Task, TriggerRule};

fn task(id: &str) -> Task {
    Task::blocking(id, |_context, _run| ())
}

fn version(tasks: impl IntoIterator<Item = Task>) -> String {
    Workflow::builder("w").tasks(tasks).build().unwrap().version().to_owned()
}

fn pair() -> [Task; 2] {
    [task("a").fingerprint("1"), task("b").depends_on(["a"])]
}

#[test]
fn a_version_stays_while_nothing_changes_that_matters_to_an_execution() {
    let known = version(pair());
    assert_eq!(known.len(), 32);
    assert_eq!(version(pair()), known);
    let [a, b] = pair();
    assert_eq!(version([b, a]), known, "the topological order is the same");
    let [a, b] = pair();
    assert_eq!(version([a.retry(RetryPolicy::new(9)), b]), known);
    let described = Workflow::builder("other").description("x").tasks(pair()).build().unwrap();
    assert_eq!(described.version(), known);
    // Pinned, as executions in flight carry it across releases of this crate.
    assert_eq!(known, PINNED);
}

const PINNED: &str = "bbb7878d5595a281faaaa4307a8a4793";

#[test]
fn a_version_changes_with_the_structure_and_the_fingerprints() {
    let mut versions = vec![version(pair())];
    let [a, b] = pair();
    versions.push(version([a, b.fingerprint("1")]));
    let [_, b] = pair();
    versions.push(version([task("a").fingerprint("2"), b]));
    let [a, _] = pair();
    versions.push(version([a, task("b")]));
    let [a, b] = pair();
    versions.push(version([a, b.trigger_rules(TriggerRule::AllDone)]));
    let [a, b] = pair();
    versions.push(version([a, b, task("c")]));
    let [a, b] = pair();
    versions.push(version([task("c"), a, b]));
    // The same letters, cut elsewhere.
    versions.push(version([task("ab"), task("c")]));
    versions.push(version([task("a"), task("bc")]));
    versions.push(version([task("a").fingerprint("b"), task("c")]));
    let count = versions.len();
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), count, "no two are the same");
}

#[test]
fn tasks_are_found_by_id_and_come_in_topological_order() {
    let [a, b] = pair();
    let workflow = Workflow::builder("w").task(b).task(a).description("text").build().unwrap();
    assert_eq!((workflow.name(), workflow.description()), ("w", "text"));
    let ids: Vec<&str> = workflow.tasks().iter().map(|task| task.id().as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!((workflow.ordinal("a"), workflow.ordinal("b")), (Some(0), Some(1)));
    assert_eq!(workflow.task("b").unwrap().id(), "b");
    assert!(workflow.task("c").is_none());
}

#[test]
fn a_name_stands_for_one_workflow() {
    let make = |name: &str| Workflow::builder(name).task(task("a")).build().unwrap();
    let known = Workflows::new([make("z"), make("a")]).unwrap();
    assert_eq!(known.names(), ["a", "z"]);
    assert_eq!(known.keys()[1].name.as_ref(), "z");
    assert!(known.get("a").is_some() && known.get("b").is_none());
    let error = Workflows::new([make("z"), make("a"), make("z")]).unwrap_err();
    assert_eq!(error.to_string(), "workflow `z` is registered twice");
}
