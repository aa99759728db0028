//! The engine: compiled once, over `dyn Backend`.
//!
//! [`driver`] drives one execution, [`attempt`] runs one body, [`committer`] batches writes, [`steward`] keeps the
//! worker alive and finds work, [`strangers`] takes up other versions, [`restore`] turns records into states, [`partings`]
//! takes back what a death that was none did; [`slots`] shares the slots of the process among its executors, [`runners`] use them, [`alarms`]
//! wakes drivers, [`turnover`] tells how much is worth holding, [`admission`] bounds the submits that wait; [`submit`] and [`control`] are what users ask for. All tasks run
//! on one tracker, under two tokens: `stop` ends the taking up of work, `kill` ends everything.

mod admission;
mod alarms;
mod attempt;
mod committer;
mod control;
mod driver;
mod held;
mod lease;
mod metrics;
mod partings;
mod restore;
mod runners;
mod slots;
mod steward;
mod strangers;
mod submit;
mod turnover;
mod turns;
mod waiters;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, RwLock};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};

use crate::backend::{Backend, BackendError, ExecutionSnapshot, NewWorker, Outlook};
use crate::task::States;
use crate::workflow::Workflows;
use crate::{ExecutorConfig, TenantId, WorkerId};
use admission::{Admission, Door};
use alarms::Alarms;
use committer::Lines;
use driver::{Driver, Order};
use held::{AllHeld, Budget, Load};
use lease::Lease;
pub use metrics::ExecutorMetrics;
use partings::Partings;
use runners::Runners;
use slots::{Lane, Slots};
pub(crate) use submit::Submission;
use turnover::Turnover;
pub use turns::{Turn, Turns, in_turn};
pub(crate) use waiters::Answer;
use waiters::Waiters;

/// Whether an executor runs workflows or only submits them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Takes up executions and runs their tasks.
    Worker,
    /// Submits, waits, and controls; others run.
    Client,
}

#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) config: ExecutorConfig,
    pub(crate) workflows: Arc<Workflows>,
    states: Arc<States>,
    tenant: Option<TenantId>,
    role: Role,
    /// Changes when the worker was declared dead and registers anew.
    worker: Mutex<WorkerId>,
    lines: Lines,
    door: Door,
    lane: Lane,
    runners: Runners,
    shared: Shared,
    held: Arc<AllHeld>,
    turnover: Turnover,
    alarms: Alarms,
    partings: Partings,
    waiters: Waiters,
    metrics: metrics::Counters,
    /// How many other workers there are.
    peers: AtomicU32,
    /// What the last heartbeat found.
    outlook: Mutex<Outlook>,
    /// When others were last seen at work, or may have been.
    others_worked: Mutex<Instant>,
    /// A heartbeat was answered, or was not.
    beaten: Notify,
    /// There may be executions that nobody owns.
    unowned: AtomicBool,
    claim_wake: Notify,
    /// A claim is under way.
    claiming: AtomicBool,
    lease: Lease,
    /// When the store last took a heartbeat without delay.
    calm: Mutex<Option<Instant>>,
    /// Orders, claims and the reading of standings exclude each other, so that no driver acts on what has been overtaken.
    control: tokio::sync::Mutex<()>,
    tracker: TaskTracker,
    /// On which all tasks run, whoever brings about that they are started.
    runtime: Handle,
    /// Decides when the tasks go on; nobody does outside of a simulation.
    turns: Option<Arc<dyn Turns>>,
    /// Names the tenant in all that is logged.
    span: Span,
    stop: CancellationToken,
    kill: CancellationToken,
}

/// What an engine is started with.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: ExecutorConfig,
    pub(crate) workflows: Arc<Workflows>,
    pub(crate) states: Arc<States>,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) role: Role,
    /// What it shares with other executors of this process; nothing if it is alone.
    pub(crate) shared: Option<Shared>,
    /// How many slots it gets in its turn, where others wait for some as well.
    pub(crate) weight: NonZeroU32,
    /// Decides when the tasks go on; nobody does outside of a simulation.
    pub(crate) turns: Option<Arc<dyn Turns>>,
}

/// What the executors of one process share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    slots: Arc<Slots>,
    budget: Arc<Budget>,
    admission: Arc<Admission>,
    /// Shared by ordinary attempts, exclusive to those that have to run alone: a crash takes the whole process down.
    quarantine: Arc<RwLock<()>>,
}

impl Shared {
    /// Bounds the process as the settings of its executors say, but for the number of its slots.
    pub(crate) fn new(max_concurrent_tasks: usize, config: &ExecutorConfig) -> Self {
        Self {
            slots: Slots::new(max_concurrent_tasks),
            budget: Arc::new(Budget::new(config.max_held_executions)),
            admission: Admission::new(config),
            quarantine: Arc::default(),
        }
    }
}

