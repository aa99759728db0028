//! A fleet: a store that is watched, a log, worker processes, and the evidence that they leave.
//!
//! The workers are this program's own, started as `PROGRAM worker ..`. They end with the harness, however that ends. Like the tests that it
//! serves, the harness panics where it cannot go on.

#![expect(clippy::unwrap_used, reason = "a harness fails by panicking, like the tests it serves")]

mod audit;
mod check;
mod database;
mod evidence;
mod process;
mod promises;
mod sessions;
mod worker;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::{Backend, ExecutionId, PipelineExecution};
use cloacina_postgres::UnifiedExecutor;
use cloacina_testing::postgres::schema_name;
use tempfile::TempDir;

pub use check::{Harm, Violation, check, check_vain};
pub use database::{Attempted, Committed, Database, Event, Known, Ownership, Row};
pub use evidence::{Evidence, check_values, read_results};
pub(crate) use process::Address;
pub use process::run_worker;
pub use promises::{Promise, check_promises};
pub use sessions::Session;
use worker::Reaper;
pub use worker::Worker;

use crate::effects::{self, Kind, Line};
use crate::montage::{self, Order};
use crate::weather;

/// Guards against waiting for ever; nothing is meant to take this long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How often a condition is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(15);

/// Where the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Schema { url: String, schema: String },
    File { url: String },
}

/// A store and a log, for worker processes to share.
#[derive(Debug)]
pub struct Fleet {
    place: Place,
    program: PathBuf,
    /// What is known of the store.
    pub database: Database,
    folder: Option<TempDir>,
    reaper: Arc<Reaper>,
}

impl Fleet {
    /// Makes a schema on a server. `program` is one that runs [`run_worker`] for `worker ..`.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub async fn on_server(program: &Path, url: &str) -> Self {
        let schema = schema_name();
        // Whoever opens a schema first makes its tables.
        schema_client(url, &schema).await.shutdown().await.unwrap();
        let database = Database::watch_schema(url, &schema).await;
        Self::new(program, Place::Schema { url: url.to_owned(), schema }, database, folder())
    }

    /// Makes a file in a folder. `program` is one that runs [`run_worker`] for `worker ..`.
    ///
    /// # Panics
    ///
    /// If the file system refuses.
    pub async fn on_file(program: &Path, within: &Path) -> Self {
        let path = within.join("fleet.db");
        let url = format!("sqlite://{}", path.display());
        file_client(&url).await.shutdown().await.unwrap();
        let database = Database::watch_file(&path).await;
        let fleet = Self::new(program, Place::File { url }, database, folder());
        fleet.reaper.unmount(within);
        fleet
    }

    fn new(program: &Path, place: Place, database: Database, folder: TempDir) -> Self {
        let (program, folder) = (program.to_owned(), Some(folder));
        Self { place, program, database, folder, reaper: Reaper::start() }
    }

    /// Returns the path of a file of the fleet's own.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.as_ref().map(TempDir::path).unwrap_or(Path::new("")).join(name)
    }

    /// Returns the address of the store.
    #[must_use]
    pub fn url(&self) -> &str {
        match &self.place {
            Place::Schema { url, .. } | Place::File { url } => url,
        }
    }

    /// Starts a worker process with settings of its own, such as `lease_ms=3000`, and waits until it has registered.
    pub async fn worker(&self, settings: &[&str]) -> Worker {
        self.worker_at(self.url(), settings).await
    }

    /// As [`worker`](Self::worker), for a worker that reaches the server in another way.
    pub async fn worker_at(&self, url: &str, settings: &[&str]) -> Worker {
        let worker = self.spawn_at(url, settings);
        until("a worker has registered", async || self.registered(&worker).await > 0).await;
        worker
    }

    /// Starts a worker process.
    #[must_use]
    pub fn spawn(&self, settings: &[&str]) -> Worker {
        self.spawn_at(self.url(), settings)
    }

    /// Starts a worker process that reaches the server in another way.
    #[must_use]
    pub fn spawn_at(&self, url: &str, settings: &[&str]) -> Worker {
        let log = self.path("effects.log").display().to_string();
        let arguments: Vec<&str> = ["worker", &log].iter().chain(settings).copied().collect();
        let worker = self.process(url, &arguments);
        self.database.know(worker.pid());
        worker
    }

    /// Starts the program with arguments.
    ///
    /// # Panics
    ///
    /// If the system refuses.
    pub(crate) fn process(&self, url: &str, arguments: &[&str]) -> Worker {
        let said = File::options().append(true).create(true).open(self.path("stderr.log"));
        let mut command = Command::new(&self.program);
        command.args(arguments).env("FLEET_URL", url).stdin(Stdio::piped()).stderr(said.unwrap());
        if let Place::Schema { schema, .. } = &self.place {
            command.env("FLEET_SCHEMA", schema);
        }
        Worker::new(&mut command, &self.reaper)
    }

    /// Tells whether a worker came so far that it has begun to work.
    #[must_use]
    pub fn has_started(&self, worker: &Worker) -> bool {
        process::started(&self.path("effects.log"), worker.pid()).exists()
    }

    /// Counts how many times a process has registered.
    pub async fn registered(&self, worker: &Worker) -> usize {
        self.database.workers_of(worker.pid()).await.len()
    }

    /// Starts an executor that only submits, on PostgreSQL.
    ///
    /// # Panics
    ///
    /// If the store is another one, or refuses.
    pub async fn client(&self) -> UnifiedExecutor {
        let Place::Schema { url, schema } = &self.place else { panic!("no PostgreSQL") };
        schema_client(url, schema).await
    }

    /// Reads the final contexts of executions as users do.
    ///
    /// # Panics
    ///
    /// If the store refuses.
    pub async fn finals(&self, ids: &[ExecutionId]) -> Vec<(String, cloacina_core::Context)> {
        let read = match &self.place {
            Place::Schema { .. } => read_and_close(self.client().await, ids).await,
            Place::File { url } => read_and_close(file_client(url).await, ids).await,
        };
        read.into_iter().map(|(id, _, context)| (id.to_string(), context)).collect()
    }

    /// Goes on with the same store at another address.
    pub async fn move_to(&mut self, new: &str) {
        self.database.move_to(new).await;
        if let Place::Schema { url, .. } = &mut self.place {
            new.clone_into(url);
        }
    }

    /// Reads the log of the bodies.
    ///
    /// # Panics
    ///
    /// If it cannot be read.
    #[must_use]
    pub fn log(&self) -> Vec<Line> {
        match effects::read(&self.path("effects.log")) {
            Ok(lines) => lines,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Counts the runs of a task by a process.
    #[must_use]
    pub fn begun(&self, task: &str, worker: &Worker) -> usize {
        self.count(Kind::Begin, task, worker)
    }

    /// Counts the lines of a kind that a process wrote of a task.
    #[must_use]
    pub fn count(&self, kind: Kind, task: &str, worker: &Worker) -> usize {
        let is_one =
            |line: &&Line| line.kind == kind && line.task == task && line.run.pid == worker.pid();
        self.log().iter().filter(is_one).count()
    }

    /// Waits until a process has begun so many runs of a task.
    pub async fn until_begun(&self, task: &str, worker: &Worker, runs: usize) {
        let what = format!("{runs} of `{task}` have begun");
        until(&what, async || self.begun(task, worker) >= runs).await;
    }

    /// Opens a gate to all, or to one process.
    ///
    /// # Panics
    ///
    /// If the file system refuses.
    pub fn open_gate(&self, to: Option<&Worker>) {
        let gate = self.path("gate");
        let file = to.map_or(gate.clone(), |to| gate.with_extension(to.pid().to_string()));
        File::create(file).unwrap();
    }

    /// Makes the order for an execution that is held in a task.
    #[must_use]
    pub fn held_in(&self, task: &str, n: u64) -> Order {
        Order { n, hold: Some(task.to_owned()), gate: self.path("gate"), ..Order::default() }
    }

    /// Waits until so many executions have ended.
    pub async fn until_ended(&self, executions: usize) {
        let what = format!("{executions} executions have ended");
        until(&what, async || self.database.ended().await >= executions).await;
    }

    /// Removes what a test that succeeded leaves behind.
    pub async fn finish(self) {
        self.database.remove().await;
    }

    /// Leaves the traces where they are, and tells where that is.
    #[must_use]
    pub fn keep(&mut self) -> Option<PathBuf> {
        self.folder.take().map(TempDir::keep)
    }
}

impl Drop for Fleet {
    #[expect(clippy::print_stderr, reason = "a failed test says where its traces are")]
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.keep()
        {
            eprintln!("kept for a look: {} and {:?}", folder.display(), self.database);
        }
    }
}

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("cloacina-fleet-").tempdir().unwrap()
}

