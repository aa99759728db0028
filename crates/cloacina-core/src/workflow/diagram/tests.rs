//! Tests of the diagrams.

use crate::{Task, TriggerRule, Workflow};

fn workflow(name: &str, first: &str) -> Workflow {
    let task = |id: &str| Task::blocking(id, |_, _| ());
    let join = TriggerRule::any([TriggerRule::task_failed(first), TriggerRule::task_success("b")]);
    Workflow::builder(name)
        .task(task("join").depends_on(["b", first, "b"]).trigger_rules(join))
        .task(task(first))
        .task(task("b").depends_on([first]))
        .build()
        .unwrap()
}

#[test]
fn tasks_come_in_topological_order_and_each_edge_once() {
    let expected = r#"---
title: "w"
---
flowchart TD
    n0["a"]
    n1["b"]
    n2["join<br/>any(task_failed(#34;a#34;), task_success(#34;b#34;))"]
    n0 --> n1
    n1 --> n2
    n0 --> n2
"#;
    assert_eq!(workflow("w", "a").to_mermaid(), expected);
    let expected = r#"digraph "w" {
    node [shape=box];
    n0 [label="a"];
    n1 [label="b"];
    n2 [label="join\nany(task_failed(\"a\"), task_success(\"b\"))"];
    n0 -> n1;
    n1 -> n2;
    n0 -> n2;
}
"#;
    assert_eq!(workflow("w", "a").to_dot(), expected);
}

/// The tools show the ids as they are.
#[test]
fn what_means_something_to_the_languages_is_escaped() {
    let nasty = workflow("a \"quoted\": \\ name\n", "<b>\"x\" & `y` #1; \\n {z} [end]\n--> ä😀");
    let mermaid = nasty.to_mermaid();
    assert!(
        mermaid.starts_with("---\ntitle: \"a \\\"quoted\\\": \\\\ name \"\n---\n"),
        "{mermaid}"
    );
    let label = "n0[\"#60;b#62;#34;x#34; #38; #96;y#96; #35;1; #92;n {z} [end] --#62; ä😀\"]\n";
    assert!(mermaid.contains(label), "{mermaid}");
    let dot = nasty.to_dot();
    assert!(dot.starts_with("digraph \"a \\\"quoted\\\": \\\\ name \" {\n"), "{dot}");
    let label = "n0 [label=\"<b>\\\"x\\\" &amp; `y` #1; \\\\n {z} [end] --> ä😀\"];\n";
    assert!(dot.contains(label), "{dot}");
}
