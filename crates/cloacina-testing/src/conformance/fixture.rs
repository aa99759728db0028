//! A store in a test, with what most cases do to it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use cloacina_core::backend::{
    Backend, Batch, BatchVerdicts, Burial, Checkpoint, CheckpointVerdict, ClaimRequest, ClaimScope,
    Claims, Control, ControlVerdict, EventKind, ExecutionRecord, ExecutionSnapshot, NewExecution,
    NewWorker, ProofOfDeath, Release, SubmitVerdict,
};
use cloacina_core::{ExecutionId, PipelineStatus, WorkerId};
use tokio::time::Instant;

use super::Harness;
use super::make::{checkpoint, execution, workflow_key};

/// A lease that no test outlives.
const LONG: Duration = Duration::from_secs(3_600);

/// How long something that must happen may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A store with one open handle, and short words for what most cases do.
///
/// Its methods panic when the store answers with an error, for a case goes no further then.
pub struct Fixture {
    harness: Arc<dyn Harness>,
    store: Arc<dyn Backend>,
    /// All handles, to be closed before the store is removed.
    opened: Mutex<Vec<Arc<dyn Backend>>>,
}

impl Fixture {
    /// Opens the first handle on a store.
    pub async fn new(harness: Arc<dyn Harness>) -> Self {
        let store = harness.handle().await;
        let opened = Mutex::new(vec![Arc::clone(&store)]);
        Self { harness, store, opened }
    }

    /// Closes all handles.
    pub async fn close(self) {
        let opened = self.opened.into_inner().unwrap_or_else(PoisonError::into_inner);
        for handle in opened {
            handle.close().await;
        }
    }

