//! Proof of death by a lock on a file.

use std::time::Duration;

use cloacina_core::backend::{
    AttemptStart, AttemptState, ClaimRequest, ClaimScope, Company, EventKind, Heartbeat, NewWorker,
    ProofOfDeath, Pulse,
};
use cloacina_core::{Backend as _, WorkerId};
use tokio::time::Instant;

use crate::support::{
    LONG, checkpoint, commit, end, folder_of, key, new_execution, open, place, submit, worker,
};

fn locks(path: &std::path::Path) -> usize {
    folder_of(path).iter().filter(|name| name.contains(".worker-")).count()
}

fn beat(worker: WorkerId) -> Heartbeat {
    Heartbeat { worker, lease_ttl: LONG }
}

#[tokio::test]
async fn a_closed_handle_is_proven_dead_at_once() {
    let (_folder, path) = place();
    let (dead, alive) = (open(&path).await, open(&path).await);
    let (victim, by) = (worker(&dead, LONG).await, worker(&alive, LONG).await);
    let new = new_execution(Some(victim));
    let id = new.id;
    submit(&dead, new).await;
    let start = |task: &str| AttemptStart {
        task: task.into(),
        attempt: 1,
        started: Instant::now(),
        company: Company::Alone,
        progress: None,
    };
    let starts = vec![start("ended"), start("running")];
    commit(&dead, cloacina_core::backend::Checkpoint { starts, ..checkpoint(id, victim, 1) }).await;
    let tasks = vec![end("ended")];
    commit(&dead, cloacina_core::backend::Checkpoint { tasks, ..checkpoint(id, victim, 1) }).await;

    assert!(alive.bury_dead_workers(by).await.unwrap().is_empty(), "it lives");
    assert_eq!(locks(&path), 2);
    dead.close().await;
    let burials = alive.bury_dead_workers(by).await.unwrap();
    let [burial] = &burials[..] else { panic!("{burials:?}") };
    assert_eq!((burial.worker, burial.proof, burial.executions), (victim, ProofOfDeath::Lock, 1));
    assert_eq!(locks(&path), 1, "the dead worker's file is removed");
    assert!(alive.bury_dead_workers(by).await.unwrap().is_empty());

    let snapshot = alive.load(id).await.unwrap().unwrap();
    assert_eq!((snapshot.record.owner, snapshot.record.takeovers), (None, 1));
    let state =
        |task: &str| snapshot.attempts.iter().find(|attempt| attempt.task == *task).unwrap().state;
    assert_eq!(state("running"), AttemptState::Lost);
    assert_eq!(state("ended"), AttemptState::Running, "its task's row tells how it ended");
    let events = alive.events(id).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event.kind, EventKind::Recovered);
}

#[tokio::test]
async fn a_dropped_handle_is_proven_dead() {
    let (_folder, path) = place();
    let alive = open(&path).await;
    let by = worker(&alive, LONG).await;
    let dead = open(&path).await;
    let victim = worker(&dead, LONG).await;
    drop(dead);
    let burials = alive.bury_dead_workers(by).await.unwrap();
    assert_eq!(burials.iter().map(|burial| burial.worker).collect::<Vec<_>>(), [victim]);
}

#[tokio::test]
async fn a_lease_decides_where_the_lock_is_held_or_missing() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    let by = worker(&backend, LONG).await;
    let expired = worker(&backend, Duration::ZERO).await;
    let missing = worker(&backend, LONG).await;
    std::fs::remove_file(path.with_file_name(format!("app.db.worker-{missing}"))).unwrap();
    let burials = backend.bury_dead_workers(by).await.unwrap();
    let [burial] = &burials[..] else { panic!("{burials:?}") };
    assert_eq!((burial.worker, burial.proof), (expired, ProofOfDeath::Lease));

    assert_eq!(backend.heartbeat(&beat(expired)).await.unwrap(), Pulse::Buried);
    let pulse = backend.heartbeat(&beat(by)).await.unwrap();
    assert!(matches!(pulse, Pulse::Alive { peers: 1, .. }), "{pulse:?}");
    assert_eq!(locks(&path), 1, "who learns that it was buried lets go of its file");
}

#[tokio::test]
async fn retiring_removes_the_lock_and_keeps_the_work_unsuspected() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    let owner = worker(&backend, LONG).await;
    let new = new_execution(Some(owner));
    let id = new.id;
    submit(&backend, new).await;
    backend.retire_worker(owner).await.unwrap();
    assert_eq!(locks(&path), 0);
    let record = backend.load(id).await.unwrap().unwrap().record;
    assert_eq!((record.owner, record.takeovers, record.epoch), (None, 0, 1));
    backend.retire_worker(owner).await.unwrap();
}

#[tokio::test]
async fn registering_again_renews_and_keeps_the_lock() {
    let (_folder, path) = place();
    let (backend, other) = (open(&path).await, open(&path).await);
    let by = worker(&other, LONG).await;
    let id = worker(&backend, Duration::ZERO).await;
    backend.register_worker(&NewWorker { id, lease_ttl: LONG }).await.unwrap();
    assert!(other.bury_dead_workers(by).await.unwrap().is_empty());
    assert_eq!(locks(&path), 2);
}

#[tokio::test]
async fn what_a_buried_worker_submits_is_freed_too() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    let by = worker(&backend, LONG).await;
    let late = worker(&backend, Duration::ZERO).await;
    assert_eq!(backend.bury_dead_workers(by).await.unwrap().len(), 1);
    let new = new_execution(Some(late));
    let id = new.id;
    submit(&backend, new).await;
    let burials = backend.bury_dead_workers(by).await.unwrap();
    let [burial] = &burials[..] else { panic!("{burials:?}") };
    assert_eq!((burial.worker, burial.executions), (late, 1));
    let scope = ClaimScope::Workflows(vec![key()]);
    let claims = backend.claim(&ClaimRequest { worker: by, limit: 5, scope }).await.unwrap();
    assert_eq!(claims.executions.iter().map(|e| e.record.id).collect::<Vec<_>>(), [id]);
    assert!(backend.bury_dead_workers(by).await.unwrap().is_empty());
}

#[tokio::test]
async fn old_lock_files_of_nobody_are_swept() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    let stray = |age: u64| {
        let name = path.with_file_name(format!("app.db.worker-{}", WorkerId::new()));
        let file = std::fs::File::create(&name).unwrap();
        let then = file.metadata().unwrap().modified().unwrap() - Duration::from_secs(age);
        file.set_modified(then).unwrap();
        (name, file)
    };
    let (old, young, held) = (stray(120), stray(0), stray(120));
    held.1.try_lock().unwrap();
    drop(old.1);
    let known = worker(&backend, LONG).await;
    assert!(!old.0.exists() && young.0.exists() && held.0.exists());
    assert!(path.with_file_name(format!("app.db.worker-{known}")).exists());
}