impl Engine {
    /// Starts an engine: registers the worker, frees what dead ones held, and begins to take up work.
    pub(crate) async fn start(
        backend: Arc<dyn Backend>,
        setup: Setup,
    ) -> Result<Arc<Self>, BackendError> {
        let Setup { config, workflows, states, tenant, role, shared, weight, turns } = setup;
        let shared = shared.unwrap_or_else(|| Shared::new(config.max_concurrent_tasks, &config));
        let kill = CancellationToken::new();
        let metrics = metrics::Counters::new();
        let (lines, work) = Lines::new(&backend, &kill, &metrics.meters);
        let engine = Arc::new(Self {
            backend,
            role,
            worker: Mutex::new(WorkerId::new()),
            lines,
            door: shared.admission.door(),
            lane: shared.slots.lane(config.max_concurrent_tasks, weight),
            // As many wait for a slot as this executor may get in a turn.
            runners: Runners::new(config.max_concurrent_tasks + weight.get() as usize),
            held: AllHeld::new(Arc::clone(&shared.budget), &metrics.meters),
            shared,
            turnover: Turnover::new(config.poll_interval.min(turnover::LONGEST)),
            alarms: Alarms::default(),
            partings: Partings::default(),
            waiters: Waiters::default(),
            metrics,
            peers: AtomicU32::new(0),
            outlook: Mutex::new(Outlook::UNKNOWN),
            others_worked: Mutex::new(Instant::now()),
            beaten: Notify::new(),
            unowned: AtomicBool::new(true),
            claim_wake: Notify::new(),
            claiming: AtomicBool::new(false),
            lease: Lease::new(),
            calm: Mutex::new(None),
            control: tokio::sync::Mutex::new(()),
            tracker: TaskTracker::new(),
            runtime: Handle::current(),
            turns,
            span: match &tenant {
                Some(tenant) => tracing::info_span!("executor", %tenant),
                None => Span::none(),
            },
            stop: kill.child_token(),
            kill,
            config,
            workflows,
            states,
            tenant,
        });
        engine.backend.define_workflows(&engine.workflows.definitions()).await?;
        if role == Role::Worker {
            let began = Instant::now();
            engine.backend.register_worker(&engine.new_worker()).await?;
            engine.lease.renew(began, engine.config.lease_ttl);
            let (worker, slots) = (engine.worker(), engine.config.max_concurrent_tasks);
            engine.span.in_scope(|| tracing::info!(%worker, slots, "a worker has started"));
            engine.beat_once().await;
            engine.spawn(steward::keep_alive(Arc::clone(&engine)));
            engine.spawn(steward::sweep(Arc::clone(&engine)));
            engine.spawn(partings::take_back(Arc::clone(&engine)));
            engine.spawn(steward::claim(Arc::clone(&engine)));
            engine.note_unowned();
        }
        for work in work {
            engine.spawn(work);
        }
        engine.spawn(alarms::ring(Arc::clone(&engine)));
        engine.spawn(steward::watch(Arc::clone(&engine)));
        Ok(engine)
    }

