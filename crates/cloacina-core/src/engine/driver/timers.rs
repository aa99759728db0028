//! The timers of one execution.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tokio::time::Instant;

use super::{Driver, End};
use crate::engine::alarms::Key;
use crate::state::Event;

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A retry falls due.
    RetryDue { ordinal: u32 },
    /// An attempt that ran alone has ended long ago, and its end is not committed.
    LetOthersRun,
    /// The execution has taken longer than it may.
    Deadline,
}

/// Timers by the time at which they ring. One that has lost its point rings to no effect.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Timer)>>,
    /// When the attempts are to be looked after: the first that is due, or one that has ended since.
    watch: Option<Instant>,
    /// The alarm that is set, which rings with the earliest of them or before.
    alarm: Option<Key>,
}

impl Timers {
    pub(super) fn add(&mut self, at: Instant, timer: Timer) {
        self.heap.push(Reverse((at, timer)));
    }

    /// Sees to it that the attempts are looked after then, or before.
    pub(super) fn watch(&mut self, at: Instant) {
        self.watch = Some(self.watch.map_or(at, |before| before.min(at)));
    }

    /// Returns when something falls due, whether a body runs or not.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let due = self.heap.iter().filter(|Reverse((_, timer))| {
            matches!(timer, Timer::RetryDue { .. } | Timer::Deadline)
        });
        due.map(|Reverse((at, _))| *at).min()
    }

    /// Returns when the first of them rings.
    fn first(&self) -> Option<Instant> {
        let first = self.heap.peek().map(|Reverse((at, _))| *at);
        first.into_iter().chain(self.watch).min()
    }

    fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        self.heap.peek().filter(|Reverse((at, _))| *at <= now)?;
        self.heap.pop().map(|Reverse((_, timer))| timer)
    }
}

impl Driver {
    /// Lets the timers ring that are due, at an alarm.
    pub(in crate::engine) fn wake(&mut self, alarm: Key) -> Option<End> {
        // Another may have been set while this one was about to ring.
        self.timers.alarm.take_if(|set| *set == alarm);
        let now = Instant::now();
        while let Some(timer) = self.timers.pop_due(now) {
            if let Some(end) = self.ring(timer) {
                return Some(end);
            }
        }
        if self.timers.watch.take_if(|at| *at <= now).is_some() {
            self.watch(now);
        }
        None
    }

    fn ring(&mut self, timer: Timer) -> Option<End> {
        match timer {
            Timer::RetryDue { ordinal } => self.apply(Event::RetryDue { ordinal }),
            Timer::Deadline => {
                // How far the others had come is on record, and not known here.
                self.report = None;
                let limit = self.engine.config.pipeline_timeout.unwrap_or_default();
                self.apply(Event::DeadlinePassed { at: Instant::now(), limit })
            }
            Timer::LetOthersRun => {
                self.exclusive = None;
                None
            }
        }
    }

    /// Sees to it that an alarm rings with the next timer. One that rings too early costs less than one that is set anew each
    /// time: most timers lose their point long before it is time.
    pub(super) fn set_alarm(&mut self) {
        let Some(at) = self.timers.first() else { return };
        if self.timers.alarm.is_some_and(|(alarm, _)| alarm <= at) {
            return;
        }
        self.take_back_alarm();
        self.timers.alarm = Some(self.engine.alarms.set(at, self.address.clone()));
    }

    pub(super) fn take_back_alarm(&mut self) {
        if let Some(alarm) = self.timers.alarm.take() {
            self.engine.alarms.take_back(alarm);
        }
    }
}
