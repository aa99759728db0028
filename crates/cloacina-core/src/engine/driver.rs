//! Drives one execution that this worker owns: the rim around its state machine.
//!
//! One driver is one asynchronous task that owns the state, so there is nothing to lock. It starts bodies, sends
//! checkpoints to the committer, keeps timers, and takes orders. It ends when the execution has ended, was given back, or
//! was lost to another worker.

mod attempts;
mod commits;
pub(super) mod mailbox;
mod orders;
mod timers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{OwnedRwLockWriteGuard, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::Engine;
use super::committer::{Committer, Timed};
use super::held::{Held, Load};
use super::partings::Parting;
use super::restore::TakenUp;
use crate::backend::{AttemptRecord, CheckpointVerdict, ExecutionSnapshot, Release, Survival};
use crate::result::between;
use crate::state::{AttemptResult, Command, Event, ExecutionState};
use crate::{ExecutionId, PipelineStatus, WorkerId};

use attempts::Ongoing;
pub(super) use mailbox::Address;
use mailbox::{Mailbox, mailbox};
use timers::{Timer, Timers};

/// What a driver is told.
#[derive(Debug)]
pub(super) enum Message {
    /// Boxed: it is larger than the others.
    AttemptEnded(Box<AttemptEnd>),
    NotStarted {
        ordinal: u32,
        serial: u64,
    },
    Order(Order),
    /// Tell which attempts run.
    Describe(oneshot::Sender<Vec<AttemptRecord>>),
}

/// The end of an attempt.
#[derive(Debug)]
pub(super) struct AttemptEnd {
    pub(super) ordinal: u32,
    pub(super) serial: u64,
    pub(super) started: Instant,
    pub(super) ended: Instant,
    pub(super) result: AttemptResult,
    /// Held by an attempt that ran alone, until its end is committed.
    pub(super) exclusive: Option<OwnedRwLockWriteGuard<()>>,
}

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
enum End {
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

pub(super) struct Driver {
    engine: Arc<Engine>,
    committer: Committer,
    id: ExecutionId,
    worker: WorkerId,
    epoch: u64,
    state: ExecutionState,
    snapshot: ExecutionSnapshot,
    keep_records: bool,
    suspects: super::restore::Suspects,
    /// The events tell of the suspicion.
    announced: bool,
    mailbox: Mailbox,
    to_self: Address,
    commit: Option<oneshot::Receiver<Timed<CheckpointVerdict>>>,
    ongoing: BTreeMap<u32, Ongoing>,
    /// Counts attempts and checkpoints.
    serial: u64,
    timers: Timers,
    halt: CancellationToken,
    /// Set by an order before the driver hears of it.
    held_back: Arc<AtomicBool>,
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
    /// Takes up an execution that `worker` owns, and makes it known among those that are held.
    /// Its attempts' spans are within `cause`, or within the engine's if that is none.
    pub(super) fn new(
        engine: Arc<Engine>,
        worker: WorkerId,
        taken_up: TakenUp,
        cause: Span,
    ) -> Box<Self> {
        let TakenUp { state, snapshot, suspects } = taken_up;
        let (to_self, mailbox) = mailbox();
        let id = snapshot.record.id;
        let held_back = Arc::new(AtomicBool::new(false));
        let held = Held::new(to_self.clone(), snapshot.record.epoch, Arc::clone(&held_back));
        let load = engine.held.add(id, held);
        let keep_records = engine.waiters.has(id);
        Box::new(Self {
            id,
            worker,
            epoch: snapshot.record.epoch,
            state,
            keep_records,
            suspects,
            announced: false,
            mailbox,
            to_self,
            commit: None,
            ongoing: BTreeMap::new(),
            serial: 0,
            timers: Timers::default(),
            halt: CancellationToken::new(),
            held_back,
            paused: false,
            exclusive: None,
            overtaken: false,
            leaving: false,
            load,
            anchor: (snapshot.now, Instant::now()),
            snapshot,
            cause,
            committer: engine.lines.next(),
            engine,
        })
    }

