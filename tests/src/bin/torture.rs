//! Torture: what worker processes and a client leave on a real store on which one fault after the other is inflicted.
//!
//! ```text
//! cargo run --release -p cloacina-tests --bin torture -- --backend sqlite|postgres --faults N [--seed S]
//! ```
//!
//! Tells how far it is on standard error, and prints one line of JSON at the end: `{"faults", "executions", "tasks", "lost", "duplicated",
//! "out_of_order", "stuck", ..}`. Is anything not as it has to be, it names each promise that was broken, tells the history of each execution
//! concerned, leaves the traces, and ends with status 1. The same seed makes the same workload and the same schedule of faults; how far the
//! work is when each strikes is up to the machine.
//!
//! A full disk is among the faults of SQLite where file systems may be mounted. The program is its own workers and client: `torture worker ..`,
//! `torture client ..`, and `torture lock ..`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use cloacina_tests::faults::hold_write_lock;
use cloacina_tests::fleet::run_worker;
use cloacina_tests::torture::{Kind, Plan, run, run_client};

/// Inflicts faults on workers and stores, and judges what is left.
#[derive(Debug, Parser)]
struct Arguments {
    /// The store.
    #[arg(long)]
    backend: Kind,
    /// How many faults.
    #[arg(long)]
    faults: usize,
    /// What the schedule and the workload are made from; drawn if not given.
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("worker") => run_worker(arguments).await.map(|()| ExitCode::SUCCESS),
        Some("lock") => {
            hold_write_lock(arguments.map(PathBuf::from)).await.map(|()| ExitCode::SUCCESS)
        }
        Some("client") => run_client(arguments).await.map(|()| ExitCode::SUCCESS),
        _ => torture(&Arguments::parse()).await,
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks")]
async fn torture(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    let program = std::env::current_exe()?;
    let plan = Plan { kind: arguments.backend, faults: arguments.faults, seed, program };
    eprintln!("seed {seed}");
    let outcome = run(&plan, &|what| eprintln!("{what}")).await;
    for violation in &outcome.violations {
        eprintln!("{violation}");
    }
    for line in &outcome.histories {
        eprintln!("{line}");
    }
    if let Some(traces) = &outcome.traces {
        eprintln!("the traces are in {}", traces.display());
    }
    println!("{}", serde_json::to_string(&outcome.report)?);
    Ok(if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
