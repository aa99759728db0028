//! The executions that this worker holds, and how much they ask of its slots.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::driver::{Address, Message, Order};
use crate::ExecutionId;
use crate::backend::{AttemptRecord, Standing};
use crate::{PipelineStatus, WorkerId};

/// An execution that a driver drives.
#[derive(Debug)]
pub(super) struct Held {
    mailbox: Address,
    epoch: u64,
    /// Keeps bodies from starting from the moment of the order on, not only once the driver has heard of it.
    held_back: Arc<AtomicBool>,
}

impl Held {
    pub(super) const fn new(mailbox: Address, epoch: u64, held_back: Arc<AtomicBool>) -> Self {
        Self { mailbox, epoch, held_back }
    }

    /// Gives an order to the driver; false if there is none any more.
    fn order(&self, order: Order) -> bool {
        if order == Order::Resume {
            self.held_back.store(false, Ordering::Release);
        }
        let heard = self.mailbox.send(Message::Order(order));
        // After the order is on its way: a start that is called off must reach the driver later than the reason.
        if matches!(order, Order::Pause | Order::Ended(_) | Order::Lost) {
            self.held_back.store(true, Ordering::Release);
        }
        heard
    }
}

/// All executions that are held, by id.
#[derive(Debug)]
pub(super) struct AllHeld {
    by_id: Mutex<BTreeMap<ExecutionId, Held>>,
    /// Those whose submits are under way, and what was ordered before the answer: the store may have them already, and
    /// others know of them. Locked after `by_id`, if both are.
    expected: Mutex<BTreeMap<ExecutionId, Option<Order>>>,
    load: Arc<AtomicUsize>,
    budget: Arc<Budget>,
    emptied: Notify,
}

/// One execution's share of the load; gone with it.
#[derive(Debug)]
pub(super) struct Load {
    total: Arc<AtomicUsize>,
    budget: Arc<Budget>,
    own: usize,
}

/// Notes that an execution is about to be held.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    held: &'a AllHeld,
    id: ExecutionId,
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.held.lock_expected().remove(&self.id);
    }
}

/// How much the executors of one process may hold in all.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    load: AtomicUsize,
    executors: AtomicUsize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, load: AtomicUsize::new(0), executors: AtomicUsize::new(0) }
    }

    /// How much more an executor may take: what is left, and its equal share in any case.
    fn room(&self, own: usize) -> usize {
        let left = self.limit.saturating_sub(self.load.load(Ordering::Relaxed));
        let share = self.limit / self.executors.load(Ordering::Relaxed).max(1);
        left.max(share.max(1).saturating_sub(own))
    }
}

