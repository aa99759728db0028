//! What most batches consist of, and the one statement that writes it.

use cloacina_core::backend::{Batch, Checkpoint, JsonText, NewExecution, Suspicion, TaskEnd};
use cloacina_core::{BackendError, ExecutionId, PipelineStatus, TaskState, WorkerId};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::{Context as _, unexpected};
use crate::json;
use crate::queries::Queries;
use crate::rows;
use crate::wake::Sender;
use crate::writes::{Time, bind_columns};

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
    /// In whose hands the executions of checkpoints are expected, in the order of the checkpoints.
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
}

impl Expectation {
    /// Reports whether it can be met where this one is, before.
    fn follows(&self, before: &Self) -> bool {
        (self.worker, self.epoch, before.ends) == (before.worker, before.epoch, false)
    }
}

impl<'b> Ordinary<'b> {
    /// Expects of an execution that it runs in the hands of the one who commits a checkpoint.
    pub(crate) fn expect(&mut self, checkpoint: &Checkpoint) {
        let Checkpoint { execution, worker, epoch, ref finish, .. } = *checkpoint;
        self.expected.push(Expectation { execution, worker, epoch, ends: finish.is_some() });
    }

    /// Tells what is expected, in the order of the ids, in which the statement locks and compares the executions: no two
    /// transactions wait for each other.
    fn expectations(&self) -> Result<Vec<Expectation>, BackendError> {
        let mut expected = self.expected.clone();
        expected.sort_by_key(|one| one.execution);
        let mut pairs = expected.windows(2);
        let of_one = |pair: &[Expectation]| pair[0].execution == pair[1].execution;
        if pairs.any(|pair| of_one(pair) && !pair[1].follows(&pair[0])) {
            return Err(unexpected());
        }
        expected.dedup_by_key(|one| one.execution);
        Ok(expected)
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
        let expected = self.expectations()?;
        let owners: Vec<Uuid> = expected.iter().map(|one| *one.worker.as_uuid()).collect();
        let epochs: Vec<i64> = expected.iter().map(|one| rows::number(one.epoch)).collect();
        let query = queries.executions_commit.query().bind(clock.now());
        let query = query.bind(self.submitter.map(|worker| *worker.as_uuid()));
        let query = bind_columns!(query, self.submits, [0 1 2 3]);
        let ids = json::ids(expected.iter().map(|one| one.execution));
        let query = query.bind(ids).bind(owners).bind(epochs);
        let query = bind_columns!(query, completions, [0 1 2 3 4 5 6]).bind(&self.completed);
        let query =
            query.bind(tell.is_some()).bind(tell.map(Sender::schema)).bind(tell.map(Sender::mark));
        let row = query.fetch_one(connection).await.during("commit a batch")?;
        if rows::value(&row, "fits")? { Ok(()) } else { Err(unexpected()) }
    }
}
