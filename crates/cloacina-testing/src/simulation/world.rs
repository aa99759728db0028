//! What all parts of a simulation share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloacina_core::{ExecutionId, UnifiedExecutor};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::chance::Chance;
use super::history::{History, ProcessId, Run};
use super::life::Life;
use super::line::Line;
use super::process::CRASHES;
use super::scenario::{Fault, FaultPlan, Part, Scenario, Version};
use super::timing;
use super::watch::Watch;
use super::{Promise, Violation};
use crate::MemoryBackend;

/// A process that runs.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) id: ProcessId,
    pub(super) life: Arc<Life>,
    pub(super) part: Part,
    pub(super) version: Version,
    pub(super) executor: UnifiedExecutor<Line>,
    /// Asks it to shut down.
    pub(super) leave: CancellationToken,
}

/// What is to become of a process once it is gone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Successor {
    pub(super) back_in: Duration,
    pub(super) version: Version,
    /// The lock of the one before stays with the store.
    pub(super) keep_lock: bool,
}

pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) chance: Arc<Chance>,
    /// A handle that belongs to no process.
    pub(super) store: MemoryBackend,
    history: Mutex<History>,
    watch: Mutex<Watch>,
    processes: Mutex<BTreeMap<usize, Process>>,
    successors: Mutex<BTreeMap<usize, Successor>>,
    violations: Mutex<Vec<Violation>>,
    away_until: Mutex<Instant>,
    next_process: Mutex<u32>,
    /// Ends everything.
    pub(super) over: CancellationToken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(super) fn new(scenario: Scenario) -> Arc<Self> {
        Arc::new(Self {
            chance: Arc::new(Chance::new(scenario.seed, scenario.noise)),
            scenario,
            store: MemoryBackend::new(),
            history: Mutex::new(History::new()),
            watch: Mutex::default(),
            processes: Mutex::default(),
            successors: Mutex::default(),
            violations: Mutex::default(),
            away_until: Mutex::new(Instant::now()),
            next_process: Mutex::new(0),
            over: CancellationToken::new(),
        })
    }

    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }

    pub(super) fn number_process(&self) -> ProcessId {
        let mut next = lock(&self.next_process);
        *next += 1;
        ProcessId(*next)
    }

    pub(super) fn settle_in(&self, slot: usize, process: Process) {
        lock(&self.processes).insert(slot, process);
    }

    pub(super) fn move_out(&self, slot: usize) {
        lock(&self.processes).remove(&slot);
    }

    /// The process in a slot, if one runs.
    pub(super) fn process(&self, slot: usize) -> Option<Process> {
        lock(&self.processes).get(&slot).cloned()
    }

    /// Some process that runs, the one in that slot if possible.
    pub(super) fn some_process(&self, slot: usize) -> Option<Process> {
        let processes = lock(&self.processes);
        let after = processes.range(slot..).next();
        after.or_else(|| processes.iter().next()).map(|(_, process)| process.clone())
    }

    pub(super) fn processes(&self) -> Vec<Process> {
        lock(&self.processes).values().cloned().collect()
    }

    /// Lets go of what would keep itself alive.
    pub(super) fn forget_processes(&self) {
        lock(&self.processes).clear();
    }

    pub(super) fn decide_successor(&self, slot: usize, successor: Successor) {
        lock(&self.successors).insert(slot, successor);
    }

    pub(super) fn successor(&self, slot: usize) -> Option<Successor> {
        lock(&self.successors).remove(&slot)
    }

    pub(super) fn go_away(&self, lasts: Duration) {
        *lock(&self.away_until) = Instant::now() + lasts;
    }

    /// Reports whether the store cannot be reached.
    pub(super) fn is_away(&self) -> bool {
        !self.chance.is_calm() && Instant::now() < *lock(&self.away_until)
    }

    /// Notes that a promise was broken. The first one counts; what comes later may follow from it.
    pub(super) fn violate(&self, promise: Promise, about: Option<ExecutionId>, text: String) {
        self.history().say(&format!("VIOLATION of {promise:?}: {text}"));
        lock(&self.violations).push(Violation { promise, about, text });
    }

    pub(super) fn take_violations(&self) -> Vec<Violation> {
        std::mem::take(&mut *lock(&self.violations))
    }

    pub(super) fn is_violated(&self) -> bool {
        !lock(&self.violations).is_empty()
    }

    /// Looks at what a transaction has made of the store.
    pub(super) fn look(&self) {
        let found = lock(&self.watch).look(&self.store, &self.scenario, &mut self.history());
        for violation in found {
            self.violate(violation.promise, violation.about, violation.text);
        }
    }

    /// How many processes a task may take with it: in crashes that proved nothing, in those that counted, and in those that the
    /// scenario brought about.
    pub(super) fn most_crashes(&self) -> usize {
        3 * CRASHES as usize + self.scenario.faults.len()
    }

    /// Checks that a task begins which has not taken too many processes with it: one that always does would go on for ever.
    fn crashes_too_often(&self, run: &Run) -> Option<Violation> {
        let history = self.history();
        let same = |it: &&Run| it.execution == run.execution && it.task == run.task;
        let crashes = history.runs.iter().filter(same).filter(|it| it.crashed).count();
        (crashes > self.most_crashes()).then(|| Violation {
            promise: Promise::Poison,
            about: Some(run.execution),
            text: format!("{} begins again, and took {crashes} processes with it", run.task),
        })
    }

    /// Notes that a body begins, and checks that it may.
    pub(super) fn begin(&self, run: Run) -> u64 {
        let mut found = lock(&self.watch).check_begin(&run, &self.scenario, &self.history());
        found.extend(self.begins_too_late(&run));
        let seen = lock(&self.watch);
        let early =
            timing::check(&run, seen.execution(run.execution), &self.scenario, &self.history());
        drop(seen);
        found.extend(early.map(|(promise, text)| Violation {
            promise,
            about: Some(run.execution),
            text,
        }));
        found.extend(self.crashes_too_often(&run));
        let number = self.history().begin(run);
        for violation in found {
            self.violate(violation.promise, violation.about, violation.text);
        }
        number
    }

    /// A process that shuts down begins nothing, unless it stood still and had no time to hear of it.
    fn begins_too_late(&self, run: &Run) -> Option<Violation> {
        let halts = |plan: &FaultPlan| matches!(plan.fault, Fault::Halt { .. });
        let asked = self.history().leaving.get(&run.process).copied()?;
        if Instant::now() <= asked || self.scenario.faults.iter().any(halts) {
            return None;
        }
        let text = format!("{} begins though p{} shuts down", run.task, run.process.0);
        Some(Violation { promise: Promise::Semantics, about: Some(run.execution), text })
    }

    /// Counts the runs of a task that took their process with them, or went down with it.
    pub(super) fn crashes_so_far(&self, execution: ExecutionId, task: &str) -> u32 {
        let history = self.history();
        let runs = history.runs.iter().filter(|run| run.execution == execution && run.crashed);
        u32::try_from(runs.filter(|run| run.task == task).count()).unwrap_or(u32::MAX)
    }

    /// Asks what is known of the commits.
    pub(super) fn watch(&self) -> MutexGuard<'_, Watch> {
        lock(&self.watch)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("scenario", &self.scenario).finish_non_exhaustive()
    }
}