    /// Drives the execution until it ends here.
    pub(super) async fn run(mut self: Box<Self>) {
        let end = self.drive().await;
        self.stop_attempts();
        self.exclusive = None;
        // Whoever asks from now on is not kept waiting.
        self.mailbox.close();
        if let End::Refused = end {
            // Not at once: whoever takes it up next will most likely be refused as well.
            let wait = self.engine.config.lease_ttl;
            let _ = tokio::time::timeout(wait, self.engine.kill.cancelled()).await;
        }
        match end {
            End::Release => self.release(self.due_in()).await,
            // Part of it is to be done again.
            End::Refused => self.release(None).await,
            End::Gone if self.engine.is_killed() => {}
            // Committed after the burial of its owner, it may be that one's still, and count as a death when somebody finds it.
            End::Gone => self.release(None).await,
            End::Ended(_) | End::Overtaken(_) => {}
        }
        self.note_parting(&end);
        let engine = Arc::clone(&self.engine);
        engine.held.remove(self.id, self.epoch);
        match end {
            End::Ended(status) => {
                engine.metrics.ended(status);
                self.tell_waiters(status);
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

    async fn drive(&mut self) -> End {
        // What comes later is told by an order.
        if self.engine.is_killed() {
            return End::Gone;
        }
        if self.engine.stop.is_cancelled() {
            // Its submit or claim was under way when the stop came, and it may have missed the order.
            return End::Release;
        }
        let at = Instant::now();
        let mut first = Event::Begun { at };
        if let Some(limit) = self.engine.config.pipeline_timeout {
            let age = self.snapshot.record.started_at.map(|at| between(at, self.snapshot.now));
            let left = limit.saturating_sub(age.unwrap_or_default());
            if left.is_zero() {
                // It ran out while nobody owned the execution: nothing of it starts any more.
                first = Event::DeadlinePassed { at, limit };
            }
            self.timers.add(at + left, Timer::Deadline);
        }
        if let Some(end) = self.apply(first) {
            return end;
        }
        loop {
            let step = tokio::select! {
                biased;
                verdict = async { self.commit.as_mut().expect("guarded").await },
                    if self.commit.is_some() => {
                    self.commit = None;
                    self.committed(verdict)
                }
                message = self.mailbox.receive() => self.hear(message),
                timer = self.timers.next(), if !self.timers.is_empty() => self.ring(timer),
            };
            if let Some(end) = step {
                return end;
            }
            if self.load.set(self.weight()) {
                self.engine.claim_more();
            }
        }
    }

    /// How much this execution asks of the slots.
    fn weight(&self) -> usize {
        if self.state.is_idle() { 0 } else { self.state.running().max(1) }
    }

    fn hear(&mut self, message: Message) -> Option<End> {
        match message {
            Message::AttemptEnded(end) => {
                let AttemptEnd { ordinal, serial, started, ended, result, exclusive } = *end;
                if !self.forget(ordinal, serial) {
                    return None;
                }
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
            Message::NotStarted { ordinal, serial } => {
                if !self.forget(ordinal, serial) {
                    return None;
                }
                self.apply(Event::NotStarted { ordinal })
            }
            Message::Order(order) => self.obey(order),
            Message::Describe(asker) => {
                // One who has gone needs no answer.
                let _ = asker.send(self.running_attempts());
                None
            }
        }
    }

    fn ring(&mut self, timer: Timer) -> Option<End> {
        match timer {
            Timer::RetryDue { ordinal } => self.apply(Event::RetryDue { ordinal }),
            Timer::Deadline => {
                let limit = self.engine.config.pipeline_timeout.unwrap_or_default();
                self.apply(Event::DeadlinePassed { at: Instant::now(), limit })
            }
            Timer::Watch { ordinal, serial } => self.watch(ordinal, serial),
            Timer::LetOthersRun => {
                self.exclusive = None;
                None
            }
        }
    }

    /// Feeds the state machine and carries out what it says.
    fn apply(&mut self, event: Event) -> Option<End> {
        for command in self.state.apply(event) {
            match command {
                Command::Start { ordinal, attempt, context, upstream } => {
                    self.start(ordinal, attempt, context, upstream);
                }
                Command::WaitForRetry { ordinal, since, delay } => {
                    self.timers.add(since + delay, Timer::RetryDue { ordinal });
                }
                Command::Commit(draft) => self.send(draft),
                Command::StopAttempts => self.stop_attempts(),
                Command::Release => return Some(End::Release),
                Command::Ended(finish) => {
                    self.snapshot.record.error = finish.error;
                    return Some(End::Ended(finish.status));
                }
            }
        }
        None
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
        while let Ok(Err(error)) = self.committer.release(release.clone()).await {
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
    fn note_parting(&self, end: &End) {
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

    fn tell_waiters(mut self, status: PipelineStatus) {
        if !self.engine.waiters.has(self.id) {
            return;
        }
        // Only those who waited from the start had records kept.
        if !self.keep_records {
            return self.engine.look_for(self.id);
        }
        self.snapshot.record.status = status;
        self.snapshot.record.finished_at = Some(self.snapshot.now);
        self.snapshot.tasks.sort_by_key(|task| task.ordinal);
        let tasks = self.state.workflow().task_ids();
        let result = crate::PipelineResult::from_snapshot(self.snapshot, &tasks);
        self.engine.waiters.tell(self.id, result.map_err(Arc::new));
    }
}
