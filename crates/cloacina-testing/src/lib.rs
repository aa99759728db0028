//! What tests of Cloacina are made of.
//!
//! - [`TestRunner`] runs a workflow in a test: no database, no waiting, failures by script.
//! - [`MemoryBackend`] is the reference model of a [`Backend`](cloacina_core::Backend): slow to nothing, kept as plain
//!   as possible, and the judge of what the contract means.
//! - [`conformance`] is the suite that every back end passes, [`executor_cases`] the one that the engine passes on
//!   every back end; [`conformance_suite!`] turns both into tests.
//! - [`differential`] compares two back ends on random sequences of operations.

pub mod conformance;
pub mod differential;
pub mod executor_cases;
pub mod memory;
#[cfg(unix)]
pub mod postgres;
mod runner;

pub use memory::MemoryBackend;
pub use runner::{Start, TestReport, TestRunner};
