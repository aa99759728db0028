//! Drives one execution that this worker owns: the rim around its state machine.
//!
//! A driver waits for nothing: it takes in what happened, starts bodies, sends checkpoints to the committer, sets alarms,
//! and is done until the next event. It ends when the execution has ended, was given back, or was lost to another worker.

mod address;
mod attempts;
mod commits;
mod explain;
mod orders;
mod report;
mod timers;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::OwnedRwLockWriteGuard;
use tokio::time::Instant;
use tracing::Span;

use super::Engine;
use super::committer::Line;
use super::held::{Held, Load};
use super::partings::Parting;
use super::restore::TakenUp;
use crate::backend::{Release, Survival};
use crate::result::between;
use crate::state::{Command, Event, ExecutionState};
use crate::{ExecutionId, PipelineStatus, WorkerId};

pub(super) use address::Address;
pub(super) use attempts::AttemptEnd;
use attempts::{Ongoing, Queued};
use report::Report;
use timers::{Timer, Timers};

/// What somebody outside wants of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// It is paused in the store.
    Pause,
    /// It is resumed in the store.
    Resume,
    /// It has ended in the store.
    Ended(PipelineStatus),
    /// Somebody else owns it, or everything stops.
    Lost,
    /// Give it back as soon as nothing runs.
    HandOver,
    /// Give it back if no body has started yet.
    HandOverIfIdle,
}

/// How a driver's work comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The execution was brought to its end here.
    Ended(PipelineStatus),
    /// Somebody else ended it, and may have written what is not known here.
    Overtaken(PipelineStatus),
    /// The execution is to be given back.
    Release,
    /// The store refuses what is to be committed.
    Refused,
    /// The execution belongs to somebody else, or everything stops.
    Gone,
}

#[derive(Debug)]
pub(super) struct Driver {
    engine: Arc<Engine>,
    line: Line,
    id: ExecutionId,
    worker: WorkerId,
    epoch: u64,
    state: ExecutionState,
    /// When a worker first owned it.
    begun_at: Option<DateTime<Utc>>,
    /// The store's clock in the last transaction that is known.
    now: DateTime<Utc>,
    /// For those who wait for its end; nothing if nobody did from the start, or if it did not begin here.
    report: Option<Report>,
    suspects: super::restore::Suspects,
    /// The events tell of the suspicion.
    announced: bool,
    address: Address,
    /// A checkpoint is on its way.
    committing: bool,
    /// Tasks to be started, once there are runners for them.
    queued: VecDeque<Queued>,
    /// How many times the address is in the queue of the runners.
    places: usize,
    /// Attempts that runners have taken on, by ordinal; empty before the first.
    ongoing: Vec<Option<Ongoing>>,
    /// Counts attempts and checkpoints.
    serial: u64,
    timers: Timers,
    paused: bool,
    /// Held from the end of an attempt that ran alone until that is committed.
    exclusive: Option<OwnedRwLockWriteGuard<()>>,
    /// An order changed `paused` while the checkpoint was on its way.
    overtaken: bool,
    leaving: bool,
    load: Load,
    /// A moment on the store's clock and on this process's: one for all, so that no two stamps contradict each other.
    anchor: (DateTime<Utc>, Instant),
    /// What the submit was a part of, if it was made here.
    cause: Span,
}

impl Driver {
    /// Takes up an execution that `worker` owns: makes it known among those that are held, and begins.
    /// What it asks of the slots counts in place of `load`. Its attempts' spans are within `cause`, or within the engine's if that
    /// is none.
    pub(super) fn take_up(
        engine: Arc<Engine>,
        worker: WorkerId,
        taken_up: TakenUp,
        load: Load,
        cause: Span,
    ) {
        let TakenUp { id, epoch, state, suspects, begun_at, now, is_reported } = taken_up;
        let held = Arc::clone(&engine.held);
        let driver = |address| Self {
            id,
            worker,
            epoch,
            state,
            begun_at,
            now,
            report: is_reported.then(Report::default),
            suspects,
            announced: false,
            address,
            committing: false,
            queued: VecDeque::new(),
            places: 0,
            ongoing: Vec::new(),
            serial: 0,
            timers: Timers::default(),
            paused: false,
            exclusive: None,
            overtaken: false,
            leaving: false,
            load,
            anchor: (now, Instant::now()),
            cause,
            line: engine.lines.next(),
            engine,
        };
        let address = Address::new(driver);
        let ordered = held.add(id, Held { address: address.clone(), epoch });
        address.tell(|driver| {
            driver.load.arrive();
            ordered.and_then(|order| driver.obey(order)).or_else(|| driver.begin())
        });
    }

    fn begin(&mut self) -> Option<End> {
        // What comes later is told by an order.
        if self.engine.is_killed() {
            return Some(End::Gone);
        }
        if self.engine.stop.is_cancelled() {
            // Its submit or claim was under way when the stop came, and it may have missed the order.
            return Some(End::Release);
        }
        let at = self.anchor.1;
        let mut first = Event::Begun { at };
        if let Some(limit) = self.engine.config.pipeline_timeout {
            let age = self.begun_at.map(|at| between(at, self.now));
            let left = limit.saturating_sub(age.unwrap_or_default());
            if left.is_zero() {
                // It ran out while nobody owned the execution: nothing of it starts any more.
                first = Event::DeadlinePassed { at, limit };
            }
            self.timers.add(at + left, Timer::Deadline);
        }
        self.apply(first)
    }

