//! Executions of other versions that cannot even be looked at: they must not keep the others from going on.

use std::time::Duration;

use cloacina_core::backend::{JsonText, WorkflowDefinition, WorkflowKey};
use cloacina_core::{Context, ExecutionId, ExecutorError, PipelineStatus, Workflow};
use serde::{Deserialize, Deserializer};

use super::Process;
use super::bodies::{Gate, Journal, endless, noting};
use super::fixture::{ExecutorFixture, workflow};
use crate::conformance::{execution, soon};

/// A type of the user's that cannot be read without a panic.
#[derive(Debug)]
struct Explosive;

impl<'de> Deserialize<'de> for Explosive {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("it explodes")
    }
}

/// Executions of these workflows in which `a` is committed and `b` was running when their process died.
async fn left_behind<const N: usize>(fx: &ExecutorFixture, names: [&str; N]) -> [ExecutionId; N] {
    let (gate, journal) = (Gate::new(), Journal::new());
    let of = |name| {
        let b = endless("b", &gate, &journal).depends_on(["a"]);
        workflow(name, [noting("a", &journal), b])
    };
    let old = fx.process(names.map(of)).await;
    let mut ids = Vec::new();
    for name in names {
        ids.push(old.submit(name).await);
    }
    gate.arrived(names.len().try_into().expect("a few")).await;
    old.crash().await;
    ids.try_into().expect("one each")
}

fn fitting(name: &str, journal: &Journal) -> Workflow {
    let b = noting("b", journal).depends_on(["a"]);
    workflow(name, [noting("a", journal), b.fingerprint("another version")])
}

async fn quick(fx: &ExecutorFixture, workflows: impl IntoIterator<Item = Workflow>) -> Process {
    // The beat, a third of the lease, paces the look at other versions.
    fx.process_with(workflows, |builder| builder.lease_ttl(Duration::from_millis(900))).await
}

/// Catches a worker that looks for nothing any more once a type of its user has panicked over what is on record.
pub async fn a_type_that_panics_over_what_is_on_record_keeps_only_its_own_waiting(
    fx: &ExecutorFixture,
) {
    let journal = Journal::new();
    let [first, explosive, last] = left_behind(fx, ["first", "explosive", "last"]).await;
    let b = noting("b", &journal).depends_on(["a"]).fingerprint("takes what explodes");
    let bad = [noting("a", &journal), b.takes_output::<Explosive>("a")];
    let of = |name| fitting(name, &journal);
    let new = quick(fx, [of("first"), workflow("explosive", bad), of("last")]).await;
    for fits in [first, last] {
        new.ended_as(fits, PipelineStatus::Completed).await;
    }
    fx.until_unowned(explosive).await;
    assert_eq!(new.status(explosive).await, PipelineStatus::Running, "it waits");
    let [later] = left_behind(fx, ["first"]).await;
    new.ended_as(later, PipelineStatus::Completed).await;
}

/// Catches looks for work that keep all places while they are under way, so that executions of other versions find none.
pub async fn an_execution_of_another_version_has_its_turn_where_looks_for_work_never_cease(
    fx: &ExecutorFixture,
) {
    let journal = Journal::new();
    // Beside a peer, a worker takes no more than it can run soon: one look for work reserves all of that.
    let _peer = fx.process([fitting("other", &journal)]).await;
    let (new, backend) = fx.process_and_backend([fitting("w", &journal)], |builder| builder).await;
    backend.is_busy(Duration::from_millis(300));
    let [id] = left_behind(fx, ["w"]).await;
    new.ended_as(id, PipelineStatus::Completed).await;
}

/// Catches a submit that panics in the hands of whoever calls it, where its input is of a type that does.
pub async fn a_type_that_panics_over_its_input_is_an_error_of_the_submit(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let a = noting("a", &journal).takes_input::<Explosive>();
    let process = fx.process([workflow("w", [a])]).await;
    let refused = soon("a submit", process.execute_async("w", Context::new())).await;
    let error = refused.expect_err("what cannot be read is refused");
    let ExecutorError::InputMismatch { source, .. } = error else { panic!("{error:?}") };
    assert!(source.to_string().contains("it explodes"), "{source}");
}

/// Catches a record that cannot be read and keeps all others of its page waiting.
pub async fn a_version_that_cannot_be_read_keeps_only_its_own_waiting(fx: &ExecutorFixture) {
    let journal = Journal::new();
    let spoilt = WorkflowKey { name: "w".into(), version: "spoilt".into() };
    let structure = JsonText::new("\"no structure\"");
    let definition = WorkflowDefinition { key: spoilt, structure };
    fx.store().store().define_workflows(&[definition]).await.expect("define_workflows answers");
    let before = fx.store().submit(execution().workflow("w", "spoilt")).await;
    let [fits] = left_behind(fx, ["w"]).await;
    let after = fx.store().submit(execution().workflow("w", "spoilt")).await;
    let new = quick(fx, [fitting("w", &journal)]).await;
    new.ended_as(fits, PipelineStatus::Completed).await;
    for waits in [before, after] {
        assert_eq!(new.status(waits).await, PipelineStatus::Pending, "it waits to be repaired");
    }
}
