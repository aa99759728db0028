//! `changed`.

use std::sync::Arc;
use std::time::Duration;

use cloacina_core::PipelineStatus::{Cancelled, Completed};
use cloacina_core::backend::{Backend, Batch, Control, NewExecution};
use cloacina_core::{ExecutionId, PipelineStatus};

use super::fixture::{drop_after_polls, soon};
use super::{Fixture, checkpoint, execution};

const POLL: Duration = Duration::from_millis(100);

/// Waits on a handle until an execution is seen in a status, looking only when it says that something changed.
async fn until(handle: Arc<dyn Backend>, id: ExecutionId, status: PipelineStatus) {
    loop {
        let found = handle.standing(&[id]).await.expect("standing answers").remove(0);
        if found.is_some_and(|standing| standing.status == status) {
            return;
        }
        handle.changed(POLL).await;
    }
}

/// Catches a worker that sleeps while another process submits.
pub async fn changed_ends_when_another_handle_submits(fx: &Fixture) {
    let other = fx.another_handle().await;
    let new = execution();
    let waiter = until(Arc::clone(fx.store()), new.id(), PipelineStatus::Pending);
    let submit = async {
        let batch = Batch { submits: vec![new.clone().into()], checkpoints: Vec::new() };
        other.commit(batch.into()).await.expect("commit answers");
    };
    soon("the wake-up by a submit", async { tokio::join!(waiter, submit) }).await;
}

/// Catches a worker that does not stand by when another begins to work, and comes late should that one die.
pub async fn changed_ends_when_another_handle_begins_to_work(fx: &Fixture) {
    let other = fx.another_handle().await;
    let worker = fx.worker_on(&other).await;
    // Whatever was before is known; the change comes after it.
    drop_after_polls(3, fx.store().changed(POLL)).await;
    let mut new: NewExecution = execution().into();
    new.owner = Some(worker);
    let id = new.id;
    let waiter = until(Arc::clone(fx.store()), id, PipelineStatus::Running);
    let submit = async {
        let batch = Batch { submits: vec![new.clone()], checkpoints: Vec::new() };
        other.commit(batch.into()).await.expect("commit answers");
    };
    soon("the wake-up by work of another", async { tokio::join!(waiter, submit) }).await;
}

/// Catches a client that sleeps through the end it waits for.
pub async fn changed_ends_when_another_handle_finishes(fx: &Fixture) {
    let other = fx.another_handle().await;
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let waiter = until(other, id, Completed);
    let finish = fx.committed(checkpoint(id, me, 1).finish(Completed));
    soon("the wake-up by an end", async { tokio::join!(waiter, finish) }).await;
}

/// Catches an owner that is not told of a cancel.
pub async fn changed_ends_when_another_handle_cancels(fx: &Fixture) {
    let other = fx.another_handle().await;
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let waiter = until(Arc::clone(fx.store()), id, Cancelled);
    let order = Control::Cancel { tasks: Vec::new() };
    let cancel = async { other.control(id, &order).await.expect("control answers") };
    soon("the wake-up by a cancel", async { tokio::join!(waiter, cancel) }).await;
}

/// Catches a change that is lost because nobody was waiting when it happened.
pub async fn changed_remembers_what_happened_meanwhile(fx: &Fixture) {
    let other = fx.another_handle().await;
    // The first wait may be told of anything from before; the change comes after it.
    drop_after_polls(3, other.changed(POLL)).await;
    fx.submit_free().await;
    soon("the end of a wait that begins after the change", other.changed(POLL)).await;
}

/// Catches a dropped wait that takes a change with it.
pub async fn changed_dropped_loses_nothing(fx: &Fixture) {
    let other = fx.another_handle().await;
    for _ in 0..5 {
        let new = execution();
        let mut wait = Box::pin(other.changed(POLL));
        let poll = std::future::poll_fn(|cx| std::task::Poll::Ready(wait.as_mut().poll(cx)));
        let over = poll.await.is_ready();
        fx.submit(new.clone()).await;
        drop(wait);
        if !over {
            soon("the end of a wait after a dropped one", other.changed(POLL)).await;
        }
        let waiter = until(Arc::clone(&other), new.id(), PipelineStatus::Pending);
        soon("the sight of the change", waiter).await;
    }
}
