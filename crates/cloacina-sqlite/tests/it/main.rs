//! What is special to SQLite. What every back end does is in the conformance suite of `cloacina-testing`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod batches;
mod liveness;
mod opening;
mod plans;
mod sharing;
mod support;
