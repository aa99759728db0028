//! The conformance suite, and what is special to SQLite.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod batches;
mod conformance_suite;
mod differential;
mod liveness;
mod opening;
mod plans;
mod sharing;
mod support;
mod tenant_suite;
mod tenants;