async fn schema_client(url: &str, schema: &str) -> UnifiedExecutor {
    let builder = UnifiedExecutor::builder().database_url(url).schema(schema).client_only();
    let workflows = [montage::workflow(None).unwrap(), weather::workflow(None).unwrap()];
    builder.poll_interval(Duration::from_millis(100)).workflows(workflows).build().await.unwrap()
}

async fn file_client(url: &str) -> cloacina_sqlite::UnifiedExecutor {
    let builder = cloacina_sqlite::UnifiedExecutor::builder().database_url(url).client_only();
    let workflows = [montage::workflow(None).unwrap(), weather::workflow(None).unwrap()];
    builder.poll_interval(Duration::from_millis(100)).workflows(workflows).build().await.unwrap()
}

async fn read_and_close<B: Backend>(
    client: cloacina_core::UnifiedExecutor<B>,
    ids: &[ExecutionId],
) -> Vec<(ExecutionId, cloacina_core::PipelineStatus, cloacina_core::Context)> {
    let read = read_results(&client, ids).await;
    client.shutdown().await.unwrap();
    read
}

/// Submits an execution of the montage.
///
/// # Panics
///
/// If it is refused.
pub async fn submit(client: &UnifiedExecutor, order: &Order) -> PipelineExecution {
    client.execute_async(montage::NAME, order.to_context()).await.unwrap()
}

/// Submits executions of the montage, and returns their ids in the order of their orders.
pub async fn submit_all(client: &UnifiedExecutor, orders: &[Order]) -> Vec<ExecutionId> {
    let mut ids = Vec::new();
    for orders in orders.chunks(64) {
        let mut submits = tokio::task::JoinSet::new();
        for (place, order) in orders.iter().cloned().enumerate() {
            let client = client.clone();
            submits.spawn(async move { (place, submit(&client, &order).await.execution_id) });
        }
        let mut made = submits.join_all().await;
        made.sort_unstable_by_key(|(place, _)| *place);
        ids.extend(made.into_iter().map(|(_, id)| id));
    }
    ids
}

/// Waits until a condition holds.
///
/// # Panics
///
/// If that never comes.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(LOOK).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "it never came that {what}");
}
