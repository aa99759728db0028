//! One attempt of a task: waits for a slot, runs the body, and tells how it ended.
//!
//! A body may return, fail, panic, hang, or block its thread. Of each the driver is told once; a body that
//! blocks its thread is given up by the driver's own timer, since nothing here gets to run. All code of the user runs in
//! here, where its panics are caught: none may reach the driver.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{OwnedRwLockWriteGuard, RwLockReadGuard, oneshot};
use tokio::time::Instant;

use super::Engine;
use super::committer::{Hearer, Line};
use super::driver::{Address, AttemptEnd, Order};
use super::slots::Slot;
use crate::backend::{
    AttemptStart, Checkpoint, CheckpointVerdict, Company, EventKind, JsonText, NewEvent,
};
use crate::panics::{discard, text_of};
use crate::state::{AttemptResult, ContextView};
use crate::task::{Body, Signs, Upstream, Wait};
use crate::{
    Context, ExecutionId, RetryPolicy, Task, TaskContext, TaskError, TaskOutput, WorkerId, Workflow,
};

/// Longer texts of errors are cut: they are stored with the attempt, the task, the event and the execution.
const ERROR_MAX: usize = 64 * 1024;

/// Keeps all others from running, or those that have to run alone.
type Seclusion<'a> = (Option<OwnedRwLockWriteGuard<()>>, Option<RwLockReadGuard<'a, ()>>);

/// An attempt about to be made.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    pub(super) engine: &'a Engine,
    pub(super) line: Line,
    pub(super) workflow: Workflow,
    pub(super) execution: ExecutionId,
    pub(super) worker: WorkerId,
    pub(super) epoch: u64,
    pub(super) ordinal: u32,
    pub(super) attempt: u32,
    /// Since when it may start.
    pub(super) ready: Instant,
    /// Tells this attempt from another of the same task.
    pub(super) serial: u64,
    pub(super) view: ContextView,
    pub(super) upstream: Option<Arc<[Upstream]>>,
    /// Whether its start has to be on record before its body runs, and whether it has to run alone.
    pub(super) on_record: Option<Company>,
    /// Whether its start tells the events of the suspicion.
    pub(super) announce: bool,
    pub(super) timeout: Duration,
    /// What others may see of it, and how they stop it.
    pub(super) signs: Arc<Signs>,
    pub(super) driver: &'a Address,
}

