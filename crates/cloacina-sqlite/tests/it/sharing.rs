//! Two handles on one file, and callers that go away.

use std::future::Future as _;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cloacina_core::backend::{Batch, ClaimRequest, ClaimScope, SubmitVerdict};
use cloacina_core::{Backend as _, BackendError};
use cloacina_sqlite::{SqliteBackend, SqliteOptions};
use sqlx::Executor as _;

#[cfg(target_os = "linux")]
use crate::support::is_locked;
use crate::support::{LONG, key, new_execution, number, open, place, raw, submit, worker};

const SOON: Duration = Duration::from_millis(5);

#[tokio::test]
async fn a_handle_notices_what_another_writes() {
    let (_folder, path) = place();
    let (one, two) = (open(&path).await, open(&path).await);
    submit(&one, new_execution(None)).await;
    two.changed(SOON).await;
    // A change that nobody waited for ends the next call, also after calls that were given up.
    submit(&one, new_execution(None)).await;
    for _ in 0..3 {
        let mut waiting = std::pin::pin!(two.changed(LONG));
        let polled = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }
    two.changed(SOON).await;
    one.close().await;
    submit(&two, new_execution(None)).await;
}

#[tokio::test]
async fn an_execution_goes_to_one_of_two_handles() {
    let (_folder, path) = place();
    let (one, two) = (open(&path).await, open(&path).await);
    for _ in 0..20 {
        submit(&one, new_execution(None)).await;
    }
    let claim = async |backend: &SqliteBackend| {
        let worker = worker(backend, LONG).await;
        let scope = ClaimScope::Workflows(vec![key(), key()]);
        backend.claim(&ClaimRequest { worker, limit: 15, scope }).await.unwrap().executions
    };
    let (mut first, second) = tokio::join!(claim(&one), claim(&two));
    assert_eq!(first.len() + second.len(), 20);
    first.extend(second);
    first.sort_unstable_by_key(|claimed| claimed.record.id);
    first.dedup_by_key(|claimed| claimed.record.id);
    assert_eq!(first.len(), 20);
}

#[tokio::test]
async fn a_foreign_write_lock_only_delays() {
    let (_folder, path) = place();
    let options = SqliteOptions::new(&path).busy_timeout(Duration::ZERO);
    let backend = SqliteBackend::open(options).await.unwrap();
    let mut other = raw(&path).await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let mut waiting = std::pin::pin!(submit(&backend, new_execution(None)));
    let early = tokio::time::timeout(Duration::from_millis(100), waiting.as_mut()).await;
    assert!(early.is_err(), "the lock is held");
    assert_eq!(backend.counts().await.unwrap().pending, 0, "readers go on");
    other.execute("COMMIT").await.unwrap();
    assert_eq!(waiting.await, SubmitVerdict::Created);
}

#[tokio::test]
async fn a_call_without_work_takes_no_write_lock() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    let by = worker(&backend, LONG).await;
    let mut other = raw(&path).await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let scope = ClaimScope::Workflows(vec![key()]);
    let request = ClaimRequest { worker: by, limit: 5, scope };
    assert!(backend.claim(&request).await.unwrap().executions.is_empty());
    assert!(backend.bury_dead_workers(by).await.unwrap().is_empty());
    assert_eq!(backend.prune(Duration::ZERO, 5).await.unwrap(), 0);
    backend.release(&[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_calls_happen_whole_or_not_at_all() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    let count = 200;
    for polls in 0..count {
        let submits = vec![new_execution(None), new_execution(None)];
        let mut call = backend.commit(Batch { submits, checkpoints: Vec::new() }.into());
        let mut load = backend.counts();
        for _ in 0..=polls % 4 {
            // Let the task get on by different amounts before the caller gives up.
            let mut context = Context::from_waker(Waker::noop());
            let _: Poll<_> = call.as_mut().poll(&mut context);
            let _: Poll<_> = load.as_mut().poll(&mut context);
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(submit(&backend, new_execution(None)).await, SubmitVerdict::Created);
    backend.close().await;
    let mut connection = raw(&path).await;
    let found = number(&mut connection, "SELECT count(*) FROM executions").await;
    assert_eq!(found, 2 * count + 1, "what was begun was finished");
}

#[tokio::test]
async fn a_closed_handle_says_so() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    let by = worker(&backend, LONG).await;
    backend.close().await;
    backend.close().await;
    let results = [
        backend.commit(Batch::default().into()).await.map(drop),
        backend.counts().await.map(drop),
        backend.bury_dead_workers(by).await.map(drop),
        backend.retire_worker(by).await,
        backend.release(&[]).await,
    ];
    assert!(results.iter().all(|result| matches!(result, Err(BackendError::Closed))));
    backend.changed(SOON).await;
}

#[tokio::test]
async fn opening_a_second_handle_keeps_the_locks_of_the_first() {
    let (_folder, path) = place();
    let first = open(&path).await;
    submit(&first, new_execution(None)).await;
    // POSIX locks go with any handle that the process closes: these must not take those of `first` along.
    open(&path).await.close().await;
    drop(open(&path).await);
    let (log, index) = (path.with_file_name("app.db-wal"), path.with_file_name("app.db-shm"));
    assert!(
        log.exists() && index.exists(),
        "the last one to close removes the log, this was not the last"
    );
    #[cfg(target_os = "linux")]
    assert!(is_locked(&path), "no lock on {}", path.display());
    submit(&first, new_execution(None)).await;
}
