//! The load harness: `cargo run --release -p cloacina-bench -- <workload>`.
//!
//! Figures of one run compare with each other only: what a machine does beside them changes them all.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command reports by printing")]

mod counters;
mod database;
mod engine;
mod figures;
mod history;
mod latency;
mod limit;
mod measure;
mod metg;
mod past;
mod place;
mod process;
mod report;
mod resume;
mod settings;
mod tenants;
mod workloads;

use anyhow::Result;
use clap::Parser as _;

/// The engine's and its limit's alike.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let arguments = settings::Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure::run(&arguments))
}