impl Attempt<'_> {
    /// Makes the attempt, and tells how it ended; nothing if its body has not started.
    pub(super) async fn run(&self) -> Option<AttemptEnd> {
        let engine = self.engine;
        let slot = self.wait_for_slot().await?;
        let (exclusive, _shared) = self.wait_for_company().await?;
        let company = match (&exclusive, self.on_record) {
            (None, Some(_)) => Some(Company::Shared),
            (_, on_record) => on_record,
        };
        if let Some(company) = company {
            // A store that does not take the record must not keep everybody else from running.
            let patience = self.engine.config.lease_ttl;
            let recorded = tokio::time::timeout(patience, self.record_start(company));
            if self.signs.cancellation.is_cancelled() || recorded.await != Ok(true) {
                return None;
            }
        }
        if self.signs.cancellation.is_cancelled() {
            return None;
        }
        let started = Instant::now();
        if !engine.lease.holds_at(started) || !self.signs.start(started) {
            return None;
        }
        let running = engine.metrics.meters.started(started - self.ready);
        // Whatever is the user's runs in here, dropping included.
        let body = AssertUnwindSafe(self.run_body(started, slot)).catch_unwind().await;
        drop(running);
        let result = body.unwrap_or_else(|panic| Err(panicked(panic)));
        let result = result.unwrap_or_else(|error| failure(error, &self.task().retry));
        let (ordinal, serial, ended) = (self.ordinal, self.serial, Instant::now());
        Some(AttemptEnd { ordinal, serial, started, ended, result, exclusive })
    }

    /// Waits until nothing else runs, for an attempt that has to run alone: then a crash is its doing.
    ///
    /// Not for ever: while it waits nothing else starts, and what runs may be a body that blocks its thread. Then it
    /// runs beside that.
    async fn find_company(&self) -> Seclusion<'_> {
        let quarantine = &self.engine.shared.quarantine;
        if self.on_record == Some(Company::Alone) {
            self.signs.wait_for(Wait::Solitude);
            let alone = Arc::clone(quarantine).write_owned();
            let patience = self.engine.config.lease_ttl;
            if let Ok(exclusive) = tokio::time::timeout(patience, alone).await {
                return (Some(exclusive), None);
            }
        }
        self.signs.wait_for(Wait::Suspect);
        (None, Some(quarantine.read().await))
    }

    /// Waits for the lease and a slot; `None` if the start is called off before.
    async fn wait_for_slot(&self) -> Option<Slot> {
        let engine = self.engine;
        if self.signs.cancellation.is_cancelled() {
            return None;
        }
        // Without a lease it holds no slot that somebody else could use.
        if engine.lease.holds()
            && let Some(slot) = engine.lane.take()
        {
            return Some(slot);
        }
        tokio::select! {
            biased;
            () = self.signs.cancellation.cancelled() => None,
            slot = async {
                self.signs.wait_for(Wait::Lease);
                engine.lease.held().await;
                self.signs.wait_for(Wait::Slot);
                engine.lane.acquire().await
            } => Some(slot),
        }
    }

    /// Waits until it may run beside the others, or alone; `None` if the start is called off before.
    async fn wait_for_company(&self) -> Option<Seclusion<'_>> {
        if self.on_record != Some(Company::Alone)
            && let Ok(shared) = self.engine.shared.quarantine.try_read()
        {
            return Some((None, Some(shared)));
        }
        tokio::select! {
            biased;
            () = self.signs.cancellation.cancelled() => None,
            company = self.find_company() => Some(company),
        }
    }

    /// Commits that the attempt begins. Without that it must not begin.
    async fn record_start(&self, company: Company) -> bool {
        self.signs.wait_for(Wait::StartOnRecord);
        let start = AttemptStart {
            task: self.task().id().clone(),
            attempt: self.attempt,
            started: Instant::now(),
            company,
            progress: None,
        };
        let checkpoint = Checkpoint {
            starts: vec![start],
            serial: self.serial,
            events: if self.announce { vec![suspected(company)] } else { Vec::new() },
            ..Checkpoint::new(self.execution, self.worker, self.epoch)
        };
        let (answer, recorded) = oneshot::channel();
        let committer = self.engine.lines.of(self.line);
        committer.checkpoint(checkpoint, Hearer::Attempt(answer));
        let Ok(Ok((verdict, _))) = recorded.await else { return false };
        // The driver would only try again.
        let order = match verdict {
            CheckpointVerdict::Committed { .. } => return true,
            CheckpointVerdict::Fenced => Order::Lost,
            CheckpointVerdict::Ended(status) => Order::Ended(status),
        };
        self.driver.tell(|driver| driver.obey(order));
        false
    }

    pub(super) fn task(&self) -> &Task {
        self.workflow.task_at(self.ordinal)
    }

    async fn run_body(&self, started: Instant, slot: Slot) -> Result<AttemptResult, TaskError> {
        let run = TaskContext {
            execution_id: self.execution,
            workflow: Arc::clone(&self.workflow.key().name),
            tenant: self.engine.tenant.clone(),
            task: self.task().id().clone(),
            attempt: self.attempt,
            deadline: started + self.timeout,
            cancellation: self.signs.cancellation.clone(),
            signs: Arc::clone(&self.signs),
            states: Arc::clone(&self.engine.states),
            input: self.view.input().clone(),
            upstream: self.upstream.clone(),
        };
        let context = self.view.to_context();
        let body = std::pin::pin!(call(&self.task().body, context, run, slot));
        let (context, output) = self.within_limits(started, body).await?;
        self.check(context, output)
    }

    /// Runs the body until it ends, times out, or is cancelled; then it has a grace to react to its token. One that times
    /// out knew its deadline and is only polled once more.
    async fn within_limits<F>(
        &self,
        started: Instant,
        mut body: Pin<&mut F>,
    ) -> Result<(Context, TaskOutput), TaskError>
    where
        F: Future<Output = Result<(Context, TaskOutput), TaskError>>,
    {
        tokio::select! {
            biased;
            ended = &mut body => {
                // A body that blocked its thread may come back long after its timeout.
                let late = started.elapsed() >= self.timeout;
                return if late { Err(timed_out(self.timeout)) } else { ended };
            }
            () = self.signs.cancellation.cancelled() => {}
            // In a block: most bodies end at once, and need no timer.
            () = async { tokio::time::sleep_until(started + self.timeout).await } => {
                self.signs.cancellation.cancel();
                // One more poll, for a body that reacts to its token at once.
                tokio::select! {
                    biased;
                    _ = &mut body => {}
                    () = std::future::ready(()) => {}
                }
                return Err(timed_out(self.timeout));
            }
        }
        let _ = tokio::time::timeout(self.engine.config.cancel_grace, body).await;
        Err(TaskError::new("the attempt was cancelled"))
    }

    /// Turns what the body left behind into what is stored.
    fn check(&self, context: Context, output: TaskOutput) -> Result<AttemptResult, TaskError> {
        let limit = self.engine.config.max_context_bytes;
        let output = output?;
        let refuse = |error: crate::ContextError| TaskError::permanent(TaskError::from(error));
        if let Some(value) = &output
            && !crate::context::fits_depth(value, crate::MAX_DEPTH)
        {
            return Err(TaskError::permanent(format!(
                "what the task returned is nested deeper than {} levels",
                crate::MAX_DEPTH
            )));
        }
        let output = output.map(|value| value.to_string());
        if let Some(size) = output.as_ref().map(String::len).filter(|size| *size > limit) {
            return Err(TaskError::permanent(format!(
                "what the task returned has {size} bytes as JSON, the limit is {limit}"
            )));
        }
        if context.is_untouched() {
            let changes = crate::context::Changes::default();
            let output = output.map(JsonText::new);
            return Ok(AttemptResult::Success { changes, changes_json: None, output });
        }
        context.check(limit).map_err(refuse)?;
        let changes = context.into_changes(&self.view);
        let changes_json = if changes.is_empty() {
            None
        } else {
            Some(JsonText::new(serde_json::to_string(&changes)?))
        };
        Ok(AttemptResult::Success { changes, changes_json, output: output.map(JsonText::new) })
    }
}

