//! The hot path: a batch of submits and checkpoints in a fixed number of statements.
//!
//! The verdicts are found here, from where the executions stood before the batch; what is committed goes out as one
//! statement a table.

use std::collections::HashMap;
use std::sync::Arc;

use cloacina_core::backend::{
    Batch, BatchVerdicts, Checkpoint, CheckpointVerdict, NewExecution, Standing, SubmitVerdict,
};
use cloacina_core::{BackendError, ExecutionId, PipelineStatus};
use sqlx::sqlite::SqliteConnection;

use crate::clock::Clock;
use crate::error::Context as _;
use crate::writes::Writes;
use crate::{json, queries, read, rows};

/// Where the executions of a batch stand, kept up to date as its items are decided.
struct Standings {
    by_id: HashMap<ExecutionId, Standing>,
    by_key: HashMap<Arc<str>, (ExecutionId, Arc<str>)>,
}

/// Commits a batch, within a transaction.
pub(crate) async fn commit(
    connection: &mut SqliteConnection,
    clock: Clock,
    batch: &Batch,
) -> Result<BatchVerdicts, BackendError> {
    let mut standings = standings(connection, batch).await?;
    let mut writes = Writes::default();
    let submits =
        batch.submits.iter().map(|new| submit(new, clock, &mut standings, &mut writes)).collect();
    let mut checkpoints = Vec::with_capacity(batch.checkpoints.len());
    let mut rest = &batch.checkpoints[..];
    while let Some((checkpoint, later)) = rest.split_first() {
        checkpoints.push(decide(checkpoint, later, clock, &mut standings, &mut writes));
        rest = later;
    }
    writes.send(connection).await?;
    Ok(BatchVerdicts { at: clock.timestamp(), submits, checkpoints })
}

/// Reads where the executions of a batch stand before it: most stand as their owners believe.
async fn standings(
    connection: &mut SqliteConnection,
    batch: &Batch,
) -> Result<Standings, BackendError> {
    let mut by_id = HashMap::with_capacity(batch.submits.len() + batch.checkpoints.len());
    let mut expected: Vec<(ExecutionId, Option<Standing>)> =
        batch.submits.iter().map(|new| (new.id, None)).collect();
    for Checkpoint { execution, worker, epoch, .. } in &batch.checkpoints {
        let standing =
            Standing { status: PipelineStatus::Running, owner: Some(*worker), epoch: *epoch };
        by_id.entry(*execution).or_insert_with(|| {
            expected.push((*execution, Some(standing)));
            standing
        });
    }
    for (id, actual) in read::other_standings(&mut *connection, &expected).await? {
        match actual {
            Some(standing) => by_id.insert(id, standing),
            None => by_id.remove(&id),
        };
    }
    let mut by_key = HashMap::new();
    let keys: Vec<&str> =
        batch.submits.iter().filter_map(|new| new.idempotency_key.as_deref()).collect();
    if !keys.is_empty() {
        let found = sqlx::query(queries::EXECUTIONS_BY_KEY).bind(json::rows(&keys)?);
        for row in found.fetch_all(&mut *connection).await.during("look for keys")? {
            let (key, id, workflow) = rows::keyed(&row)?;
            by_key.insert(key, (id, workflow));
        }
    }
    Ok(Standings { by_id, by_key })
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
        if let Some((id, workflow)) = standings.by_key.get(key) {
            return SubmitVerdict::Existing { id: *id, workflow: Arc::clone(workflow) };
        }
        let carrier = (new.id, Arc::clone(&new.workflow.name));
        standings.by_key.insert(Arc::clone(key), carrier);
    }
    let (status, epoch) = match new.owner {
        Some(_) => (PipelineStatus::Running, 1),
        None => (PipelineStatus::Pending, 0),
    };
    let standing = Standing { status, owner: new.owner, epoch };
    standings.by_id.insert(new.id, standing);
    writes.submit(new, standing, clock);
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
        CheckpointVerdict::Fenced => writes.fenced(checkpoint, standing.epoch, clock),
        CheckpointVerdict::Committed { status } if !standing.status.is_terminal() => {
            writes.checkpoint(checkpoint, clock);
            standing.status = status;
        }
        CheckpointVerdict::Committed { .. } | CheckpointVerdict::Ended(_) => {}
    }
    verdict
}
