//! Attempts: queueing and preparing them, and looking after those that take their time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedRwLockWriteGuard;
use tokio::time::Instant;
use tracing::Span;
use tracing::dispatcher::with_default;

use super::timers::Timer;
use super::{Address, Driver, End};
use crate::backend::{AttemptRecord, AttemptStart, AttemptState, Checkpoint, Company};
use crate::dag::to_ordinal;
use crate::engine::Engine;
use crate::engine::attempt::{self, Attempt};
use crate::engine::committer::Hearer;
use crate::state::{AttemptResult, Event, Given};
use crate::task::Signs;
use crate::{TaskId, TaskState};

/// The end of an attempt.
#[derive(Debug)]
pub(in crate::engine) struct AttemptEnd {
    pub(in crate::engine) ordinal: u32,
    pub(in crate::engine) serial: u64,
    pub(in crate::engine) started: Instant,
    pub(in crate::engine) ended: Instant,
    pub(in crate::engine) result: AttemptResult,
    /// Held by an attempt that ran alone, until its end is committed.
    pub(in crate::engine) exclusive: Option<OwnedRwLockWriteGuard<()>>,
}

/// A task that waits for a runner. What its attempt needs is made when that has come: thousands may wait.
#[derive(Debug)]
pub(super) struct Queued {
    ordinal: u32,
    /// Since when it may start.
    ready: Instant,
    /// Whether its start has to be on record, as things stood when it could start: what was in flight then proves nothing of it.
    on_record: Option<Company>,
}

/// An attempt that a runner has taken on.
#[derive(Debug)]
pub(super) struct Ongoing {
    pub(super) serial: u64,
    pub(super) attempt: u32,
    pub(super) signs: Arc<Signs>,
    /// When it is to be looked after; never again once it was given up.
    pub(super) next_look: Option<Instant>,
    /// What is on record of it, if anything.
    pub(super) noted: Option<Noted>,
}

/// What is on record of an attempt that runs.
#[derive(Debug, PartialEq)]
pub(super) struct Noted {
    pub(super) progress: Option<Arc<str>>,
}

impl Driver {
    /// Queues a task for the runners.
    pub(super) fn queue(&mut self, ordinal: u32) {
        if self.queued.is_empty() {
            // All that waits has one, and most of it never has more.
            self.queued.reserve_exact(1);
        }
        let on_record = self.suspects.company(&self.engine.config);
        self.queued.push_back(Queued { ordinal, ready: Instant::now(), on_record });
        if self.places < self.queued.len() {
            self.places += 1;
            self.engine.run(self.address.clone());
        }
    }