/// Calls the body and catches its panic. The slot is held until the body has really ended.
#[expect(clippy::manual_async_fn, reason = "an `async fn` keeps room for its arguments twice")]
fn call(
    body: &Body,
    mut context: Context,
    run: TaskContext,
    slot: Slot,
) -> impl Future<Output = Result<(Context, TaskOutput), TaskError>> {
    async move {
        match body {
            Body::Async(body) => {
                let _slot = slot;
                // The call itself may panic, before there is a future.
                let future = AssertUnwindSafe(async { body(&mut context, &run).await });
                match future.catch_unwind().await {
                    Ok(output) => Ok((context, output)),
                    Err(panic) => Err(panicked(panic)),
                }
            }
            Body::Blocking(body) => {
                let (body, span) = (Arc::clone(body), tracing::Span::current());
                let work = move || {
                    let _span = span.entered();
                    let _slot = slot;
                    let output = body(&mut context, &run);
                    (context, output)
                };
                match tokio::task::spawn_blocking(work).await {
                    Ok(ended) => Ok(ended),
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => Err(panicked(panic)),
                        Err(_) => Err(TaskError::new("the runtime is shutting down")),
                    },
                }
            }
        }
    }
}

fn suspected(company: Company) -> NewEvent {
    let detail = match company {
        Company::Shared => "its worker died; the starts of its tasks are put on record",
        Company::Alone => "its workers died in a row; its tasks run alone, their starts on record",
    };
    NewEvent { kind: EventKind::Suspected, task: None, detail: detail.to_owned() }
}

/// Turns an error into what the state machine takes: one that is permanent if the policy wants no retry. The policy is asked here,
/// where its panic is caught; what the error was made of ends here as well, since its end may panic.
pub(super) fn failure(error: TaskError, policy: &RetryPolicy) -> AttemptResult {
    let wanted = catch_unwind(AssertUnwindSafe(|| policy.wants(&error)));
    let (mut error, source) = error.into_parts();
    discard(source);
    match wanted {
        Ok(true) => {}
        Ok(false) => error = TaskError::permanent(error),
        Err(panic) => {
            let why = match text_of(&*panic) {
                Some(text) => format!("`retry_on` panicked: {text}"),
                None => "`retry_on` panicked".to_owned(),
            };
            discard(panic);
            error =
                TaskError::permanent(TaskError::new(format!("{error} (not retried, for {why})")));
        }
    }
    AttemptResult::Failure { error: error.limited(ERROR_MAX), random: fastrand::f64() }
}

/// The error of an attempt that took too long.
pub(super) fn timed_out(timeout: Duration) -> TaskError {
    TaskError::new(format!("the attempt timed out after {timeout:?}"))
}

fn panicked(panic: Box<dyn Any + Send>) -> TaskError {
    let error = match text_of(&*panic) {
        Some(text) => TaskError::new(format!("the task panicked: {text}")),
        None => TaskError::new("the task panicked"),
    };
    discard(panic);
    error
}
