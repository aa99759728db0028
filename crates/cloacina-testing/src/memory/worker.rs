//! Leases, and what happens to what a worker owned.

use chrono::{DateTime, Utc};
use cloacina_core::backend::{
    AttemptRecord, AttemptStart, AttemptState, Burial, EventKind, Heartbeat, NewWorker, Outlook,
    ProofOfDeath, Pulse, Release, Survival,
};
use cloacina_core::{ExecutionId, WorkerId};

use super::store::{Death, Execution, HandleId, State, Worker, later};

impl State {
    pub(super) fn register_worker(&mut self, handle: HandleId, worker: &NewWorker) {
        let expires_at = later(self.now(), worker.lease_ttl);
        self.workers.insert(worker.id, Worker { handle, expires_at });
    }

    pub(super) fn heartbeat(&mut self, beat: &Heartbeat) -> Pulse {
        let now = self.now();
        let Some(worker) = self.workers.get_mut(&beat.worker) else { return Pulse::Buried };
        worker.expires_at = later(now, beat.lease_ttl);
        Pulse::Alive { peers: self.peers(beat.worker), outlook: self.outlook(beat.worker) }
    }

    pub(super) fn lease(&self, worker: WorkerId) -> Option<DateTime<Utc>> {
        self.workers.get(&worker).map(|worker| worker.expires_at)
    }

    fn outlook(&self, worker: WorkerId) -> Outlook {
        let mut owners = self.index.owned.iter().filter(|(_, owned)| !owned.is_empty());
        Outlook {
            own: self.index.owned.get(&worker).is_some_and(|owned| !owned.is_empty()),
            of_others: owners.any(|(owner, _)| *owner != worker),
            unowned: !self.index.unowned.is_empty(),
            expired: self
                .workers
                .iter()
                .any(|(id, other)| *id != worker && other.expires_at <= self.now()),
        }
    }

    /// How many other workers are registered.
    pub(super) fn peers(&self, worker: WorkerId) -> u32 {
        let peers = self.workers.keys().filter(|id| **id != worker).count();
        u32::try_from(peers).unwrap_or(u32::MAX)
    }

    pub(super) fn retire_worker(&mut self, worker: WorkerId) {
        let now = self.now();
        for id in self.owned_by(worker) {
            self.change(id, |execution| execution.give_back(AttemptState::Released, now));
        }
        self.workers.remove(&worker);
    }

    pub(super) fn bury_dead_workers(&mut self, by: WorkerId) -> Vec<Burial> {
        let now = self.now();
        let dead: Vec<_> = self
            .workers
            .iter()
            .filter(|(id, _)| **id != by)
            .filter_map(|(id, worker)| Some((*id, self.proof_of_death(worker, now)?)))
            .chain(self.unregistered_owners(by))
            .collect();
        dead.into_iter().map(|(worker, proof)| self.bury(worker, proof, now)).collect()
    }

    /// Finds the workers that were buried while something that they submitted was under way.
    fn unregistered_owners(&self, by: WorkerId) -> impl Iterator<Item = (WorkerId, ProofOfDeath)> {
        let owners = self.index.owned.iter().filter(|(_, owned)| !owned.is_empty());
        let gone = owners.map(|(id, _)| *id).filter(move |id| *id != by);
        gone.filter(|id| !self.workers.contains_key(id)).map(|id| (id, ProofOfDeath::Lease))
    }

    fn proof_of_death(&self, worker: &Worker, now: DateTime<Utc>) -> Option<ProofOfDeath> {
        if !self.is_open(worker.handle) {
            Some(ProofOfDeath::Lock)
        } else if worker.expires_at <= now {
            Some(ProofOfDeath::Lease)
        } else {
            None
        }
    }

    fn bury(&mut self, worker: WorkerId, proof: ProofOfDeath, now: DateTime<Utc>) -> Burial {
        let mut executions = 0;
        for id in self.owned_by(worker) {
            executions += 1;
            self.change(id, |execution| {
                execution.give_back(AttemptState::Lost, now);
                execution.record.takeovers += 1;
                execution.deaths.insert(execution.record.epoch, Death::Counted);
                execution.note(now, EventKind::Recovered, format!("worker {worker} died"));
            });
        }
        self.workers.remove(&worker);
        Burial { worker, proof, executions }
    }

    pub(super) fn acquit(&mut self, survivals: &[Survival]) {
        let now = self.now();
        let mut survivals = survivals.to_vec();
        survivals.sort_unstable();
        for Survival { execution, epoch } in survivals {
            self.change(execution, |execution| {
                if !execution.record.status.is_terminal() {
                    execution.acquit(epoch, now);
                }
            });
        }
    }

    fn owned_by(&self, worker: WorkerId) -> Vec<ExecutionId> {
        self.index.owned.get(&worker).into_iter().flatten().copied().collect()
    }

    pub(super) fn release(&mut self, releases: &[Release]) {
        let now = self.now();
        for release in releases {
            self.change(release.execution, |execution| {
                let over = execution.record.status.is_terminal();
                if !over && execution.is_owned_by(release.worker, release.epoch) {
                    execution.give_back(AttemptState::Released, now);
                    let due_at = release.due_in.map(|wait| later(now, wait));
                    execution.record.due_at = due_at.or(execution.record.due_at);
                }
            });
        }
    }
}

impl Execution {
    /// Leaves it without an owner; the attempts that ran come to that end.
    fn give_back(&mut self, running_become: AttemptState, now: DateTime<Utc>) {
        self.record.owner = None;
        for attempt in self.attempts.values_mut() {
            // A task's own row tells how its last attempt ended.
            if attempt.state == AttemptState::Running && !self.tasks.contains_key(&attempt.task) {
                attempt.state = running_become;
                attempt.ended_at = Some(now);
            }
        }
    }

    /// Takes back what the death of its owner under that epoch did, if there was one.
    fn acquit(&mut self, epoch: u64, now: DateTime<Utc>) {
        let Some(death) = self.deaths.get_mut(&epoch) else { return };
        match std::mem::replace(death, Death::Acquitted) {
            Death::Acquitted => return,
            Death::Counted => self.record.takeovers -= 1,
            Death::Cleared => {}
        }
        for attempt in self.attempts.values_mut() {
            if attempt.epoch == epoch && attempt.state == AttemptState::Lost {
                attempt.state = AttemptState::Released;
            }
        }
        self.note(now, EventKind::Acquitted, format!("its owner under epoch {epoch} lives"));
    }

    /// Lifts the suspicion: no death up to now counts any more.
    pub(super) fn clear(&mut self) {
        self.record.takeovers = 0;
        for death in self.deaths.values_mut().filter(|death| **death == Death::Counted) {
            *death = Death::Cleared;
        }
    }

    /// Records that an attempt runs; of one that is on record already, how far it has come.
    pub(super) fn begin(&mut self, start: &AttemptStart, epoch: u64, started_at: DateTime<Utc>) {
        let key = (start.task.clone(), start.attempt, epoch);
        let row = self.attempts.entry(key).or_insert_with(|| AttemptRecord {
            task: start.task.clone(),
            attempt: start.attempt,
            epoch,
            state: AttemptState::Running,
            company: start.company,
            error: None,
            progress: None,
            started_at,
            ended_at: None,
            retry_at: None,
        });
        if let (AttemptState::Running, Some(progress)) = (row.state, &start.progress) {
            row.progress = Some(progress.to_string());
        }
    }
}
