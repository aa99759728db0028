//! Workers: their leases, and what becomes of what they owned.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use cloacina_core::backend::{
    AttemptState, Burial, Heartbeat, NewWorker, Outlook, ProofOfDeath, Pulse, Survival,
};
use cloacina_core::{BackendError, ExecutionId, WorkerId};
use sqlx::postgres::PgConnection;

use crate::clock::{Clock, Moment};
use crate::error::{Context as _, is_locked_out};
use crate::queries::Queries;
use crate::{json, read, rows};

/// A worker that may be dead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Suspect {
    pub(crate) worker: WorkerId,
    /// What it has registered, if it has a row. One without was buried, and what it submitted came after.
    row: Option<WorkerRow>,
    /// Its lock was free.
    lock_was_free: bool,
}

#[derive(Debug, Clone, Copy)]
struct WorkerRow {
    lock_key: Option<i64>,
    expires_at: DateTime<Utc>,
}

impl WorkerRow {
    fn read(row: &sqlx::postgres::PgRow) -> Result<Self, BackendError> {
        Ok(Self {
            lock_key: rows::value(row, "lock_key")?,
            expires_at: rows::value::<Moment>(row, "expires_at")?.0,
        })
    }
}

pub(crate) async fn register(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    worker: &NewWorker,
    lock_key: Option<i64>,
) -> Result<(), BackendError> {
    let query = queries
        .workers_register
        .query()
        .bind(*worker.id.as_uuid())
        .bind(lock_key)
        .bind(clock.now())
        .bind(clock.after(worker.lease_ttl));
    query.execute(connection).await.during("register a worker").map(drop)
}

pub(crate) async fn heartbeat(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    beat: &Heartbeat,
) -> Result<Pulse, BackendError> {
    let what = "renew a lease";
    let worker = *beat.worker.as_uuid();
    let query = queries.workers_renew.query().bind(worker).bind(clock.after(beat.lease_ttl));
    if query.execute(&mut *connection).await.during(what)?.rows_affected() == 0 {
        return Ok(Pulse::Buried);
    }
    let peers = peers(&mut *connection, queries, beat.worker).await?;
    Ok(Pulse::Alive { peers, outlook: outlook(connection, queries, clock, beat.worker).await? })
}

/// Reads what there is to look after. A sign of life does not wait for a table that somebody has locked: then all there may be is
/// to be looked for.
async fn outlook(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    worker: WorkerId,
) -> Result<Outlook, BackendError> {
    let what = "see what there is to look after";
    let briefly = "SAVEPOINT outlook; SET LOCAL lock_timeout = '50ms'";
    sqlx::raw_sql(briefly).execute(&mut *connection).await.during(what)?;
    let query = queries.executions_outlook.query().bind(*worker.as_uuid()).bind(clock.now());
    let row = match query.fetch_one(&mut *connection).await.during(what) {
        Ok(row) => row,
        Err(error) if is_locked_out(&error) => {
            let back = sqlx::raw_sql("ROLLBACK TO SAVEPOINT outlook");
            back.execute(connection).await.during(what)?;
            return Ok(Outlook::UNKNOWN);
        }
        Err(error) => return Err(error),
    };
    Ok(Outlook {
        own: rows::value(&row, "own")?,
        of_others: rows::value(&row, "of_others")?,
        unowned: rows::value(&row, "unowned")?,
        expired: rows::value(&row, "expired")?,
    })
}

/// Counts the other workers.
pub(crate) async fn peers(
    connection: &mut PgConnection,
    queries: &Queries,
    worker: WorkerId,
) -> Result<u32, BackendError> {
    let query = queries.workers_peers.query().bind(*worker.as_uuid());
    let row = query.fetch_one(connection).await.during("count the other workers")?;
    let peers: i64 = rows::value(&row, "peers")?;
    Ok(u32::try_from(peers).unwrap_or(u32::MAX))
}

pub(crate) async fn retire(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    worker: WorkerId,
) -> Result<(), BackendError> {
    let what = "retire a worker";
    // Before what it owns: a claim of its own that is under way is waited for.
    let query = queries.workers_lock.query().bind(*worker.as_uuid());
    query.execute(&mut *connection).await.during(what)?;
    lock_owned(connection, queries, worker).await?;
    end_attempts(connection, queries, clock, worker, AttemptState::Released).await?;
    let query = queries.executions_release_all.query().bind(*worker.as_uuid());
    query.execute(&mut *connection).await.during(what)?;
    let query = queries.workers_delete.query().bind(*worker.as_uuid());
    query.execute(connection).await.during(what).map(drop)
}

/// Finds the workers other than `by` that may be dead: their lock was free, their lease has run out, or they have no row.
pub(crate) async fn suspects(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    by: WorkerId,
) -> Result<Vec<Suspect>, BackendError> {
    let what = "look for dead workers";
    let by = *by.as_uuid();
    let mut suspects = Vec::new();
    let query = queries.workers_list.query().bind(by);
    for row in query.fetch_all(&mut *connection).await.during(what)? {
        let worker = rows::worker("workers", "id", &row)?;
        let lock_was_free = rows::value(&row, "lock_was_free")?;
        let row = WorkerRow::read(&row)?;
        if lock_was_free || row.expires_at <= clock.now() {
            suspects.push(Suspect { worker, row: Some(row), lock_was_free });
        }
    }
    let query = queries.executions_ownerless.query().bind(by);
    for row in query.fetch_all(&mut *connection).await.during(what)? {
        let worker = rows::worker("executions", "owner", &row)?;
        suspects.push(Suspect { worker, row: None, lock_was_free: false });
    }
    Ok(suspects)
}

