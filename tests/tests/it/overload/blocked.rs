//! A body that blocks the only thread of its runtime: nothing of that process gets to run, its heartbeat included.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use cloacina_core::{
    Connect, Context, PipelineResult, PipelineStatus, Task, UnifiedExecutor,
    UnifiedExecutorBuilder, Workflow,
};
use cloacina_postgres::PostgresBackend;
use cloacina_sqlite::SqliteBackend;
use cloacina_testing::postgres::{schema_name, server};
use tokio::sync::oneshot;

/// Guards against waiting for ever; nothing is meant to take this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the body and the test share.
struct Blockade {
    runs: AtomicUsize,
    /// Told when the first run begins.
    begin: Mutex<Option<oneshot::Sender<()>>>,
    leave: Mutex<mpsc::Receiver<()>>,
}

/// The first run of its body blocks its thread until it gets leave; the others do not.
fn workflow(blockade: &Arc<Blockade>) -> Workflow {
    let blockade = Arc::clone(blockade);
    let block = Task::new("block", move |_, _| {
        let blockade = Arc::clone(&blockade);
        Box::pin(async move {
            let run = blockade.runs.fetch_add(1, Ordering::SeqCst) + 1;
            let begin = blockade.begin.lock().unwrap().take();
            if let Some(begin) = begin {
                begin.send(()).unwrap();
                blockade.leave.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            }
            Ok::<_, cloacina_core::TaskError>(run)
        })
    });
    Workflow::builder("w").task(block).build().unwrap()
}

fn settings<B: Connect>(builder: UnifiedExecutorBuilder<B>) -> UnifiedExecutorBuilder<B> {
    builder.lease_ttl(Duration::from_secs(1)).poll_interval(Duration::from_millis(20))
}

/// Runs a process on one thread: its only execution blocks it, and once that is over, it has to find its way back.
fn blocked_process<B: Connect>(builder: UnifiedExecutorBuilder<B>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let executor = builder.build().await.unwrap();
        // The body takes the thread, perhaps before the submit returns; what follows runs after it has given it back.
        let execution = executor.execute_async("w", Context::new()).await.unwrap();
        let result = tokio::time::timeout(PATIENCE, execution.wait()).await.unwrap().unwrap();
        let output = result.task("block").unwrap().output.clone();
        assert_eq!(output, Some(2.into()), "what the other process committed stands");
        let next = executor.execute("w", Context::new());
        let next = tokio::time::timeout(PATIENCE, next).await.unwrap().unwrap();
        assert_eq!(next.status, PipelineStatus::Completed, "it works on under a new lease");
        drop(execution);
        executor.shutdown().await.unwrap();
    });
}

async fn is_taken_over<B: Connect>(address: impl Fn() -> UnifiedExecutorBuilder<B>) {
    let ((leave, wait), (begin, begun)) = (mpsc::channel(), oneshot::channel());
    let begin = Mutex::new(Some(begin));
    let blockade = Blockade { runs: AtomicUsize::new(0), begin, leave: Mutex::new(wait) };
    let blockade = Arc::new(blockade);
    let builder = || settings(address()).workflows([workflow(&blockade)]);
    let blocked = builder();
    let blocked = thread::spawn(move || blocked_process(blocked));
    tokio::time::timeout(PATIENCE, begun).await.unwrap().unwrap();
    let other: UnifiedExecutor<B> = builder().build().await.unwrap();
    let id = other.list_executions().await.unwrap()[0].execution_id;
    let result = other.execution(id).wait_timeout(PATIENCE).await.unwrap();
    assert_eq!(result.status, PipelineStatus::Completed);
    assert_eq!(blockade.runs.load(Ordering::SeqCst), 2, "it ran again while the first run blocks");
    assert_eq!(other.metrics().recovered, 1);
    leave.send(()).unwrap();
    tokio::task::spawn_blocking(|| blocked.join()).await.unwrap().unwrap();
    let after = other.get_execution_result(id).await.unwrap();
    let output = |result: &PipelineResult| result.task("block").unwrap().output.clone();
    assert_eq!(output(&after), output(&result), "the late end changes nothing");
    other.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_only_thread_is_blocked_is_taken_over_and_finds_its_way_back() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("app.db").display());
    is_taken_over(|| UnifiedExecutor::<SqliteBackend>::builder().database_url(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_on_postgresql_where_its_session_lives_on() {
    let schema = schema_name();
    let builder = || UnifiedExecutor::<PostgresBackend>::builder().database_url(server().url());
    is_taken_over(|| builder().schema(&schema)).await;
}
