//! Whose turn it is to go on: a simulation decides that for every task of an engine, and nothing else asks.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Whether a task of an engine may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is polled.
    Now,
    /// It is not; whoever says so has seen to it that the task is woken.
    Later,
    /// It never goes on, as if its process had died: what it holds is dropped.
    Never,
}

/// Stands between an asynchronous runtime and all that one executor runs on it, task bodies included.
///
/// So a simulation lets a process die or stand still at any `await`, and puts the steps of its tasks in another order.
pub trait Turns: fmt::Debug + Send + Sync {
    /// Is asked before each poll of each task.
    fn turn(&self, cx: &mut Context<'_>) -> Turn;
}

/// Runs a future that goes on only when it is its turn.
pub async fn in_turn<T>(turns: Arc<dyn Turns>, future: impl Future<Output = T> + Send) -> T {
    let mut future: Option<Pin<Box<_>>> = Some(Box::pin(future));
    poll_fn(|cx| match (turns.turn(cx), &mut future) {
        (Turn::Now, Some(future)) => future.as_mut().poll(cx),
        (Turn::Never, _) => {
            future = None;
            Poll::Pending
        }
        (Turn::Now | Turn::Later, _) => Poll::Pending,
    })
    .await
}
