//! Counts instructions, which no other process disturbs: `cargo run --release -p cloacina-bench --bin instructions`.
//!
//! Each subject runs under valgrind's callgrind with two numbers of executions; their difference, divided, is what one more
//! chain of three tasks costs, without what the start costs.

#![expect(clippy::print_stdout, reason = "a command reports by printing")]

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::{Parser, ValueEnum};
use cloacina_core::{Backend, Context, Task, UnifiedExecutor, Workflow};
use cloacina_sqlite::{SqliteBackend, SqliteOptions};
use cloacina_testing::MemoryBackend;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

const FEW: u64 = 500;
const MANY: u64 = 2_500;

/// Counts the instructions that a chain of three tasks costs.
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
}

impl Subject {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
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
        println!("{:<8} {each:>9} instructions a chain", subject.name());
    }
    Ok(())
}

/// Runs a subject under callgrind, and returns how many instructions were counted.
fn count(folder: &Path, subject: Subject, executions: u64) -> Result<u64> {
    let profile = folder.join("profile");
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", profile.display()));
    if subject == Subject::State {
        command.arg("--toggle-collect=*ExecutionState::apply*");
    }
    command.arg(std::env::current_exe()?);
    command.args(["--subject", &subject.name(), "--executions", &executions.to_string()]);
    let output = command.output().context("valgrind is not installed")?;
    if !output.status.success() {
        bail!("valgrind: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = std::fs::read_to_string(&profile)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.context("the profile has no total")?.trim().parse()?)
}

async fn run(subject: Subject, executions: u64) -> Result<()> {
    match subject {
        Subject::State | Subject::Engine => chains(MemoryBackend::new(), executions).await,
        Subject::Sqlite => {
            let folder = tempfile::tempdir()?;
            let options = SqliteOptions::new(folder.path().join("instructions.db"));
            chains(SqliteBackend::open(options).await?, executions).await
        }
    }
}

/// Runs chains, many at a time.
async fn chains(backend: impl Backend, executions: u64) -> Result<()> {
    let idle = |id: &str, after: &[&str]| {
        Task::new(id, |_, _| Box::pin(async {})).depends_on(after.iter().copied())
    };
    let workflow = Workflow::builder("chain")
        .tasks([idle("a", &[]), idle("b", &["a"]), idle("c", &["b"])])
        .build()?;
    let executor = UnifiedExecutor::builder().workflows([workflow]).build_on(backend).await?;
    let calls = stream::iter(0..executions).map(|_| executor.execute("chain", Context::new()));
    calls.buffer_unordered(256).try_for_each(|_| async { Ok(()) }).await?;
    executor.shutdown().await?;
    Ok(())
}
