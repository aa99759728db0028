//! Slots for task bodies, shared fairly: deficit round robin over lanes.
//!
//! The executors of one process share its slots; each has a lane. While there are free slots whoever asks gets one. Once
//! there are none, the lanes that wait take turns, and in its turn a lane gets as many slots as its weight: however long the queue in
//! one lane, whoever comes first in another waits for one round at most. All of it is decided in memory, before a body starts.
//!
//! After M. Shreedhar and G. Varghese, "Efficient Fair Queuing Using Deficit Round Robin", SIGCOMM 1995, where each body counts
//! as one: how long it will take nobody knows.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The slots of a process.
#[derive(Debug)]
pub(crate) struct Slots {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// None are free while a lane waits that may have one.
    free: usize,
    lanes: BTreeMap<u64, LaneState>,
    /// The lanes that wait and may have a slot, in the order of their turns.
    turns: VecDeque<u64>,
    next_lane: u64,
}

#[derive(Debug)]
struct LaneState {
    limit: usize,
    weight: u32,
    running: usize,
    queue: VecDeque<oneshot::Sender<Slot>>,
    /// How many more slots it gets in this turn.
    deficit: u32,
    /// Whether it is among the turns.
    waits: bool,
}

/// One executor's way to the slots.
#[derive(Debug)]
pub(crate) struct Lane {
    slots: Arc<Slots>,
    id: u64,
}

/// A slot; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    /// None once it has been given to somebody else.
    slots: Option<Arc<Slots>>,
    lane: u64,
}

impl Slots {
    pub(crate) fn new(count: usize) -> Arc<Self> {
        let inner =
            Inner { free: count, lanes: BTreeMap::new(), turns: VecDeque::new(), next_lane: 0 };
        Arc::new(Self { inner: Mutex::new(inner) })
    }

    /// Adds a lane that never has more than `limit` slots.
    pub(crate) fn lane(self: &Arc<Self>, limit: usize, weight: NonZeroU32) -> Lane {
        let mut inner = self.lock();
        let id = inner.next_lane;
        inner.next_lane += 1;
        let state = LaneState {
            limit,
            weight: weight.get(),
            running: 0,
            queue: VecDeque::new(),
            deficit: 0,
            waits: false,
        };
        inner.lanes.insert(id, state);
        drop(inner);
        Lane { slots: Arc::clone(self), id }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Consistent between any two statements, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives what is free to those whose turn it is.
    fn distribute(self: &Arc<Self>, inner: &mut Inner) {
        while inner.free > 0 {
            let Some(id) = inner.turns.pop_front() else { return };
            let Some(lane) = inner.lanes.get_mut(&id) else { continue };
            if lane.deficit == 0 {
                lane.deficit = lane.weight;
            }
            if lane.serve(self, id) {
                inner.free -= 1;
            }
            if !lane.may_have_more() {
                lane.waits = false;
                lane.deficit = 0;
            } else if lane.deficit == 0 {
                inner.turns.push_back(id);
            } else {
                inner.turns.push_front(id);
            }
        }
    }
}

impl Inner {
    /// Takes a slot for a lane that may have one at once; false if it has to wait.
    fn take(&mut self, id: u64) -> bool {
        let Some(lane) = self.lanes.get_mut(&id) else { return false };
        // While some are free nobody waits who may have one: nobody is overtaken.
        let at_once = self.free > 0 && lane.running < lane.limit;
        if at_once {
            self.free -= 1;
            lane.running += 1;
        }
        at_once
    }

    /// Gives a lane its place among the turns, if it waits and has none.
    fn queue_up(&mut self, id: u64) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        if !lane.waits && lane.may_have_more() {
            lane.waits = true;
            self.turns.push_back(id);
        }
    }
}

impl LaneState {
    fn may_have_more(&self) -> bool {
        !self.queue.is_empty() && self.running < self.limit
    }

    /// Gives a slot to the first who still waits; false if nobody does.
    fn serve(&mut self, slots: &Arc<Slots>, id: u64) -> bool {
        while let Some(waiter) = self.queue.pop_front() {
            let slot = Slot { slots: Some(Arc::clone(slots)), lane: id };
            match waiter.send(slot) {
                Ok(()) => {
                    self.running += 1;
                    self.deficit -= 1;
                    return true;
                }
                // It was never given.
                Err(mut slot) => slot.slots = None,
            }
        }
        false
    }
}

impl Lane {
    /// Takes a slot that is free.
    pub(crate) fn take(&self) -> Option<Slot> {
        let taken = self.slots.lock().take(self.id);
        taken.then(|| Slot { slots: Some(Arc::clone(&self.slots)), lane: self.id })
    }

    /// Waits for a slot. Cancel safe: who stops waiting gets none.
    pub(crate) async fn acquire(&self) -> Slot {
        let (waiter, slot) = oneshot::channel();
        {
            let mut inner = self.slots.lock();
            if let Some(lane) = inner.lanes.get_mut(&self.id) {
                lane.queue.push_back(waiter);
            }
            inner.queue_up(self.id);
            self.slots.distribute(&mut inner);
        }
        match slot.await {
            Ok(slot) => slot,
            // The lane goes with its last user, and so would this call.
            Err(_) => std::future::pending().await,
        }
    }

    /// How many slots are in use.
    pub(crate) fn running(&self) -> usize {
        self.slots.lock().lanes.get(&self.id).map_or(0, |lane| lane.running)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Its turn, should it have one, is passed over.
        self.slots.lock().lanes.remove(&self.id);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(slots) = self.slots.take() else { return };
        let mut inner = slots.lock();
        inner.free += 1;
        if let Some(lane) = inner.lanes.get_mut(&self.lane) {
            lane.running -= 1;
        }
        inner.queue_up(self.lane);
        slots.distribute(&mut inner);
    }
}

#[cfg(test)]
mod tests;
