//! The rows, their indexes and the clock.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use cloacina_core::backend::{
    AttemptRecord, EventKind, EventRecord, ExecutionRecord, JsonText, NewEvent, TaskRecord,
    WorkflowKey,
};
use cloacina_core::{ExecutionId, PipelineStatus, TaskId, WorkerId};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Numbers the handles of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HandleId(u64);

/// Numbers the handles of what holds many stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StoreId(pub(super) u64);

/// Is told that somebody changed something: through what holds many stores, or otherwise.
pub(super) type Observer = Box<dyn Fn(Option<StoreId>) + Send>;

/// A whole store.
pub(super) struct State {
    pub(super) clock: Clock,
    next_handle: u64,
    handles: BTreeMap<HandleId, OpenHandle>,
    observer: Option<Observer>,
    pub(super) workers: BTreeMap<WorkerId, Worker>,
    executions: BTreeMap<ExecutionId, Execution>,
    pub(super) keys: BTreeMap<Arc<str>, ExecutionId>,
    pub(super) definitions: BTreeMap<WorkflowKey, JsonText>,
    pub(super) index: Index,
}

/// A handle that is open.
struct OpenHandle {
    /// Wakes who waits on it.
    woken: Arc<Notify>,
    /// What it was opened through.
    origin: Option<StoreId>,
}

/// A registered worker.
pub(super) struct Worker {
    /// Where it registered: it dies with that handle.
    pub(super) handle: HandleId,
    pub(super) expires_at: DateTime<Utc>,
}

/// An execution with everything that belongs to it.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) record: ExecutionRecord,
    pub(super) input: JsonText,
    pub(super) tasks: BTreeMap<TaskId, TaskRecord>,
    /// By task, number and epoch.
    pub(super) attempts: BTreeMap<(TaskId, u32, u64), AttemptRecord>,
    pub(super) events: Vec<EventRecord>,
    /// Which events of owners are on record, by epoch, serial and place, so that a repeat adds none.
    pub(super) said: HashSet<(u64, u64, usize)>,
    /// The epochs in which an owner was declared dead.
    pub(super) deaths: BTreeMap<u64, Death>,
}

/// What a death means to the suspicion against an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    /// It is one of the takeovers.
    Counted,
    /// The execution was cleared since.
    Cleared,
    /// There was none: the owner lives.
    Acquitted,
}

/// Where to look instead of through all executions. Derived from the records alone.
#[derive(Default)]
pub(super) struct Index {
    /// Unfinished and owned by nobody.
    pub(super) unowned: BTreeSet<ExecutionId>,
    /// Those of them that a claim may give, now or when they are due.
    pub(super) claimable: BTreeMap<WorkflowKey, Claimable>,
    /// Unfinished, by owner.
    pub(super) owned: BTreeMap<WorkerId, BTreeSet<ExecutionId>>,
}

