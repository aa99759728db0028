//! The load harness: `cargo run --release -p cloacina-bench -- <workload>`.
//!
//! Figures of one run compare with each other only: what a machine does beside them changes them all.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command reports by printing")]

mod figures;
mod process;
mod tenants;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures what the engine does with the machine.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    workload: Workload,
}

#[derive(Debug, Subcommand)]
enum Workload {
    /// Many tenants of which few are active: what idle ones cost, and how long a quiet one waits beside busy ones.
    Tenants(tenants::Arguments),
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.workload {
            Workload::Tenants(arguments) => tenants::run(arguments).await,
        }
    })
}
