//! The hot path: a batch of submits and checkpoints in a fixed number of statements.
//!
//! The verdicts are found here, from where the executions stood before the batch; what is committed goes out as one
//! statement a table.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cloacina_core::backend::{
    Batch, BatchVerdicts, Checkpoint, CheckpointVerdict, NewExecution, Standing, SubmitVerdict,
};
use cloacina_core::{BackendError, ExecutionId, PipelineStatus};
use sqlx::postgres::PgConnection;

use crate::clock::Clock;
use crate::error::Context as _;
use crate::queries::Queries;
use crate::writes::{self, Repetition, Writes};
use crate::{read, rows};

/// Where the executions of a batch stand, kept up to date as its items are decided.
struct Standings {
    by_id: HashMap<ExecutionId, Standing>,
    by_key: HashMap<Arc<str>, (ExecutionId, Arc<str>)>,
}

/// Commits a batch, within a transaction. If a part of it is there already, though that was taken for ruled out, it
/// fails, and nothing is written.
pub(crate) async fn commit(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    batch: &Batch,
    repetition: Repetition,
) -> Result<BatchVerdicts, BackendError> {
    let mut standings = standings(connection, queries, batch, repetition).await?;
    let mut writes = Writes::new(repetition);
    let submits =
        batch.submits.iter().map(|new| submit(new, clock, &mut standings, &mut writes)).collect();
    let submits =
        create(connection, queries, clock, batch, submits, &mut standings, &mut writes).await?;
    let mut checkpoints = Vec::with_capacity(batch.checkpoints.len());
    let mut rest = &batch.checkpoints[..];
    while let Some((checkpoint, later)) = rest.split_first() {
        checkpoints.push(decide(checkpoint, later, clock, &mut standings, &mut writes));
        rest = later;
    }
    writes.send(connection, queries, clock).await?;
    Ok(BatchVerdicts { at: clock.now(), submits, checkpoints })
}

/// Tells whether a batch holds what other processes wait for: work that nobody owns, and ends.
pub(crate) fn concerns_others(batch: &Batch) -> bool {
    batch.submits.iter().any(|new| new.owner.is_none())
        || batch.checkpoints.iter().any(|checkpoint| checkpoint.finish.is_some())
}

/// Tells whether a batch holds submits that their submitter takes up, so that others stand by should it die.
pub(crate) fn takes_up(batch: &Batch) -> bool {
    batch.submits.iter().any(|new| new.owner.is_some())
}

/// Reads where the executions of a batch stand before it, and keeps others from changing that.
async fn standings(
    connection: &mut PgConnection,
    queries: &Queries,
    batch: &Batch,
    repetition: Repetition,
) -> Result<Standings, BackendError> {
    let checkpoints = batch.checkpoints.iter();
    let by_id = match repetition {
        Repetition::Unlikely => {
            // One that is there already is not asked for its key.
            let keyed = batch.submits.iter().filter(|new| new.idempotency_key.is_some());
            let keyed: Vec<_> = keyed.map(|new| new.id).collect();
            let mut by_id = match keyed.is_empty() {
                true => HashMap::new(),
                false => read::standings(&mut *connection, queries, keyed).await?,
            };
            let expected = checkpoints.map(|one| (one.execution, (one.worker, one.epoch)));
            let expected = expected.collect();
            by_id.extend(read::lock_expected(&mut *connection, queries, expected).await?);
            by_id
        }
        Repetition::Possible => {
            let ids = batch.submits.iter().map(|new| new.id);
            let ids: HashSet<_> = ids.chain(checkpoints.map(|one| one.execution)).collect();
            read::lock(&mut *connection, queries, ids).await?
        }
    };
    let by_key = carriers(connection, queries, batch).await?;
    Ok(Standings { by_id, by_key })
}

/// Finds the executions that carry the keys of a batch.
async fn carriers(
    connection: &mut PgConnection,
    queries: &Queries,
    batch: &Batch,
) -> Result<HashMap<Arc<str>, (ExecutionId, Arc<str>)>, BackendError> {
    let mut by_key = HashMap::new();
    let keys: Vec<&str> =
        batch.submits.iter().filter_map(|new| new.idempotency_key.as_deref()).collect();
    if !keys.is_empty() {
        let found = queries.executions_by_key.query().bind(keys);
        for row in found.fetch_all(connection).await.during("look for keys")? {
            let (key, id, workflow) = rows::keyed(&row)?;
            by_key.insert(key, (id, workflow));
        }
    }
    Ok(by_key)
}

