//! Attempts: starting them, and looking after those that take their time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use super::timers::Timer;
use super::{Driver, End};
use crate::TaskId;
use crate::backend::{AttemptRecord, AttemptStart, AttemptState, Checkpoint, Company};
use crate::engine::attempt::{self, Attempt};
use crate::state::{ContextView, Event};
use crate::task::{Signs, Upstream};

/// An attempt under way.
pub(super) struct Ongoing {
    pub(super) serial: u64,
    pub(super) attempt: u32,
    pub(super) cancellation: CancellationToken,
    pub(super) signs: Arc<Signs>,
    pub(super) timeout: Duration,
    /// What is on record of it, if anything.
    pub(super) noted: Option<Noted>,
}

/// What is on record of an attempt that runs.
#[derive(PartialEq)]
pub(super) struct Noted {
    pub(super) progress: Option<Arc<str>>,
}

impl Driver {
    pub(super) fn start(
        &mut self,
        ordinal: u32,
        attempt: u32,
        view: ContextView,
        upstream: Arc<[Upstream]>,
    ) {
        self.serial += 1;
        let serial = self.serial;
        let workflow = self.state.workflow().clone();
        let timeout = workflow.task_at(ordinal).timeout.unwrap_or(self.engine.config.task_timeout);
        let cancellation = CancellationToken::new();
        let signs: Arc<Signs> = Arc::default();
        let on_record = self.suspects.company(&self.engine.config);
        let announce = on_record.is_some() && !std::mem::replace(&mut self.announced, true);
        let grace = self.engine.config.cancel_grace * 2;
        let first_look = self.engine.beat().min(timeout + grace);
        self.timers.add(Instant::now() + first_look, Timer::Watch { ordinal, serial });
        let ongoing = Ongoing {
            serial,
            attempt,
            cancellation: cancellation.clone(),
            signs: Arc::clone(&signs),
            timeout,
            noted: on_record.map(|_| Noted { progress: None }),
        };
        self.ongoing.insert(ordinal, ongoing);
        let attempt = Box::new(Attempt {
            engine: Arc::clone(&self.engine),
            committer: self.committer.clone(),
            workflow,
            execution: self.id,
            worker: self.worker,
            epoch: self.epoch,
            ordinal,
            attempt,
            serial,
            view,
            upstream,
            on_record,
            announce,
            timeout,
            cancellation,
            halt: self.halt.clone(),
            held_back: Arc::clone(&self.held_back),
            signs,
            mailbox: self.to_self.clone(),
        });
        let span = self.attempt_span(attempt.task().id(), attempt.attempt);
        self.engine.spawn(attempt.run().instrument(span));
    }

    /// The span of an attempt: what led to the submit leads to it.
    fn attempt_span(&self, task: &TaskId, attempt: u32) -> Span {
        let parent = if self.cause.is_none() { &self.engine.span } else { &self.cause };
        let tenant = self.engine.tenant.as_ref().map(tracing::field::display);
        tracing::info_span!(parent: parent, "attempt", tenant, execution_id = %self.id, %task, attempt)
    }

    /// Strikes an attempt off; false if it was given up before.
    pub(super) fn forget(&mut self, ordinal: u32, serial: u64) -> bool {
        let known = self.ongoing.get(&ordinal).is_some_and(|ongoing| ongoing.serial == serial);
        if known {
            self.ongoing.remove(&ordinal);
        }
        known
    }

    /// Looks after an attempt that takes its time: puts its start and its progress on record, and gives it up when it
    /// neither ended nor reacted to its timeout, which is what a body that blocks its thread does.
    pub(super) fn watch(&mut self, ordinal: u32, serial: u64) -> Option<End> {
        let task = self.state.workflow().task_at(ordinal).id().clone();
        let beat = self.engine.beat();
        let grace = self.engine.config.cancel_grace * 2;
        let ongoing = self.ongoing.get_mut(&ordinal).filter(|one| one.serial == serial)?;
        let Some(&started) = ongoing.signs.started.get() else {
            let again = beat.min(ongoing.timeout + grace);
            self.timers.add(Instant::now() + again, Timer::Watch { ordinal, serial });
            return None;
        };
        let give_up = started + ongoing.timeout + grace;
        let now = Instant::now();
        if now < give_up {
            self.timers.add(give_up.min(now + beat), Timer::Watch { ordinal, serial });
            let noted = Some(Noted { progress: ongoing.signs.progress() });
            if ongoing.noted != noted {
                let start = AttemptStart {
                    task,
                    attempt: ongoing.attempt,
                    started,
                    company: Company::Shared,
                    progress: noted.as_ref().and_then(|noted| noted.progress.clone()),
                };
                ongoing.noted = noted;
                let checkpoint = Checkpoint { starts: vec![start], ..self.checkpoint() };
                // Nobody waits for it: it only lets other processes see what runs.
                drop(self.committer.checkpoint(checkpoint));
            }
            return None;
        }
        let timeout = ongoing.timeout;
        ongoing.cancellation.cancel();
        self.ongoing.remove(&ordinal);
        let policy = &self.state.workflow().task_at(ordinal).retry;
        let result = attempt::failure(attempt::timed_out(timeout), policy);
        let ended = Instant::now();
        self.apply(Event::AttemptEnded { ordinal, started, ended, result })
    }

    /// Describes the attempts whose bodies run, as their records would.
    pub(super) fn running_attempts(&self) -> Vec<AttemptRecord> {
        let workflow = self.state.workflow();
        let running = self.ongoing.iter().filter_map(|(&ordinal, ongoing)| {
            let started = *ongoing.signs.started.get()?;
            Some(AttemptRecord {
                task: workflow.task_at(ordinal).id().clone(),
                attempt: ongoing.attempt,
                epoch: self.epoch,
                state: AttemptState::Running,
                company: Company::Shared,
                error: None,
                progress: ongoing.signs.progress().map(|text| text.to_string()),
                started_at: self.stamp(started),
                ended_at: None,
                retry_at: None,
            })
        });
        running.collect()
    }

    pub(super) fn stop_attempts(&mut self) {
        for ongoing in std::mem::take(&mut self.ongoing).into_values() {
            ongoing.cancellation.cancel();
        }
        self.halt.cancel();
    }
}
