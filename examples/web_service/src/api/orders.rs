//! What can be ordered of an execution: each order is a `POST` without a body.

use axum::Json as Body;
use axum::extract::State;
use axum::response::Response;
use cloacina_core::{PipelineStatus, TenantStore};

use super::executions::accepted;
use crate::extract::{Execution, Tenant};
use crate::model::Standing;
use crate::problem::{Kind, Problem};
use crate::service::Service;

type Answer = Result<Body<Standing>, Problem>;

/// Cancels an execution: nothing of it starts any more, and what runs is stopped. Twice is no error.
#[utoipa::path(
    post,
    path = "/tenants/{tenant}/executions/{execution_id}/cancel",
    tag = "tenant",
    security(("tenant" = [])),
    params(Tenant, Execution),
    responses(
        (status = 200, description = "It is cancelled", body = Standing),
        (
            status = 409,
            description = "Its status does not allow that",
            body = Problem,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn cancel<S: TenantStore>(
    State(service): State<Service<S>>,
    Tenant(tenant): Tenant,
    Execution(execution_id): Execution,
) -> Answer {
    let executor = service.manager.get_executor(tenant.as_str()).await?;
    match executor.cancel_execution(execution_id).await? {
        status @ PipelineStatus::Cancelled => Ok(Body(Standing { execution_id, status })),
        status => {
            let detail = format!("execution {execution_id} is {status}, it cannot be cancelled");
            Err(Problem::new(Kind::Conflict, detail))
        }
    }
}

/// Pauses an execution: nothing of it starts until it is resumed, what runs may finish. Twice is no error.
#[utoipa::path(
    post,
    path = "/tenants/{tenant}/executions/{execution_id}/pause",
    tag = "tenant",
    security(("tenant" = [])),
    params(Tenant, Execution),
    responses(
        (status = 200, description = "It is paused", body = Standing),
        (
            status = 409,
            description = "Its status does not allow that",
            body = Problem,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn pause<S: TenantStore>(
    State(service): State<Service<S>>,
    Tenant(tenant): Tenant,
    Execution(execution_id): Execution,
) -> Answer {
    let executor = service.manager.get_executor(tenant.as_str()).await?;
    executor.pause_execution(execution_id).await?;
    let status = executor.get_execution_status(execution_id).await?;
    Ok(Body(Standing { execution_id, status }))
}

/// Resumes an execution that is paused. One that is not goes on as it did.
#[utoipa::path(
    post,
    path = "/tenants/{tenant}/executions/{execution_id}/resume",
    tag = "tenant",
    security(("tenant" = [])),
    params(Tenant, Execution),
    responses(
        (status = 200, description = "It is not paused any more", body = Standing),
        (
            status = 409,
            description = "Its status does not allow that",
            body = Problem,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn resume<S: TenantStore>(
    State(service): State<Service<S>>,
    Tenant(tenant): Tenant,
    Execution(execution_id): Execution,
) -> Answer {
    let executor = service.manager.get_executor(tenant.as_str()).await?;
    executor.resume_execution(execution_id).await?;
    let status = executor.get_execution_status(execution_id).await?;
    Ok(Body(Standing { execution_id, status }))
}

/// Repeats an execution that failed or was cancelled, as a new one in which the completed tasks keep their results.
#[utoipa::path(
    post,
    path = "/tenants/{tenant}/executions/{execution_id}/retry",
    tag = "tenant",
    security(("tenant" = [])),
    params(Tenant, Execution),
    responses(
        (
            status = 202,
            description = "It is on record",
            body = Standing,
            headers(("Location" = String, description = "Where it is to be found")),
        ),
        (
            status = 409,
            description = "Its status does not allow that",
            body = Problem,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn retry<S: TenantStore>(
    State(service): State<Service<S>>,
    Tenant(tenant): Tenant,
    Execution(execution_id): Execution,
) -> Result<Response, Problem> {
    let executor = service.manager.get_executor(tenant.as_str()).await?;
    let execution = executor.retry_execution(execution_id).await?;
    tracing::info!(execution_id = %execution.execution_id, retry_of = %execution_id, "submitted");
    accepted(&tenant, &execution).await
}
