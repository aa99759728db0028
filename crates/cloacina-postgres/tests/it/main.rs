//! The conformance suite, and what is special to PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod commits;
mod conformance_suite;
mod differential;
mod exhausted;
mod hostile;
mod opening;
mod sessions;
mod support;
mod tenants;
