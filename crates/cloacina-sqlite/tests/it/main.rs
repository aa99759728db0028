//! The conformance suite, and what is special to SQLite.

mod batches;
mod conformance_suite;
mod liveness;
mod opening;
mod plans;
mod sharing;
mod support;
