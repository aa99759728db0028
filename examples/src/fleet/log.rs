//! What the workers said, and a picture of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use cloacina_core::{ExecutionId, TaskId};
use tokio::time::Instant;

use super::{Body, News, Report};

/// All that the workers said.
#[derive(Debug)]
pub struct Log {
    started: Instant,
    /// Older executions are none of ours.
    since: ExecutionId,
    /// Bodies of older executions.
    older: usize,
    pub(super) workers: Vec<Entry>,
    /// Every body that began: what it ran.
    pub(super) bodies: HashMap<Body, (ExecutionId, TaskId)>,
    /// The worker that ran the newest body of each execution.
    last: HashMap<ExecutionId, usize>,
    moves: BTreeMap<ExecutionId, Move>,
    /// The tasks that have come to their end, however often.
    ended: HashSet<(ExecutionId, TaskId)>,
}

/// What is known of a worker.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) process: u32,
    pub(super) fate: Fate,
    running: HashMap<Body, TaskId>,
    pub(super) begun: u64,
}

/// How a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its process has started.
    Starting,
    /// It works.
    Alive,
    /// It was killed, so long after the beginning.
    Killed(Duration),
    /// It has stopped in order.
    Stopped {
        /// Executions that it took over from a worker that died.
        recovered: u64,
        /// Executions that another worker took over from it.
        fenced: u64,
    },
}

/// An execution of a killed worker that went on elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The worker that was killed.
    pub from: usize,
    /// The worker that went on with it.
    pub to: usize,
    /// The time from the kill to the start of the next body.
    pub after: Duration,
}

impl Log {
    /// Begins. Executions that are older than `since` are none of ours: an earlier run may have left some in the schema. Ids
    /// of executions sort by time.
    #[must_use]
    pub fn new(since: ExecutionId) -> Self {
        Self {
            started: Instant::now(),
            since,
            older: 0,
            workers: Vec::new(),
            bodies: HashMap::new(),
            last: HashMap::new(),
            moves: BTreeMap::new(),
            ended: HashSet::new(),
        }
    }

    /// Notes that the next worker's process has started.
    pub fn started(&mut self, process: u32) {
        let running = HashMap::new();
        self.workers.push(Entry { process, fate: Fate::Starting, running, begun: 0 });
    }

    /// Notes what a worker said, if anything.
    pub fn hear(&mut self, News { worker, report }: News) {
        if let Some(report) = report {
            self.note(worker, report);
        }
    }

    /// Notes a report of a worker.
    pub fn note(&mut self, worker: usize, report: Report) {
        let Some(entry) = self.workers.get_mut(worker.wrapping_sub(1)) else { return };
        match report {
            Report::Ready => entry.fate = Fate::Alive,
            Report::Stopped { recovered, fenced } => {
                entry.fate = Fate::Stopped { recovered, fenced };
            }
            Report::Ended { body } => {
                entry.running.remove(&body);
                self.ended.extend(self.bodies.get(&body).cloned());
            }
            Report::Began { execution, .. } if execution < self.since => self.older += 1,
            Report::Began { body, execution, task } => {
                // What the dead said comes in late.
                if !matches!(entry.fate, Fate::Killed(_)) {
                    entry.running.insert(body, task.clone());
                }
                entry.begun += 1;
                self.bodies.insert(body, (execution, task));
                self.note_place(execution, worker);
            }
        }
    }

    /// Notes where an execution is, and whether it comes from a dead worker.
    fn note_place(&mut self, execution: ExecutionId, worker: usize) {
        let before = self.last.insert(execution, worker).filter(|before| *before != worker);
        let Some(from) = before else { return };
        if let Some(Fate::Killed(at)) = self.fate(from) {
            let after = self.started.elapsed().saturating_sub(at);
            self.moves.entry(execution).or_insert(Move { from, to: worker, after });
        }
    }

    /// Notes that a worker was killed, and returns which tasks it was running.
    pub fn killed(&mut self, worker: usize) -> String {
        let at = self.started.elapsed();
        let Some(entry) = self.workers.get_mut(worker.wrapping_sub(1)) else {
            return String::new();
        };
        entry.fate = Fate::Killed(at);
        summary(std::mem::take(&mut entry.running).values())
    }

    /// Returns how a worker is.
    #[must_use]
    pub fn fate(&self, worker: usize) -> Option<Fate> {
        self.workers.get(worker.wrapping_sub(1)).map(|entry| entry.fate)
    }

    /// Reports whether all workers work.
    #[must_use]
    pub fn all_alive(&self) -> bool {
        self.workers.iter().all(|entry| entry.fate == Fate::Alive)
    }

    /// Returns the living workers that run something now.
    #[must_use]
    pub fn busy(&self) -> Vec<usize> {
        let entries = self.workers.iter().zip(1..);
        let busy =
            entries.filter(|(entry, _)| entry.fate == Fate::Alive && !entry.running.is_empty());
        busy.map(|(_, worker)| worker).collect()
    }

    /// Returns how many tasks have come to their end.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.ended.len()
    }

    /// Returns the first move, and how many there were.
    #[must_use]
    pub fn moves(&self) -> Option<(Move, usize)> {
        let first = self.moves.values().min_by_key(|one| one.after)?;
        Some((*first, self.moves.len()))
    }

    /// Draws who runs what now.
    #[must_use]
    pub fn picture(&self, tasks: usize) -> String {
        let mut picture = String::new();
        let seconds = self.started.elapsed().as_secs_f64();
        // Writing to a text does not fail.
        let _ = writeln!(picture, "{seconds:5.1} s  {} of {tasks} tasks have ended", self.ended());
        let _ = writeln!(picture, "  worker      pid  state     tasks begun  running now");
        for (entry, worker) in self.workers.iter().zip(1..) {
            let (state, begun) = (entry.fate.word(), entry.begun);
            let running = summary(entry.running.values());
            let row =
                format!("  {worker:6}  {:7}  {state:8}  {begun:11}  {running}", entry.process);
            let _ = writeln!(picture, "{}", row.trim_end());
        }
        if let Some((first, count)) = self.moves() {
            let Move { from, to, after } = first;
            let _ = writeln!(
                picture,
                "  executions of worker {from} that went on elsewhere: {count}; the first one at worker {to}, {} ms after \
                 the kill",
                after.as_millis()
            );
        }
        if self.older > 0 {
            let _ =
                writeln!(picture, "  tasks of executions that an earlier run left: {}", self.older);
        }
        picture
    }
}

impl Fate {
    /// Says it in a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Alive => "alive",
            Self::Killed(_) => "killed",
            Self::Stopped { .. } => "stopped",
        }
    }
}

/// Counts tasks by name: `charge 2, ship 1`.
fn summary<'a>(tasks: impl Iterator<Item = &'a TaskId>) -> String {
    let mut counts: BTreeMap<&TaskId, usize> = BTreeMap::new();
    for task in tasks {
        *counts.entry(task).or_default() += 1;
    }
    let counts: Vec<_> = counts.into_iter().map(|(task, n)| format!("{task} {n}")).collect();
    counts.join(", ")
}