    /// Returns the first handle.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Backend> {
        &self.store
    }

    /// Opens another handle, as another process would.
    pub async fn another_handle(&self) -> Arc<dyn Backend> {
        let handle = self.harness.handle().await;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.push(Arc::clone(&handle));
        handle
    }

    /// Registers a worker on the first handle, with a lease that no test outlives.
    pub async fn worker(&self) -> WorkerId {
        self.worker_on(&self.store).await
    }

    /// Registers a worker on a handle, with a lease that no test outlives.
    pub async fn worker_on(&self, handle: &Arc<dyn Backend>) -> WorkerId {
        self.worker_with(handle, LONG).await
    }

    /// Registers a worker on a handle.
    pub async fn worker_with(&self, handle: &Arc<dyn Backend>, lease_ttl: Duration) -> WorkerId {
        let id = WorkerId::new();
        let worker = NewWorker { id, lease_ttl };
        handle.register_worker(&worker).await.expect("register_worker answers");
        id
    }

    /// Submits an execution, which must be created.
    pub async fn submit(&self, new: impl Into<NewExecution>) -> ExecutionId {
        let new = new.into();
        let id = new.id;
        let verdict = self.try_submit(new).await;
        assert_eq!(verdict, SubmitVerdict::Created, "a new execution was not created");
        id
    }

    /// Submits an execution that nobody owns.
    pub async fn submit_free(&self) -> ExecutionId {
        self.submit(execution()).await
    }

    /// Submits an execution that a worker owns from the start, under epoch 1.
    pub async fn submit_owned(&self, worker: WorkerId) -> ExecutionId {
        self.submit(execution().owner(worker)).await
    }

    /// Submits an execution and ends it under a worker.
    pub async fn submit_ended(&self, worker: WorkerId, status: PipelineStatus) -> ExecutionId {
        let id = self.submit_owned(worker).await;
        self.committed(checkpoint(id, worker, 1).finish(status)).await;
        id
    }

    /// Submits one execution, for its verdict.
    pub async fn try_submit(&self, new: impl Into<NewExecution>) -> SubmitVerdict {
        let batch = Batch { submits: vec![new.into()], checkpoints: Vec::new() };
        let mut verdicts = self.commit(batch).await.submits;
        assert_eq!(verdicts.len(), 1, "one submit must get one verdict");
        verdicts.remove(0)
    }

    /// Commits one checkpoint, for its verdict.
    pub async fn checkpoint(&self, checkpoint: impl Into<Checkpoint>) -> CheckpointVerdict {
        let batch = Batch { submits: Vec::new(), checkpoints: vec![checkpoint.into()] };
        let verdicts = self.commit(batch).await.checkpoints;
        assert_eq!(verdicts.len(), 1, "one checkpoint must get one verdict");
        verdicts[0]
    }

    /// Commits one checkpoint, which must be committed.
    pub async fn committed(&self, checkpoint: impl Into<Checkpoint>) {
        let verdict = self.checkpoint(checkpoint).await;
        let committed = matches!(verdict, CheckpointVerdict::Committed { .. });
        assert!(committed, "the owner's checkpoint was not committed: {verdict:?}");
    }

    /// Commits a batch on the first handle.
    pub async fn commit(&self, batch: Batch) -> BatchVerdicts {
        self.store.commit(batch.into()).await.expect("commit answers")
    }

    /// Claims executions of the workflow that the builders use by default.
    pub async fn claim(&self, worker: WorkerId, limit: u32) -> Vec<ExecutionId> {
        let scope = ClaimScope::Workflows(vec![workflow_key()]);
        let claims = self.claim_in(scope, worker, limit).await;
        claims.executions.iter().map(|snapshot| snapshot.record.id).collect()
    }

    /// Claims in a scope.
    pub async fn claim_in(&self, scope: ClaimScope, worker: WorkerId, limit: u32) -> Claims {
        let request = ClaimRequest { worker, limit, scope };
        self.store.claim(&request).await.expect("claim answers")
    }

    /// Gives an execution back.
    pub async fn release(&self, execution: ExecutionId, worker: WorkerId, epoch: u64) {
        let releases = [Release { execution, worker, epoch, due_in: None }];
        self.store.release(&releases).await.expect("release answers");
    }

    /// Carries out an order.
    pub async fn control(&self, id: ExecutionId, order: Control) -> ControlVerdict {
        self.store.control(id, &order).await.expect("control answers")
    }

    /// Cancels an execution of which no tasks are known.
    pub async fn cancel(&self, id: ExecutionId) -> ControlVerdict {
        self.control(id, Control::Cancel { tasks: Vec::new() }).await
    }

    /// Reads an execution that must exist.
    pub async fn load(&self, id: ExecutionId) -> ExecutionSnapshot {
        let snapshot = self.store.load(id).await.expect("load answers");
        snapshot.expect("an execution that was submitted is gone")
    }

    /// Reads the record of an execution that must exist.
    pub async fn record(&self, id: ExecutionId) -> ExecutionRecord {
        self.load(id).await.record
    }

    /// Reads what kinds of events an execution has, in their order.
    pub async fn events(&self, id: ExecutionId) -> Vec<EventKind> {
        let events = self.store.events(id).await.expect("events answers");
        events.iter().map(|record| record.event.kind).collect()
    }

    /// Buries the dead until one worker is among them. They are found by a worker that nobody else knows.
    pub async fn bury(&self, dead: WorkerId) -> Burial {
        let by = WorkerId::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let burials = self.store.bury_dead_workers(by).await.expect("bury answers");
            if let Some(burial) = burials.into_iter().find(|burial| burial.worker == dead) {
                return burial;
            }
            assert!(Instant::now() < deadline, "a dead worker was not found");
            take_a_breath().await;
        }
    }

    /// Registers a worker that is as good as dead: its lease runs out at once.
    pub async fn doomed_worker(&self) -> WorkerId {
        let id = self.worker().await;
        self.doom(id).await;
        id
    }

    /// Lets a worker on the first handle die: its lease runs out at once.
    pub async fn doom(&self, id: WorkerId) {
        let worker = NewWorker { id, lease_ttl: Duration::from_millis(1) };
        self.store.register_worker(&worker).await.expect("register_worker answers");
    }

    /// Tells how the death of a worker shows whose process has ended. Where its lease alone tells, the lease ends now.
    pub async fn proof_that_it_is_gone(&self, id: WorkerId) -> ProofOfDeath {
        let proof = self.harness.proof();
        if proof == ProofOfDeath::Lease {
            self.doom(id).await;
        }
        proof
    }

    /// Tells what time it is by the store's clock.
    pub async fn now(&self) -> DateTime<Utc> {
        self.commit(Batch::default()).await.at
    }

    /// Waits until the store's clock has moved on so far.
    pub async fn let_pass(&self, time: Duration) {
        let until = self.now().await + time;
        while self.now().await < until {
            take_a_breath().await;
        }
    }
}

/// Keeps a loop of polls from taking the whole machine.
pub(crate) async fn take_a_breath() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

/// Waits for what must happen soon.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(answer) => answer,
        Err(_) => panic!("{what} did not happen within {PATIENCE:?}"),
    }
}

/// Polls a future a few times and drops it, as a caller that is cancelled does.
pub(crate) async fn drop_after_polls<T>(polls: usize, future: impl Future<Output = T>) {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        let poll = std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx)));
        if poll.await.is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("store", &self.store).finish_non_exhaustive()
    }
}
