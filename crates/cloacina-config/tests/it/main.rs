//! Settings from variables, from the process's own environment, and on real stores.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod process;
mod stores;
mod variables;
