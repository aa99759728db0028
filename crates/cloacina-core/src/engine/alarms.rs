//! When drivers want to be woken. One task wakes them all; each has one alarm at most.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep_until};

use super::Engine;
use super::driver::Address;

/// Where an alarm is found: by its time, and a number, since several may ring at once.
pub(super) type Key = (Instant, u64);

/// All alarms that are set.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    by_time: Mutex<BTreeMap<Key, Address>>,
    number: AtomicU64,
    /// One was set that rings before all others.
    earlier: Notify,
}

impl Alarms {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Address>> {
        // The map is consistent between any two statements, so a panic elsewhere does not spoil it.
        self.by_time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets an alarm.
    pub(super) fn set(&self, at: Instant, address: Address) -> Key {
        let key = (at, self.number.fetch_add(1, Ordering::Relaxed));
        let mut alarms = self.lock();
        alarms.insert(key, address);
        if alarms.first_key_value().is_some_and(|(first, _)| *first == key) {
            self.earlier.notify_one();
        }
        key
    }

    /// Takes an alarm back. One that has rung is gone already.
    pub(super) fn take_back(&self, key: Key) {
        self.lock().remove(&key);
    }

    fn next(&self) -> Option<Instant> {
        self.lock().first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes out those that are due.
    fn due(&self, now: Instant) -> BTreeMap<Key, Address> {
        let mut alarms = self.lock();
        let later = alarms.split_off(&(now, u64::MAX));
        std::mem::replace(&mut *alarms, later)
    }
}

/// Wakes the drivers when it is time.
pub(super) async fn ring(engine: Arc<Engine>) {
    loop {
        let next = engine.alarms.next();
        let time = async {
            match next {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = engine.kill.cancelled() => return,
            () = engine.alarms.earlier.notified() => continue,
            () = time => {}
        }
        for (alarm, address) in engine.alarms.due(Instant::now()) {
            address.tell(|driver| driver.wake(alarm));
            consume_budget().await;
        }
    }
}
