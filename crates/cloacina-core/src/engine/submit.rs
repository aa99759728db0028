//! Submitting executions.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::Span;

use super::admission::{Excess, Ticket};
use super::committer::Timed;
use super::driver::Driver;
use super::held::Load;
use super::partings::Parting;
use super::restore::{SUBMITTED, TakenUp};
use super::{Engine, Role};
use crate::backend::{BackendError, JsonText, NewExecution, Release, SubmitVerdict, Survival};
use crate::state::InputValues;
use crate::{ExecutionId, ExecutorError, OverloadPolicy, WorkerId, Workflow};

/// A submit as the user asked for it, checked.
pub(crate) struct Submission {
    pub(crate) workflow: Workflow,
    pub(crate) input: JsonText,
    /// The same as values, if it may be taken up at once.
    pub(crate) values: Option<InputValues>,
    pub(crate) idempotency_key: Option<Arc<str>>,
    pub(crate) delay: Option<Duration>,
    pub(crate) retry_of: Option<ExecutionId>,
}

/// What became of a submit.
type Answer = Result<SubmitVerdict, Arc<BackendError>>;

/// A submit that is owned from the start, if it is accepted.
struct Owned {
    id: ExecutionId,
    workflow: Workflow,
    input: InputValues,
    worker: WorkerId,
    place: Load,
    acknowledge: oneshot::Sender<Answer>,
    /// What the submit was a part of.
    cause: Span,
}

impl Engine {
    /// Lets a submit in, or refuses it, or keeps it waiting, as the settings say for the case that too many wait for their
    /// commit. Whoever stops waiting has submitted nothing.
    pub(crate) async fn admit(&self, submission: &Submission) -> Result<Ticket, ExecutorError> {
        let bytes = submission.input.as_str().len()
            + submission.idempotency_key.as_ref().map_or(0, |key| key.len());
        if self.stop.is_cancelled() {
            return Err(ExecutorError::ShuttingDown);
        }
        match self.config.overload {
            OverloadPolicy::Wait => tokio::select! {
                biased;
                ticket = self.door.enter(bytes) => Ok(ticket),
                () = self.stop.cancelled() => Err(ExecutorError::ShuttingDown),
            },
            OverloadPolicy::Refuse => self.door.try_enter(bytes).map_err(|excess| {
                self.metrics.refused_submit();
                let Excess { setting, limit, waiting } = excess;
                ExecutorError::Overloaded { setting, limit, waiting }
            }),
        }
    }

    /// Submits an execution and, if this worker has room for it, takes it up at once.
    ///
    /// What was begun goes on if the caller stops waiting. Where it is taken up at once, the spans of its attempts are within the span
    /// in which this is called.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        id: ExecutionId,
        submission: Submission,
        ticket: Ticket,
    ) -> Result<ExecutionId, ExecutorError> {
        let Submission { workflow, input, values, idempotency_key, delay, retry_of } = submission;
        // In this order: a new worker has no place before it is registered.
        let worker = self.worker();
        let place = values.and_then(|values| Some((self.take_place()?, values)));
        let new = NewExecution {
            id,
            workflow: workflow.key().clone(),
            input,
            idempotency_key: idempotency_key.clone(),
            owner: place.as_ref().map(|_| worker),
            delay,
            retry_of,
        };
        let (acknowledge, acknowledged) = oneshot::channel();
        let line = self.lines.of(self.lines.next());
        match place {
            Some((mut place, input)) => {
                place.expect(id);
                let owned = Owned {
                    id,
                    workflow: workflow.clone(),
                    input,
                    worker,
                    place,
                    acknowledge,
                    cause: Span::current(),
                };
                let engine = Arc::clone(self);
                line.submit(new, ticket, move |verdict| engine.take_up_submitted(owned, verdict));
            }
            None => {
                let engine = Arc::clone(self);
                line.submit(new, ticket, move |verdict| {
                    engine.note_unowned();
                    // The caller may have gone.
                    let _ = acknowledge.send(verdict.map(|(verdict, _)| verdict));
                });
            }
        }
        let verdict = acknowledged.await;
        match verdict {
            Ok(Ok(SubmitVerdict::Created)) => Ok(id),
            Ok(Ok(SubmitVerdict::Existing { id, workflow: of })) if &*of == workflow.name() => {
                Ok(id)
            }
            Ok(Ok(SubmitVerdict::Existing { id, workflow })) => {
                Err(ExecutorError::IdempotencyConflict {
                    key: idempotency_key.as_deref().unwrap_or_default().to_owned(),
                    execution: id,
                    workflow: workflow.to_string(),
                })
            }
            Ok(Err(error)) => Err(ExecutorError::Backend(error)),
            Err(_) => Err(ExecutorError::ShuttingDown),
        }
    }

    /// Takes a place for an execution if there is work for a slot to do without delay.
    ///
    /// A worker takes more than it has slots: whatever waits for a commit needs none. Where others could run it sooner, it
    /// takes no more than what gets a slot before long. Without a lease it takes nothing: what belongs to a worker that is not
    /// registered counts as left behind.
    pub(super) fn take_place(&self) -> Option<Load> {
        if self.role != Role::Worker || !self.lease.holds() {
            return None;
        }
        let place = self.reserve(1);
        (place.own() > 0).then_some(place)
    }

    /// Acknowledges a submit that this worker owns, and takes the execution up.
    fn take_up_submitted(self: Arc<Self>, owned: Owned, verdict: Timed<SubmitVerdict>) {
        let Owned { id, workflow, input, worker, place, acknowledge, cause } = owned;
        let (verdict, at) = match verdict {
            Ok((SubmitVerdict::Created, at)) => (SubmitVerdict::Created, at),
            // The caller may have gone.
            other => {
                let _ = acknowledge.send(other.map(|(verdict, _)| verdict));
                drop(place);
                return self.claim_more();
            }
        };
        if self.worker() != worker {
            let release = Release { execution: id, worker, epoch: SUBMITTED, due_in: None };
            let engine = Arc::clone(&self);
            self.spawn(async move {
                engine.give_back_submitted(release).await;
                drop(place);
                engine.claim_more();
                let _ = acknowledge.send(Ok(verdict));
            });
            return;
        }
        // The execution runs even if the caller has gone. Then nobody waits for it yet.
        let is_reported = acknowledge.send(Ok(verdict)).is_ok();
        let taken_up = TakenUp { is_reported, ..TakenUp::submitted(id, workflow, input, at) };
        Driver::take_up(self, worker, taken_up, place, cause);
    }

    /// Gives back what was submitted for a worker that was declared dead meanwhile: whoever takes the execution up drives it.
    async fn give_back_submitted(&self, release: Release) {
        let Release { execution, epoch, .. } = release;
        // Before it counts as a death. If that came first, or this fails, it is taken back.
        let _ = self.lines.of(self.lines.next()).release(release).await;
        self.partings.note(Survival { execution, epoch }, Parting::Lost);
        self.note_unowned();
    }
}
