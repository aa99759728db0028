//! Random operations, most of them sensible.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::backend::{
    Backend, Batch, Checkpoint, ClaimRequest, ClaimScope, Company, Control, EventKind,
    ExecutionQuery, Heartbeat, NewEvent, NewExecution, NewWorker, Release, Survival, WorkflowKey,
};
use cloacina_core::{ExecutionId, PipelineStatus, SkipReason, TaskId, WorkerId};

use super::HANDLES;
use crate::conformance::{
    TaskEndBuilder, adopt_under, attempt_failure, attempt_start, checkpoint, execution, task_end,
};

/// No test outlives it: which leases have run out is not the same on two stores.
const LEASE: Duration = Duration::from_secs(36_000);

/// One operation, on one of the handles.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Register { handle: usize, worker: NewWorker },
    Beat { handle: usize, beat: Heartbeat },
    Retire { handle: usize, worker: WorkerId },
    Bury { handle: usize, by: WorkerId },
    Commit { handle: usize, batch: Batch },
    Claim { handle: usize, request: ClaimRequest },
    Release { handle: usize, releases: Vec<Release> },
    Control { handle: usize, id: ExecutionId, order: Control },
    List { handle: usize, query: ExecutionQuery },
    Prune { handle: usize },
    Crash { handle: usize },
    Acquit { handle: usize, survivals: Vec<Survival> },
}

impl Op {
    pub(super) fn handle(&self) -> usize {
        match self {
            Self::Register { handle, .. }
            | Self::Beat { handle, .. }
            | Self::Retire { handle, .. }
            | Self::Bury { handle, .. }
            | Self::Commit { handle, .. }
            | Self::Claim { handle, .. }
            | Self::Release { handle, .. }
            | Self::Control { handle, .. }
            | Self::List { handle, .. }
            | Self::Prune { handle }
            | Self::Crash { handle }
            | Self::Acquit { handle, .. } => *handle,
        }
    }
}

