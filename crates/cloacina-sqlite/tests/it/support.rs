//! What the tests have in common.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cloacina_core::backend::{
    Batch, Checkpoint, CheckpointVerdict, Finish, JsonText, NewExecution, NewWorker, SubmitVerdict,
    TaskEnd, WorkflowKey,
};
use cloacina_core::{
    Backend as _, BackendError, ExecutionId, PipelineStatus, TaskId, TaskState, WorkerId,
};
use cloacina_sqlite::{SqliteBackend, SqliteOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Row as _};
use tempfile::TempDir;
use tokio::time::Instant;

pub(crate) const LONG: Duration = Duration::from_secs(3600);

/// A folder with a path for a database in it.
pub(crate) fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    // On some systems the folder for temporary files is a symbolic link.
    let path = folder.path().canonicalize().unwrap().join("app.db");
    (folder, path)
}

pub(crate) async fn open(path: &Path) -> SqliteBackend {
    SqliteBackend::open(SqliteOptions::new(path)).await.unwrap()
}

/// Opens what must be refused, and returns what the error says.
pub(crate) async fn refused(options: SqliteOptions) -> String {
    match SqliteBackend::open(options).await {
        Err(error @ BackendError::Refused { .. }) => error.to_string(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// A connection that knows nothing of us.
pub(crate) async fn raw(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.disable_statement_logging().connect().await.unwrap()
}

pub(crate) async fn number(connection: &mut SqliteConnection, query: &'static str) -> i64 {
    sqlx::query(query).fetch_one(connection).await.unwrap().get(0)
}

pub(crate) async fn worker(backend: &SqliteBackend, lease_ttl: Duration) -> WorkerId {
    let id = WorkerId::new();
    backend.register_worker(&NewWorker { id, lease_ttl }).await.unwrap();
    id
}

pub(crate) fn key() -> WorkflowKey {
    WorkflowKey { name: "etl".into(), version: "v1".into() }
}

pub(crate) fn new_execution(owner: Option<WorkerId>) -> NewExecution {
    NewExecution {
        id: ExecutionId::new(),
        workflow: key(),
        input: JsonText::new("{}"),
        idempotency_key: None,
        owner,
        delay: None,
        retry_of: None,
    }
}

pub(crate) fn end(task: &str) -> TaskEnd {
    TaskEnd {
        task: TaskId::new(task),
        ordinal: 0,
        state: TaskState::Completed,
        attempts: 1,
        changes: None,
        output: None,
        error: None,
        skip: None,
        started: Instant::now(),
        ended: Instant::now(),
    }
}

pub(crate) fn checkpoint(execution: ExecutionId, worker: WorkerId, epoch: u64) -> Checkpoint {
    // No two checkpoints are the same, but for clones.
    static SERIAL: AtomicU64 = AtomicU64::new(1);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    Checkpoint { serial, ..Checkpoint::new(execution, worker, epoch) }
}

pub(crate) fn finish(status: PipelineStatus) -> Option<Finish> {
    Some(Finish { status, error: None })
}

pub(crate) async fn submit(backend: &SqliteBackend, new: NewExecution) -> SubmitVerdict {
    let batch = Batch { submits: vec![new], checkpoints: Vec::new() };
    backend.commit(batch.into()).await.unwrap().submits.pop().unwrap()
}

pub(crate) async fn commit(backend: &SqliteBackend, checkpoint: Checkpoint) -> CheckpointVerdict {
    let batch = Batch { submits: Vec::new(), checkpoints: vec![checkpoint] };
    backend.commit(batch.into()).await.unwrap().checkpoints.pop().unwrap()
}

/// The names of what lies beside the database, sorted.
pub(crate) fn folder_of(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Reports whether the system knows of a lock on a file.
#[cfg(target_os = "linux")]
pub(crate) fn is_locked(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let inode = format!(":{} ", std::fs::metadata(path).unwrap().ino());
    // While others lock and unlock, one reading may lack what is there all the time.
    let mut readings = (0..100).map(|_| std::fs::read_to_string("/proc/locks").unwrap());
    readings.any(|locks| locks.contains(&inode))
}
