//! What a recorder of the `metrics` facade is told.

use std::time::Duration;

use cloacina_core::backend::{Backend as _, NewWorker};
use cloacina_core::metrics::{
    COMMIT_BATCH_ITEMS, COMMIT_SECONDS, EXECUTIONS, EXECUTIONS_HELD, EXECUTIONS_LOST, LEASE_LOSSES,
    RECOVERIES, TASK_QUEUE_SECONDS, TASK_RETRIES, TASK_RUN_SECONDS, TASKS, TASKS_RUNNING,
};
use cloacina_core::{
    Context, PipelineStatus, RetryPolicy, Task, TaskError, UnifiedExecutor, WorkerId, Workflow,
};
use cloacina_testing::MemoryBackend;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

type Executor = UnifiedExecutor<MemoryBackend>;

/// Reads the value of a series; nothing if there is none.
fn read(handle: &PrometheusHandle, name: &str, outcome: &str) -> Option<f64> {
    let series = match outcome {
        "" => format!("{name} "),
        outcome => format!("{name}{{outcome=\"{outcome}\"}} "),
    };
    let text = handle.render();
    let mut values = text.lines().filter_map(|line| line.strip_prefix(&series));
    values.next().map(|value| value.parse().unwrap())
}

fn sleeping(id: &str, time: Duration) -> Task {
    Task::new(id, move |_, _| Box::pin(tokio::time::sleep(time)))
}

fn flow(name: &str, tasks: impl IntoIterator<Item = Task>) -> Workflow {
    Workflow::builder(name).tasks(tasks).build().unwrap()
}

async fn until(mut holds: impl AsyncFnMut() -> bool) {
    tokio::time::timeout(Duration::from_secs(600), async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn executions_tasks_waits_and_runs_are_counted_by_outcome() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let (handle, _local) = (recorder.handle(), ::metrics::set_default_local_recorder(&recorder));
    let read = |name: &str, outcome: &str| read(&handle, name, outcome);
    let flaky = Task::new("flaky", |_, run| {
        Box::pin(async move { if run.attempt == 1 { Err("once") } else { Ok(()) } })
    });
    let broken = Task::new("broken", |_, _| {
        Box::pin(async { Err::<(), _>(TaskError::permanent(TaskError::new("for good"))) })
    });
    let fails = [
        sleeping("slow", Duration::from_secs(2)),
        flaky.depends_on(["slow"]).retry(RetryPolicy::new(2)),
        broken.depends_on(["flaky"]),
        sleeping("skipped", Duration::ZERO).depends_on(["broken"]),
    ];
    let workflows = [
        flow("fails", fails),
        flow("completes", [sleeping("quick", Duration::ZERO)]),
        flow("endless", [sleeping("endless", Duration::from_secs(3_600))]),
    ];
    let builder = Executor::builder().workflows(workflows).max_concurrent_tasks(1);
    let builder = builder.cancel_grace(Duration::from_millis(1));
    let executor = builder.build_on(MemoryBackend::new()).await.unwrap();
    assert_eq!(read(EXECUTIONS, "completed"), Some(0.0), "all series are there from the start");

    let failed = executor.execute("fails", Context::new()).await.unwrap();
    assert_eq!(failed.status, PipelineStatus::Failed, "{failed:?}");
    let endless = executor.execute_async("endless", Context::new()).await.unwrap();
    until(async || read(TASKS_RUNNING, "") == Some(1.0)).await;
    assert_eq!(read(EXECUTIONS_HELD, ""), Some(1.0));
    let completes = executor.execute_async("completes", Context::new()).await.unwrap();
    until(async || read(EXECUTIONS_HELD, "") == Some(2.0)).await;
    // It has the only slot for three seconds more.
    tokio::time::sleep(Duration::from_secs(3)).await;
    endless.cancel().await.unwrap();
    assert!(completes.wait().await.unwrap().is_success());
    endless.wait().await.unwrap();
    until(async || read(EXECUTIONS_HELD, "") == Some(0.0)).await;

    for outcome in ["completed", "failed", "cancelled"] {
        assert_eq!(read(EXECUTIONS, outcome), Some(1.0), "{outcome}");
    }
    for (outcome, count) in [("completed", 3.0), ("failed", 1.0), ("skipped", 1.0)] {
        assert_eq!(read(TASKS, outcome), Some(count), "{outcome}");
    }
    assert_eq!(read(TASK_RETRIES, ""), Some(1.0));
    assert_eq!(read(TASKS_RUNNING, ""), Some(0.0));
    let part = |name: &str, part: &str| format!("{name}_{part}");
    let (count, sum) = (part(TASK_RUN_SECONDS, "count"), part(TASK_RUN_SECONDS, "sum"));
    assert_eq!(read(&count, "completed"), Some(3.0), "attempts that completed");
    assert_eq!(read(&count, "failed"), Some(2.0), "attempts that failed");
    let ran = read(&sum, "completed").unwrap();
    assert!((2.0..2.1).contains(&ran), "the virtual time that bodies ran: {ran}");
    assert_eq!(read(&part(TASK_QUEUE_SECONDS, "count"), ""), Some(6.0), "bodies that started");
    let waited = read(&part(TASK_QUEUE_SECONDS, "sum"), "").unwrap();
    assert!((3.0..3.1).contains(&waited), "the virtual time that one waited: {waited}");
    let batches = read(&part(COMMIT_SECONDS, "count"), "").unwrap();
    let items = read(&part(COMMIT_BATCH_ITEMS, "sum"), "").unwrap();
    assert!(batches >= 8.0 && items >= batches, "{items} items in {batches} batches");
    let text = handle.render();
    assert!(text.contains("# HELP cloacina_executions_total Executions that ended"), "{text}");
    let guide = include_str!("../../../../docs/guide/src/metrics-and-tracing.md");
    for name in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
        let rows = [format!("| `{name}` |"), format!("| `{name}{{outcome}}` |")];
        assert!(rows.iter().any(|row| guide.contains(row)), "the guide lacks {name}");
    }
    executor.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn deaths_true_and_false_are_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let (handle, _local) = (recorder.handle(), ::metrics::set_default_local_recorder(&recorder));
    let read = |name: &str| read(&handle, name, "");
    let store = MemoryBackend::new();
    let start = async || {
        let endless = sleeping("endless", Duration::from_secs(3_600));
        let builder = Executor::builder().workflows([flow("endless", [endless])]);
        builder.build_on(store.another_handle()).await.unwrap()
    };
    let dies = start().await;
    let id = dies.execute_async("endless", Context::new()).await.unwrap().execution_id;
    until(async || read(TASKS_RUNNING) == Some(1.0)).await;
    drop(dies);
    let lives = start().await;
    until(async || read(RECOVERIES) == Some(1.0)).await;
    assert_eq!((read(LEASE_LOSSES), read(EXECUTIONS_LOST)), (Some(0.0), Some(0.0)));

    let owner = store.load(id).await.unwrap().unwrap().record.owner.unwrap();
    until(async || {
        // Its heartbeats go on: one in between saves it.
        let doomed = NewWorker { id: owner, lease_ttl: Duration::from_millis(1) };
        store.register_worker(&doomed).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
        let burials = store.bury_dead_workers(WorkerId::new()).await.unwrap();
        burials.iter().any(|burial| burial.worker == owner)
    })
    .await;
    until(async || (read(LEASE_LOSSES), read(EXECUTIONS_LOST)) == (Some(1.0), Some(1.0))).await;
    lives.shutdown().await.unwrap();
}
