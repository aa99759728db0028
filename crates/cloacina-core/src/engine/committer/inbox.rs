//! What waits for the next batch of a line: many put items in, one takes out all there are.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The way in.
pub(super) struct Inbox<T> {
    /// None once nobody takes anything out any more.
    items: Mutex<Option<VecDeque<T>>>,
    /// Something is there, and nothing was before.
    filled: Notify,
}

/// The way out. Once it is gone, so is what was left, and what is put in is dropped.
pub(super) struct Outlet<T>(Arc<Inbox<T>>);

impl<T> Inbox<T> {
    pub(super) fn new() -> (Arc<Self>, Outlet<T>) {
        let items = Mutex::new(Some(VecDeque::new()));
        let inbox = Arc::new(Self { items, filled: Notify::new() });
        (Arc::clone(&inbox), Outlet(inbox))
    }

    fn lock(&self) -> MutexGuard<'_, Option<VecDeque<T>>> {
        // Consistent between any two statements, so a panic elsewhere does not spoil it.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports whether nobody takes anything out any more.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_none()
    }

    /// Adds an item.
    pub(super) fn put(&self, item: T) {
        let mut items = self.lock();
        let Some(waiting) = &mut *items else {
            // Others may be told by its end.
            drop(items);
            return drop(item);
        };
        let was_empty = waiting.is_empty();
        waiting.push_back(item);
        drop(items);
        if was_empty {
            self.filled.notify_one();
        }
    }
}

impl<T> Outlet<T> {
    /// Takes all there are, behind what is in `waiting`. Of the room that a burst took no more stays than for `usual` items.
    pub(super) fn take_all(&self, waiting: &mut VecDeque<T>, usual: usize) {
        if waiting.is_empty() {
            waiting.shrink_to(usual);
        }
        let mut items = self.0.lock();
        let Some(items) = &mut *items else { return };
        if waiting.is_empty() {
            std::mem::swap(waiting, items);
        } else {
            waiting.append(items);
            items.shrink_to(usual);
        }
    }

    /// Waits until something was put in since the last time; it may have been taken out since. Cancel safe.
    pub(super) async fn filled(&self) {
        self.0.filled.notified().await;
    }
}

impl<T> Drop for Outlet<T> {
    fn drop(&mut self) {
        let left = self.0.lock().take();
        drop(left);
    }
}

impl<T> fmt::Debug for Inbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_put_in_is_taken_out_in_its_order() {
        let (inbox, outlet) = Inbox::new();
        let mut waiting = VecDeque::from([0]);
        for round in 0..3 {
            inbox.put(2 * round + 1);
            inbox.put(2 * round + 2);
            outlet.filled().await;
            outlet.take_all(&mut waiting, 1);
        }
        assert_eq!(waiting, [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn the_room_that_a_burst_took_is_given_back() {
        let (inbox, outlet) = Inbox::new();
        let mut waiting = VecDeque::new();
        for burst in [10_000, 1, 10_000, 10_000, 1, 1] {
            (0..burst).for_each(|item| inbox.put(item));
            outlet.take_all(&mut waiting, 100);
            assert_eq!(waiting.drain(..).count(), burst);
        }
        let inside = inbox.lock().as_ref().unwrap().capacity();
        assert!(inside < 200 && waiting.capacity() < 200, "{inside}, {}", waiting.capacity());
    }

    #[test]
    fn what_nobody_takes_out_any_more_is_dropped() {
        let (inbox, outlet) = Inbox::new();
        let item = Arc::new(());
        inbox.put(Arc::clone(&item));
        assert!(!inbox.is_closed() && Arc::strong_count(&item) == 2);
        drop(outlet);
        assert!(inbox.is_closed() && Arc::strong_count(&item) == 1, "it went with the way out");
        inbox.put(Arc::clone(&item));
        assert_eq!(Arc::strong_count(&item), 1, "it came too late");
    }
}
