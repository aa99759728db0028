//! Executions: submitting, showing, listing.

use std::time::Duration;

use axum::Json as Body;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use cloacina_core::{
    ExecuteOptions, ExecutionQuery, ExecutorError, PipelineExecution, TenantId, TenantStore,
};

use crate::extract::{Execution, Json, Query, Tenant};
use crate::model::{self, Filter, Page, Standing, Submit};
use crate::problem::{Kind, Problem};
use crate::service::Service;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The longest wait that a client may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The length of a page, if nothing else is said, and at most.
const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 200;

/// Starts an execution. Once this is answered, it is on record.
///
/// A second request with the same `Idempotency-Key` answers with the first one's execution. With `Prefer: wait=SECONDS`, at most 60,
/// the answer is the execution itself if it ends in that time.
#[utoipa::path(
    post,
    path = "/tenants/{tenant}/workflows",
    tag = "tenant",
    security(("tenant" = [])),
    params(
        Tenant,
        ("Idempotency-Key" = Option<String>, Header, max_length = 255, min_length = 1),
        ("Prefer" = Option<String>, Header, example = "wait=10"),
    ),
    request_body = Submit,
    responses(
        (status = 200, description = "It has ended while the client waited", body = model::Execution),
        (
            status = 202,
            description = "It is on record",
            body = Standing,
            headers(("Location" = String, description = "Where it is to be found")),
        ),
        (
            status = 409,
            description = "The key belongs to an execution of another workflow",
            body = Problem,
            content_type = "application/problem+json",
        ),
        (
            status = 429,
            description = "Too many requests of the tenant wait",
            body = Problem,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn submit<S: TenantStore>(
    State(service): State<Service<S>>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    Json(request): Json<Submit>,
) -> Result<Response, Problem> {
    let mut options = ExecuteOptions::new();
    if let Some(key) = headers.get(IDEMPOTENCY_KEY) {
        let not_text = |_| Problem::new(Kind::InvalidInput, "`Idempotency-Key` is not text");
        options = options.idempotency_key(key.to_str().map_err(not_text)?);
    }
    let wait = wanted_wait(&headers);
    // Before the submit: who is refused has submitted nothing.
    let _place = wait.map(|_| service.gate.enter(&tenant)).transpose()?;
    let executor = service.manager.get_executor(tenant.as_str()).await?;
    let Submit { workflow_name, context } = request;
    let execution = executor.execute_with(&workflow_name, context, options).await?;
    tracing::info!(execution_id = %execution.execution_id, workflow = workflow_name, "submitted");
    let Some(wait) = wait else { return accepted(&tenant, &execution).await };
    let applied = [(PREFERENCE_APPLIED, format!("wait={}", wait.as_secs()))];
    let ended = tokio::select! {
        ended = execution.wait_timeout(wait) => ended,
        () = service.stop.cancelled() => Err(ExecutorError::ShuttingDown),
    };
    match ended {
        Ok(result) => {
            let location = [(LOCATION, location(&tenant, &execution))];
            Ok((applied, location, Body(model::Execution::from(result))).into_response())
        }
        // It is on record all the same, so this is no failure.
        Err(ExecutorError::WaitTimeout { .. } | ExecutorError::ShuttingDown) => {
            Ok((applied, accepted(&tenant, &execution).await?).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// Shows an execution with its tasks.
#[utoipa::path(
    get,
    path = "/tenants/{tenant}/executions/{execution_id}",
    tag = "tenant",
    security(("tenant" = [])),
    params(Tenant, Execution),
    responses((status = 200, description = "The execution", body = model::Execution))
)]
pub(super) async fn show<S: TenantStore>(
    State(service): State<Service<S>>,
    Tenant(tenant): Tenant,
    Execution(execution_id): Execution,
) -> Result<Body<model::Execution>, Problem> {
    let executor = service.manager.get_executor(tenant.as_str()).await?;
    Ok(Body(executor.get_execution_result(execution_id).await?.into()))
}

/// Tells why each unfinished task of an execution is not running.
#[utoipa::path(
    get,
    path = "/tenants/{tenant}/executions/{execution_id}/explanation",
    tag = "tenant",
    security(("tenant" = [])),
    params(Tenant, Execution),
    responses((status = 200, description = "What is waited for", body = model::Explanation))
)]
pub(super) async fn explain<S: TenantStore>(
    State(service): State<Service<S>>,
    Tenant(tenant): Tenant,
    Execution(execution_id): Execution,
) -> Result<Body<model::Explanation>, Problem> {
    let executor = service.manager.get_executor(tenant.as_str()).await?;
    Ok(Body(executor.explain(execution_id).await?.into()))
}

/// Lists executions, newest first.
#[utoipa::path(
    get,
    path = "/tenants/{tenant}/executions",
    tag = "tenant",
    security(("tenant" = [])),
    params(Tenant, Filter),
    responses((status = 200, description = "A page of the list", body = Page))
)]
pub(super) async fn list<S: TenantStore>(
    State(service): State<Service<S>>,
    Tenant(tenant): Tenant,
    Query(filter): Query<Filter>,
) -> Result<Body<Page>, Problem> {
    let limit = filter.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        let detail = format!("`limit` is {limit}, it must be from 1 to {LARGEST_PAGE}");
        return Err(Problem::new(Kind::InvalidInput, detail));
    }
    // One more than wanted tells whether there is another page.
    let mut query = ExecutionQuery::new().limit(limit + 1);
    query.statuses.extend(filter.status);
    query.workflow = filter.workflow;
    query.before = filter.cursor.map(|cursor| cursor.parse()).transpose()?;
    let executor = service.manager.get_executor(tenant.as_str()).await?;
    let mut found = executor.find_executions(&query).await?;
    let is_last = found.len() <= limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| !is_last).map(|last| last.execution_id);
    Ok(Body(Page { executions: found.into_iter().map(Into::into).collect(), next }))
}

/// Answers that an execution is on record, and where it is to be found.
pub(super) async fn accepted(
    tenant: &TenantId,
    execution: &PipelineExecution,
) -> Result<Response, Problem> {
    let status = execution.status().await?;
    let standing = Standing { execution_id: execution.execution_id, status };
    let location = [(LOCATION, location(tenant, execution))];
    Ok((StatusCode::ACCEPTED, location, Body(standing)).into_response())
}

fn location(tenant: &TenantId, execution: &PipelineExecution) -> String {
    format!("/tenants/{tenant}/executions/{}", execution.execution_id)
}

/// How long the client would like to wait, by RFC 7240. What is not understood is no preference.
fn wanted_wait(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(PREFER).into_iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split([',', ';'])).map(str::trim);
    let seconds = preferences.find_map(|one| one.strip_prefix("wait=")?.parse().ok())?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT)).filter(|wait| !wait.is_zero())
}
