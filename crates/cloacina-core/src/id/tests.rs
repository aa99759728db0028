//! Tests of the identifiers.

use super::{ExecutionId, TaskId, WorkerId};

#[test]
fn an_execution_id_is_read_from_its_text() {
    let id = ExecutionId::new();
    assert_eq!(id.as_uuid().get_version_num(), 7);
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(ExecutionId::from_uuid(*id.as_uuid()), id);
    assert_eq!(format!("{id:?}"), format!("ExecutionId({id})"));
    let error = "nonsense".parse::<ExecutionId>().unwrap_err();
    assert_eq!(error.to_string(), "`nonsense` is not an execution id, expected a UUID");
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{id}\""));
}

#[test]
fn execution_ids_sort_by_the_order_of_their_making() {
    let ids: Vec<ExecutionId> = (0..1000).map(|_| ExecutionId::new()).collect();
    assert!(ids.is_sorted_by(|earlier, later| earlier < later), "and no two are the same");
}

#[test]
fn worker_ids_sort_by_the_order_of_their_making() {
    let id = WorkerId::new();
    assert!(id < WorkerId::new(), "and no two are the same");
    assert_eq!(format!("{id:?}"), format!("WorkerId({id})"));
}

#[test]
fn a_task_id_is_found_by_its_text() {
    let id = TaskId::from("load");
    assert!(id == "load" && id == *"load" && id.as_str() == "load");
    assert_eq!(id, TaskId::from(&String::from("load")));
    assert_eq!(
        (id.to_string(), format!("{id:?}")),
        ("load".to_owned(), "TaskId(\"load\")".to_owned())
    );
    let set = std::collections::BTreeSet::from([id.clone()]);
    let hashed = std::collections::HashSet::from([id]);
    assert!(set.contains("load") && hashed.contains("load"));
}
