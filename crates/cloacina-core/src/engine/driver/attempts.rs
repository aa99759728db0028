//! Attempts: starting them, and looking after those that take their time.

use std::sync::{Arc, OnceLock};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::timers::Timer;
use super::{Driver, End, Ongoing};
use crate::backend::{AttemptStart, Checkpoint, Company};
use crate::engine::attempt::{self, Attempt};
use crate::state::{ContextView, Event};

impl Driver {
    pub(super) fn start(&mut self, ordinal: u32, attempt: u32, view: ContextView) {
        self.serial += 1;
        let serial = self.serial;
        let workflow = self.state.workflow().clone();
        let timeout = workflow.task_at(ordinal).timeout.unwrap_or(self.engine.config.task_timeout);
        let cancellation = CancellationToken::new();
        let started = Arc::new(OnceLock::new());
        let on_record = self.suspects.company(&self.engine.config);
        let announce = on_record.is_some() && !std::mem::replace(&mut self.announced, true);
        let grace = self.engine.config.cancel_grace * 2;
        let first_look = self.engine.beat().min(timeout + grace);
        self.timers.add(Instant::now() + first_look, Timer::Watch { ordinal, serial });
        let ongoing = Ongoing {
            serial,
            attempt,
            cancellation: cancellation.clone(),
            started: Arc::clone(&started),
            timeout,
            noted: on_record.is_some(),
        };
        self.ongoing.insert(ordinal, ongoing);
        let attempt = Attempt {
            engine: Arc::clone(&self.engine),
            workflow,
            execution: self.id,
            worker: self.worker,
            epoch: self.epoch,
            ordinal,
            attempt,
            serial,
            view,
            on_record,
            announce,
            timeout,
            cancellation,
            halt: self.halt.clone(),
            held_back: Arc::clone(&self.held_back),
            started,
            mailbox: self.to_self.clone(),
        };
        self.engine.tracker.spawn(attempt.run());
    }

    /// Strikes an attempt off; false if it was given up before.
    pub(super) fn forget(&mut self, ordinal: u32, serial: u64) -> bool {
        let known = self.ongoing.get(&ordinal).is_some_and(|ongoing| ongoing.serial == serial);
        if known {
            self.ongoing.remove(&ordinal);
        }
        known
    }

    /// Looks after an attempt that takes its time: puts its start on record, and gives it up when it neither ended nor
    /// reacted to its timeout, which is what a body that blocks its thread does.
    pub(super) fn watch(&mut self, ordinal: u32, serial: u64) -> Option<End> {
        let task = self.state.workflow().task_at(ordinal).id().clone();
        let beat = self.engine.beat();
        let grace = self.engine.config.cancel_grace * 2;
        let ongoing = self.ongoing.get_mut(&ordinal).filter(|one| one.serial == serial)?;
        let Some(&started) = ongoing.started.get() else {
            let again = beat.min(ongoing.timeout + grace);
            self.timers.add(Instant::now() + again, Timer::Watch { ordinal, serial });
            return None;
        };
        let give_up = started + ongoing.timeout + grace;
        if Instant::now() < give_up {
            self.timers.add(give_up, Timer::Watch { ordinal, serial });
            if !std::mem::replace(&mut ongoing.noted, true) {
                let attempt = ongoing.attempt;
                let start = AttemptStart { task, attempt, started, company: Company::Shared };
                let checkpoint = Checkpoint { starts: vec![start], ..self.checkpoint() };
                // Nobody waits for it: it only lets other processes see what runs.
                drop(self.engine.committer.checkpoint(checkpoint));
            }
            return None;
        }
        let timeout = ongoing.timeout;
        ongoing.cancellation.cancel();
        self.ongoing.remove(&ordinal);
        let result = attempt::failure(attempt::timed_out(timeout));
        let ended = Instant::now();
        self.apply(Event::AttemptEnded { ordinal, started, ended, result })
    }

    pub(super) fn stop_attempts(&mut self) {
        for (_, ongoing) in self.ongoing.drain() {
            ongoing.cancellation.cancel();
        }
        self.halt.cancel();
    }
}
