//! The harness's side of the process that submits: what it was given, what it said, and what to do after its death.

use std::collections::{BTreeMap, BTreeSet};

use cloacina_core::ExecutionId;

use super::client::{Tail, Word, after_death};
use super::orders::assignment;
use crate::fleet::{Fleet, Promise, Worker};

/// How many executions are on their way at most.
const BACKLOG: usize = 160;

/// What is known of all submits.
#[derive(Debug)]
pub(super) struct Submitter {
    seed: u64,
    process: Option<Worker>,
    tail: Tail,
    /// The next number.
    next: u64,
    /// Given to the process, and nothing came back yet.
    open: BTreeSet<u64>,
    /// Those about which the process has begun to ask.
    called: BTreeSet<u64>,
    acknowledged: BTreeMap<u64, ExecutionId>,
    /// Nobody knows whether they are there.
    unknown: BTreeSet<u64>,
    /// Refused, with the reason.
    pub(super) refused: Vec<(u64, String)>,
}

impl Submitter {
    pub(super) fn start(fleet: &Fleet, url: &str, seed: u64) -> Self {
        let mut submitter = Self {
            seed,
            process: None,
            tail: Tail::new(fleet.path("client.log")),
            next: 0,
            open: BTreeSet::new(),
            called: BTreeSet::new(),
            acknowledged: BTreeMap::new(),
            unknown: BTreeSet::new(),
            refused: Vec::new(),
        };
        submitter.spawn(fleet, url);
        submitter
    }

    fn spawn(&mut self, fleet: &Fleet, url: &str) {
        let log = fleet.path("client.log").display().to_string();
        let mut process = fleet.process(url, &["client", &log, &self.seed.to_string()]);
        for n in &self.open {
            process.tell(&n.to_string());
        }
        self.process = Some(process);
    }

    /// Reads what the process has said.
    pub(super) fn listen(&mut self) {
        for said in self.tail.next().unwrap() {
            match said.word {
                Word::Call => {
                    self.called.insert(said.n);
                    continue;
                }
                Word::Acknowledged(id) => drop(self.acknowledged.insert(said.n, id)),
                Word::Unknown => drop(self.unknown.insert(said.n)),
                Word::Refused(why) => self.refused.push((said.n, why)),
            }
            self.open.remove(&said.n);
            self.called.remove(&said.n);
        }
    }

    /// Gives the process more, as far as there is room.
    pub(super) fn feed(&mut self, ended: usize) {
        let Some(process) = &mut self.process else { return };
        // What nobody answered may be there or not: it is not waited for.
        while self.open.len() + self.acknowledged.len() < ended + BACKLOG {
            process.tell(&self.next.to_string());
            self.open.insert(self.next);
            self.next += 1;
        }
    }

    /// Replaces the process if it has ended by itself, as it does when the store is away at its start.
    pub(super) fn revive(&mut self, fleet: &Fleet, url: &str) {
        if self.process.as_mut().is_some_and(|process| !process.is_running()) {
            self.kill(fleet, url);
        }
    }

    /// Returns the id of the process.
    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Worker::pid)
    }

    /// Kills the process, and starts another that goes on.
    pub(super) fn kill(&mut self, fleet: &Fleet, url: &str) {
        drop(self.process.take());
        self.listen();
        let (again, unknown) = after_death(self.seed, &self.open, &self.called);
        self.open = again;
        self.unknown.extend(unknown);
        self.called.clear();
        self.spawn(fleet, url);
    }

    /// Kills the process. [`kill`](Self::kill) starts the next.
    pub(super) fn halt(&mut self) {
        drop(self.process.take());
    }

    /// Counts what was given and did not come back.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Shuts the process down.
    pub(super) fn end(&mut self) -> Option<Worker> {
        self.process.take()
    }

    /// Lists what may be there, and what has to be.
    pub(super) fn promises(&self) -> Vec<Promise> {
        let promise = |n, acknowledged| {
            let assignment = assignment(self.seed, n);
            Promise { workflow: assignment.workflow, order: assignment.order, acknowledged }
        };
        let known = self.acknowledged.iter().map(|(n, id)| promise(*n, Some(*id)));
        let unknown = self.unknown.iter().chain(&self.open).map(|n| promise(*n, None));
        known.chain(unknown).collect()
    }

    /// Lists the executions that were acknowledged.
    pub(super) fn ids(&self) -> Vec<ExecutionId> {
        self.acknowledged.values().copied().collect()
    }
}
