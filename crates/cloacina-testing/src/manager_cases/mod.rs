//! The suite that a manager of tenants passes on every store: what [`TenantManager`] promises as cases, each named after what it
//! asserts.
//!
//! [`tenant_conformance_suite!`](crate::tenant_conformance_suite) makes tests of these cases too. A new case is one function
//! in the file of its topic, and one word in [`for_each_manager_case!`](crate::for_each_manager_case).

#[macro_use]
mod registry;

mod asking;
mod fairness;
mod fixture;
mod removing;
mod resting;
mod resuming;
mod stopping;

use cloacina_core::TenantManager;

pub use asking::*;
pub use fairness::*;
pub use fixture::ManagerFixture;
pub use removing::*;
pub use resting::*;
pub use resuming::*;
pub use stopping::*;

use crate::tenant_conformance::TenantHarness;

/// A manager of the suite.
pub type Manager<H> = TenantManager<<H as TenantHarness>::Store>;

/// Runs one case on a fresh place.
pub async fn run<H: TenantHarness>(case: impl AsyncFnOnce(&ManagerFixture<H>)) {
    let fixture = ManagerFixture::<H>::new(H::start().await).await;
    Box::pin(case(&fixture)).await;
    fixture.close().await.finish().await;
}
