//! A driver's mailbox. Small, since there is one for each execution that is held: a channel of tokio keeps room for 32 messages
//! from the start.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::Message;

/// Where a driver gets its messages. Closed when it is dropped.
#[derive(Debug)]
pub(in crate::engine) struct Mailbox(Arc<Shared>);

/// Where they are sent to. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Address(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    messages: VecDeque<Message>,
    /// The driver, if it waits.
    waiting: Option<Waker>,
    closed: bool,
}

/// Makes a mailbox and its address.
pub(in crate::engine) fn mailbox() -> (Address, Mailbox) {
    let shared = Arc::<Shared>::default();
    (Address(Arc::clone(&shared)), Mailbox(shared))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Consistent between any two statements, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Address {
    /// Sends a message; false if nobody reads it any more.
    pub(in crate::engine) fn send(&self, message: Message) -> bool {
        let waiting = {
            let mut inner = self.0.lock();
            if inner.closed {
                return false;
            }
            inner.messages.push_back(message);
            inner.waiting.take()
        };
        if let Some(waker) = waiting {
            waker.wake();
        }
        true
    }
}

impl Mailbox {
    /// Waits for the next message. Cancel safe.
    pub(in crate::engine) async fn receive(&self) -> Message {
        poll_fn(|context| {
            let mut inner = self.0.lock();
            match inner.messages.pop_front() {
                Some(message) => Poll::Ready(message),
                None => {
                    match &mut inner.waiting {
                        Some(waker) => waker.clone_from(context.waker()),
                        none => *none = Some(context.waker().clone()),
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Takes no more messages. Those that were not read are dropped.
    pub(super) fn close(&self) {
        let unread = {
            let mut inner = self.0.lock();
            inner.closed = true;
            (inner.waiting.take(), std::mem::take(&mut inner.messages))
        };
        // Outside of the lock: whatever is dropped with them may send something.
        drop(unread);
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.close();
    }
}
