//! What most batches consist of, and the one statement that writes it.

use cloacina_core::backend::{Batch, Checkpoint, JsonText, NewExecution, Suspicion, TaskEnd};
use cloacina_core::{BackendError, ExecutionId, PipelineStatus, TaskState, WorkerId};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::{Context as _, is_unreadable, unexpected};
use crate::json;
use crate::queries::Queries;
use crate::rows;
use crate::wake::Sender;
use crate::writes::{Time, bind_columns};

/// Where fewer executions are only added to, all are locked one by one. Sharing the lock of their worker's row costs the server more
/// than that where batches are small and many: two that share a lock make a multixact.
const MANY: usize = 64;

/// An execution that its submitter takes up at once.
type SubmitRow<'b> = (Uuid, &'b str, &'b str, &'b str);
/// A task that completed at the first attempt.
type CompletionRow<'b> = (Uuid, &'b str, i64, Time, Time, Option<&'b str>, Option<&'b str>);

/// Reports whether a batch is ordinary as a whole.
pub(crate) fn is_ordinary(batch: &Batch) -> bool {
    batch.submits.iter().all(is_ordinary_submit)
        && batch.checkpoints.iter().all(is_ordinary_checkpoint)
}

/// Reports whether an execution is taken up by its submitter, and could not be there already under a key.
pub(crate) const fn is_ordinary_submit(new: &NewExecution) -> bool {
    new.owner.is_some() && new.idempotency_key.is_none() && new.retry_of.is_none()
}

/// Reports whether all that a checkpoint tells is success at the first attempt.
pub(crate) fn is_ordinary_checkpoint(checkpoint: &Checkpoint) -> bool {
    let Checkpoint { tasks, starts, failures, events, finish, suspicion, .. } = checkpoint;
    let completes = |end: &TaskEnd| end.state == TaskState::Completed && end.attempts == 1;
    starts.is_empty()
        && failures.is_empty()
        && events.is_empty()
        && *suspicion != Suspicion::Clear
        && tasks.iter().all(completes)
        && finish
            .as_ref()
            .is_none_or(|end| end.status == PipelineStatus::Completed && end.error.is_none())
}

/// The ordinary part of a batch. It is taken for new, and for the owners' own; should that be wrong, nothing is written.
#[derive(Default)]
pub(crate) struct Ordinary<'b> {
    /// In whose hands the executions of checkpoints are expected, in the order of the checkpoints: in those of one worker.
    expected: Vec<Expectation>,
    submitter: Option<WorkerId>,
    submits: Vec<SubmitRow<'b>>,
    completions: Vec<CompletionRow<'b>>,
    completed: Vec<Uuid>,
}

/// What is expected of an execution before a checkpoint.
#[derive(Debug, Clone, Copy)]
struct Expectation {
    execution: ExecutionId,
    worker: WorkerId,
    epoch: u64,
    /// The checkpoint ends it.
    ends: bool,
    /// Its own row changes.
    changes: bool,
}

impl Expectation {
    fn of(checkpoint: &Checkpoint) -> Self {
        let Checkpoint { execution, worker, epoch, suspicion, ref finish, .. } = *checkpoint;
        let ends = finish.is_some();
        Self { execution, worker, epoch, ends, changes: ends || suspicion == Suspicion::Clear }
    }

    /// Reports whether it can be met where this one is, before.
    fn follows(&self, before: &Self) -> bool {
        (self.worker, self.epoch, before.ends) == (before.worker, before.epoch, false)
    }
}

/// What is expected of all executions that have a checkpoint.
struct Expectations {
    owner: Option<Uuid>,
    /// The lock of their worker's row guards those that end as well: none is locked.
    guarded: bool,
    /// Those that are only added to, if they are many.
    growing: Vec<Uuid>,
    /// Those whose rows are locked.
    locked: Vec<Uuid>,
    /// The epochs of all, added up.
    epochs: i64,
}

impl<'b> Ordinary<'b> {
    /// Expects of an execution that it runs in the hands of the one who commits a checkpoint.
    pub(crate) fn expect(&mut self, checkpoint: &Checkpoint) {
        self.expected.push(Expectation::of(checkpoint));
    }

