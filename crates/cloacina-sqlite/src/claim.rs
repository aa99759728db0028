//! Gives unowned executions to workers.

use std::collections::HashSet;
use std::time::Duration;

use cloacina_core::backend::{ClaimRequest, ClaimScope, Claims};
use cloacina_core::{BackendError, ExecutionId};
use sqlx::sqlite::SqliteConnection;

use crate::clock::Clock;
use crate::error::Context as _;
use crate::json::{self, Hex};
use crate::{liveness, queries, read, rows};

/// What a claim looks for, ready to be bound.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    wanted: String,
    limit: u32,
    claimable: &'static str,
    next_due: &'static str,
}

impl Search {
    pub(crate) fn new(request: &ClaimRequest) -> Result<Self, BackendError> {
        let limit = request.limit;
        match &request.scope {
            ClaimScope::Workflows(keys) => {
                let keys: HashSet<(&str, &str)> =
                    keys.iter().map(|key| (&*key.name, &*key.version)).collect();
                let wanted = json::rows(&keys.into_iter().collect::<Vec<_>>())?;
                let claimable = queries::EXECUTIONS_CLAIMABLE;
                Ok(Self { wanted, limit, claimable, next_due: queries::EXECUTIONS_NEXT_DUE })
            }
            ClaimScope::Adopt(wanted) => {
                let wanted: HashSet<(ExecutionId, u64)> =
                    wanted.iter().map(|it| (it.execution, it.epoch)).collect();
                let wanted: Vec<(Hex, u64)> =
                    wanted.into_iter().map(|(id, epoch)| (id.into(), epoch)).collect();
                let wanted = json::rows(&wanted)?;
                let claimable = queries::EXECUTIONS_CLAIMABLE_BY_ID;
                Ok(Self { wanted, limit, claimable, next_due: queries::EXECUTIONS_NEXT_DUE_BY_ID })
            }
        }
    }

    /// Finds what could be claimed, oldest first.
    pub(crate) async fn candidates(
        &self,
        connection: &mut SqliteConnection,
        clock: Clock,
    ) -> Result<Vec<ExecutionId>, BackendError> {
        let query =
            sqlx::query(self.claimable).bind(&self.wanted).bind(clock.now()).bind(self.limit);
        let found = query.fetch_all(connection).await.during("look for work")?;
        found.iter().map(rows::execution_id).collect()
    }

    /// Finds when the next delayed execution falls due.
    pub(crate) async fn next_due(
        &self,
        connection: &mut SqliteConnection,
        clock: Clock,
    ) -> Result<Option<Duration>, BackendError> {
        let query = sqlx::query(self.next_due).bind(&self.wanted).bind(clock.now());
        let row = query.fetch_one(connection).await.during("look for delayed work")?;
        let due: Option<i64> = rows::value(&row, "due_at")?;
        let left = due.map(|due| u64::try_from(due.saturating_sub(clock.now())).unwrap_or(0));
        Ok(left.map(Duration::from_micros))
    }
}

/// Claims, within a transaction.
pub(crate) async fn claim(
    connection: &mut SqliteConnection,
    clock: Clock,
    request: &ClaimRequest,
    search: &Search,
) -> Result<Claims, BackendError> {
    let what = "claim executions";
    let worker = request.worker.as_uuid().as_bytes().as_slice();
    let peers = liveness::peers(&mut *connection, request.worker).await?;
    let query = sqlx::query(queries::WORKERS_EXISTS).bind(worker);
    let row = query.fetch_one(&mut *connection).await.during(what)?;
    if !rows::value::<bool>(&row, "registered")? {
        let next_due = search.next_due(connection, clock).await?;
        return Ok(Claims { executions: Vec::new(), next_due, peers });
    }
    let ids = search.candidates(connection, clock).await?;
    let query = sqlx::query(queries::EXECUTIONS_CLAIM)
        .bind(json::ids(ids.iter().copied())?)
        .bind(worker)
        .bind(clock.now());
    query.execute(&mut *connection).await.during(what)?;
    if let ClaimScope::Adopt(wanted) = &request.scope {
        let given: HashSet<&ExecutionId> = ids.iter().collect();
        let versions: Vec<(Hex, &str)> = wanted
            .iter()
            .filter(|it| given.contains(&it.execution))
            .map(|it| (it.execution.into(), &*it.version))
            .collect();
        let query = sqlx::query(queries::EXECUTIONS_ADOPT).bind(json::rows(&versions)?);
        query.execute(&mut *connection).await.during(what)?;
    }
    let executions = read::snapshots(connection, clock, &ids).await?;
    let next_due = search.next_due(connection, clock).await?;
    Ok(Claims { executions, next_due, peers })
}
