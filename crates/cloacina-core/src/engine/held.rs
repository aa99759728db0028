//! The executions that this worker holds, and how much they ask of its slots.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::Gauge;
use tokio::sync::Notify;

use super::driver::{Address, Driver, Order};
use crate::ExecutionId;
use crate::backend::{AttemptRecord, Standing};
use crate::metrics::Meters;
use crate::{Explanation, PipelineStatus, WorkerId};

/// An execution that a driver drives.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) address: Address,
    pub(super) epoch: u64,
}

/// All executions that are held.
#[derive(Debug)]
pub(super) struct AllHeld {
    inner: Mutex<Inner>,
    load: AtomicUsize,
    budget: Arc<Budget>,
    /// How many executions all executors of the process hold.
    count: Gauge,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    by_id: BTreeMap<ExecutionId, Stage>,
    /// How many of them are held.
    held: usize,
}

#[derive(Debug)]
enum Stage {
    /// Its submit is under way, and this was ordered before the answer: the store may have it already, and others know of it.
    Expected(Option<Order>),
    Held(Held),
}

/// A share of the load, of one execution or of some that are to come; gone with it.
#[derive(Debug)]
pub(super) struct Load {
    all: Arc<AllHeld>,
    own: usize,
    /// The execution for which it is kept, while its submit is under way.
    expects: Option<ExecutionId>,
}

impl Inner {
    fn held(&self) -> impl DoubleEndedIterator<Item = (ExecutionId, &Held)> {
        self.by_id.iter().filter_map(|(id, place)| match place {
            Stage::Held(held) => Some((*id, held)),
            Stage::Expected(_) => None,
        })
    }

    fn get(&self, id: ExecutionId) -> Option<&Held> {
        match self.by_id.get(&id)? {
            Stage::Held(held) => Some(held),
            Stage::Expected(_) => None,
        }
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

    /// How much more an executor that has `own` may take where all have `load`: what is left, and its equal share in any case.
    fn room(&self, load: usize, own: usize) -> usize {
        let left = self.limit.saturating_sub(load);
        let share = self.limit / self.executors.load(Ordering::Relaxed).max(1);
        left.max(share.max(1).saturating_sub(own))
    }
}

/// Raises a counter by up to `wanted`, as far as there is room at where it stands; tells where it stood, and by how much.
fn raise(counter: &AtomicUsize, wanted: usize, room: impl Fn(usize) -> usize) -> (usize, usize) {
    let mut stood = counter.load(Ordering::Relaxed);
    loop {
        let granted = wanted.min(room(stood));
        let raised = stood + granted;
        match counter.compare_exchange_weak(stood, raised, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return (stood, granted),
            Err(stands) => stood = stands,
        }
    }
}

impl Load {
    /// How much it counts.
    pub(super) fn own(&self) -> usize {
        self.own
    }

    /// Splits one execution's share off, if there is one.
    pub(super) fn split_one(&mut self) -> Self {
        let own = self.own.min(1);
        self.own -= own;
        Self { all: Arc::clone(&self.all), own, expects: None }
    }

    /// Keeps it for an execution that is about to be held. If it is dropped before, that is expected no more.
    pub(super) fn expect(&mut self, id: ExecutionId) {
        self.all.lock().by_id.insert(id, Stage::Expected(None));
        self.expects = Some(id);
    }

    /// Keeps it for an execution that is held now.
    pub(super) fn arrive(&mut self) {
        self.expects = None;
    }

    /// Takes another share in.
    pub(super) fn add(&mut self, mut other: Self) {
        self.own += std::mem::take(&mut other.own);
    }

