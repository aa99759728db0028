//! The suite that the engine passes on every back end: what an executor promises as cases, each named after what it asserts.
//!
//! [`conformance_suite!`](crate::conformance_suite) makes tests of these cases too. A case starts executors as
//! [`Process`]es on one store; a crash is a process that stops without a word. Bodies and cases talk through gates, so
//! that nothing depends on how fast the machine is.
//!
//! A new case is one function in the file of its topic, and one word in
//! [`for_each_executor_case!`](crate::for_each_executor_case).

#[macro_use]
mod registry;

mod arguments;
pub(crate) mod bodies;
mod cancel;
mod contained;
mod cost;
mod crash;
mod explain;
mod extremes;
pub(crate) mod fixture;
mod keys;
mod large;
mod listing;
mod order;
mod overload;
mod panics;
mod pause;
mod poison;
mod refused;
mod repeat;
mod retry;
mod shared;
mod sharing;
mod shutdown;
mod status;
mod strangers;
mod timeout;
mod values;
mod version;
mod waiting;

use std::sync::Arc;

use crate::conformance::{Harness, PATIENCE};

pub use arguments::*;
pub use cancel::*;
pub use contained::*;
pub use cost::*;
pub use crash::*;
pub use explain::*;
pub use extremes::*;
pub use fixture::{Executor, ExecutorBuilder, ExecutorFixture, Process};
pub use keys::*;
pub use large::*;
pub use listing::*;
pub use order::*;
pub use overload::*;
pub use panics::*;
pub use pause::*;
pub use poison::*;
pub use refused::*;
pub use repeat::*;
pub use retry::*;
pub use shared::SharedBackend;
pub use sharing::*;
pub use shutdown::*;
pub use status::*;
pub use strangers::*;
pub use timeout::*;
pub use values::*;
pub use version::*;
pub use waiting::*;

/// Runs one case on a fresh store.
pub async fn run<H: Harness>(case: impl AsyncFnOnce(&ExecutorFixture)) {
    let harness = Arc::new(H::start().await);
    let fixture = ExecutorFixture::new(Arc::clone(&harness) as Arc<dyn Harness>).await;
    Box::pin(case(&fixture)).await;
    fixture.close().await;
    let harness = Arc::into_inner(harness).expect("a case keeps no fixture");
    harness.finish().await;
}
