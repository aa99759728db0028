//! A fleet: its schema, its log, its processes, and those who look at them.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use cloacina_core::{ExecutionId, PipelineExecution};
use cloacina_postgres::UnifiedExecutor;
use cloacina_testing::postgres::{schema_name, server};
use cloacina_tests::effects::{self, Kind, Line};
use cloacina_tests::montage::{self, Order};
use tempfile::TempDir;

use super::database::Database;

/// Guards against waiting for ever; nothing is meant to take this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(15);

/// A schema and a log, for worker processes to share.
pub(crate) struct Fleet {
    url: String,
    pub(crate) schema: String,
    pub(crate) database: Database,
    folder: Option<TempDir>,
}

impl Fleet {
    /// Makes a schema on the server of all tests.
    pub(crate) async fn new() -> Self {
        Self::on(server().url()).await
    }

    /// Makes a schema on a server.
    pub(crate) async fn on(url: &str) -> Self {
        let schema = schema_name();
        // Whoever opens a schema first makes its tables.
        let client = client(url, &schema).await;
        client.shutdown().await.unwrap();
        let database = Database::watch(url, &schema).await;
        let folder = tempfile::Builder::new().prefix("cloacina-fleet-").tempdir().unwrap();
        Self { url: url.to_owned(), schema, database, folder: Some(folder) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.as_ref().unwrap().path().join(name)
    }

    /// Starts a worker process with settings of its own, such as `lease_ms=3000`, and waits until it has registered.
    pub(crate) async fn worker(&self, settings: &[&str]) -> Worker {
        self.worker_at(&self.url, settings).await
    }

    /// As [`worker`](Self::worker), for a worker that reaches the server in another way.
    pub(crate) async fn worker_at(&self, url: &str, settings: &[&str]) -> Worker {
        let worker = self.spawn_at(url, settings);
        until("a worker has registered", async || self.registered(&worker).await > 0).await;
        worker
    }

    /// Starts a worker process.
    pub(crate) fn spawn(&self, settings: &[&str]) -> Worker {
        self.spawn_at(&self.url, settings)
    }

    fn spawn_at(&self, url: &str, settings: &[&str]) -> Worker {
        let said = File::options().append(true).create(true).open(self.path("stderr.log"));
        let child = Command::new(env!("CARGO_BIN_EXE_fleet_worker"))
            .arg(self.path("effects.log"))
            .args(settings)
            .env("FLEET_URL", url)
            .env("FLEET_SCHEMA", &self.schema)
            .stdin(Stdio::piped())
            .stderr(said.unwrap())
            .spawn()
            .unwrap();
        Worker { child }
    }

    /// Counts how many times a process has registered.
    pub(crate) async fn registered(&self, worker: &Worker) -> usize {
        self.database.workers_of(worker.pid()).await.len()
    }

    pub(crate) async fn client(&self) -> UnifiedExecutor {
        client(&self.url, &self.schema).await
    }

    pub(crate) fn log(&self) -> Vec<Line> {
        match effects::read(&self.path("effects.log")) {
            Ok(lines) => lines,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Counts the runs of a task by a process.
    pub(crate) fn begun(&self, task: &str, worker: &Worker) -> usize {
        self.count(Kind::Begin, task, worker)
    }

    pub(crate) fn count(&self, kind: Kind, task: &str, worker: &Worker) -> usize {
        let is_one =
            |line: &&Line| line.kind == kind && line.task == task && line.run.pid == worker.pid();
        self.log().iter().filter(is_one).count()
    }

    /// Waits until a process has begun so many runs of a task.
    pub(crate) async fn until_begun(&self, task: &str, worker: &Worker, runs: usize) {
        let what = format!("{runs} of `{task}` have begun");
        until(&what, async || self.begun(task, worker) >= runs).await;
    }

    /// Opens a gate to all, or to one process.
    pub(crate) fn open_gate(&self, to: Option<&Worker>) {
        let gate = self.path("gate");
        let file = to.map_or(gate.clone(), |to| gate.with_extension(to.pid().to_string()));
        File::create(file).unwrap();
    }

    /// Makes the order for an execution that is held in a task.
    pub(crate) fn held_in(&self, task: &str, n: u64) -> Order {
        Order { n, hold: Some(task.to_owned()), gate: self.path("gate"), ..Order::default() }
    }

    /// Waits until so many executions have ended.
    pub(crate) async fn until_ended(&self, executions: usize) {
        let what = format!("{executions} executions have ended");
        until(&what, async || self.database.ended().await >= executions).await;
    }

    /// Removes what a test that succeeded leaves behind.
    pub(crate) async fn finish(self) {
        self.database.remove().await;
    }
}

impl Drop for Fleet {
    #[expect(clippy::print_stderr, reason = "a failed test says where its traces are")]
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("kept for a look: {} and schema {}", folder.keep().display(), self.schema);
        }
    }
}

async fn client(url: &str, schema: &str) -> UnifiedExecutor {
    UnifiedExecutor::builder()
        .database_url(url)
        .schema(schema)
        .client_only()
        .poll_interval(Duration::from_millis(100))
        .workflows([montage::workflow(None).unwrap()])
        .build()
        .await
        .unwrap()
}

/// Submits an execution.
pub(crate) async fn submit(client: &UnifiedExecutor, order: &Order) -> PipelineExecution {
    client.execute_async(montage::NAME, order.to_context()).await.unwrap()
}

/// Submits executions, and returns their ids in the order of their orders.
pub(crate) async fn submit_all(client: &UnifiedExecutor, orders: &[Order]) -> Vec<ExecutionId> {
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

    /// Keeps it from running until it is continued.
    pub(crate) fn stop(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status().unwrap();
        assert!(sent.success(), "{signal} was sent");
    }

    /// Asks it to shut down.
    pub(crate) fn ask_to_shut_down(&mut self) {
        drop(self.child.stdin.take());
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

    /// Reports whether it runs still.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Shuts it down.
    pub(crate) async fn shut_down(mut self) {
        self.ask_to_shut_down();
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