/// Inserts the executions. One that somebody else was faster with is answered as if that had come before.
async fn create(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    batch: &Batch,
    mut verdicts: Vec<SubmitVerdict>,
    standings: &mut Standings,
    writes: &mut Writes<'_>,
) -> Result<Vec<SubmitVerdict>, BackendError> {
    // In order of their keys, so that no two transactions wait for each other.
    writes.submits.sort_unstable_by_key(|row| (row.4, row.0));
    writes.append_submits(&mut *connection, queries, clock).await?;
    if writes.submits.is_empty() {
        return Ok(verdicts);
    }
    let created =
        writes::insert_executions(&mut *connection, queries, clock, &writes.submits).await?;
    if created.len() == writes.submits.len() {
        return Ok(verdicts);
    }
    let sent = writes.submits.iter().map(|row| ExecutionId::from_uuid(row.0));
    let lost: HashSet<ExecutionId> = sent.filter(|id| !created.contains(id)).collect();
    writes.copies.retain(|(id, _)| !lost.contains(&ExecutionId::from_uuid(*id)));
    standings.by_key = carriers(&mut *connection, queries, batch).await?;
    standings.by_id.retain(|id, _| !lost.contains(id));
    standings.by_id.extend(read::lock(connection, queries, lost.iter().copied()).await?);
    for (new, verdict) in batch.submits.iter().zip(&mut verdicts) {
        if *verdict == SubmitVerdict::Created && !lost.contains(&new.id) {
            continue;
        }
        let carrier = new.idempotency_key.as_ref().and_then(|key| standings.by_key.get(key));
        *verdict = match carrier {
            Some((id, workflow)) if *id != new.id => {
                SubmitVerdict::Existing { id: *id, workflow: Arc::clone(workflow) }
            }
            _ => SubmitVerdict::Created,
        };
    }
    Ok(verdicts)
}

fn submit<'b>(
    new: &'b NewExecution,
    clock: Clock,
    standings: &mut Standings,
    writes: &mut Writes<'b>,
) -> SubmitVerdict {
    if standings.by_id.contains_key(&new.id) {
        return SubmitVerdict::Created;
    }
    if let Some(key) = &new.idempotency_key {
        match standings.by_key.get(key) {
            Some((id, _)) if *id == new.id => return SubmitVerdict::Created,
            Some((id, workflow)) => {
                return SubmitVerdict::Existing { id: *id, workflow: Arc::clone(workflow) };
            }
            None => {}
        }
        let carrier = (new.id, Arc::clone(&new.workflow.name));
        standings.by_key.insert(Arc::clone(key), carrier);
    }
    let status = PipelineStatus::Pending;
    let standing = Standing { status, owner: None, epoch: 0 };
    let taken_up =
        |owner| Standing { status: PipelineStatus::Running, owner: Some(owner), epoch: 1 };
    standings.by_id.insert(new.id, new.owner.map_or(standing, taken_up));
    writes.submit(new, clock);
    SubmitVerdict::Created
}

fn decide<'b>(
    checkpoint: &'b Checkpoint,
    later: &[Checkpoint],
    clock: Clock,
    standings: &mut Standings,
    writes: &mut Writes<'b>,
) -> CheckpointVerdict {
    let Some(standing) = standings.by_id.get_mut(&checkpoint.execution) else {
        return CheckpointVerdict::Fenced;
    };
    let verdict = CheckpointVerdict::decide(checkpoint, later, *standing);
    match verdict {
        CheckpointVerdict::Fenced => writes.fenced(checkpoint, standing.epoch),
        CheckpointVerdict::Committed { status } if !standing.status.is_terminal() => {
            writes.checkpoint(checkpoint, clock);
            standing.status = status;
        }
        CheckpointVerdict::Committed { .. } | CheckpointVerdict::Ended(_) => {}
    }
    verdict
}
