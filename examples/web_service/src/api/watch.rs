//! How the service and its tenants are.

use std::time::Duration;

use axum::Json as Body;
use axum::extract::State;
use cloacina_core::{TenantId, TenantStore};

use crate::extract::Tenant;
use crate::model::{Health, Metrics};
use crate::problem::{Kind, Problem};
use crate::service::Service;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tells whether the service takes requests and its database answers.
#[utoipa::path(
    get,
    path = "/health",
    tag = "service",
    responses((status = 200, description = "Both do", body = Health))
)]
pub(super) async fn health<S: TenantStore>(
    State(service): State<Service<S>>,
) -> Result<Body<Health>, Problem> {
    if service.stop.is_cancelled() {
        return Err(Problem::new(Kind::ShuttingDown, "send requests elsewhere"));
    }
    // Any question will do that the database has to answer.
    let somebody = TenantId::new("health")?;
    match tokio::time::timeout(PATIENCE, service.manager.store().exists(&somebody)).await {
        Ok(answer) => answer.map(|_| Body(Health { status: "ok" })).map_err(Problem::from),
        Err(_) => Err(Problem::new(Kind::Unavailable, "the database does not answer")),
    }
}

/// Counts what the tenant has done and does.
#[utoipa::path(
    get,
    path = "/tenants/{tenant}/metrics",
    tag = "tenant",
    security(("tenant" = [])),
    params(Tenant),
    responses((status = 200, description = "The counts", body = Metrics))
)]
pub(super) async fn metrics<S: TenantStore>(
    State(service): State<Service<S>>,
    Tenant(tenant): Tenant,
) -> Result<Body<Metrics>, Problem> {
    Ok(Body(service.manager.get_tenant_metrics(tenant.as_str()).await?.into()))
}
