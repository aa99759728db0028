//! The hot path: a batch of submits and checkpoints in a fixed number of statements.
//!
//! The verdicts are found here, from where the executions stood before the batch; what is committed goes out as one
//! statement for all that is ordinary, and one a table for the rest.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cloacina_core::backend::{
    Batch, BatchVerdicts, Checkpoint, CheckpointVerdict, NewExecution, Standing, SubmitVerdict,
};
use cloacina_core::{BackendError, ExecutionId, PipelineStatus};
use sqlx::postgres::PgConnection;

use crate::clock::Clock;
use crate::error::{Context as _, unexpected};
use crate::ordinary::{Ordinary, is_ordinary_checkpoint, is_ordinary_submit};
use crate::queries::Queries;
use crate::wake::Sender;
use crate::writes::{self, Writes};
use crate::{read, rows};

/// Whether a part of a batch may be in the store already, because an answer got lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repetition {
    /// It is taken for ruled out, and the executions for being in the hands of those who commit. That is found out by what
    /// [is unexpected](crate::error::is_unexpected).
    Unlikely,
    Possible,
}

/// Commits a batch, within a transaction. If it meets what was taken for ruled out, it fails, and nothing is written.
pub(crate) async fn commit(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    batch: &Batch,
    repetition: Repetition,
) -> Result<BatchVerdicts, BackendError> {
    match repetition {
        Repetition::Unlikely => as_expected(connection, queries, clock, batch).await,
        Repetition::Possible => with_care(connection, queries, clock, batch).await,
    }
}

/// Commits a batch of which all is [ordinary](ordinary::is_ordinary): in one statement, which needs no transaction around it.
pub(crate) async fn at_once(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    batch: &Batch,
    tell: Option<&Sender>,
) -> Result<BatchVerdicts, BackendError> {
    let mut ordinary = Ordinary::default();
    for new in &batch.submits {
        if !ordinary.submit(new) {
            return Err(unexpected());
        }
    }
    for checkpoint in &batch.checkpoints {
        ordinary.expect(checkpoint);
        ordinary.checkpoint(checkpoint, clock);
    }
    ordinary.write(connection, queries, clock, tell).await?;
    // All was as expected: what was submitted is new, and what was not ended ran.
    let verdict = |checkpoint: &Checkpoint| CheckpointVerdict::Committed {
        status: checkpoint.finish.as_ref().map_or(PipelineStatus::Running, |end| end.status),
    };
    Ok(BatchVerdicts {
        at: clock.now(),
        submits: vec![SubmitVerdict::Created; batch.submits.len()],
        checkpoints: batch.checkpoints.iter().map(verdict).collect(),
    })
}

async fn as_expected(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    batch: &Batch,
) -> Result<BatchVerdicts, BackendError> {
    // One that is there already is not asked for its key.
    let keyed = batch.submits.iter().filter(|new| new.idempotency_key.is_some());
    let keyed: Vec<_> = keyed.map(|new| new.id).collect();
    let by_id = match keyed.is_empty() {
        true => HashMap::new(),
        false => read::standings(&mut *connection, queries, keyed).await?,
    };
    let by_key = carriers(&mut *connection, queries, batch).await?;
    let mut draft = Draft::expecting(batch, Standings { by_id, by_key });
    let mut submits = draft.submits(batch, clock);
    let checkpoints = draft.checkpoints(batch, clock);
    // First, since it keeps others away.
    if let Some(ordinary) = draft.ordinary.take().filter(|ordinary| !ordinary.is_empty()) {
        ordinary.write(&mut *connection, queries, clock, None).await?;
    }
    create(&mut *connection, queries, clock, batch, &mut submits, &mut draft).await?;
    draft.rest.send(connection, queries, clock).await?;
    Ok(BatchVerdicts { at: clock.now(), submits, checkpoints })
}

