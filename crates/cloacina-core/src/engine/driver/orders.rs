//! Orders from outside.

use super::{Driver, End, Order};
use crate::state::Event;

impl Driver {
    pub(in crate::engine) fn obey(&mut self, order: Order) -> Option<End> {
        match order {
            Order::Pause => {
                self.overtaken |= !self.paused && self.committing;
                self.pause()
            }
            Order::Resume if !self.leaving && self.paused => {
                self.overtaken |= self.committing;
                self.paused = false;
                self.apply(Event::Resumed)
            }
            Order::Resume => None,
            Order::Ended(status) => Some(End::Overtaken(status)),
            Order::Lost => Some(End::Gone),
            Order::HandOver => {
                self.leaving = true;
                self.pause()
            }
            Order::HandOverIfIdle => {
                let mut ongoing = self.ongoing.iter().flatten();
                let started = ongoing.any(|one| one.signs.started().is_some());
                if started || self.committing {
                    return None;
                }
                self.leaving = true;
                self.pause()
            }
        }
    }

    pub(super) fn pause(&mut self) -> Option<End> {
        self.paused = true;
        self.apply(Event::Paused).or_else(|| self.call_off())
    }
}
