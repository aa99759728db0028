//! A process's line to the store, on which calls are slow, get lost, are carried out unheard, late, or twice.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use cloacina_core::backend::{
    Backend, BackendError, Batch, BatchVerdicts, Burial, ClaimRequest, Claims, Control,
    ControlVerdict, Counts, EventRecord, ExecutionQuery, ExecutionRecord, ExecutionSnapshot,
    Heartbeat, JsonText, NewWorker, Pulse, Release, Standing, Survival, WorkflowDefinition,
    WorkflowKey,
};
use cloacina_core::{ExecutionId, WorkerId};
use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::chance::Outcome;
use super::history::ProcessId;
use super::world::World;
use crate::MemoryBackend;

/// A handle on the store, as one process has it.
#[derive(Clone)]
pub(super) struct Line {
    world: Arc<World>,
    process: ProcessId,
    store: MemoryBackend,
}

/// How many commits a process may have in flight: they overtake each other.
const LINES: NonZeroUsize = NonZeroUsize::new(2).unwrap();

type Answer<T> = Result<T, BackendError>;

impl Line {
    pub(super) fn new(world: Arc<World>, process: ProcessId) -> Self {
        let store = world.store.another_handle();
        Self { world, process, store }
    }

    /// Makes a call, which may go wrong in every way that a network knows.
    async fn call<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl AsyncFn(&MemoryBackend) -> Answer<T> + Send + Sync + 'static,
    ) -> Answer<T> {
        let fate = self.world.chance.fate();
        pause(fate.before).await;
        if self.world.is_away() {
            return Err(unavailable(name));
        }
        let answer = match fate.outcome {
            Outcome::Heard => self.carry_out(&work),
            Outcome::Lost => Err(unavailable(name)),
            Outcome::Unheard => {
                let _ = self.carry_out(&work);
                Err(unavailable(name))
            }
            Outcome::Late(wait) => {
                self.later(wait, work);
                Err(unavailable(name))
            }
            Outcome::Twice => {
                let answer = self.carry_out(&work);
                self.later(fate.after, work);
                answer
            }
        };
        pause(fate.after).await;
        answer
    }

    /// One transaction: nothing comes in between.
    fn carry_out<T>(&self, work: &impl AsyncFn(&MemoryBackend) -> Answer<T>) -> Answer<T> {
        let answer = Box::pin(work(&self.store)).now_or_never();
        self.world.look();
        answer.unwrap_or(Err(BackendError::Closed))
    }

    /// What is on its way arrives, whatever has become of the process.
    fn later<T: Send + 'static>(
        &self,
        wait: Duration,
        work: impl AsyncFn(&MemoryBackend) -> Answer<T> + Send + Sync + 'static,
    ) {
        let line = self.clone();
        outside(async move {
            pause(wait).await;
            let _ = line.carry_out(&work);
        });
    }
}

/// Runs something that belongs to no process.
#[expect(clippy::disallowed_methods, reason = "it is what goes on outside of all processes")]
pub(super) fn outside(future: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(future));
}

async fn pause(wait: Duration) {
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
}

fn unavailable(name: &str) -> BackendError {
    BackendError::Unavailable { reason: format!("{name} got lost"), source: None }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("process", &self.process).finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for Line {
    async fn register_worker(&self, worker: &NewWorker) -> Answer<()> {
        let (worker, sent) = (worker.clone(), Instant::now());
        let before = self.world.history().workers.values().any(|process| *process == self.process);
        self.world.history().workers.insert(worker.id, self.process);
        if before {
            pause(self.world.chance.wait_to_register()).await;
        }
        let ttl = worker.lease_ttl;
        let done = self
            .call("register_worker", async move |store| store.register_worker(&worker).await)
            .await;
        if done.is_ok() {
            self.world.history().renew(self.process, sent + ttl);
        }
        done
    }

    async fn heartbeat(&self, beat: &Heartbeat) -> Answer<Pulse> {
        let (beat, sent) = (beat.clone(), Instant::now());
        let ttl = beat.lease_ttl;
        let pulse = self.call("heartbeat", async move |store| store.heartbeat(&beat).await).await;
        if matches!(pulse, Ok(Pulse::Alive { .. })) {
            self.world.history().renew(self.process, sent + ttl);
        }
        pulse
    }

    async fn lease(&self, worker: WorkerId) -> Answer<Option<DateTime<Utc>>> {
        self.call("lease", async move |store| store.lease(worker).await).await
    }

    async fn retire_worker(&self, worker: WorkerId) -> Answer<()> {
        self.call("retire_worker", async move |store| store.retire_worker(worker).await).await
    }

    async fn bury_dead_workers(&self, by: WorkerId) -> Answer<Vec<Burial>> {
        self.call("bury_dead_workers", async move |store| store.bury_dead_workers(by).await).await
    }

    async fn acquit(&self, survivals: &[Survival]) -> Answer<()> {
        let survivals = survivals.to_vec();
        self.call("acquit", async move |store| store.acquit(&survivals).await).await
    }

    async fn define_workflows(&self, definitions: &[WorkflowDefinition]) -> Answer<()> {
        let definitions = definitions.to_vec();
        self.call("define_workflows", async move |store| store.define_workflows(&definitions).await)
            .await
    }

    async fn definition(&self, key: &WorkflowKey) -> Answer<Option<JsonText>> {
        let key = key.clone();
        self.call("definition", async move |store| store.definition(&key).await).await
    }

    async fn commit(&self, batch: Arc<Batch>) -> Answer<BatchVerdicts> {
        self.call("commit", async move |store| store.commit(Arc::clone(&batch)).await).await
    }

    fn lines(&self) -> NonZeroUsize {
        LINES
    }

    async fn claim(&self, request: &ClaimRequest) -> Answer<Claims> {
        let request = request.clone();
        self.call("claim", async move |store| store.claim(&request).await).await
    }

    async fn release(&self, releases: &[Release]) -> Answer<()> {
        let releases = releases.to_vec();
        self.call("release", async move |store| store.release(&releases).await).await
    }

    async fn control(&self, execution: ExecutionId, order: &Control) -> Answer<ControlVerdict> {
        let order = order.clone();
        self.call("control", async move |store| store.control(execution, &order).await).await
    }

    async fn standing(&self, ids: &[ExecutionId]) -> Answer<Vec<Option<Standing>>> {
        let ids = ids.to_vec();
        self.call("standing", async move |store| store.standing(&ids).await).await
    }

    async fn load(&self, id: ExecutionId) -> Answer<Option<ExecutionSnapshot>> {
        self.call("load", async move |store| store.load(id).await).await
    }

    async fn list(&self, query: &ExecutionQuery) -> Answer<Vec<ExecutionRecord>> {
        let query = query.clone();
        self.call("list", async move |store| store.list(&query).await).await
    }

    async fn events(&self, execution: ExecutionId) -> Answer<Vec<EventRecord>> {
        self.call("events", async move |store| store.events(execution).await).await
    }

    async fn counts(&self) -> Answer<Counts> {
        self.call("counts", async move |store| store.counts().await).await
    }

    async fn prune(&self, age: Duration, limit: u32) -> Answer<u64> {
        self.call("prune", async move |store| store.prune(age, limit).await).await
    }

    async fn changed(&self, poll: Duration) {
        self.store.changed(poll).await;
        while self.world.chance.misses() {
            self.store.changed(poll).await;
        }
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
