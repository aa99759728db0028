//! Drives one execution that this worker owns: the rim around its state machine.
//!
//! One driver is one asynchronous task that owns the state, so there is nothing to lock. It starts bodies, sends
//! checkpoints to the committer, keeps timers, and takes orders. It ends when the execution has ended, was given back, or
//! was lost to another worker.

mod timers;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{OwnedRwLockWriteGuard, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::attempt::{self, Attempt};
use super::committer::Timed;
use super::held::{Held, Load};
use super::restore::TakenUp;
use crate::backend::{
    AttemptStart, Checkpoint, CheckpointVerdict, Company, EventKind, ExecutionSnapshot, NewEvent,
    Release, Suspicion, TaskEnd, TaskRecord,
};
use crate::state::{AttemptResult, Command, Draft, Event, ExecutionState};
use crate::{ExecutionId, PipelineStatus, WorkerId};
use timers::{Timer, Timers};

/// What a driver is told.
#[derive(Debug)]
pub(super) enum Message {
    AttemptEnded {
        ordinal: u32,
        serial: u64,
        started: Instant,
        ended: Instant,
        result: AttemptResult,
        /// It ran alone, and nothing else may run before its end is committed: a crash before that would be its.
        exclusive: Option<OwnedRwLockWriteGuard<()>>,
    },
    NotStarted {
        ordinal: u32,
        serial: u64,
    },
    Order(Order),
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
    /// Somebody else owns it.
    Lost,
    /// Give it back as soon as nothing runs.
    HandOver,
    /// Give it back if no body has started yet.
    HandOverIfIdle,
}

/// How a driver's work came to its end.
enum End {
    /// The execution is at its end.
    Ended(PipelineStatus),
    /// The execution belongs to nobody now, or to somebody else.
    Gone,
}

/// An attempt under way.
struct Ongoing {
    serial: u64,
    attempt: u32,
    cancellation: CancellationToken,
    started: Arc<OnceLock<Instant>>,
    timeout: Duration,
    noted: bool,
}

pub(super) struct Driver {
    engine: Arc<Engine>,
    id: ExecutionId,
    worker: WorkerId,
    epoch: u64,
    state: ExecutionState,
    snapshot: ExecutionSnapshot,
    /// When the store's clock was `snapshot.now`.
    read_at: Instant,
    keep_records: bool,
    suspects: super::restore::Suspects,
    /// The events tell of the suspicion.
    announced: bool,
    mailbox: mpsc::UnboundedReceiver<Message>,
    to_self: mpsc::UnboundedSender<Message>,
    commit: Option<oneshot::Receiver<Timed<CheckpointVerdict>>>,
    ongoing: HashMap<u32, Ongoing>,
    serial: u64,
    timers: Timers,
    halt: CancellationToken,
    /// Set by an order before the driver gets to hear of it.
    held_back: Arc<AtomicBool>,
    paused: bool,
    /// Held from the end of an attempt that ran alone until that is committed.
    exclusive: Option<OwnedRwLockWriteGuard<()>>,
    /// An order changed `paused` while the checkpoint was on its way.
    overtaken: bool,
    leaving: bool,
    load: Load,
}

impl Driver {
    /// Takes up an execution that `worker` owns, and makes it known among those that are held.
    pub(super) fn new(engine: Arc<Engine>, worker: WorkerId, taken_up: TakenUp) -> Self {
        let TakenUp { state, snapshot, suspects } = taken_up;
        let (to_self, mailbox) = mpsc::unbounded_channel();
        let id = snapshot.record.id;
        let held_back = Arc::new(AtomicBool::new(false));
        let held = Held::new(to_self.clone(), snapshot.record.epoch, Arc::clone(&held_back));
        let load = engine.held.add(id, held);
        let keep_records = engine.waiters.has(id);
        Self {
            id,
            worker,
            epoch: snapshot.record.epoch,
            state,
            read_at: Instant::now(),
            keep_records,
            suspects,
            announced: false,
            mailbox,
            to_self,
            commit: None,
            ongoing: HashMap::new(),
            serial: 0,
            timers: Timers::default(),
            halt: CancellationToken::new(),
            held_back,
            paused: false,
            exclusive: None,
            overtaken: false,
            leaving: false,
            load,
            snapshot,
            engine,
        }
    }

    /// Drives the execution until it ends here.
    pub(super) async fn run(mut self) {
        let end = self.drive().await;
        self.stop_attempts();
        let engine = Arc::clone(&self.engine);
        engine.held.remove(self.id, self.epoch);
        if let End::Ended(status) = end {
            engine.metrics.ended(status);
            self.tell_waiters(status);
        }
        engine.claim_more();
    }

