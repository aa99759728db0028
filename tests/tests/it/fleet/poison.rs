//! A task that takes its process with it, among others that do no harm.

use std::collections::BTreeSet;

use cloacina_core::backend::EventKind;
use cloacina_core::{PipelineStatus, TaskState};
use cloacina_tests::montage::Order;

use super::support::{Evidence, Fleet, PATIENCE, Worker, check_values, fleet, submit_all, until};

const SETTINGS: [&str; 3] = ["lease_ms=3600000", "slots=4", "max_recovery_attempts=3"];

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_aborts_its_process_is_abandoned_and_fifty_beside_it_are_not() {
    let fleet = fleet().await;
    let client = fleet.client().await;
    let healthy: Vec<_> = (0..50).map(|n| Order { n, pace: 40, ..Order::default() }).collect();
    let poisonous = Order { n: 99, pace: 40, abort: Some("concat".to_owned()), ..Order::default() };
    let mut ids = submit_all(&client, &healthy[..10]).await;
    let culprit = submit_all(&client, &[poisonous]).await[0];
    ids.extend(submit_all(&client, &healthy[10..]).await);
    let mut workers = [fleet.worker(&SETTINGS).await, fleet.worker(&SETTINGS).await];
    let mut crashes = 0;
    until("all have ended", async || {
        for worker in &mut workers {
            if !worker.is_running() {
                crashes += 1;
                *worker = fleet.spawn(&SETTINGS);
            }
        }
        fleet.database.ended().await == ids.len() + 1
    })
    .await;
    let result = client.execution(culprit).wait_timeout(PATIENCE).await.unwrap();
    assert_eq!(result.status, PipelineStatus::Failed, "{result}");
    let task = result.task("concat").unwrap();
    assert_eq!(task.status, TaskState::Failed, "{result}");
    let error = task.error_message.clone().unwrap_or_default();
    assert!(error.contains("abandoned") && error.contains("3 times"), "it says why: {error}");
    assert!(
        result.error_message.is_some_and(|text| text.contains("`concat`")),
        "it names the task"
    );
    let events = client.list_events(culprit).await.unwrap();
    let abandoned = events.iter().filter(|one| one.event.kind == EventKind::Abandoned);
    assert_eq!(abandoned.count(), 1, "{events:?}");
    let abandoned = fleet.database.events("abandoned").await;
    assert!(abandoned.iter().all(|one| one.execution == culprit.to_string()), "{abandoned:?}");
    let evidence = Evidence::gather(&fleet).await;
    evidence.check();
    evidence.check_complete(&ids);
    check_values(&client, &ids, &healthy).await;
    check_crashes(&fleet, &culprit.to_string(), crashes).await;
    assert_eq!(evidence.begins(culprit).get("concat"), Some(&crashes), "one run a crash");
    workers.into_iter().for_each(Worker::kill);
    client.shutdown().await.unwrap();
    fleet.finish().await;
}

/// The culprit took others with it, and was given up after three times, of which one was alone.
async fn check_crashes(fleet: &Fleet, culprit: &str, crashes: usize) {
    let recovered = fleet.database.events("recovered").await;
    let deaths: BTreeSet<&str> = recovered.iter().map(|event| event.detail.as_str()).collect();
    assert_eq!(deaths.len(), crashes, "each crash was noticed: {deaths:?}");
    assert!((3..=4).contains(&crashes), "it crashed {crashes} workers");
    // Whether one of the later crashes finds others in flight depends on how fast the rest is done.
    assert!(
        recovered.iter().any(|one| one.execution != culprit),
        "somebody was in flight beside it, and was not blamed"
    );
}
