//! Workers: their leases, and what becomes of what they owned.

use std::collections::{HashMap, HashSet};
use std::fs::File;

use cloacina_core::backend::{
    AttemptState, Burial, Heartbeat, NewWorker, Outlook, ProofOfDeath, Pulse, Survival,
};
use cloacina_core::{BackendError, ExecutionId, WorkerId};
use sqlx::sqlite::SqliteConnection;

use crate::clock::Clock;
use crate::error::Context as _;
use crate::json::{self, Hex};
use crate::locks::{Locks, Probe};
use crate::strain::Strain;
use crate::{queries, rows};

/// A worker that may be dead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Suspect {
    pub(crate) worker: WorkerId,
    /// When its lease runs out; `None` if it has no row: it was buried, and what it submitted came after.
    expires_at: Option<i64>,
}

/// A worker that is dead, unless its lease was renewed meanwhile.
#[derive(Debug)]
pub(crate) struct Corpse {
    suspect: Suspect,
    proof: ProofOfDeath,
}

pub(crate) async fn register(
    connection: &mut SqliteConnection,
    clock: Clock,
    worker: &NewWorker,
) -> Result<(), BackendError> {
    let query = sqlx::query(queries::WORKERS_REGISTER)
        .bind(bytes(&worker.id))
        .bind(clock.now())
        .bind(clock.after(worker.lease_ttl));
    query.execute(connection).await.during("register a worker").map(drop)
}

pub(crate) async fn heartbeat(
    connection: &mut SqliteConnection,
    clock: Clock,
    beat: &Heartbeat,
) -> Result<Pulse, BackendError> {
    let what = "renew a lease";
    let worker = bytes(&beat.worker);
    let query = sqlx::query(queries::WORKERS_RENEW).bind(worker).bind(clock.after(beat.lease_ttl));
    if query.execute(&mut *connection).await.during(what)?.rows_affected() == 0 {
        return Ok(Pulse::Buried);
    }
    let query = sqlx::query(queries::EXECUTIONS_OUTLOOK).bind(worker).bind(clock.now());
    let row = query.fetch_one(&mut *connection).await.during(what)?;
    let outlook = Outlook {
        own: rows::value(&row, "own")?,
        of_others: rows::value(&row, "of_others")?,
        unowned: rows::value(&row, "unowned")?,
        expired: rows::value(&row, "expired")?,
    };
    Ok(Pulse::Alive { peers: peers(connection, beat.worker).await?, outlook })
}

/// Counts the other workers.
pub(crate) async fn peers(
    connection: &mut SqliteConnection,
    worker: WorkerId,
) -> Result<u32, BackendError> {
    let query = sqlx::query(queries::WORKERS_PEERS).bind(bytes(&worker));
    let row = query.fetch_one(connection).await.during("count the other workers")?;
    rows::value(&row, "peers")
}

pub(crate) async fn retire(
    connection: &mut SqliteConnection,
    clock: Clock,
    worker: WorkerId,
) -> Result<(), BackendError> {
    end_attempts(connection, clock, worker, AttemptState::Released).await?;
    let what = "retire a worker";
    let query = sqlx::query(queries::EXECUTIONS_RELEASE_ALL).bind(bytes(&worker));
    query.execute(&mut *connection).await.during(what)?;
    let query = sqlx::query(queries::WORKERS_DELETE).bind(bytes(&worker));
    query.execute(connection).await.during(what).map(drop)
}

/// Finds the workers other than `by` that may be dead, and returns the time with them.
pub(crate) async fn suspects(
    connection: &mut SqliteConnection,
    clock: Clock,
    by: WorkerId,
) -> Result<(Vec<Suspect>, Clock), BackendError> {
    let what = "look for dead workers";
    let mut suspects = Vec::new();
    let query = sqlx::query(queries::WORKERS_LIST).bind(bytes(&by));
    for row in query.fetch_all(&mut *connection).await.during(what)? {
        let worker = rows::worker("workers", "id", &row)?;
        suspects.push(Suspect { worker, expires_at: Some(rows::value(&row, "expires_at")?) });
    }
    let query = sqlx::query(queries::EXECUTIONS_OWNERLESS).bind(bytes(&by));
    for row in query.fetch_all(&mut *connection).await.during(what)? {
        let worker = rows::worker("executions", "owner", &row)?;
        suspects.push(Suspect { worker, expires_at: None });
    }
    Ok((suspects, clock))
}

/// Looks at the suspects' locks. Those that were free stay held in the second part.
pub(crate) fn examine(
    locks: &Locks,
    suspects: Vec<Suspect>,
    clock: Clock,
) -> (Vec<Corpse>, HashMap<WorkerId, File>) {
    let mut taken = HashMap::new();
    let mut corpses = Vec::new();
    for suspect in suspects {
        let expired = suspect.expires_at.is_none_or(|expires_at| expires_at <= clock.now());
        let proof = match suspect.expires_at.map(|_| locks.probe(suspect.worker)) {
            Some(Probe::Free(lock)) => {
                taken.insert(suspect.worker, lock);
                Some(ProofOfDeath::Lock)
            }
            Some(Probe::Held | Probe::Unknown) | None => expired.then_some(ProofOfDeath::Lease),
        };
        corpses.extend(proof.map(|proof| Corpse { suspect, proof }));
    }
    (corpses, taken)
}

