//! What tests of Cloacina are made of.
//!
//! - [`TestRunner`] runs a workflow in a test: no database, no waiting, failures by script.
//! - [`MemoryBackend`] is the reference model of a [`Backend`](cloacina_core::Backend): slow to nothing, kept as plain
//!   as possible, and the judge of what the contract means.
//! - [`MemoryTenants`] is the same for a [`TenantStore`](cloacina_core::TenantStore); [`tenant_conformance`] is the suite that
//!   every such store passes, [`tenant_conformance_suite!`] turns it into tests.
//! - [`conformance`] is the suite that every back end passes, [`executor_cases`] the one that the engine passes on
//!   every back end; [`conformance_suite!`] turns both into tests.
//! - [`simulation`] runs the real engine under faults that a seed decides, and checks that it keeps its promises.
//! - [`differential`] compares two back ends on random sequences of operations.

pub mod conformance;
pub mod differential;
pub mod executor_cases;
pub mod manager_cases;
pub mod memory;
#[cfg(unix)]
pub mod postgres;
mod runner;
pub mod simulation;
pub mod tenant_conformance;

pub use memory::{MemoryBackend, MemoryTenants};
pub use runner::{Start, TestReport, TestRunner};