    /// Sets its share; true if that has become less. Whoever notes work first and looks for room then, or gives up room first and
    /// looks for work then, does not miss the other.
    pub(super) fn set(&mut self, own: usize) -> bool {
        if own == self.own {
            // All threads share the counters.
            return false;
        }
        let less = own < self.own;
        for total in [&self.all.load, &self.all.budget.load] {
            if own > self.own {
                total.fetch_add(own - self.own, Ordering::SeqCst);
            } else {
                total.fetch_sub(self.own - own, Ordering::SeqCst);
            }
        }
        self.own = own;
        less
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.set(0);
        let Some(id) = self.expects else { return };
        // Somebody else may have given it back, and a claim brought it here.
        if let Entry::Occupied(place) = self.all.lock().by_id.entry(id)
            && matches!(place.get(), Stage::Expected(_))
        {
            place.remove();
        }
    }
}

impl Drop for AllHeld {
    fn drop(&mut self) {
        self.count.decrement(u32::try_from(self.len()).unwrap_or(u32::MAX));
        self.budget.executors.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AllHeld {
    /// Starts with nothing. What it comes to hold counts against the budget.
    pub(super) fn new(budget: Arc<Budget>, meters: &Meters) -> Arc<Self> {
        budget.executors.fetch_add(1, Ordering::Relaxed);
        let count = meters.executions_held.clone();
        let (inner, load) = (Mutex::default(), AtomicUsize::new(0));
        Arc::new(Self { inner, load, budget, count, emptied: Notify::new() })
    }

    /// How much more may be held, as far as the process is concerned.
    pub(super) fn room(&self) -> usize {
        self.budget.room(self.budget.load.load(Ordering::SeqCst), self.load())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Consistent between any two statements, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an execution, and tells what was ordered of it before.
    pub(super) fn add(&self, id: ExecutionId, held: Held) -> Option<Order> {
        let mut inner = self.lock();
        let before = inner.by_id.insert(id, Stage::Held(held));
        if let Some(Stage::Held(_)) = before {
            return None;
        }
        inner.held += 1;
        self.count.increment(1);
        match before {
            Some(Stage::Expected(order)) => order,
            _ => None,
        }
    }

    /// Reports whether an execution is held under that epoch, or about to be held.
    pub(super) fn knows(&self, id: ExecutionId, epoch: u64) -> bool {
        match self.lock().by_id.get(&id) {
            Some(Stage::Held(held)) => held.epoch == epoch,
            Some(Stage::Expected(_)) => true,
            None => false,
        }
    }

    /// Counts up to `wanted` executions that will come: as many as there is room for in the process, and here where `most` may
    /// be counted.
    ///
    /// Looking and counting are one step, so that submits and claims on several threads do not take the same place.
    pub(super) fn reserve(self: &Arc<Self>, wanted: usize, most: usize) -> Load {
        let (own, here) = raise(&self.load, wanted, |load| most.saturating_sub(load));
        let (_, granted) = raise(&self.budget.load, here, |load| self.budget.room(load, own));
        if granted < here {
            self.load.fetch_sub(here - granted, Ordering::SeqCst);
        }
        Load { all: Arc::clone(self), own: granted, expects: None }
    }

    pub(super) fn remove(&self, id: ExecutionId, epoch: u64) {
        let mut inner = self.lock();
        // The same execution may have been claimed again under a later epoch.
        if let Entry::Occupied(place) = inner.by_id.entry(id)
            && matches!(place.get(), Stage::Held(held) if held.epoch == epoch)
        {
            place.remove();
            inner.held -= 1;
            self.count.decrement(1);
        }
        if inner.held == 0 {
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
        self.lock().held
    }

    pub(super) fn contains(&self, id: ExecutionId) -> bool {
        self.lock().get(id).is_some()
    }

    /// Lists what is held, with the epochs under which it is.
    pub(super) fn list(&self) -> Vec<(ExecutionId, u64)> {
        self.lock().held().map(|(id, held)| (id, held.epoch)).collect()
    }

    /// How many bodies run or wait for a slot, and executions that are about to begin.
    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::SeqCst)
    }

    fn address(&self, id: ExecutionId) -> Option<Address> {
        self.lock().get(id).map(|held| held.address.clone())
    }

    /// Gives an order to the driver of an execution; false if it is not held. One that is about to be held hears of it then.
    pub(super) fn order(&self, id: ExecutionId, order: Order) -> bool {
        let address = match self.lock().by_id.get_mut(&id) {
            Some(Stage::Held(held)) => held.address.clone(),
            Some(Stage::Expected(ordered)) => {
                *ordered = Some(order);
                return false;
            }
            None => return false,
        };
        address.tell(|driver| driver.obey(order))
    }

    /// Asks the driver of an execution which attempts run; none do if it is not held.
    pub(super) fn running_attempts(&self, id: ExecutionId) -> Vec<AttemptRecord> {
        let running = self.address(id).and_then(|driver| driver.ask(Driver::running_attempts));
        running.unwrap_or_default()
    }

    /// Asks the driver of an execution why its tasks do not run; nothing if it is not held.
    pub(super) fn explain(&self, id: ExecutionId) -> Option<Explanation> {
        self.address(id)?.ask(Driver::explain)
    }

    pub(super) fn order_all(&self, order: Order) {
        let all: Vec<_> = self.lock().held().map(|(_, held)| held.address.clone()).collect();
        for address in all {
            // A driver that is gone needs no order.
            address.tell(|driver| driver.obey(order));
        }
    }

    /// Asks up to `count` executions, the newest first, to go back if they have not begun.
    pub(super) fn hand_over(&self, count: usize) {
        let newest: Vec<_> =
            self.lock().held().rev().take(count).map(|(_, held)| held.address.clone()).collect();
        for address in newest {
            address.tell(|driver| driver.obey(Order::HandOverIfIdle));
        }
    }

    /// Compares what was held under an epoch with where it stands in the store.
    pub(super) fn compare(
        &self,
        worker: WorkerId,
        (id, epoch): (ExecutionId, u64),
        standing: Option<Standing>,
    ) {
        let address = {
            let inner = self.lock();
            // Claimed again meanwhile: what was read is about the time before.
            let Some(held) = inner.get(id).filter(|held| held.epoch == epoch) else { return };
            held.address.clone()
        };
        let order = match standing {
            Some(Standing { status, .. }) if status.is_terminal() => Order::Ended(status),
            Some(Standing { status, owner: Some(owner), epoch: now })
                if owner == worker && now == epoch =>
            {
                if status == PipelineStatus::Paused {
                    Order::Pause
                } else {
                    Order::Resume
                }
            }
            _ => Order::Lost,
        };
        address.tell(|driver| driver.obey(order));
    }
}

#[cfg(test)]
mod tests;
