//! The structure of workflows.

use cloacina_core::backend::{
    ExecutionQuery, JsonText, ProofOfDeath, WorkflowDefinition, WorkflowKey,
};
use cloacina_core::{PipelineStatus, WorkerId};

use super::{Fixture, execution};

fn key(name: &str, version: &str) -> WorkflowKey {
    WorkflowKey { name: name.into(), version: version.into() }
}

fn definition(key: &WorkflowKey, structure: &str) -> WorkflowDefinition {
    WorkflowDefinition { key: key.clone(), structure: JsonText::new(structure) }
}

/// Catches a second definition that overwrites the first, and versions that are mixed up.
pub async fn define_keeps_the_structure_of_each_version(fx: &Fixture) {
    let (first, second) = (key("etl", "1"), key("etl", "2"));
    let store = fx.store();
    assert_eq!(store.definition(&first).await.expect("it answers"), None, "nothing is on record");
    let both = [definition(&first, "[1]"), definition(&second, "[2]")];
    store.define_workflows(&both).await.expect("workflows can be defined");
    let again = [definition(&first, "[3]")];
    store.define_workflows(&again).await.expect("a repeated definition is no error");
    for (key, structure) in [(first, "[1]"), (second, "[2]")] {
        let found = store.definition(&key).await.expect("it answers");
        assert_eq!(found, Some(JsonText::new(structure)), "the structure of {key:?} is another");
    }
}

/// Catches a filter that looks at the name or at the version alone.
pub async fn list_excludes_workflows_and_versions(fx: &Fixture) {
    let mut ids = Vec::new();
    for (name, version) in [("a", "1"), ("a", "2"), ("b", "1")] {
        ids.push(fx.submit(execution().workflow(name, version)).await);
    }
    let known = vec![key("a", "1"), key("b", "2")];
    let query = ExecutionQuery::new().excluding(known);
    for query in [query.clone(), query.unowned()] {
        let found = fx.store().list(&query).await.expect("the list answers");
        let found: Vec<_> = found.iter().map(|record| record.id).collect();
        assert_eq!(found, [ids[2], ids[1]], "exactly one pair was to be left out");
    }
}

/// Catches a list that takes ended executions, or those of others, for a worker's own.
pub async fn list_finds_what_a_worker_owns(fx: &Fixture) {
    let (me, other) = (fx.worker().await, fx.worker().await);
    let mine = fx.submit_owned(me).await;
    fx.submit_owned(other).await;
    fx.submit_free().await;
    fx.submit_ended(me, PipelineStatus::Completed).await;
    let found = fx.store().list(&ExecutionQuery::new().owner(me)).await.expect("the list answers");
    let found: Vec<_> = found.iter().map(|record| record.id).collect();
    assert_eq!(found, [mine], "a worker owns what it took up and has not ended");
}

/// Catches executions that are lost for ever because their submit overtook the burial of its worker.
pub async fn bury_frees_what_an_unregistered_worker_owns(fx: &Fixture) {
    let gone = WorkerId::new();
    let id = fx.submit_owned(gone).await;
    let burials = fx.store().bury_dead_workers(WorkerId::new()).await.expect("bury answers");
    let burial = burials.iter().find(|burial| burial.worker == gone).expect("it is found");
    assert_eq!((burial.executions, burial.proof), (1, ProofOfDeath::Lease), "its one execution");
    assert_eq!(fx.record(id).await.owner, None, "nobody can claim it");
}