    /// Prepares the attempt for which a runner has come; nothing if it was called off.
    pub(in crate::engine) fn next_attempt<'a>(
        &mut self,
        engine: &'a Engine,
        driver: &'a Address,
        now: Instant,
    ) -> Option<(Attempt<'a>, Span)> {
        self.places -= 1;
        let Queued { ordinal, ready, on_record } = self.queued.pop_front()?;
        let Given { attempt, context: view, upstream } = self.state.given(ordinal);
        self.serial += 1;
        let serial = self.serial;
        let workflow = self.state.workflow().clone();
        let timeout = self.timeout(ordinal);
        let signs: Arc<Signs> = Arc::default();
        let announce = on_record.is_some() && !std::mem::replace(&mut self.announced, true);
        let next_look = now + self.first_look(timeout);
        self.timers.watch(next_look);
        let ongoing = Ongoing {
            serial,
            attempt,
            signs: Arc::clone(&signs),
            next_look: Some(next_look),
            noted: on_record.map(|_| Noted { progress: None }),
        };
        if self.ongoing.is_empty() {
            self.ongoing.resize_with(workflow.tasks().len(), || None);
        }
        self.ongoing[ordinal as usize] = Some(ongoing);
        let attempt = Attempt {
            engine,
            line: self.line,
            workflow,
            execution: self.id,
            worker: self.worker,
            epoch: self.epoch,
            ordinal,
            attempt,
            ready,
            serial,
            view,
            upstream,
            on_record,
            announce,
            timeout,
            signs,
            driver,
        };
        let span = self.attempt_span(attempt.task().id(), attempt.attempt);
        Some((attempt, span))
    }

    /// How long an attempt of a task may take.
    fn timeout(&self, ordinal: u32) -> Duration {
        let own = self.state.workflow().task_at(ordinal).timeout;
        own.unwrap_or(self.engine.config.task_timeout)
    }

    /// The span of an attempt: what led to the submit leads to it.
    fn attempt_span(&self, task: &TaskId, attempt: u32) -> Span {
        let parent = if self.cause.is_none() { &self.engine.span } else { &self.cause };
        let tenant = self.engine.tenant.as_ref().map(tracing::field::display);
        let make = || tracing::info_span!(parent: parent, "attempt", tenant, execution_id = %self.id, %task, attempt);
        // Where its parent is known: elsewhere the parent's id is another's, or nobody's.
        let made = parent.with_subscriber(|(_, there)| with_default(there, make));
        made.unwrap_or_else(make)
    }

    pub(in crate::engine) fn attempt_ended(&mut self, end: AttemptEnd) -> Option<End> {
        let AttemptEnd { ordinal, serial, started, ended, result, exclusive } = end;
        if !self.forget(ordinal, serial) {
            return None;
        }
        self.engine.turnover.note();
        let outcome = match result {
            AttemptResult::Success { .. } => TaskState::Completed,
            AttemptResult::Failure { .. } => TaskState::Failed,
        };
        self.engine.metrics.meters.ran(ended - started, outcome);
        self.exclusive = exclusive;
        if self.exclusive.is_some() {
            // A store that does not take its end must not keep everybody else from running.
            let at = Instant::now() + self.engine.config.lease_ttl;
            self.timers.add(at, Timer::LetOthersRun);
        }
        let end = self.apply(Event::AttemptEnded { ordinal, started, ended, result });
        self.let_others_run();
        end
    }

    pub(in crate::engine) fn not_started(&mut self, ordinal: u32, serial: u64) -> Option<End> {
        if !self.forget(ordinal, serial) {
            return None;
        }
        self.apply(Event::NotStarted { ordinal })
    }

    /// Strikes an attempt off; false if it was given up before.
    fn forget(&mut self, ordinal: u32, serial: u64) -> bool {
        let ongoing = self.ongoing.get_mut(ordinal as usize);
        ongoing.and_then(|ongoing| ongoing.take_if(|one| one.serial == serial)).is_some()
    }

    /// Looks after the attempts that take their time.
    pub(super) fn watch(&mut self, now: Instant) {
        for ordinal in 0..to_ordinal(self.ongoing.len()) {
            if let Some(next) = self.watch_one(ordinal, now) {
                self.timers.watch(next);
            }
        }
    }

    /// Puts the start and the progress of an attempt on record, and gives it up when it neither ended nor reacted to its timeout,
    /// which is what a body that blocks its thread does. Returns when the next look at it is due.
    fn watch_one(&mut self, ordinal: u32, now: Instant) -> Option<Instant> {
        let next_look = self.ongoing[ordinal as usize].as_ref()?.next_look?;
        if now < next_look {
            return Some(next_look);
        }
        let timeout = self.timeout(ordinal);
        let first_look = self.first_look(timeout);
        let ongoing = self.ongoing[ordinal as usize].as_mut()?;
        let Some(started) = ongoing.signs.started() else {
            ongoing.next_look = Some(now + first_look);
            return ongoing.next_look;
        };
        let give_up = started + timeout + self.engine.config.cancel_grace * 2;
        if now >= give_up {
            ongoing.next_look = None;
            ongoing.signs.cancellation.cancel();
            let serial = ongoing.serial;
            self.give_up(ordinal, serial, started, timeout);
            return None;
        }
        let next_look = give_up.min(now + self.engine.beat());
        ongoing.next_look = Some(next_look);
        let noted = Some(Noted { progress: ongoing.signs.progress() });
        if ongoing.noted != noted {
            let start = AttemptStart {
                task: self.state.workflow().task_at(ordinal).id().clone(),
                attempt: ongoing.attempt,
                started,
                company: Company::Shared,
                progress: noted.as_ref().and_then(|noted| noted.progress.clone()),
            };
            ongoing.noted = noted;
            let checkpoint = Checkpoint { starts: vec![start], ..self.checkpoint() };
            // Nobody waits for it: it only lets other processes see what runs.
            self.engine.lines.of(self.line).checkpoint(checkpoint, Hearer::Nobody);
        }
        Some(next_look)
    }

    /// How long an attempt may take before it is looked after.
    fn first_look(&self, timeout: Duration) -> Duration {
        self.engine.beat().min(timeout + self.engine.config.cancel_grace * 2)
    }

    /// Ends an attempt that does not end by itself. Beside, since the user is asked whether it is to be retried.
    fn give_up(&self, ordinal: u32, serial: u64, started: Instant, timeout: Duration) {
        let (address, workflow) = (self.address.clone(), self.state.workflow().clone());
        self.engine.spawn(async move {
            let policy = &workflow.task_at(ordinal).retry;
            let result = attempt::failure(attempt::timed_out(timeout), policy);
            let (ended, exclusive) = (Instant::now(), None);
            let end = AttemptEnd { ordinal, serial, started, ended, result, exclusive };
            address.tell(|driver| driver.attempt_ended(end));
        });
    }

    /// Describes the attempts whose bodies run, as their records would.
    pub(in crate::engine) fn running_attempts(&self) -> Vec<AttemptRecord> {
        let workflow = self.state.workflow();
        let running = self.ongoing.iter().zip(workflow.tasks()).filter_map(|(ongoing, task)| {
            let ongoing = ongoing.as_ref()?;
            let started = ongoing.signs.started()?;
            Some(AttemptRecord {
                task: task.id().clone(),
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

    /// Calls off the attempts whose bodies have not started.
    pub(super) fn call_off(&mut self) -> Option<End> {
        let mut waiting: Vec<_> = self.queued.drain(..).map(|queued| queued.ordinal).collect();
        for (ordinal, ongoing) in (0..).zip(&mut self.ongoing) {
            if let Some(called_off) = ongoing.take_if(|ongoing| ongoing.signs.call_off()) {
                called_off.signs.cancellation.cancel();
                waiting.push(ordinal);
            }
        }
        waiting.sort_unstable();
        waiting.into_iter().find_map(|ordinal| self.apply(Event::NotStarted { ordinal }))
    }

    pub(super) fn stop_attempts(&mut self) {
        self.queued.clear();
        for ongoing in std::mem::take(&mut self.ongoing).into_iter().flatten() {
            ongoing.signs.call_off();
            ongoing.signs.cancellation.cancel();
        }
    }
}
