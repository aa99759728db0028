//! Files, good and bad.

use std::io::Write as _;

use cloacina_examples::wf::{Bodies, Bounds, Instance, bakery, kinds, parse, read, workflow};
use serde_json::{Value, json};

/// Reads a document with these tasks, and makes the workflow.
fn check(tasks: &Value, recorded: &Value) -> Result<Instance, String> {
    let document = json!({
        "name": "w",
        "schemaVersion": "1.5",
        "workflow": { "specification": { "tasks": tasks }, "execution": { "tasks": recorded } },
    });
    let instance = parse("w.json", document.to_string().as_bytes()).map_err(|e| e.to_string())?;
    workflow(&instance, 1.0, &Bodies::default()).map_err(|error| error.to_string())?;
    Ok(instance)
}

fn refusal(tasks: &Value, recorded: &Value) -> String {
    check(tasks, recorded).unwrap_err()
}

#[test]
fn parents_and_children_are_united_and_doubles_collapse() {
    let tasks = json!([
        { "id": "a", "name": "a", "children": ["b", "c"] },
        { "id": "b", "name": "b", "parents": ["a", "a"], "children": [] },
        { "id": "c", "name": "c", "parents": ["b"] },
    ]);
    let instance = check(&tasks, &json!([{ "id": "b", "runtimeInSeconds": 2.5 }])).unwrap();
    assert_eq!(instance.edges(), 3);
    assert_eq!(instance.tasks[2].parents, ["b", "a"]);
    let times: Vec<f64> = instance.tasks.iter().map(|task| task.runtime_s).collect();
    assert_eq!(times, [0.0, 2.5, 0.0]);
}

#[test]
fn what_is_wrong_with_the_dag_is_said_by_the_engine_and_placed() {
    let none = json!([]);
    assert_eq!(
        refusal(&json!([{ "id": "alpha" }, { "id": "b", "parents": ["alpa"] }]), &none),
        "w.json: workflow.specification.tasks[1].parents: task `b` depends on `alpa`, which is not in workflow `w`; \
         did you mean `alpha`?"
    );
    assert_eq!(
        refusal(&json!([{ "id": "a" }, { "id": "b" }, { "id": "a" }]), &none),
        "w.json: workflow.specification.tasks[2].id: task `a` is in workflow `w` twice"
    );
    let cycle = json!([{ "id": "a", "parents": ["b"] }, { "id": "b", "parents": ["a"] }]);
    let error = refusal(&cycle, &none);
    assert!(
        error.starts_with("w.json: workflow.specification.tasks: workflow `w` has a cycle: "),
        "{error}"
    );
    assert_eq!(
        refusal(&none, &none),
        "w.json: workflow.specification.tasks: workflow `w` has no tasks"
    );
}

#[test]
fn what_is_wrong_with_the_document_is_placed() {
    let a = json!([{ "id": "a" }]);
    let cases = [
        (json!([{ "name": "a" }]), json!([]), "specification.tasks[0].id: missing"),
        (json!([{ "id": 5 }]), json!([]), "specification.tasks[0].id: expected a text, found 5"),
        (json!([7]), json!([]), "specification.tasks[0]: expected an object, found 7"),
        (json!({}), json!([]), "specification.tasks: expected an array, found an object"),
        (
            json!([{ "id": "a", "parents": "b" }]),
            json!([]),
            "specification.tasks[0].parents: expected an array, found the text \"b\"",
        ),
        (
            json!([{ "id": "a", "children": ["b"] }]),
            json!([]),
            "specification.tasks[0].children: task `b` is not in workflow.specification.tasks",
        ),
        (
            a.clone(),
            json!([{ "id": "b", "runtimeInSeconds": 1 }]),
            "execution.tasks[0].id: task `b` is not in workflow.specification.tasks",
        ),
        (
            a.clone(),
            json!([{ "id": "a" }, { "id": "a" }]),
            "execution.tasks[1].id: task `a` is in workflow.execution.tasks twice",
        ),
        (
            a.clone(),
            json!([{ "id": "a", "runtimeInSeconds": -1 }]),
            "execution.tasks[0].runtimeInSeconds: expected a number of seconds from 0 up, found -1",
        ),
        (
            a,
            json!([{ "id": "a", "runtimeInSeconds": 1e12 }]),
            "execution.tasks: the run time of task `a`, 1000000000000 s, is more than ten years at scale 1",
        ),
    ];
    for (tasks, recorded, expected) in cases {
        assert_eq!(refusal(&tasks, &recorded), format!("w.json: workflow.{expected}"));
    }
}

#[test]
fn other_documents_are_refused() {
    let text = |content: &[u8]| parse("w.json", content).unwrap_err().to_string();
    assert_eq!(text(b"{\"name\": }"), "w.json: is not JSON: expected value at line 1 column 10");
    assert_eq!(text(b"[]"), "w.json: the document: expected an object, found an array");
    assert_eq!(text(b"{}"), "w.json: name: missing");
    assert_eq!(
        text(br#"{"name": "w", "schemaVersion": "1.4", "workflow": {"tasks": []}}"#),
        "w.json: workflow.specification: missing; this reads WfFormat 1.5, the file's schemaVersion is \"1.4\""
    );
    let error = text(b"\x1f\x8bgarbage");
    assert!(error.starts_with("w.json: cannot be read: "), "{error}");
    let error = read("no/such/file.json".as_ref()).unwrap_err().to_string();
    assert!(error.starts_with("no/such/file.json: cannot be read: "), "{error}");
}

#[test]
fn a_gzipped_file_is_known_by_its_first_bytes() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(include_bytes!("../../data/bakery.json")).unwrap();
    let packed = parse("bakery.json (built in)", &packed.finish().unwrap()).unwrap();
    assert_eq!(packed, bakery().unwrap());
}

#[test]
fn bounds_are_those_of_the_scale() {
    let instance = bakery().unwrap();
    let made = workflow(&instance, 0.5, &Bodies::default()).unwrap();
    let bounds = Bounds::new(&instance, &made, 0.5).unwrap();
    // Sourdough, dough, proof, oven, shelves, door; halved.
    let path = (24.0 + 15.2 + 42.0 + 45.0 + 7.0 + 0.5) / 2.0;
    assert!((bounds.critical_path_s - path).abs() < 1e-6, "{bounds:?}");
    assert!((bounds.lower_bound_s(16) - path).abs() < 1e-6, "{bounds:?}");
    assert!((bounds.lower_bound_s(1) - bounds.total_s).abs() < 1e-9, "{bounds:?}");
}

#[test]
fn kinds_are_names_without_numbers() {
    let names =
        ["mProject_ID0000001", "A.B.FASTQC_2", "cpuhog_chain_00000005", "7", "fasterq-dump"];
    let mut instance = bakery().unwrap();
    instance.tasks.truncate(names.len());
    for (task, name) in instance.tasks.iter_mut().zip(names) {
        name.clone_into(&mut task.name);
    }
    assert_eq!(kinds(&instance), ["mProject", "FASTQC", "cpuhog_chain", "7", "fasterq-dump"]);
}
