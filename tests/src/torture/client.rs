//! A process that submits, tells a log what it was told, and is killed amid that.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::{
    Connect, ExecuteOptions, ExecutionId, ExecutorError, UnifiedExecutor, UnifiedExecutorBuilder,
};
use cloacina_postgres::PostgresBackend;
use cloacina_sqlite::SqliteBackend;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;

use super::orders::assignment;
use crate::fleet::Address;
use crate::{montage, weather};

/// How many submits are on their way at once.
const AT_ONCE: usize = 24;

/// The wait before a submit is repeated.
const PAUSE: Duration = Duration::from_millis(20);

/// What a line of the client's log tells of a submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// It is about to be made.
    Call,
    /// It was acknowledged.
    Acknowledged(ExecutionId),
    /// It failed so that nobody knows, and may not be repeated.
    Unknown,
    /// It failed so that it never can succeed.
    Refused(String),
}

/// A line of the client's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) n: u64,
    pub(super) word: Word,
}

impl FromStr for Said {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let malformed = || format!("`{line}` is no line of a client's log");
        let (verb, rest) = line.split_once(' ').ok_or_else(malformed)?;
        let (n, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let word = match verb {
            "call" => Word::Call,
            "ack" => Word::Acknowledged(rest.parse().map_err(|_| malformed())?),
            "unknown" => Word::Unknown,
            "refused" => Word::Refused(rest.to_owned()),
            _ => return Err(malformed()),
        };
        Ok(Self { n: n.parse().map_err(|_| malformed())?, word })
    }
}

/// Reads the lines of a log as they come.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    read: u64,
    rest: String,
}

impl Tail {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, read: 0, rest: String::new() }
    }

    /// Reads what has come.
    pub(super) fn next(&mut self) -> std::io::Result<Vec<Said>> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(self.read))?;
        let count = file.read_to_string(&mut self.rest)?;
        self.read += count as u64;
        let complete = self.rest.rfind('\n').map_or(0, |end| end + 1);
        let lines: String = self.rest.drain(..complete).collect();
        lines.lines().map(|line| line.parse().map_err(std::io::Error::other)).collect()
    }
}

/// Submits, until standard input ends, what the numbers on it stand for: `LOG SEED`.
///
/// # Errors
///
/// Arguments that are not understood; what the store says at the start and at the end.
pub async fn run_client(arguments: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let mut arguments = arguments;
    let log = arguments.next().ok_or("expected LOG SEED")?;
    let seed = arguments.next().ok_or("expected LOG SEED")?.parse()?;
    let log = OpenOptions::new().append(true).create(true).open(Path::new(&log))?;
    let log = Arc::new(log);
    match Address::read()? {
        Address::Postgres { url, schema } => {
            let builder = UnifiedExecutor::<PostgresBackend>::builder().schema(schema);
            serve(builder.database_url(url), seed, log).await
        }
        Address::Sqlite { url } => {
            let builder = UnifiedExecutor::<SqliteBackend>::builder();
            serve(builder.database_url(url), seed, log).await
        }
    }
}

async fn serve<B: Connect>(
    builder: UnifiedExecutorBuilder<B>,
    seed: u64,
    log: Arc<File>,
) -> Result<(), Box<dyn Error>> {
    let workflows = [montage::workflow(None)?, weather::workflow(None)?];
    let client = builder.client_only().db_pool_size(4).workflows(workflows).build().await?;
    let mut numbers = numbers();
    let (room, tracker) = (Arc::new(Semaphore::new(AT_ONCE)), TaskTracker::new());
    while let Some(n) = numbers.recv().await {
        let permit = Arc::clone(&room).acquire_owned().await?;
        let (client, log) = (client.clone(), Arc::clone(&log));
        tracker.spawn(async move {
            submit(&client, seed, n, &log).await;
            drop(permit);
        });
    }
    tracker.close();
    tracker.wait().await;
    client.shutdown().await?;
    Ok(())
}

/// Submits once, or with a key until somebody says what became of it.
async fn submit<B: Connect>(client: &UnifiedExecutor<B>, seed: u64, n: u64, log: &File) {
    let assignment = assignment(seed, n);
    say(log, &format!("call {n}\n"));
    loop {
        let options = match &assignment.key {
            Some(key) => ExecuteOptions::new().idempotency_key(key),
            None => ExecuteOptions::new(),
        };
        let input = assignment.order.to_context();
        match client.execute_with(assignment.workflow, input, options).await {
            Ok(execution) => return say(log, &format!("ack {n} {}\n", execution.execution_id)),
            // A disk may be full for a while: all that the store says may be over soon.
            Err(ExecutorError::Backend(_)) if assignment.key.is_some() => {}
            Err(ExecutorError::Backend(_)) => return say(log, &format!("unknown {n}\n")),
            Err(error) => return say(log, &format!("refused {n} {error}\n")),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One write call a line.
fn say(mut log: &File, line: &str) {
    if let Err(error) = log.write_all(line.as_bytes()) {
        tracing_lost(&error);
    }
}

#[expect(clippy::print_stderr, reason = "the log itself cannot be written")]
fn tracing_lost(error: &std::io::Error) {
    eprintln!("the log of the client cannot be written: {error}");
}

/// Reads numbers from standard input, on a thread of its own.
fn numbers() -> mpsc::UnboundedReceiver<u64> {
    let (read, numbers) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines();
        for n in lines.map_while(Result::ok).filter_map(|line| line.parse().ok()) {
            let _ = read.send(n);
        }
    });
    numbers
}

/// Splits what a killed client was given: what has to be given to the next one, and what nobody may repeat.
pub(super) fn after_death(
    seed: u64,
    open: &BTreeSet<u64>,
    called: &BTreeSet<u64>,
) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let may_repeat = |n: &u64| !called.contains(n) || assignment(seed, *n).key.is_some();
    open.iter().copied().partition(|n| may_repeat(n))
}
