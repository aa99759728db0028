//! `close`.

use std::time::Duration;

use cloacina_core::backend::{
    Backend, BackendError, Batch, ClaimRequest, Control, Heartbeat, NewWorker,
};
use cloacina_core::{ExecutionId, PipelineStatus, WorkerId};

use super::fixture::soon;
use super::{Fixture, adopt, all, checkpoint, execution};

/// Calls every method and names those that do not answer `Closed`.
async fn not_closed(handle: &dyn Backend, id: ExecutionId, worker: WorkerId) -> Vec<String> {
    let lease_ttl = Duration::from_secs(60);
    let new = NewWorker { id: worker, lease_ttl };
    let beat = Heartbeat { worker, lease_ttl };
    let request = ClaimRequest { worker, limit: 1, scope: adopt(vec![id]) };
    let batch = Batch { submits: vec![execution().into()], checkpoints: Vec::new() };
    let answers = [
        ("register_worker", handle.register_worker(&new).await.err()),
        ("heartbeat", handle.heartbeat(&beat).await.err()),
        ("retire_worker", handle.retire_worker(worker).await.err()),
        ("bury_dead_workers", handle.bury_dead_workers(worker).await.err()),
        ("acquit", handle.acquit(&[]).await.err()),
        ("commit", handle.commit(batch.into()).await.err()),
        ("claim", handle.claim(&request).await.err()),
        ("release", handle.release(&[]).await.err()),
        ("control", handle.control(id, &Control::Pause).await.err()),
        ("standing", handle.standing(&[id]).await.err()),
        ("load", handle.load(id).await.err()),
        ("list", handle.list(&all()).await.err()),
        ("events", handle.events(id).await.err()),
        ("counts", handle.counts().await.err()),
        ("prune", handle.prune(Duration::ZERO, 1).await.err()),
    ];
    let wrong = answers.into_iter().filter(|(_, err)| !matches!(err, Some(BackendError::Closed)));
    wrong.map(|(method, err)| format!("{method}: {err:?}")).collect()
}

/// Catches a method that works, hangs or fails in another way on a closed handle.
pub async fn close_makes_every_call_answer_closed(fx: &Fixture) {
    let handle = fx.another_handle().await;
    let worker = fx.worker_on(&handle).await;
    let id = fx.submit_free().await;
    handle.close().await;
    let wrong = soon("an answer of every method", not_closed(&*handle, id, worker)).await;
    assert_eq!(wrong, [""; 0], "these methods must answer that the back end is closed");
    let found = fx.store().list(&all()).await.expect("list answers");
    assert_eq!(found.len(), 1, "a closed handle wrote something");
}

/// Catches a second close that panics or hangs.
pub async fn close_repeated_is_no_error(fx: &Fixture) {
    let handle = fx.another_handle().await;
    let closes = async {
        tokio::join!(handle.close(), handle.close());
        handle.close().await;
    };
    soon("the end of three closes", closes).await;
}

/// Catches a close that takes the store, or other handles, with it.
pub async fn close_leaves_data_and_other_handles_alone(fx: &Fixture) {
    let handle = fx.another_handle().await;
    let me = fx.worker().await;
    let new = execution().owner(me);
    let batch = Batch { submits: vec![new.clone().into()], checkpoints: Vec::new() };
    handle.commit(batch.into()).await.expect("commit answers");
    handle.close().await;
    fx.committed(checkpoint(new.id(), me, 1).finish(PipelineStatus::Completed)).await;
    let late = fx.another_handle().await;
    let found = late.standing(&[new.id()]).await.expect("standing answers").remove(0);
    let status = found.map(|standing| standing.status);
    assert_eq!(status, Some(PipelineStatus::Completed), "what a handle sees that opened later");
}

/// Catches a commit that is acknowledged and gone, or refused and there, when the handle closes meanwhile.
pub async fn close_finishes_what_is_under_way(fx: &Fixture) {
    for _ in 0..10 {
        let handle = fx.another_handle().await;
        let new = execution();
        let batch = Batch { submits: vec![new.clone().into()], checkpoints: Vec::new() };
        let (answer, ()) = tokio::join!(handle.commit(batch.into()), handle.close());
        let there = fx.store().standing(&[new.id()]).await.expect("standing answers")[0].is_some();
        match answer {
            Ok(_) => assert!(there, "a submit was acknowledged and is gone"),
            Err(BackendError::Closed) => assert!(!there, "a submit was refused and is there"),
            Err(other) => panic!("a commit beside a close failed: {other}"),
        }
    }
}
