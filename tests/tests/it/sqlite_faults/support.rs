//! A file, the processes on it, and what they have said.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use cloacina_core::PipelineExecution;
use cloacina_sqlite::{SqliteBackend, SqliteOptions, UnifiedExecutor};
use cloacina_tests::effects::{self, Line};
use cloacina_tests::montage::{self, Order};
use tempfile::TempDir;

/// Guards against waiting for ever; nothing is meant to take this long.
const PATIENCE: Duration = Duration::from_secs(150);

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(15);

/// The program that holds the write lock.
pub(crate) fn holder() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_lock_holder"))
}

/// What has become of a submit.
#[derive(Debug, Clone)]
pub(crate) enum Ack {
    Accepted { n: u64, id: String },
    Refused(String),
}

/// A folder with a database, and with what is told of it.
pub(crate) struct Place {
    folder: Option<TempDir>,
    database: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("cloacina-faults-").tempdir().unwrap();
        let database = folder.path().join("app.db");
        Self { folder: Some(folder), database }
    }

    /// Puts the database into a folder of the place, which is made.
    pub(crate) fn put_database_into(&mut self, folder: &str) -> PathBuf {
        let folder = self.path(folder);
        fs::create_dir(&folder).unwrap();
        self.database = folder.join("app.db");
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.as_ref().unwrap().path().join(name)
    }

    /// Makes a folder of the place.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.path(name);
        fs::create_dir(&folder).unwrap();
        folder
    }

    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    /// The command that starts a worker with settings of its own, such as `lease_ms=3000`.
    pub(crate) fn command(&self, settings: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_file_worker"));
        command.arg(&self.database).arg(self.path("")).args(settings);
        command
    }

    pub(crate) fn worker(&self, settings: &[&str]) -> Worker {
        self.spawn(&mut self.command(settings))
    }

    pub(crate) fn spawn(&self, command: &mut Command) -> Worker {
        let said = File::options().append(true).create(true).open(self.path("stderr.log"));
        let command = command.stdin(Stdio::piped()).stderr(said.unwrap());
        Worker { child: command.spawn().unwrap() }
    }

    /// Opens the database as one that submits and looks.
    pub(crate) async fn client(&self) -> UnifiedExecutor {
        let options = SqliteOptions::new(&self.database).busy_timeout(Duration::from_millis(200));
        UnifiedExecutor::builder()
            .client_only()
            .poll_interval(Duration::from_millis(100))
            .workflows([montage::workflow(None).unwrap()])
            .build_on(SqliteBackend::open(options).await.unwrap())
            .await
            .unwrap()
    }

    /// What the bodies have done.
    pub(crate) fn lines(&self) -> Vec<Line> {
        match effects::read(&self.path("effects.log")) {
            Ok(lines) => lines,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => panic!("{error}"),
        }
    }

    /// What has become of the submits of the workers.
    pub(crate) fn acks(&self) -> Vec<Ack> {
        let text = fs::read_to_string(self.path("acks.log")).unwrap_or_default();
        let ack = |line: &str| {
            let (kind, rest) = line.split_once(' ').unwrap();
            let (n, rest) = rest.split_once(' ').unwrap();
            match kind {
                "ack" => Ack::Accepted { n: n.parse().unwrap(), id: rest.to_owned() },
                _ => Ack::Refused(rest.to_owned()),
            }
        };
        text.lines().map(ack).collect()
    }

    /// What the workers have said on standard error.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.path("stderr.log")).unwrap_or_default()
    }

    /// Waits until so many submits were accepted.
    pub(crate) async fn until_accepted(&self, submits: usize) {
        let what = format!("{submits} submits are accepted");
        until(&what, async || accepted(&self.acks()).len() >= submits).await;
    }

    /// Makes the order for an execution that is held in a task until the gate is open.
    pub(crate) fn held_in(&self, task: &str, n: u64) -> Order {
        Order { n, hold: Some(task.to_owned()), gate: self.path("gate"), ..Order::default() }
    }

    pub(crate) fn open_gate(&self) {
        File::create(self.path("gate")).unwrap();
    }
}

impl Drop for Place {
    #[expect(clippy::print_stderr, reason = "a failed test says where its traces are")]
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("kept for a look: {}", folder.keep().display());
        }
    }
}

/// The executions whose submit was acknowledged, with their numbers.
pub(crate) fn accepted(acks: &[Ack]) -> Vec<(String, u64)> {
    let accepted = acks.iter().filter_map(|ack| match ack {
        Ack::Accepted { n, id } => Some((id.clone(), *n)),
        Ack::Refused(_) => None,
    });
    accepted.collect()
}

/// Why submits were refused.
pub(crate) fn refusals(acks: &[Ack]) -> Vec<String> {
    let refused = acks.iter().filter_map(|ack| match ack {
        Ack::Accepted { .. } => None,
        Ack::Refused(error) => Some(error.clone()),
    });
    refused.collect()
}

/// Submits an execution.
pub(crate) async fn submit(client: &UnifiedExecutor, order: &Order) -> PipelineExecution {
    client.execute_async(montage::NAME, order.to_context()).await.unwrap()
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(LOOK).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "it never came that {what}");
}

/// A worker process; killed when it is dropped.
pub(crate) struct Worker {
    child: Child,
}

impl Worker {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a crash would, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut ended = None;
        until("a worker has ended", async || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        ended.unwrap()
    }

    /// Shuts it down.
    pub(crate) async fn shut_down(mut self) {
        drop(self.child.stdin.take());
        let ended = self.ended().await;
        assert!(ended.success(), "a clean end: {ended}");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