    async fn drive(&mut self) -> End {
        let now = Instant::now();
        if let Some(limit) = self.engine.config.pipeline_timeout {
            let age = self.snapshot.record.started_at.map(|at| age(at, self.snapshot.now));
            let left = limit.saturating_sub(age.unwrap_or_default());
            self.timers.add(now + left, Timer::Deadline);
        }
        if let Some(end) = self.apply(Event::Begun { at: now }).await {
            return end;
        }
        loop {
            let kill = self.engine.kill.clone();
            let step = tokio::select! {
                biased;
                verdict = async { self.commit.as_mut().expect("guarded").await },
                    if self.commit.is_some() => {
                    self.commit = None;
                    self.committed(verdict).await
                }
                Some(message) = self.mailbox.recv() => self.hear(message).await,
                timer = self.timers.next(), if !self.timers.is_empty() => self.ring(timer).await,
                () = kill.cancelled() => Some(End::Gone),
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

    async fn hear(&mut self, message: Message) -> Option<End> {
        match message {
            Message::AttemptEnded { ordinal, serial, started, ended, result, exclusive } => {
                if !self.forget(ordinal, serial) {
                    return None;
                }
                self.exclusive = exclusive;
                let end = self.apply(Event::AttemptEnded { ordinal, started, ended, result }).await;
                self.let_others_run();
                end
            }
            Message::NotStarted { ordinal, serial } => {
                if !self.forget(ordinal, serial) {
                    return None;
                }
                self.apply(Event::NotStarted { ordinal }).await
            }
            Message::Order(order) => self.obey(order).await,
        }
    }

    /// Ends the time alone of an attempt once nothing of it is left to be committed.
    fn let_others_run(&mut self) {
        if self.commit.is_none() {
            self.exclusive = None;
        }
    }

    /// Strikes an attempt off; false if it was given up before.
    fn forget(&mut self, ordinal: u32, serial: u64) -> bool {
        let known = self.ongoing.get(&ordinal).is_some_and(|ongoing| ongoing.serial == serial);
        if known {
            self.ongoing.remove(&ordinal);
        }
        known
    }

    async fn obey(&mut self, order: Order) -> Option<End> {
        match order {
            Order::Pause => {
                self.overtaken |= !self.paused && self.commit.is_some();
                self.pause().await
            }
            Order::Resume if !self.leaving && self.paused => {
                self.overtaken |= self.commit.is_some();
                self.paused = false;
                self.halt = CancellationToken::new();
                self.apply(Event::Resumed).await
            }
            Order::Resume => None,
            Order::Ended(status) => Some(End::Ended(status)),
            Order::Lost => Some(End::Gone),
            Order::HandOver => {
                self.leaving = true;
                self.pause().await
            }
            Order::HandOverIfIdle => {
                let started = self.ongoing.values().any(|one| one.started.get().is_some());
                if started || self.commit.is_some() {
                    return None;
                }
                self.leaving = true;
                self.pause().await
            }
        }
    }

    async fn pause(&mut self) -> Option<End> {
        self.paused = true;
        self.halt.cancel();
        self.apply(Event::Paused).await
    }

    async fn ring(&mut self, timer: Timer) -> Option<End> {
        match timer {
            Timer::RetryDue { ordinal } => self.apply(Event::RetryDue { ordinal }).await,
            Timer::Deadline => {
                let limit = self.engine.config.pipeline_timeout.unwrap_or_default();
                self.apply(Event::DeadlinePassed { at: Instant::now(), limit }).await
            }
            Timer::Watch { ordinal, serial } => self.watch(ordinal, serial).await,
        }
    }

    /// Looks after an attempt that takes its time: puts its start on record, and gives it up when it neither ended nor
    /// reacted to its timeout, which is what a body that blocks its thread does.
    async fn watch(&mut self, ordinal: u32, serial: u64) -> Option<End> {
        let task = self.state.workflow().task_at(ordinal).id().clone();
        let beat = self.engine.beat();
        let grace = self.engine.config.cancel_grace * 2;
        let ongoing = self.ongoing.get_mut(&ordinal).filter(|one| one.serial == serial)?;
        let Some(&started) = ongoing.started.get() else {
            self.timers.add(Instant::now() + beat, Timer::Watch { ordinal, serial });
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
        self.apply(Event::AttemptEnded { ordinal, started, ended, result }).await
    }

    async fn committed(
        &mut self,
        verdict: Result<Timed<CheckpointVerdict>, oneshot::error::RecvError>,
    ) -> Option<End> {
        let Ok(verdict) = verdict else { return Some(End::Gone) };
        match verdict {
            Ok((CheckpointVerdict::Committed { status }, at)) => {
                (self.snapshot.now, self.read_at) = (at, Instant::now());
                // What was ordered while the checkpoint was on its way is newer than what the checkpoint saw.
                let overtaken = std::mem::take(&mut self.overtaken);
                match status {
                    _ if overtaken => {}
                    PipelineStatus::Paused if !self.paused => {
                        let end = self.pause().await;
                        if end.is_some() {
                            return end;
                        }
                    }
                    PipelineStatus::Running if self.paused && !self.leaving => {
                        self.held_back.store(false, Ordering::Release);
                        let end = self.obey(Order::Resume).await;
                        if end.is_some() {
                            return end;
                        }
                    }
                    _ => {}
                }
                let end = self.apply(Event::Committed).await;
                self.let_others_run();
                end
            }
            Ok((CheckpointVerdict::Ended(status), _)) => Some(End::Ended(status)),
            Ok((CheckpointVerdict::Fenced, _)) => {
                tracing::warn!(execution_id = %self.id, "lost the execution to another worker");
                self.engine.metrics.fenced();
                Some(End::Gone)
            }
            Err(error) => {
                tracing::error!(execution_id = %self.id, %error, "a checkpoint was refused");
                // Not at once: whoever takes it up next will most likely be refused as well.
                let wait = self.engine.config.lease_ttl;
                let _ = tokio::time::timeout(wait, self.engine.kill.cancelled()).await;
                self.release().await;
                Some(End::Gone)
            }
        }
    }

    /// Feeds the state machine and carries out what it says.
    async fn apply(&mut self, event: Event) -> Option<End> {
        for command in self.state.apply(event) {
            match command {
                Command::Start { ordinal, attempt, context } => {
                    self.start(ordinal, attempt, context);
                }
                Command::WaitForRetry { ordinal, since, delay } => {
                    self.timers.add(since + delay, Timer::RetryDue { ordinal });
                }
                Command::Commit(draft) => self.send(draft),
                Command::StopAttempts => self.stop_attempts(),
                Command::Release => {
                    self.release().await;
                    return Some(End::Gone);
                }
                Command::Ended(finish) => {
                    self.snapshot.record.error = finish.error;
                    return Some(End::Ended(finish.status));
                }
            }
        }
        None
    }

    fn start(&mut self, ordinal: u32, attempt: u32, view: crate::state::ContextView) {
        self.serial += 1;
        let serial = self.serial;
        let workflow = self.state.workflow().clone();
        let timeout = workflow.task_at(ordinal).timeout.unwrap_or(self.engine.config.task_timeout);
        let cancellation = CancellationToken::new();
        let started = Arc::new(OnceLock::new());
        let on_record = self.suspects.company(&self.engine.config);
        let announce = on_record.is_some() && !std::mem::replace(&mut self.announced, true);
        self.timers.add(Instant::now() + self.engine.beat(), Timer::Watch { ordinal, serial });
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

    fn send(&mut self, draft: Draft) {
        let Draft { tasks, failures, mut events, finish } = draft;
        let ran = tasks.iter().filter(|end| end.attempts > 0).map(|end| end.ordinal);
        let suspicion = self.suspects.survived(ran);
        if suspicion == Suspicion::Clear {
            events.push(NewEvent {
                kind: EventKind::Cleared,
                task: None,
                detail: "the tasks under suspicion came to their end".to_owned(),
            });
        }
        if self.keep_records {
            self.keep(&tasks);
        }
        let checkpoint =
            Checkpoint { tasks, failures, events, suspicion, finish, ..self.checkpoint() };
        self.commit = Some(self.engine.committer.checkpoint(checkpoint));
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            execution: self.id,
            worker: self.worker,
            epoch: self.epoch,
            tasks: Vec::new(),
            starts: Vec::new(),
            failures: Vec::new(),
            events: Vec::new(),
            suspicion: Suspicion::Keep,
            finish: None,
        }
    }

    /// Notes what is about to be committed, so that a waiter need not read it back.
    fn keep(&mut self, tasks: &[TaskEnd]) {
        // From here instants turn into the store's timestamps.
        let (now, read_at) = (self.snapshot.now, self.read_at);
        let stamp = |at: Instant| {
            now + at.saturating_duration_since(read_at) - read_at.saturating_duration_since(at)
        };
        self.snapshot.tasks.extend(tasks.iter().map(|end| TaskRecord {
            task: end.task.clone(),
            ordinal: end.ordinal,
            state: end.state,
            attempts: end.attempts,
            changes: end.changes.clone(),
            output: end.output.clone(),
            error: end.error.clone(),
            skip: end.skip.clone(),
            started_at: stamp(end.started),
            ended_at: stamp(end.ended),
        }));
    }

    async fn release(&self) {
        let release = Release { execution: self.id, worker: self.worker, epoch: self.epoch };
        if let Err(error) = self.engine.backend.release(&[release]).await {
            tracing::warn!(execution_id = %self.id, %error, "an execution could not be given back");
        }
        // It may have been resumed just before.
        self.engine.note_unowned();
    }

    fn stop_attempts(&mut self) {
        for (_, ongoing) in self.ongoing.drain() {
            ongoing.cancellation.cancel();
        }
        self.halt.cancel();
    }

    fn tell_waiters(mut self, status: PipelineStatus) {
        if !self.engine.waiters.has(self.id) {
            return;
        }
        // A cancel writes rows that are not known here, and only those who waited from the start had records kept.
        if !self.keep_records || status == PipelineStatus::Cancelled {
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

/// The time between two timestamps of the store.
fn age(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    crate::result::between(from, to)
}
