//! The timers of one execution.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::pin::Pin;

use tokio::time::{Instant, Sleep, sleep_until};

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A retry falls due.
    RetryDue { ordinal: u32 },
    /// An attempt has been running for a while.
    Watch { ordinal: u32, serial: u64 },
    /// An attempt that ran alone has ended long ago, and its end is not committed.
    LetOthersRun,
    /// The execution has taken longer than it may.
    Deadline,
}

/// Timers by the time at which they ring. One that has lost its point rings to no effect.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Timer)>>,
    /// Waits for the earliest of them. Kept from one wait to the next: most are given up long before it is time, and to
    /// set up one each time costs more than all the rest.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Timers {
    pub(super) fn add(&mut self, at: Instant, timer: Timer) {
        self.heap.push(Reverse((at, timer)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Returns when something falls due, whether a body runs or not.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let due = self.heap.iter().filter(|Reverse((_, timer))| {
            matches!(timer, Timer::RetryDue { .. } | Timer::Deadline)
        });
        due.map(|Reverse((at, _))| *at).min()
    }

    /// Waits for the next timer and takes it out. Cancel safe. Never returns if there is none.
    pub(super) async fn next(&mut self) -> Timer {
        let Some(&Reverse((at, _))) = self.heap.peek() else {
            return std::future::pending().await;
        };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if alarm.deadline() != at {
            alarm.as_mut().reset(at);
        }
        alarm.await;
        match self.heap.pop() {
            Some(Reverse((_, timer))) => timer,
            None => std::future::pending().await,
        }
    }
}
