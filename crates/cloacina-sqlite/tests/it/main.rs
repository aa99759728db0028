//! What is special to SQLite. What every back end does is in the conformance suite of `cloacina-testing`.

mod batches;
mod liveness;
mod opening;
mod plans;
mod sharing;
mod support;