    /// Tells what is expected of all executions together, of which some are completed: those in this order.
    fn expectations(&self, completed: &[Uuid]) -> Result<Expectations, BackendError> {
        let mut expected = self.expected.clone();
        expected.sort_by_key(|one| one.execution);
        let owner = expected.first().map(|one| one.worker);
        let fit = expected.iter().all(|one| Some(one.worker) == owner)
            && expected
                .windows(2)
                .all(|pair| pair[0].execution != pair[1].execution || pair[1].follows(&pair[0]));
        if !fit {
            return Err(unexpected());
        }
        expected.dedup_by(|later, first| {
            let of_one = later.execution == first.execution;
            first.changes |= of_one && later.changes;
            of_one
        });
        let epochs = expected.iter().map(|one| rows::number(one.epoch));
        let epochs = epochs.fold(0, i64::saturating_add);
        let completed =
            |one: &Expectation| completed.binary_search(one.execution.as_uuid()).is_ok();
        let few = expected.iter().filter(|one| !one.changes).count() < MANY;
        // Those that change by another statement have to be locked, and so all that change, in their order.
        let guarded = !few && expected.iter().all(|one| !one.changes || completed(one));
        let locked = expected.iter().filter(|one| few || one.changes && !guarded);
        let growing = expected.iter().filter(|one| !few && !one.changes);
        let (locked, growing) = (locked.map(|one| one.execution), growing.map(|one| one.execution));
        let (locked, growing) = (json::ids(locked), json::ids(growing));
        Ok(Expectations {
            owner: owner.map(|owner| *owner.as_uuid()),
            guarded,
            growing,
            locked,
            epochs,
        })
    }

    /// Takes a submit, unless another worker takes up those before.
    pub(crate) fn submit(&mut self, new: &'b NewExecution) -> bool {
        let submitter = self.submitter.or(new.owner);
        if submitter != new.owner {
            return false;
        }
        self.submitter = submitter;
        let (workflow, version) = (&*new.workflow.name, &*new.workflow.version);
        self.submits.push((*new.id.as_uuid(), workflow, version, new.input.as_str()));
        true
    }

    /// Takes a checkpoint.
    pub(crate) fn checkpoint(&mut self, checkpoint: &'b Checkpoint, clock: Clock) {
        let id = *checkpoint.execution.as_uuid();
        self.completions.extend(checkpoint.tasks.iter().map(|end| {
            let changes = end.changes.as_ref().map(JsonText::as_str);
            let output = end.output.as_ref().map(JsonText::as_str);
            let (started, ended) = (clock.at(end.started), clock.at(end.ended));
            (id, end.task.as_str(), i64::from(end.ordinal), started, ended, changes, output)
        }));
        if checkpoint.finish.is_some() {
            self.completed.push(id);
        }
    }

    /// Reports whether there is nothing to write, and nothing to look after.
    pub(crate) fn is_empty(&self) -> bool {
        self.expected.is_empty() && self.submits.is_empty()
    }

    /// Writes it, and tells the others if there is somebody in whose name.
    ///
    /// # Errors
    ///
    /// [`is_unexpected`](crate::error::is_unexpected) if an execution is not in the hands in which it is expected, or is expected
    /// in several or after its end, or a row is there already: nothing was written.
    pub(crate) async fn write(
        &self,
        connection: &mut PgConnection,
        queries: &Queries,
        clock: Clock,
        tell: Option<&Sender>,
    ) -> Result<(), BackendError> {
        // Neighbours in an index are written one after the other, while their page is at hand.
        let mut completions: Vec<&CompletionRow<'_>> = self.completions.iter().collect();
        completions.sort_unstable_by_key(|row| row.0);
        let mut completed = self.completed.clone();
        completed.sort_unstable();
        let Expectations { owner, guarded, growing, locked, epochs } =
            self.expectations(&completed)?;
        let query = queries.executions_commit.query().bind(clock.now());
        let query = query.bind(self.submitter.map(|worker| *worker.as_uuid()));
        let query = bind_columns!(query, self.submits, [0 1 2 3]);
        let query = query.bind(growing).bind(locked).bind(owner).bind(epochs);
        let query = bind_columns!(query, completions, [0 1 2 3 4 5 6]).bind(completed);
        let query =
            query.bind(tell.is_some()).bind(tell.map(Sender::schema)).bind(tell.map(Sender::mark));
        match query.bind(guarded).execute(connection).await.during("commit a batch") {
            Ok(_) => Ok(()),
            Err(error) if is_unreadable(&error) => Err(unexpected()),
            Err(error) => Err(error),
        }
    }
}
