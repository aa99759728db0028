//! The suite that every back end passes: the contract of [`Backend`] as cases, each named after what it asserts.
//!
//! A back end makes its stores through a [`Harness`] and gets one test a case by
//! [`conformance_suite!`](crate::conformance_suite), where an example stands.
//!
//! A new case is one function in the file of its method, and one word in [`for_each_case!`](crate::for_each_case).

#[macro_use]
mod registry;

mod acquit;
mod bury;
mod cancel;
mod changed;
mod checkpoint;
mod claim;
mod close;
mod define;
mod due;
mod fencing;
mod fixture;
mod heartbeat;
mod list;
mod make;
mod pause;
mod prune;
mod read;
mod release;
mod retire;
mod submit;
mod submit_key;
mod values;

use std::sync::Arc;

use async_trait::async_trait;
use cloacina_core::backend::ProofOfDeath;
use cloacina_core::{Backend, ExecutionQuery};

pub use acquit::*;
pub use bury::*;
pub use cancel::*;
pub use changed::*;
pub use checkpoint::*;
pub use claim::*;
pub use close::*;
pub use define::*;
pub use due::*;
pub use fencing::*;
pub use fixture::Fixture;
pub(crate) use fixture::{PATIENCE, drop_after_polls, soon, take_a_breath};
pub use heartbeat::*;
pub use list::*;
pub use make::{
    CheckpointBuilder, ExecutionBuilder, TaskEndBuilder, adopt, adopt_under, attempt_failure,
    attempt_start, checkpoint, event, execution, task_end, workflow_key,
};
pub use pause::*;
pub use prune::*;
pub use read::*;
pub use release::*;
pub use retire::*;
pub use submit::*;
pub use submit_key::*;
pub use values::*;

/// Makes stores of one kind for tests.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// Makes a fresh, empty store.
    async fn start() -> Self
    where
        Self: Sized;

    /// Opens a new, independent handle on the store, as another process would.
    async fn handle(&self) -> Arc<dyn Backend>;

    /// How the death of a process is told on this store, before its lease runs out or by its lease alone.
    fn proof(&self) -> ProofOfDeath {
        ProofOfDeath::Lock
    }

    /// Removes the store. All its handles are closed by then. A failed case leaves its store behind, to be looked at.
    async fn finish(self)
    where
        Self: Sized;
}

/// Runs one case on a fresh store.
pub async fn run<H: Harness>(case: impl AsyncFnOnce(&Fixture)) {
    let harness = Arc::new(H::start().await);
    let fixture = Fixture::new(Arc::clone(&harness) as Arc<dyn Harness>).await;
    Box::pin(case(&fixture)).await;
    fixture.close().await;
    let harness = Arc::into_inner(harness).expect("a case keeps no fixture");
    harness.finish().await;
}

/// Asks for every execution.
fn all() -> ExecutionQuery {
    ExecutionQuery::new()
}
