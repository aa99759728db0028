//! Runs a recorded scientific workflow: reads a WfFormat 1.5 file, makes a workflow of it at run time, and runs that durably.
//!
//! ```sh
//! cargo run --release -p cloacina-examples --example wfcommons -- [FILE] [--database URL] [--schema NAME] [--workers N] [--scale F] [--resume] [--gantt OUT.svg]
//! ```
//!
//! Every task sleeps as long as it was recorded to run, times `--scale`. Kill it at any moment, even with `kill -9`,
//! and start it again with `--resume`: it finishes the same execution, and runs no task again whose end was
//! committed. Instances: <https://github.com/wfcommons/WfInstances>; without FILE, one of ours. See `--help`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use cloacina_examples::wf::{self, FileError, Report, Settings};
use cloacina_examples::{Database, DatabaseError};
use indicatif::{ProgressBar, ProgressStyle};
use tracing_subscriber::EnvFilter;

/// Runs a workflow that is described in a WfFormat 1.5 file; every task sleeps for its recorded run time, scaled.
///
/// The last line on standard output is one JSON object: instance, tasks, edges, completed, failed, skipped, makespan_s,
/// critical_path_s, lower_bound_s, executed_this_run. Times are in seconds, at the given scale. `makespan_s` is measured
/// in this process; of an execution that had ended before, it is the recorded time. `executed_this_run` counts the task
/// bodies that this process started. Progress and logs (RUST_LOG, default `warn`) go to standard error.
///
/// Exit status: 0 if the workflow completed, 1 if it did not, 2 if the arguments or the file are wrong, 130 after Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "wfcommons", verbatim_doc_comment)]
struct Args {
    /// The WfFormat 1.5 file, plain or gzipped; without it, a small instance that comes with the example.
    file: Option<PathBuf>,

    /// Where executions are kept: `sqlite://file.db`, or `postgresql://user:password@host:port/database`.
    ///
    /// `postgres://` is the same as `postgresql://`. What is on a command line others can see, by `ps` for example: leave
    /// the password out and set PGPASSWORD, or have a `.pgpass` file.
    #[arg(long, value_name = "URL", default_value = "sqlite://wfcommons.db")]
    database: String,

    /// The schema of the PostgreSQL database, created if it is missing; without it, `public`.
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,

    /// How many tasks run at once.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    workers: u32,

    /// By what run times are multiplied; with 0, tasks do nothing.
    #[arg(long, value_name = "F", default_value_t = 0.01, value_parser = scale, allow_negative_numbers = true)]
    scale: f64,

    /// Go on with the newest unfinished execution of this workflow in the database.
    ///
    /// If there is none, report the newest finished one; if there is none either, submit a new one. So it may always
    /// be given.
    #[arg(long)]
    resume: bool,

    /// Draw who ran when into this SVG file.
    #[arg(long, value_name = "OUT.svg")]
    gantt: Option<PathBuf>,
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale.is_finite() && scale >= 0.0 => Ok(scale),
        _ => Err("expected a number from 0 up".to_owned()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let outcome = tokio::select! {
        outcome = Box::pin(run(&args)) => outcome,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("stopped; what was committed is kept, go on with --resume");
            return ExitCode::from(130);
        }
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", chain(&error));
            ExitCode::from(if is_mistake(&error) { 2 } else { 1 })
        }
    }
}

/// Tells whether the arguments or the file are wrong.
fn is_mistake(error: &anyhow::Error) -> bool {
    error.is::<FileError>() || error.is::<DatabaseError>()
}

/// Joins an error and its causes; a text that ends with its cause is not repeated.
fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| {
        if text.is_empty() {
            cause
        } else if text.ends_with(&cause) {
            text
        } else {
            format!("{text}: {cause}")
        }
    })
}

async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let instance = match &args.file {
        Some(file) => wf::read(file)?,
        None => wf::bakery()?,
    };
    let settings = Settings {
        database: Database::new(&args.database, args.schema.as_deref())?,
        workers: args.workers,
        scale: args.scale,
        resume: args.resume,
        bar: progress_bar(instance.tasks.len())?,
    };
    let ended = wf::run(&instance, &settings).await;
    settings.bar.finish_and_clear();
    let ended = ended?;
    if let Some(path) = &args.gantt {
        wf::write_gantt(path, &instance, &ended)?;
    }
    if let Some(error) = &ended.result.error_message {
        eprintln!("execution {} is {}: {error}", ended.result.execution_id, ended.result.status);
    }
    println!("{}", Report::new(&instance, &ended, args.workers).to_line()?);
    Ok(if ended.result.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes a bar on standard error, hidden if that is no terminal.
fn progress_bar(tasks: usize) -> anyhow::Result<ProgressBar> {
    let style =
        ProgressStyle::with_template("[{elapsed_precise}] {bar:40} {pos}/{len} tasks, {eta} left")
            .context("the template of the progress bar")?;
    Ok(ProgressBar::new(u64::try_from(tasks)?).with_style(style))
}