/// What the generator knows of the stores.
pub(super) struct World {
    rng: fastrand::Rng,
    /// Registered workers and their handles.
    living: Vec<(WorkerId, usize)>,
    /// Workers whose handle was closed, not buried yet.
    dead: BTreeSet<WorkerId>,
    /// Workers that are registered no more.
    gone: Vec<WorkerId>,
    /// All executions that were ever named.
    pub(super) executions: Vec<ExecutionId>,
    last_batch: Option<Batch>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            living: Vec::new(),
            dead: BTreeSet::new(),
            gone: vec![WorkerId::new()],
            executions: vec![ExecutionId::new()],
            last_batch: None,
        }
    }

    /// Makes an operation; a look at a store makes most guesses of owners and epochs good ones.
    pub(super) async fn next_op(&mut self, store: &Arc<dyn Backend>) -> Op {
        let handle = self.rng.usize(..HANDLES);
        match self.rng.u32(..100) {
            0..6 => self.register(handle),
            6..12 => {
                let beat = Heartbeat { worker: self.worker(), lease_ttl: LEASE };
                Op::Beat { handle, beat }
            }
            12..14 => Op::Retire { handle, worker: self.worker() },
            14..18 => Op::Bury { handle, by: self.worker() },
            18..20 => Op::Crash { handle },
            20..26 => match self.last_batch.clone() {
                Some(batch) => Op::Commit { handle, batch },
                None => self.register(handle),
            },
            26..58 => Op::Commit { handle, batch: self.batch(store).await },
            58..72 => Op::Claim { handle, request: self.claim() },
            72..78 => Op::Release { handle, releases: self.releases(store).await },
            78..82 => Op::Acquit { handle, survivals: self.survivals(store).await },
            82..90 => Op::Control { handle, id: self.execution(), order: self.order() },
            90..98 => Op::List { handle, query: self.query() },
            _ => Op::Prune { handle },
        }
    }

    /// Keeps the books after an operation.
    pub(super) fn note(&mut self, op: &Op) {
        match op {
            Op::Register { handle, worker }
                if self.living.iter().all(|(id, _)| *id != worker.id) =>
            {
                self.living.push((worker.id, *handle));
            }
            Op::Retire { worker, .. } => {
                self.living.retain(|(id, _)| id != worker);
                self.dead.remove(worker);
                self.gone.push(*worker);
            }
            Op::Bury { .. } => {
                let buried = self.dead_but(op);
                self.dead.retain(|id| !buried.contains(id));
                self.gone.extend(buried);
            }
            Op::Crash { handle } => {
                let died = self.living.extract_if(.., |(_, at)| *at == *handle);
                self.dead.extend(died.map(|(id, _)| id));
            }
            Op::Commit { batch, .. } => {
                for submit in &batch.submits {
                    if !self.executions.contains(&submit.id) {
                        self.executions.push(submit.id);
                    }
                }
                self.last_batch = Some(batch.clone());
            }
            _ => {}
        }
    }

    /// The workers that a burial must find.
    pub(super) fn dead_but(&self, op: &Op) -> BTreeSet<WorkerId> {
        match op {
            Op::Bury { by, .. } => self.dead.iter().filter(|id| *id != by).copied().collect(),
            _ => BTreeSet::new(),
        }
    }

    fn register(&mut self, handle: usize) -> Op {
        let known = self.living.iter().filter(|(_, at)| *at == handle).map(|(id, _)| *id);
        let known: Vec<_> = known.collect();
        let again = self.rng.u32(..4) == 0;
        let id = self.rng.choice(known).filter(|_| again).unwrap_or_else(WorkerId::new);
        Op::Register { handle, worker: NewWorker { id, lease_ttl: LEASE } }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    /// A worker that is most likely alive.
    fn worker(&mut self) -> WorkerId {
        let mut pool: Vec<_> = self.living.iter().map(|(id, _)| *id).collect();
        if pool.is_empty() || self.chance(15) {
            pool.extend(self.dead.iter().chain(&self.gone));
        }
        self.rng.choice(pool).unwrap_or_else(WorkerId::new)
    }

    /// An execution, most likely one of the latest.
    fn execution(&mut self) -> ExecutionId {
        let from = if self.chance(80) { self.executions.len().saturating_sub(12) } else { 0 };
        self.executions[self.rng.usize(from..self.executions.len())]
    }

    /// An execution, with an owner and an epoch that are most likely its own.
    async fn owned(&mut self, store: &Arc<dyn Backend>) -> (ExecutionId, WorkerId, u64) {
        let mut id = self.execution();
        let mut found = standing(store, id).await;
        for _ in 0..6 {
            if found.is_some_and(|(owner, _, ended)| owner.is_some() && !ended) {
                break;
            }
            id = self.execution();
            found = standing(store, id).await;
        }
        let (owner, epoch, _) = found.unwrap_or((None, 1, false));
        let guessed = self.chance(8);
        let worker = owner.filter(|_| !guessed).unwrap_or_else(|| self.worker());
        let off = self.chance(8);
        (id, worker, if off { self.rng.u64(..4) } else { epoch })
    }

    fn company(&mut self) -> Company {
        if self.rng.bool() { Company::Shared } else { Company::Alone }
    }

    /// A task and its ordinal, which are the same everywhere.
    fn task(&mut self) -> (TaskId, u32) {
        let ordinal = self.rng.u32(..5);
        (["extract", "it's", "\"load\"", "re\\port", "\u{1f980}"][ordinal as usize].into(), ordinal)
    }

    async fn batch(&mut self, store: &Arc<dyn Backend>) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..self.rng.u32(..4) {
            let new = self.submit();
            if let Some(owner) = new.owner.filter(|_| self.chance(30)) {
                batch.checkpoints.push(self.checkpoint(new.id, owner, 1));
            }
            batch.submits.push(new);
        }
        for _ in 0..self.rng.u32(..4) {
            let (id, worker, epoch) = self.owned(store).await;
            batch.checkpoints.push(self.checkpoint(id, worker, epoch));
        }
        batch
    }

    fn workflow(&mut self) -> WorkflowKey {
        let name = ["etl", "mail"][self.rng.usize(..2)];
        let version = ["1", "2"][self.rng.usize(..2)];
        WorkflowKey { name: name.into(), version: version.into() }
    }

    fn submit(&mut self) -> NewExecution {
        let mut new: NewExecution =
            execution().input(format!(r#"{{"n":{}}}"#, self.rng.u32(..))).into();
        new.workflow = self.workflow();
        if self.chance(5) {
            new.id = self.execution();
        }
        new.idempotency_key =
            self.chance(25).then(|| ["a", "b", "c", "d"][self.rng.usize(..4)].into());
        if self.chance(50) {
            new.owner = Some(self.worker());
        } else if self.chance(25) {
            new.delay = Some(Duration::from_secs(3_600 * self.rng.u64(..4)));
        }
        new.retry_of = self.chance(20).then(|| self.execution());
        new
    }

    fn checkpoint(&mut self, id: ExecutionId, worker: WorkerId, epoch: u64) -> Checkpoint {
        let mut step = checkpoint(id, worker, epoch);
        for _ in 0..self.rng.u32(..3) {
            step = step.task(self.task_end());
        }
        if self.chance(25) {
            let mut start = attempt_start(self.task().0, self.rng.u32(1..4));
            start.company = self.company();
            start.progress = self.chance(50).then(|| self.rng.u32(..9).to_string().into());
            step = step.start(start);
        }
        if self.chance(25) {
            step = step.failure(attempt_failure(self.task().0, self.rng.u32(1..4), "no route"));
        }
        if self.chance(25) {
            let kinds = [EventKind::Retried, EventKind::Suspected, EventKind::ConflictingWrites];
            let kind = kinds[self.rng.usize(..kinds.len())];
            let task = self.rng.bool().then(|| self.task().0);
            step = step.event(NewEvent { kind, task, detail: format!("{}", self.rng.u32(..)) });
        }
        if self.chance(15) {
            step = step.clear();
        }
        match self.rng.u32(..100) {
            0..12 => step.finish(PipelineStatus::Completed),
            12..22 => step.fail("task `load` failed"),
            _ => step,
        }
        .into()
    }

    fn task_end(&mut self) -> TaskEndBuilder {
        let (task, ordinal) = self.task();
        let end = task_end(task).ordinal(ordinal).attempts(self.rng.u32(1..5));
        match self.rng.u32(..5) {
            0 => end.failed("it's \"wrong\"\n"),
            1 => end.skipped(SkipReason::UpstreamFailed(self.task().0)),
            2 => end.output(format!("[{}, \"\\u0000\"]", self.rng.u32(..))),
            _ => end.changes(format!(r#"{{"k":{}}}"#, self.rng.u64(..))),
        }
    }

    fn claim(&mut self) -> ClaimRequest {
        let scope = if self.chance(75) {
            ClaimScope::Workflows((0..self.rng.u32(..4)).map(|_| self.workflow()).collect())
        } else {
            let named = 0..self.rng.u32(..5);
            adopt_under(named.map(|_| (self.execution(), self.rng.u64(..3))).collect::<Vec<_>>())
        };
        ClaimRequest { worker: self.worker(), limit: self.rng.u32(..5), scope }
    }

    async fn releases(&mut self, store: &Arc<dyn Backend>) -> Vec<Release> {
        let mut releases = Vec::new();
        for _ in 0..self.rng.u32(..3) {
            let (execution, worker, epoch) = self.owned(store).await;
            // Far enough that no two clocks tell different stories, and one of two releases of an execution is like the other.
            let waits = execution.as_uuid().as_u128() % 4 == 0;
            let due_in = waits.then_some(Duration::from_secs(86_400));
            releases.push(Release { execution, worker, epoch, due_in });
        }
        releases
    }

    /// Epochs up to the last one of executions that have a takeover, if some are found.
    async fn survivals(&mut self, store: &Arc<dyn Backend>) -> Vec<Survival> {
        let mut survivals = Vec::new();
        for _ in 0..self.rng.u32(1..4) {
            let (mut execution, mut epoch) = (self.execution(), 0);
            for _ in 0..12 {
                if let Some(found) = store.load(execution).await.expect("load answers") {
                    epoch = found.record.epoch;
                    if found.record.takeovers > 0 {
                        break;
                    }
                }
                execution = self.execution();
            }
            survivals.push(Survival { execution, epoch: self.rng.u64(0..=epoch) });
        }
        survivals
    }

    fn order(&mut self) -> Control {
        match self.rng.u32(..10) {
            0..3 => {
                let tasks: BTreeSet<_> = (0..self.rng.u32(..3)).map(|_| self.task()).collect();
                Control::Cancel { tasks: tasks.into_iter().collect() }
            }
            3..6 => Control::Pause,
            _ => Control::Resume,
        }
    }

    fn query(&mut self) -> ExecutionQuery {
        let mut query = ExecutionQuery::new();
        for _ in 0..self.rng.u32(..3) {
            query = query.status(PipelineStatus::ALL[self.rng.usize(..6)]);
        }
        if self.chance(30) {
            query = query.workflow("etl");
        }
        if self.chance(30) {
            query = query.unowned();
        }
        if self.chance(40) {
            query = query.before(self.execution());
        }
        if self.chance(50) { query.limit(self.rng.u32(..8)) } else { query }
    }
}

/// Owner, epoch, and whether it has ended.
async fn standing(
    store: &Arc<dyn Backend>,
    id: ExecutionId,
) -> Option<(Option<WorkerId>, u64, bool)> {
    let found = store.standing(&[id]).await.expect("standing answers").pop()??;
    Some((found.owner, found.epoch, found.status.is_terminal()))
}
