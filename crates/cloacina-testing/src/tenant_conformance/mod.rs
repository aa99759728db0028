//! The suite that everything passes that holds many tenants: the contract of [`TenantStore`] as cases, each named after what it
//! asserts.
//!
//! A store makes its data through a [`TenantHarness`] and gets one test a case by
//! [`tenant_conformance_suite!`](crate::tenant_conformance_suite), where an example stands.
//!
//! A new case is one function in the file of its method, and one word in
//! [`for_each_tenant_case!`](crate::for_each_tenant_case).

#[macro_use]
mod registry;

mod changed;
mod close;
mod create;
pub(crate) mod fixture;
mod list;
mod open;
mod remove;
mod work;

use async_trait::async_trait;
use cloacina_core::TenantStore;

pub use changed::*;
pub use close::*;
pub use create::*;
pub use fixture::{TenantFixture, tenant};
pub use list::*;
pub use open::*;
pub use remove::*;
pub use work::*;

/// Makes stores of one kind for tests.
#[async_trait]
pub trait TenantHarness: Send + Sync + 'static {
    /// What is tested.
    type Store: TenantStore;

    /// Makes a place without tenants.
    async fn start() -> Self
    where
        Self: Sized;

    /// Opens a new, independent handle on the place, as another process would.
    async fn store(&self) -> Self::Store;

    /// Removes the place. All handles are closed by then. A failed case leaves its place behind, to be looked at.
    async fn finish(self)
    where
        Self: Sized;
}

/// Runs one case on a fresh place.
pub async fn run<H: TenantHarness>(case: impl AsyncFnOnce(&TenantFixture<H>)) {
    let fixture = TenantFixture::<H>::new(H::start().await).await;
    Box::pin(case(&fixture)).await;
    fixture.close().await.finish().await;
}