    /// Sees to what depends on where the execution stands, once an event is taken in.
    fn settle(&mut self) {
        self.set_alarm();
        if self.load.set(self.weight()) {
            self.engine.claim_more();
        }
    }

    /// How much this execution asks of the slots.
    fn weight(&self) -> usize {
        if self.state.is_idle() { 0 } else { self.state.running().max(1) }
    }

    /// Feeds the state machine and carries out what it says.
    fn apply(&mut self, event: Event) -> Option<End> {
        for command in self.state.apply(event) {
            match command {
                Command::Start { ordinal } => self.queue(ordinal),
                Command::WaitForRetry { ordinal, since, delay } => {
                    self.timers.add(since + delay, Timer::RetryDue { ordinal });
                }
                Command::Commit(draft) => self.send(draft),
                Command::StopAttempts => self.stop_attempts(),
                Command::Release => return Some(End::Release),
                Command::Ended(finish) => {
                    if let Some(report) = &mut self.report {
                        report.error = finish.error;
                    }
                    return Some(End::Ended(finish.status));
                }
            }
        }
        None
    }

    /// Comes to the end of its work here.
    fn end(mut self, end: End) {
        self.take_back_alarm();
        self.stop_attempts();
        if self.places > 0 {
            self.engine.runners.vacate(self.places);
        }
        self.exclusive = None;
        match end {
            End::Ended(_) | End::Overtaken(_) => self.leave(end),
            End::Gone if self.engine.is_killed() => self.leave(end),
            End::Gone | End::Release | End::Refused => {
                let engine = Arc::clone(&self.engine);
                engine.spawn(Box::new(self).part(end));
            }
        }
    }

    /// Gives the execution back, which takes a commit.
    async fn part(mut self: Box<Self>, end: End) {
        if end == End::Refused {
            // Not at once: whoever takes it up next will most likely be refused as well.
            let wait = self.engine.config.lease_ttl;
            let _ = tokio::time::timeout(wait, self.engine.kill.cancelled()).await;
        }
        let due_in = match end {
            End::Release => self.due_in(),
            // Part of it is to be done again; or it was committed after the burial of its owner, is that one's still, and may
            // count as a death when somebody finds it.
            _ => None,
        };
        self.release(due_in).await;
        self.leave(end);
    }

    /// Lets go of the execution.
    fn leave(&mut self, end: End) {
        self.note_parting(end);
        let engine = Arc::clone(&self.engine);
        // In this order: others take its place as soon as it is free.
        engine.held.remove(self.id, self.epoch);
        self.load.set(0);
        match end {
            End::Ended(status) => {
                engine.metrics.ended(status);
                self.tell_waiters(&engine, status);
            }
            End::Overtaken(status) => {
                engine.metrics.ended(status);
                if engine.waiters.has(self.id) {
                    engine.look_for(self.id);
                }
            }
            End::Gone if !engine.is_killed() => {
                tracing::warn!(execution_id = %self.id, "lost the execution to another worker");
                engine.metrics.fenced();
            }
            End::Release | End::Refused | End::Gone => {}
        }
        engine.claim_more();
    }

    /// How long nobody needs to take it up: until the first retry or the deadline, if nothing else is to be done.
    fn due_in(&self) -> Option<Duration> {
        if self.state.has_startable() {
            return None;
        }
        let due = self.timers.next_due()?;
        Some(due.saturating_duration_since(Instant::now())).filter(|wait| !wait.is_zero())
    }

    /// Gives the execution back. Until that is done it counts as held: nobody else would know of it.
    async fn release(&self, due_in: Option<Duration>) {
        let Self { id: execution, worker, epoch, .. } = *self;
        let release = Release { execution, worker, epoch, due_in };
        // With those of others: a worker may give back hundreds at once.
        let committer = self.engine.lines.of(self.line);
        while let Some(Err(error)) = committer.release(release.clone()).await {
            tracing::warn!(execution_id = %self.id, %error, "an execution could not be given back");
            tokio::select! {
                biased;
                () = self.engine.kill.cancelled() => return,
                () = tokio::time::sleep(self.engine.config.poll_interval) => {}
            }
        }
        // It may have been resumed just before.
        self.engine.note_unowned();
    }

    /// Remembers what this worker parted with, should it have been declared dead.
    fn note_parting(&self, end: End) {
        let parting = match end {
            End::Gone if self.engine.is_killed() => return,
            // Nothing is taken back of what has ended.
            End::Ended(_) | End::Overtaken(_) => return,
            End::Gone => Parting::Lost,
            // A heartbeat of a new worker vouches for nothing of the old one.
            End::Release | End::Refused if self.worker != self.engine.worker() => Parting::Lost,
            End::Release | End::Refused => Parting::Given,
        };
        let survival = Survival { execution: self.id, epoch: self.epoch };
        self.engine.partings.note(survival, parting);
    }
}