/// The executions of one workflow and version that wait for a worker.
#[derive(Default)]
pub(super) struct Claimable {
    pub(super) undelayed: BTreeSet<ExecutionId>,
    /// By due time, which may have passed.
    pub(super) delayed: BTreeSet<(DateTime<Utc>, ExecutionId)>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            clock: Clock::new(),
            next_handle: 0,
            handles: BTreeMap::new(),
            observer: None,
            workers: BTreeMap::new(),
            executions: BTreeMap::new(),
            keys: BTreeMap::new(),
            definitions: BTreeMap::new(),
            index: Index::default(),
        }
    }

    pub(super) fn observe(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    pub(super) fn open_handle(&mut self, woken: Arc<Notify>, origin: Option<StoreId>) -> HandleId {
        let id = HandleId(self.next_handle);
        self.next_handle += 1;
        self.handles.insert(id, OpenHandle { woken, origin });
        id
    }

    /// Forgets a handle; what waits on it is let go. Workers that it leaves are dead, which others may want to know.
    pub(super) fn close_handle(&mut self, id: HandleId) {
        let Some(handle) = self.handles.remove(&id) else { return };
        handle.woken.notify_waiters();
        if self.workers.values().any(|worker| worker.handle == id) {
            self.tell(handle.origin);
        }
    }

    pub(super) fn is_open(&self, id: HandleId) -> bool {
        self.handles.contains_key(&id)
    }

    pub(super) fn open_handles(&self) -> usize {
        self.handles.len()
    }

    pub(super) fn wake_all_but(&self, writer: HandleId) {
        for (_, handle) in self.handles.iter().filter(|(id, _)| **id != writer) {
            handle.woken.notify_one();
        }
        self.tell(self.handles.get(&writer).and_then(|handle| handle.origin));
    }

    fn tell(&self, origin: Option<StoreId>) {
        if let Some(observer) = &self.observer {
            observer(origin);
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(super) fn time_of(&self, instant: Instant) -> DateTime<Utc> {
        self.clock.time_of(instant)
    }

    pub(super) fn executions(&self) -> &BTreeMap<ExecutionId, Execution> {
        &self.executions
    }

    pub(super) fn insert(&mut self, execution: Execution) {
        self.index.add(&execution.record);
        self.executions.insert(execution.record.id, execution);
    }

    pub(super) fn remove(&mut self, id: ExecutionId) -> Option<Execution> {
        let execution = self.executions.remove(&id)?;
        self.index.remove(&execution.record);
        if let Some(key) = &execution.record.idempotency_key {
            self.keys.remove(key);
        }
        Some(execution)
    }

    /// Changes an execution: the only way to do so, for it keeps the indexes true.
    pub(super) fn change<T>(
        &mut self,
        id: ExecutionId,
        work: impl FnOnce(&mut Execution) -> T,
    ) -> Option<T> {
        let execution = self.executions.get_mut(&id)?;
        self.index.remove(&execution.record);
        let answer = work(execution);
        self.index.add(&execution.record);
        Some(answer)
    }
}

impl Index {
    fn add(&mut self, record: &ExecutionRecord) {
        let id = record.id;
        if record.finished_at.is_some() {
            return;
        }
        if let Some(owner) = record.owner {
            self.owned.entry(owner).or_default().insert(id);
        } else {
            self.unowned.insert(id);
            if record.status != PipelineStatus::Paused {
                let claimable = self.claimable.entry(record.workflow.clone()).or_default();
                match record.due_at {
                    Some(due) => claimable.delayed.insert((due, id)),
                    None => claimable.undelayed.insert(id),
                };
            }
        }
    }

    fn remove(&mut self, record: &ExecutionRecord) {
        let id = record.id;
        if let Some(owned) = record.owner.and_then(|owner| self.owned.get_mut(&owner)) {
            owned.remove(&id);
        }
        self.unowned.remove(&id);
        if let Some(claimable) = self.claimable.get_mut(&record.workflow) {
            claimable.undelayed.remove(&id);
            if let Some(due) = record.due_at {
                claimable.delayed.remove(&(due, id));
            }
        }
    }
}

impl Execution {
    /// Reports whether that worker owns it under that epoch, ended or not.
    pub(super) fn is_owned_by(&self, worker: WorkerId, epoch: u64) -> bool {
        self.record.owner == Some(worker) && self.record.epoch == epoch
    }

    fn log(&mut self, at: DateTime<Utc>, event: NewEvent) {
        self.events.push(EventRecord { execution: self.record.id, at, event });
    }

    /// Records an event under a key, once.
    pub(super) fn say(&mut self, at: DateTime<Utc>, key: (u64, u64, usize), event: NewEvent) {
        if self.said.insert(key) {
            self.log(at, event);
        }
    }

    /// Records an event that the store itself has to tell.
    pub(super) fn note(&mut self, at: DateTime<Utc>, kind: EventKind, detail: impl Into<String>) {
        self.log(at, NewEvent { kind, task: None, detail: detail.into() });
    }

    pub(super) fn end(&mut self, status: PipelineStatus, at: DateTime<Utc>) {
        self.record.status = status;
        self.record.finished_at = Some(at);
    }
}

/// A clock that starts at a fixed date and runs with tokio's, to the microsecond; it can be put.
pub(super) struct Clock {
    started: Instant,
    put: TimeDelta,
}

impl Clock {
    /// 2026-01-01: a date that nobody takes for the present or for an unset value.
    const BASE: Duration = Duration::from_secs(1_767_225_600);

    fn new() -> Self {
        Self { started: Instant::now(), put: TimeDelta::zero() }
    }

    pub(super) fn put_ahead(&mut self, by: Duration) {
        self.put += to_delta(by);
    }

    pub(super) fn put_back(&mut self, by: Duration) {
        self.put -= to_delta(by);
    }

    fn now(&self) -> DateTime<Utc> {
        self.time_of(Instant::now())
    }

    /// An instant's distance from now, added to the store's now, is its distance from the start.
    fn time_of(&self, instant: Instant) -> DateTime<Utc> {
        let base = later(DateTime::UNIX_EPOCH, Self::BASE) + self.put;
        match instant.checked_duration_since(self.started) {
            Some(after) => later(base, after),
            None => base - to_delta(self.started.saturating_duration_since(instant)),
        }
    }
}

/// Adds a duration, down to the microsecond; what goes beyond the calendar stops at its end.
pub(super) fn later(at: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    at.checked_add_signed(to_delta(by)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn to_delta(duration: Duration) -> TimeDelta {
    let whole = Duration::new(duration.as_secs(), duration.subsec_micros() * 1_000);
    TimeDelta::from_std(whole).unwrap_or(TimeDelta::MAX)
}
