//! The routes. Each handler carries its description, so the document and the routes are one list.

mod events;
mod executions;
mod orders;
mod tenants;
mod watch;

use axum::extract::DefaultBodyLimit;
use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router, middleware};
use cloacina_core::TenantStore;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi;
use crate::problem::{method_not_allowed, unknown_route};
use crate::request_id::identify;
use crate::service::Service;

/// All routes of the service.
pub(crate) fn router<S: TenantStore>(service: Service<S>) -> Router {
    let (router, mut document) = OpenApiRouter::<Service<S>>::new()
        .routes(routes!(watch::health))
        .routes(routes!(tenants::create))
        .routes(routes!(tenants::remove))
        .routes(routes!(tenants::renew_token))
        .routes(routes!(watch::metrics))
        .routes(routes!(executions::submit))
        .routes(routes!(executions::list))
        .routes(routes!(executions::show))
        .routes(routes!(executions::explain))
        .routes(routes!(events::follow))
        .routes(routes!(orders::cancel))
        .routes(routes!(orders::pause))
        .routes(routes!(orders::resume))
        .routes(routes!(orders::retry))
        .split_for_parts();
    openapi::complete(&mut document);
    let page = openapi::page();
    router
        .route("/openapi.json", get(async move || Json(document)))
        .route("/docs", get(async move || Html(page)))
        .fallback(unknown_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(service.limits.body_bytes))
        .layer(middleware::from_fn(identify))
        .with_state(service)
}
