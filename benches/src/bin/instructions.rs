//! Counts instructions and bytes, which no other process disturbs: `cargo run --release -p cloacina-bench --bin instructions`.
//!
//! Each subject runs under a tool of valgrind (callgrind, or dhat) with two numbers of executions; their difference, divided, is
//! what one more chain of three tasks costs, without what the start costs.

#![expect(clippy::print_stdout, reason = "a command reports by printing")]

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::{Parser, ValueEnum};
use cloacina_core::{Backend, Context, ExecutorConfig, Task, UnifiedExecutor, Workflow};
use cloacina_sqlite::{SqliteBackend, SqliteOptions};
use cloacina_testing::MemoryBackend;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

const FEW: u64 = 500;
const MANY: u64 = 2_500;

/// Counts the instructions that a chain of three tasks costs, and the memory that one takes while it is not done.
#[derive(Debug, Parser)]
struct Arguments {
    /// Runs a subject instead of counting; what valgrind is given.
    #[arg(long, requires = "executions", hide = true)]
    subject: Option<Subject>,
    #[arg(long, hide = true)]
    executions: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// The pure state machine alone, as the engine feeds it.
    State,
    /// The whole engine on the memory back end.
    Engine,
    /// The whole engine on SQLite, the library's own work included.
    Sqlite,
    /// Executions that the engine holds, and whose first task waits for a slot.
    Held,
    /// Executions for which there is no place: they wait in the store, and somebody waits for each of them.
    Queued,
    /// Executions that have ended.
    Ended,
}

impl Subject {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn unit(self) -> Unit {
        match self {
            Self::State | Self::Engine | Self::Sqlite => Unit::Instructions,
            Self::Held | Self::Queued | Self::Ended => Unit::Bytes,
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Instructions,
    /// Of the heap, at the moment at which most is in use.
    Bytes,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let (Some(subject), Some(executions)) = (arguments.subject, arguments.executions) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        return runtime.block_on(run(subject, executions));
    }
    let folder = tempfile::tempdir()?;
    for &subject in Subject::value_variants() {
        let few = count(folder.path(), subject, FEW)?;
        let many = count(folder.path(), subject, MANY)?;
        let each = (many.saturating_sub(few)) / (MANY - FEW);
        let unit = match subject.unit() {
            Unit::Instructions => "instructions",
            Unit::Bytes => "bytes",
        };
        println!("{:<8} {each:>9} {unit} a chain", subject.name());
    }
    Ok(())
}

/// Runs a subject under valgrind, and returns what was counted.
fn count(folder: &Path, subject: Subject, executions: u64) -> Result<u64> {
    let profile = folder.join("profile");
    let mut command = Command::new("valgrind");
    match subject.unit() {
        Unit::Instructions => {
            command.arg("--tool=callgrind");
            command.arg(format!("--callgrind-out-file={}", profile.display()));
        }
        Unit::Bytes => {
            command.arg("--tool=dhat").arg(format!("--dhat-out-file={}", profile.display()));
        }
    }
    if subject == Subject::State {
        command.arg("--toggle-collect=*ExecutionState::apply*");
    }
    command.arg(std::env::current_exe()?);
    command.args(["--subject", &subject.name(), "--executions", &executions.to_string()]);
    let output = command.output().context("valgrind is not installed")?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("valgrind: {told}");
    }
    let profile = std::fs::read_to_string(&profile)?;
    let counted = match subject.unit() {
        Unit::Instructions => profile.lines().find_map(|line| line.strip_prefix("totals: ")),
        // `==1== At t-gmax: 1,234 bytes in 5 blocks`
        Unit::Bytes => {
            told.lines().find_map(|line| line.split_once("At t-gmax:")?.1.trim().split(' ').next())
        }
    };
    Ok(counted.context("nothing was counted")?.trim().replace(',', "").parse()?)
}

async fn run(subject: Subject, executions: u64) -> Result<()> {
    match subject {
        Subject::State | Subject::Engine => chains(MemoryBackend::new(), executions).await,
        Subject::Sqlite | Subject::Held | Subject::Queued | Subject::Ended => {
            let folder = tempfile::tempdir()?;
            let options = SqliteOptions::new(folder.path().join("instructions.db"));
            let backend = SqliteBackend::open(options).await?;
            match subject {
                Subject::Held => unfinished(backend, executions, Place::Held).await,
                Subject::Queued => unfinished(backend, executions, Place::Store).await,
                _ => chains(backend, executions).await,
            }
        }
    }
}

fn chain(first: Task) -> Result<Workflow> {
    let idle = |id: &str, after: &str| {
        Task::new(id, |_, _| Box::pin(async {})).depends_on([after.to_owned()])
    };
    let chain = Workflow::builder("chain").tasks([first, idle("b", "a"), idle("c", "b")]);
    Ok(chain.build()?)
}

/// Runs chains, many at a time.
async fn chains(backend: impl Backend, executions: u64) -> Result<()> {
    let workflow = chain(Task::new("a", |_, _| Box::pin(async {})))?;
    let executor = UnifiedExecutor::builder().workflows([workflow]).build_on(backend).await?;
    let calls = stream::iter(0..executions).map(|_| executor.execute("chain", Context::new()));
    calls.buffer_unordered(256).try_for_each(|_| async { Ok(()) }).await?;
    executor.shutdown().await?;
    Ok(())
}

/// Where executions wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Held,
    Store,
}

/// Submits chains that wait for the one slot, which a task keeps that never ends.
async fn unfinished(backend: impl Backend, executions: u64, place: Place) -> Result<()> {
    let workflow = chain(Task::new("a", |_, _| Box::pin(std::future::pending::<()>())))?;
    let most = if place == Place::Held { usize::try_from(executions)? + 1 } else { 1 };
    let mut config = ExecutorConfig::default();
    config.max_concurrent_tasks = 1;
    config.max_held_executions = most;
    let builder = UnifiedExecutor::builder().config(config).workflows([workflow]);
    let executor = builder.build_on(backend).await?;
    let mut submitted = Vec::new();
    for _ in 0..=executions {
        submitted.push(executor.execute_async("chain", Context::new()).await?);
    }
    Ok(())
}