async fn with_care(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    batch: &Batch,
) -> Result<BatchVerdicts, BackendError> {
    let ids = batch.submits.iter().map(|new| new.id);
    let ids: HashSet<_> = ids.chain(batch.checkpoints.iter().map(|one| one.execution)).collect();
    let by_id = read::lock(&mut *connection, queries, ids).await?;
    let by_key = carriers(&mut *connection, queries, batch).await?;
    let mut draft = Draft::new(Standings { by_id, by_key });
    let mut submits = draft.submits(batch, clock);
    create(&mut *connection, queries, clock, batch, &mut submits, &mut draft).await?;
    let checkpoints = draft.checkpoints(batch, clock);
    draft.rest.send(connection, queries, clock).await?;
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

/// Inserts the executions that are not ordinary. One that somebody else was faster with is answered as if that had come before.
async fn create(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    batch: &Batch,
    verdicts: &mut [SubmitVerdict],
    draft: &mut Draft<'_>,
) -> Result<(), BackendError> {
    let Draft { standings, rest, .. } = draft;
    if rest.submits.is_empty() {
        return Ok(());
    }
    // In order of their keys, so that no two transactions wait for each other.
    rest.submits.sort_unstable_by_key(|row| (row.4, row.0));
    let created =
        writes::insert_executions(&mut *connection, queries, clock, &rest.submits).await?;
    if created.len() == rest.submits.len() {
        return Ok(());
    }
    let sent = rest.submits.iter().map(|row| ExecutionId::from_uuid(row.0));
    let lost: HashSet<ExecutionId> = sent.filter(|id| !created.contains(id)).collect();
    rest.copies.retain(|(id, _)| !lost.contains(&ExecutionId::from_uuid(*id)));
    standings.by_key = carriers(&mut *connection, queries, batch).await?;
    standings.by_id.retain(|id, _| !lost.contains(id));
    standings.by_id.extend(read::lock(connection, queries, lost.iter().copied()).await?);
    for (new, verdict) in batch.submits.iter().zip(verdicts) {
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
    Ok(())
}

/// Where the executions of a batch stand, kept up to date as its items are decided.
#[derive(Default)]
struct Standings {
    by_id: HashMap<ExecutionId, Standing>,
    by_key: HashMap<Arc<str>, (ExecutionId, Arc<str>)>,
}

/// What a batch is to write, as far as it is decided.
struct Draft<'b> {
    standings: Standings,
    /// What is ordinary; nothing where nothing is taken for granted.
    ordinary: Option<Ordinary<'b>>,
    rest: Writes<'b>,
    /// Executions of which a checkpoint is not ordinary. Their later ones follow it: whoever looks at the rows sees them in the
    /// order in which they depend on each other.
    others: HashSet<ExecutionId>,
}

impl<'b> Draft<'b> {
    /// Begins one of which nothing is taken for granted.
    fn new(standings: Standings) -> Self {
        Self { standings, ordinary: None, rest: Writes::default(), others: HashSet::new() }
    }

    /// Begins one for which the executions are expected in the hands of those who commit.
    fn expecting(batch: &Batch, standings: Standings) -> Self {
        let mut ordinary = Ordinary::default();
        batch.checkpoints.iter().for_each(|checkpoint| ordinary.expect(checkpoint));
        let mut draft = Self { ordinary: Some(ordinary), ..Self::new(standings) };
        let status = PipelineStatus::Running;
        for Checkpoint { execution, worker, epoch, .. } in &batch.checkpoints {
            let standing = Standing { status, owner: Some(*worker), epoch: *epoch };
            draft.standings.by_id.insert(*execution, standing);
        }
        draft
    }

    fn submits(&mut self, batch: &'b Batch, clock: Clock) -> Vec<SubmitVerdict> {
        batch.submits.iter().map(|new| self.submit(new, clock)).collect()
    }

    fn checkpoints(&mut self, batch: &'b Batch, clock: Clock) -> Vec<CheckpointVerdict> {
        let mut verdicts = Vec::with_capacity(batch.checkpoints.len());
        let mut rest = &batch.checkpoints[..];
        while let Some((checkpoint, later)) = rest.split_first() {
            verdicts.push(self.decide(checkpoint, later, clock));
            rest = later;
        }
        verdicts
    }

    fn submit(&mut self, new: &'b NewExecution, clock: Clock) -> SubmitVerdict {
        let Standings { by_id, by_key } = &mut self.standings;
        if by_id.contains_key(&new.id) {
            return SubmitVerdict::Created;
        }
        if let Some(key) = &new.idempotency_key {
            match by_key.get(key) {
                Some((id, _)) if *id == new.id => return SubmitVerdict::Created,
                Some((id, workflow)) => {
                    return SubmitVerdict::Existing { id: *id, workflow: Arc::clone(workflow) };
                }
                None => {}
            }
            by_key.insert(Arc::clone(key), (new.id, Arc::clone(&new.workflow.name)));
        }
        let status = PipelineStatus::Pending;
        let standing = Standing { status, owner: None, epoch: 0 };
        let taken_up =
            |owner| Standing { status: PipelineStatus::Running, owner: Some(owner), epoch: 1 };
        by_id.insert(new.id, new.owner.map_or(standing, taken_up));
        let ordinary = self.ordinary.as_mut().filter(|_| is_ordinary_submit(new));
        if !ordinary.is_some_and(|ordinary| ordinary.submit(new)) {
            self.rest.submit(new, clock);
        }
        SubmitVerdict::Created
    }

    fn decide(
        &mut self,
        checkpoint: &'b Checkpoint,
        later: &[Checkpoint],
        clock: Clock,
    ) -> CheckpointVerdict {
        let Some(standing) = self.standings.by_id.get_mut(&checkpoint.execution) else {
            return CheckpointVerdict::Fenced;
        };
        let verdict = CheckpointVerdict::decide(checkpoint, later, *standing);
        match verdict {
            CheckpointVerdict::Fenced => self.rest.fenced(checkpoint, standing.epoch),
            CheckpointVerdict::Committed { status } if !standing.status.is_terminal() => {
                standing.status = status;
                self.write(checkpoint, clock);
            }
            CheckpointVerdict::Committed { .. } | CheckpointVerdict::Ended(_) => {}
        }
        verdict
    }

    fn write(&mut self, checkpoint: &'b Checkpoint, clock: Clock) {
        match &mut self.ordinary {
            Some(ordinary)
                if is_ordinary_checkpoint(checkpoint)
                    && !self.others.contains(&checkpoint.execution) =>
            {
                ordinary.checkpoint(checkpoint, clock);
            }
            _ => {
                self.others.insert(checkpoint.execution);
                self.rest.checkpoint(checkpoint, clock);
            }
        }
    }
}