    /// Runs something beside, until it ends or everything stops.
    fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let future = future.instrument(self.span.clone());
        match &self.turns {
            None => self.tracker.spawn_on(future, &self.runtime),
            Some(turns) => self.tracker.spawn_on(in_turn(Arc::clone(turns), future), &self.runtime),
        }
    }

    fn new_worker(&self) -> NewWorker {
        NewWorker { id: self.worker(), lease_ttl: self.config.lease_ttl }
    }

    fn worker(&self) -> WorkerId {
        *self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports whether nothing is under way or about to be: all that is held waits for its time, and nobody looks for more.
    pub(crate) fn rests(&self) -> bool {
        // In the order in which a claim takes its course, so that none slips through.
        let looks = self.role == Role::Worker
            && (self.unowned.load(Ordering::SeqCst) || self.claiming.load(Ordering::SeqCst));
        !looks && self.held.load() == 0
    }

    /// Reports whether it takes up work, or at least submits: it was not shut down, and its runtime lives.
    pub(crate) fn is_running(&self) -> bool {
        !self.stop.is_cancelled() && !self.lines.are_gone()
    }

    /// Gives back the executions that only wait for their time.
    pub(crate) fn give_back_what_waits(&self) {
        self.held.hand_over(usize::MAX);
    }

    /// Tells how many executions are held, waiting ones included.
    pub(crate) fn held_executions(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn has_peers(&self) -> bool {
        self.peers.load(Ordering::Relaxed) > 0
    }

    /// The time between two heartbeats: two may be missed before the lease is over.
    fn beat(&self) -> Duration {
        self.config.lease_ttl / 3
    }

    /// How many more executions may be taken up.
    fn room(&self) -> usize {
        let room = self.most_load().saturating_sub(self.held.load());
        room.min(self.room_to_wait()).min(self.held.room())
    }

    /// Takes up to `wanted` places for executions that will come: as many as there is room for.
    fn reserve(&self, wanted: usize) -> Load {
        self.held.reserve(wanted.min(self.room_to_wait()), self.most_load())
    }

    fn most_load(&self) -> usize {
        let most = self.config.max_held_executions;
        if self.has_peers() { most.min(self.own_share()) } else { most }
    }

    /// How many more may be held: what waits for a retry is held but is no load.
    fn room_to_wait(&self) -> usize {
        (self.config.max_held_executions * 4).saturating_sub(self.held.len())
    }

    /// How much it holds where others could run it: what has a slot, and what gets one soon.
    fn own_share(&self) -> usize {
        self.config.max_concurrent_tasks.saturating_add(self.turnover.recent(Instant::now()))
    }

    /// Notes that there may be work that nobody owns, and looks for it.
    fn note_unowned(&self) {
        self.unowned.store(true, Ordering::SeqCst);
        self.claim_wake.notify_one();
    }

    /// Looks for more work if there may be some.
    fn claim_more(&self) {
        if self.unowned.load(Ordering::SeqCst) {
            self.claim_wake.notify_one();
        }
    }

    /// Counts what happened here.
    pub(crate) fn metrics(&self) -> ExecutorMetrics {
        let most = self.config.max_concurrent_tasks;
        ExecutorMetrics {
            held_executions: self.held.len(),
            running_tasks: self.lane.running(),
            waiting_submits: self.door.waiting(),
            max_concurrent_tasks: most,
            ..self.metrics.read()
        }
    }

    /// Stops in two phases: nothing new starts and running bodies may finish; then they are stopped.
    pub(crate) async fn shutdown(self: &Arc<Self>) -> Result<(), BackendError> {
        self.stop.cancel();
        self.held.order_all(Order::HandOver);
        let deadline = Instant::now() + self.config.shutdown_grace;
        while self.held.len() > 0 && Instant::now() < deadline {
            let pause = Duration::from_secs(1).min(deadline - Instant::now());
            let _ = tokio::time::timeout(pause, self.held.empty()).await;
            // Submits that were under way when the stop came have begun since.
            self.held.order_all(Order::HandOver);
            if self.held.len() > 0 {
                let (executions, tasks) = (self.held.len(), self.metrics().running_tasks);
                tracing::info!(executions, tasks, "the shutdown waits for running tasks");
            }
        }
        self.abandon();
        self.tracker.close();
        let _ = tokio::time::timeout(self.config.cancel_grace * 2, self.tracker.wait()).await;
        self.acquit().await;
        let retired = match self.role {
            Role::Worker => self.backend.retire_worker(self.worker()).await,
            Role::Client => Ok(()),
        };
        self.backend.close().await;
        match retired {
            // Somebody closed it before: the second of two shutdowns.
            Err(BackendError::Closed) => Ok(()),
            retired => retired,
        }
    }

    /// Reports whether everything is stopped.
    pub(crate) fn is_killed(&self) -> bool {
        self.kill.is_cancelled()
    }

    /// Stops everything at once, as a crash would: somebody else recovers what was under way. Drivers and those who wait do not
    /// watch the token: they are told.
    pub(crate) fn abandon(&self) {
        self.kill.cancel();
        self.held.order_all(Order::Lost);
        self.runners.clear();
        self.waiters.close();
    }

    /// Takes up executions that this worker has claimed.
    fn take_up(self: &Arc<Self>, worker: WorkerId, snapshot: &ExecutionSnapshot, load: Load) {
        let id = snapshot.record.id;
        let name = &snapshot.record.workflow.name;
        let Some(workflow) = self.workflows.get(name).cloned() else { return };
        if snapshot.record.takeovers > 0 {
            self.metrics.recovered();
            tracing::info!(execution_id = %id, workflow = %name, "recovered an execution");
        }
        match restore::take_up(&workflow, snapshot, &self.config) {
            Ok(mut taken_up) => {
                taken_up.is_reported &= self.waiters.has(id);
                Driver::take_up(Arc::clone(self), worker, taken_up, load, Span::none());
            }
            Err(error) => {
                tracing::error!(execution_id = %id, %error, "an execution cannot be taken up");
            }
        }
    }
}