/// Tells whether no session holds the lock of a worker. What is taken to find out goes with the transaction.
async fn is_free(
    connection: &mut PgConnection,
    queries: &Queries,
    lock_key: Option<i64>,
) -> Result<bool, BackendError> {
    let Some(key) = lock_key else { return Ok(false) };
    let query = queries.sessions_try_lock.query().bind(key);
    rows::value(&query.fetch_one(connection).await.during("look for dead workers")?, "was_free")
}

/// Frees what a dead worker owned, within a transaction. One that shows a sign of life after all is passed over.
pub(crate) async fn bury(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    suspect: Suspect,
) -> Result<Option<Burial>, BackendError> {
    let worker = suspect.worker;
    let Some(proof) = proof(connection, queries, clock, suspect).await? else { return Ok(None) };
    let executions = free(connection, queries, clock, worker, proof).await?;
    Ok(Some(Burial { worker, proof, executions }))
}

/// Looks at a suspect again, under its row's lock. If somebody else has that, it is not waited for: the next look will do.
async fn proof(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    suspect: Suspect,
) -> Result<Option<ProofOfDeath>, BackendError> {
    let query = queries.workers_lock_suspect.query().bind(*suspect.worker.as_uuid());
    let row = query.fetch_optional(&mut *connection).await.during("look for dead workers")?;
    let row = row.map(|row| WorkerRow::read(&row)).transpose()?;
    match (row, suspect.row) {
        (None, None) => Ok(Some(ProofOfDeath::Lease)),
        (Some(now), Some(before)) => {
            let same_lock = suspect.lock_was_free && now.lock_key == before.lock_key;
            if same_lock && is_free(connection, queries, now.lock_key).await? {
                return Ok(Some(ProofOfDeath::Lock));
            }
            Ok((now.expires_at <= clock.now()).then_some(ProofOfDeath::Lease))
        }
        // Somebody else buried it, it has registered, or its row is locked.
        (None, Some(_)) | (Some(_), None) => Ok(None),
    }
}

async fn free(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    worker: WorkerId,
    proof: ProofOfDeath,
) -> Result<u64, BackendError> {
    let what = "free what a dead worker owned";
    lock_owned(connection, queries, worker).await?;
    end_attempts(connection, queries, clock, worker, AttemptState::Lost).await?;
    let proof = match proof {
        ProofOfDeath::Lock => "its lock was free",
        ProofOfDeath::Lease => "its lease had run out",
    };
    let query = queries
        .events_recover
        .query()
        .bind(*worker.as_uuid())
        .bind(clock.now())
        .bind(format!("worker {worker} died: {proof}"));
    query.execute(&mut *connection).await.during(what)?;
    let query = queries.executions_recover.query().bind(*worker.as_uuid());
    let freed = query.execute(&mut *connection).await.during(what)?.rows_affected();
    let query = queries.workers_delete.query().bind(*worker.as_uuid());
    query.execute(connection).await.during(what)?;
    Ok(freed)
}

/// Keeps others from changing what a worker owns, in the order in which everybody takes such locks.
async fn lock_owned(
    connection: &mut PgConnection,
    queries: &Queries,
    worker: WorkerId,
) -> Result<(), BackendError> {
    let query = queries.executions_lock_owned.query().bind(*worker.as_uuid());
    query.execute(connection).await.during("lock what a worker owns").map(drop)
}

/// Keeps a worker from committing until this transaction has ended. A batch of its own that is under way is waited for; one that
/// has begun and not got that far looks again at where its executions stand.
pub(crate) async fn halt(
    connection: &mut PgConnection,
    queries: &Queries,
    worker: WorkerId,
) -> Result<(), BackendError> {
    let query = queries.workers_halt.query().bind(*worker.as_uuid());
    query.execute(connection).await.during("halt a worker").map(drop)
}

/// Ends the attempts on record as running of everything that a worker owns.
async fn end_attempts(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    worker: WorkerId,
    state: AttemptState,
) -> Result<(), BackendError> {
    let query = queries
        .attempts_end_all
        .query()
        .bind(*worker.as_uuid())
        .bind(rows::attempt_state_name(state))
        .bind(clock.now());
    query.execute(connection).await.during("end the attempts of a worker").map(drop)
}

/// Takes back the deaths of owners that live, within a transaction.
pub(crate) async fn acquit(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    survivals: &[Survival],
) -> Result<(), BackendError> {
    let what = "acquit owners";
    let ids = survivals.iter().map(|one| one.execution);
    let standings = read::lock(&mut *connection, queries, ids).await?;
    let goes_on = |one: &Survival| {
        standings.get(&one.execution).is_some_and(|standing| !standing.status.is_terminal())
    };
    for mut lot in Survival::lots(survivals) {
        lot.retain(goes_on);
        let query = queries.events_acquit.query().bind(pairs(&lot)?).bind(clock.now());
        let told = query.fetch_all(&mut *connection).await.during(what)?;
        let told: HashSet<ExecutionId> =
            told.iter().map(rows::execution_id).collect::<Result<_, _>>()?;
        lot.retain(|one| told.contains(&one.execution));
        if lot.is_empty() {
            continue;
        }
        let (pairs, ids) = (pairs(&lot)?, json::ids(told));
        for statement in [&queries.attempts_acquit, &queries.executions_acquit] {
            let query = statement.query().bind(&pairs).bind(&ids);
            query.execute(&mut *connection).await.during(what)?;
        }
    }
    Ok(())
}

/// Executions with epochs, as they are bound.
fn pairs(survivals: &[Survival]) -> Result<String, BackendError> {
    let pairs: Vec<_> = survivals.iter().map(|one| (one.execution, one.epoch)).collect();
    json::rows(&pairs)
}
