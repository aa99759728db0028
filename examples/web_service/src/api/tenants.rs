//! Tenants: for the operator.

use axum::Json as Body;
use axum::extract::State;
use axum::http::StatusCode;
use cloacina_core::{Removal, TenantId, TenantStore};

use crate::extract::{Json, Named, Operator};
use crate::model::{NewTenant, TenantToken};
use crate::problem::{Kind, Problem};
use crate::service::Service;
use crate::tokens::Occasion;

/// Creates a tenant and tells its token, this once.
#[utoipa::path(
    post,
    path = "/tenants",
    tag = "operator",
    security(("operator" = [])),
    request_body = NewTenant,
    responses(
        (status = 201, description = "The tenant and its token", body = TenantToken),
        (
            status = 409,
            description = "The tenant exists",
            body = Problem,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn create<S: TenantStore>(
    State(service): State<Service<S>>,
    _operator: Operator,
    Json(new): Json<NewTenant>,
) -> Result<(StatusCode, Body<TenantToken>), Problem> {
    let tenant = TenantId::new(new.tenant)?;
    // The token last: without one, asking again takes up what an interrupted request left.
    service.manager.create_tenant(tenant.as_str()).await?;
    let Some(token) = service.tokens.issue(&tenant, Occasion::First).await? else {
        let detail = format!("tenant `{tenant}` exists, its token can be renewed");
        return Err(Problem::new(Kind::Conflict, detail));
    };
    tracing::info!(%tenant, "created a tenant");
    Ok((StatusCode::CREATED, Body(TenantToken { tenant, token })))
}

/// Removes a tenant with all that it has. Its token is good for nothing from the beginning on.
#[utoipa::path(
    delete,
    path = "/tenants/{tenant}",
    tag = "operator",
    security(("operator" = [])),
    params(Named),
    responses((status = 204, description = "The tenant is gone"))
)]
pub(super) async fn remove<S: TenantStore>(
    State(service): State<Service<S>>,
    _operator: Operator,
    Named(tenant): Named,
) -> Result<StatusCode, Problem> {
    // The token first: nothing new comes in while running tasks finish. Asking again goes on with what is left.
    service.tokens.revoke(&tenant).await?;
    match service.manager.remove_tenant(tenant.as_str()).await? {
        Removal::Removed => {
            tracing::info!(%tenant, "removed a tenant");
            Ok(StatusCode::NO_CONTENT)
        }
        Removal::Absent => Err(unknown(&tenant)),
    }
}

/// Gives a tenant another token, and tells it this once. The one before is good for nothing any more.
#[utoipa::path(
    post,
    path = "/tenants/{tenant}/token",
    tag = "operator",
    security(("operator" = [])),
    params(Named),
    responses((status = 200, description = "The tenant and its token", body = TenantToken))
)]
pub(super) async fn renew_token<S: TenantStore>(
    State(service): State<Service<S>>,
    _operator: Operator,
    Named(tenant): Named,
) -> Result<Body<TenantToken>, Problem> {
    let token = service.tokens.issue(&tenant, Occasion::Renewal).await?;
    let token = token.ok_or_else(|| unknown(&tenant))?;
    tracing::info!(%tenant, "renewed a token");
    Ok(Body(TenantToken { tenant, token }))
}

fn unknown(tenant: &TenantId) -> Problem {
    Problem::new(Kind::UnknownTenant, format!("tenant `{tenant}` does not exist"))
}