/// Frees what dead workers owned, within a transaction. One that shows a sign of life after all is passed over.
pub(crate) async fn bury(
    connection: &mut SqliteConnection,
    clock: Clock,
    corpses: &[Corpse],
    strain: &Strain,
) -> Result<Vec<Burial>, BackendError> {
    let mut burials = Vec::new();
    for corpse in corpses {
        if is_dead(connection, clock, corpse, strain).await? {
            let worker = corpse.suspect.worker;
            let executions = free(connection, clock, corpse).await?;
            burials.push(Burial { worker, proof: corpse.proof, executions });
        }
    }
    Ok(burials)
}

async fn is_dead(
    connection: &mut SqliteConnection,
    clock: Clock,
    corpse: &Corpse,
    strain: &Strain,
) -> Result<bool, BackendError> {
    let query = sqlx::query(queries::WORKERS_LEASE).bind(bytes(&corpse.suspect.worker));
    let row = query.fetch_optional(connection).await.during("look for dead workers")?;
    let lease: Option<i64> = row.map(|row| rows::value(&row, "expires_at")).transpose()?;
    Ok(match (lease, corpse.suspect.expires_at) {
        (Some(_), Some(_)) if corpse.proof == ProofOfDeath::Lock => true,
        (Some(lease), Some(_)) => lease <= clock.now() && !strain.excuses(lease, clock),
        (None, None) => true,
        // Somebody else buried it, or it has registered.
        (None, Some(_)) | (Some(_), None) => false,
    })
}

async fn free(
    connection: &mut SqliteConnection,
    clock: Clock,
    corpse: &Corpse,
) -> Result<u64, BackendError> {
    let what = "free what a dead worker owned";
    let worker = corpse.suspect.worker;
    end_attempts(connection, clock, worker, AttemptState::Lost).await?;
    let proof = match corpse.proof {
        ProofOfDeath::Lock => "its lock was free",
        ProofOfDeath::Lease => "its lease had run out",
    };
    let query = sqlx::query(queries::EVENTS_RECOVER)
        .bind(bytes(&worker))
        .bind(clock.now())
        .bind(format!("worker {worker} died: {proof}"));
    query.execute(&mut *connection).await.during(what)?;
    let query = sqlx::query(queries::EXECUTIONS_RECOVER).bind(bytes(&worker));
    let freed = query.execute(&mut *connection).await.during(what)?.rows_affected();
    let query = sqlx::query(queries::WORKERS_DELETE).bind(bytes(&worker));
    query.execute(connection).await.during(what)?;
    Ok(freed)
}

/// Ends the attempts on record as running of everything that a worker owns.
async fn end_attempts(
    connection: &mut SqliteConnection,
    clock: Clock,
    worker: WorkerId,
    state: AttemptState,
) -> Result<(), BackendError> {
    let query = sqlx::query(queries::ATTEMPTS_END_ALL)
        .bind(bytes(&worker))
        .bind(rows::attempt_state_name(state))
        .bind(clock.now());
    query.execute(connection).await.during("end the attempts of a worker").map(drop)
}

/// Takes back the deaths of owners that live, within a transaction.
pub(crate) async fn acquit(
    connection: &mut SqliteConnection,
    clock: Clock,
    survivals: &[Survival],
) -> Result<(), BackendError> {
    let what = "acquit owners";
    for mut lot in Survival::lots(survivals) {
        let query = sqlx::query(queries::EVENTS_ACQUIT).bind(pairs(&lot)?).bind(clock.now());
        let told = query.fetch_all(&mut *connection).await.during(what)?;
        let told: HashSet<ExecutionId> =
            told.iter().map(rows::execution_id).collect::<Result<_, _>>()?;
        lot.retain(|one| told.contains(&one.execution));
        if lot.is_empty() {
            continue;
        }
        let pairs = pairs(&lot)?;
        for statement in [queries::ATTEMPTS_ACQUIT, queries::EXECUTIONS_ACQUIT] {
            let query = sqlx::query(statement).bind(&pairs);
            query.execute(&mut *connection).await.during(what)?;
        }
    }
    Ok(())
}

/// Executions with epochs, as they are bound.
fn pairs(survivals: &[Survival]) -> Result<String, BackendError> {
    let pairs: Vec<(Hex, u64)> =
        survivals.iter().map(|one| (one.execution.into(), one.epoch)).collect();
    json::rows(&pairs)
}

fn bytes(worker: &WorkerId) -> &[u8] {
    worker.as_uuid().as_bytes().as_slice()
}
