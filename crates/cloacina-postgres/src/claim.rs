//! Gives unowned executions to workers.

use std::collections::HashSet;
use std::time::Duration;

use cloacina_core::backend::{ClaimRequest, ClaimScope, Claims};
use cloacina_core::{BackendError, ExecutionId};
use sqlx::postgres::PgConnection;

use crate::clock::{Clock, Moment};
use crate::error::Context as _;
use crate::queries::{Queries, Statement};
use crate::{json, liveness, read, rows};

/// What a claim looks for, ready to be bound.
#[derive(Clone)]
pub(crate) struct Search {
    wanted: String,
    limit: u32,
    claimable: Statement,
    next_due: Statement,
}

impl Search {
    pub(crate) fn new(request: &ClaimRequest, queries: &Queries) -> Result<Self, BackendError> {
        let limit = request.limit;
        match &request.scope {
            ClaimScope::Workflows(keys) => {
                let keys: HashSet<(&str, &str)> =
                    keys.iter().map(|key| (&*key.name, &*key.version)).collect();
                let wanted = json::rows(&keys.into_iter().collect::<Vec<_>>())?;
                let claimable = queries.executions_claimable.clone();
                Ok(Self { wanted, limit, claimable, next_due: queries.executions_next_due.clone() })
            }
            ClaimScope::Adopt(wanted) => {
                let wanted: HashSet<(ExecutionId, u64)> =
                    wanted.iter().map(|it| (it.execution, it.epoch)).collect();
                let wanted = json::rows(&wanted.into_iter().collect::<Vec<_>>())?;
                let claimable = queries.executions_claimable_by_id.clone();
                Ok(Self {
                    wanted,
                    limit,
                    claimable,
                    next_due: queries.executions_next_due_by_id.clone(),
                })
            }
        }
    }

    /// Finds what could be claimed, oldest first.
    pub(crate) async fn candidates(
        &self,
        connection: &mut PgConnection,
        clock: Clock,
    ) -> Result<Vec<ExecutionId>, BackendError> {
        let query =
            self.claimable.query().bind(&self.wanted).bind(clock.now()).bind(i64::from(self.limit));
        let found = query.fetch_all(connection).await.during("look for work")?;
        found.iter().map(rows::execution_id).collect()
    }

    /// Finds when the next delayed execution falls due.
    pub(crate) async fn next_due(
        &self,
        connection: &mut PgConnection,
        clock: Clock,
    ) -> Result<Option<Duration>, BackendError> {
        let query = self.next_due.query().bind(&self.wanted).bind(clock.now());
        let row = query.fetch_one(connection).await.during("look for delayed work")?;
        let due: Option<Moment> = rows::value(&row, "due_at")?;
        Ok(due.map(|due| (due.0 - clock.now()).to_std().unwrap_or_default()))
    }
}

/// Claims, within a transaction.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    queries: &Queries,
    clock: Clock,
    request: &ClaimRequest,
    search: &Search,
) -> Result<Claims, BackendError> {
    let what = "claim executions";
    let worker = *request.worker.as_uuid();
    let peers = liveness::peers(&mut *connection, queries, request.worker).await?;
    let query = queries.workers_exists.query().bind(worker);
    if query.fetch_optional(&mut *connection).await.during(what)?.is_none() {
        let next_due = search.next_due(connection, clock).await?;
        return Ok(Claims { executions: Vec::new(), next_due, peers });
    }
    let ids = search.candidates(connection, clock).await?;
    let query = queries
        .executions_claim
        .query()
        .bind(json::ids(ids.iter().copied()))
        .bind(worker)
        .bind(clock.now());
    query.execute(&mut *connection).await.during(what)?;
    if let ClaimScope::Adopt(wanted) = &request.scope {
        let given: HashSet<&ExecutionId> = ids.iter().collect();
        let versions: Vec<(ExecutionId, &str)> = wanted
            .iter()
            .filter(|it| given.contains(&it.execution))
            .map(|it| (it.execution, &*it.version))
            .collect();
        let query = queries
            .executions_adopt
            .query()
            .bind(json::rows(&versions)?)
            .bind(json::ids(ids.iter().copied()));
        query.execute(&mut *connection).await.during(what)?;
    }
    let executions = read::snapshots(connection, queries, clock, &ids).await?;
    let next_due = search.next_due(connection, clock).await?;
    Ok(Claims { executions, next_due, peers })
}