impl Load {
    /// Sets its share; true if that has become less.
    pub(super) fn set(&mut self, own: usize) -> bool {
        let less = own < self.own;
        for total in [&*self.total, &self.budget.load] {
            if own > self.own {
                total.fetch_add(own - self.own, Ordering::Relaxed);
            } else {
                total.fetch_sub(self.own - own, Ordering::Relaxed);
            }
        }
        self.own = own;
        less
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl Drop for AllHeld {
    fn drop(&mut self) {
        self.budget.executors.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AllHeld {
    /// Starts with nothing. What it comes to hold counts against the budget.
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        budget.executors.fetch_add(1, Ordering::Relaxed);
        let (by_id, expected) = (Mutex::default(), Mutex::default());
        Self { by_id, expected, load: Arc::default(), budget, emptied: Notify::new() }
    }

    /// How much more may be held, as far as the process is concerned.
    pub(super) fn room(&self) -> usize {
        self.budget.room(self.load())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ExecutionId, Held>> {
        // The map is consistent between any two statements, so a panic elsewhere does not spoil it.
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an execution; it counts as one until its driver says otherwise.
    pub(super) fn add(&self, id: ExecutionId, held: Held) -> Load {
        let mut all = self.lock();
        let ordered = self.lock_expected().get_mut(&id).and_then(Option::take);
        if let Some(order) = ordered {
            let _ = held.order(order);
        }
        all.insert(id, held);
        self.reserve()
    }

    /// Notes that an execution is about to be held, until the returned guard is dropped.
    pub(super) fn expect(&self, id: ExecutionId) -> Expected<'_> {
        self.lock_expected().insert(id, None);
        Expected { held: self, id }
    }

    fn lock_expected(&self) -> MutexGuard<'_, BTreeMap<ExecutionId, Option<Order>>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports whether an execution is held under that epoch, or about to be held.
    pub(super) fn knows(&self, id: ExecutionId, epoch: u64) -> bool {
        // In this order: what stops being expected is held by then.
        let expected = self.lock_expected().contains_key(&id);
        expected || self.lock().get(&id).is_some_and(|held| held.epoch == epoch)
    }

    /// Counts one more execution that will come.
    pub(super) fn reserve(&self) -> Load {
        let mut load =
            Load { total: Arc::clone(&self.load), budget: Arc::clone(&self.budget), own: 0 };
        load.set(1);
        load
    }

    pub(super) fn remove(&self, id: ExecutionId, epoch: u64) {
        let mut held = self.lock();
        // The same execution may have been claimed again under a later epoch.
        if held.get(&id).is_some_and(|held| held.epoch == epoch) {
            held.remove(&id);
        }
        if held.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    /// Waits until nothing is held.
    pub(super) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.len() == 0 {
                return;
            }
            emptied.await;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn contains(&self, id: ExecutionId) -> bool {
        self.lock().contains_key(&id)
    }

    /// Lists what is held, with the epochs under which it is.
    pub(super) fn list(&self) -> Vec<(ExecutionId, u64)> {
        self.lock().iter().map(|(id, held)| (*id, held.epoch)).collect()
    }

    /// How many bodies run or wait for a slot, and executions that are about to begin.
    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Gives an order to the driver of an execution; false if it is not held. One that is about to be held hears of it then.
    pub(super) fn order(&self, id: ExecutionId, order: Order) -> bool {
        let held = self.lock();
        if let Some(held) = held.get(&id) {
            return held.order(order);
        }
        if let Some(ordered) = self.lock_expected().get_mut(&id) {
            *ordered = Some(order);
        }
        false
    }

    /// Asks the driver of an execution which attempts run; none do if it is not held.
    pub(super) async fn running_attempts(&self, id: ExecutionId) -> Vec<AttemptRecord> {
        let (asker, answer) = oneshot::channel();
        let question = Message::Describe(asker);
        let asked = self.lock().get(&id).is_some_and(|held| held.mailbox.send(question));
        if asked { answer.await.unwrap_or_default() } else { Vec::new() }
    }

    pub(super) fn order_all(&self, order: Order) {
        for held in self.lock().values() {
            // A driver that is gone needs no order.
            let _ = held.order(order);
        }
    }

    /// Asks up to `count` executions, the newest first, to go back if they have not begun.
    pub(super) fn hand_over(&self, count: usize) {
        let held = self.lock();
        let mut ids: Vec<_> = held.keys().copied().collect();
        ids.sort_unstable_by(|left, right| right.cmp(left));
        for id in ids.into_iter().take(count) {
            if let Some(held) = held.get(&id) {
                let _ = held.order(Order::HandOverIfIdle);
            }
        }
    }

    /// Compares what was held under an epoch with where it stands in the store.
    pub(super) fn compare(
        &self,
        worker: WorkerId,
        (id, epoch): (ExecutionId, u64),
        standing: Option<Standing>,
    ) {
        let held = self.lock();
        // Claimed again meanwhile: what was read is about the time before.
        let Some(held) = held.get(&id).filter(|held| held.epoch == epoch) else { return };
        let order =
            match standing {
                Some(Standing { status, .. }) if status.is_terminal() => Order::Ended(status),
                Some(Standing { status, owner: Some(owner), epoch })
                    if owner == worker && epoch == held.epoch =>
                {
                    if status == PipelineStatus::Paused { Order::Pause } else { Order::Resume }
                }
                _ => Order::Lost,
            };
        let _ = held.order(order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::driver::mailbox::mailbox;

    #[tokio::test]
    async fn what_is_ordered_before_the_answer_to_a_submit_holds_from_the_start() {
        let all = AllHeld::new(Arc::new(Budget::new(10)));
        let id = ExecutionId::new();
        let expected = all.expect(id);
        assert!(!all.order(id, Order::Resume), "nobody drives it yet");
        assert!(!all.order(id, Order::Pause), "nobody drives it yet");
        let (address, mailbox) = mailbox();
        let held_back = Arc::new(AtomicBool::new(false));
        let load = all.add(id, Held::new(address, 1, Arc::clone(&held_back)));
        drop(expected);
        assert!(held_back.load(Ordering::Acquire), "no body may begin");
        assert!(matches!(mailbox.receive().await, Message::Order(Order::Pause)), "the last order");
        all.remove(id, 1);
        assert!(!all.order(id, Order::Pause), "it is forgotten with the execution");
        drop(load);
    }
}
