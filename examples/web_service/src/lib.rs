//! A web service that runs the workflows of many tenants. The README beside this says how to use it.
//!
//! - `api`: one file for each kind of route; each handler with its description for OpenAPI.
//! - `extract`: what handlers take; there a token is checked, so no handler of a tenant runs without.
//! - `problem`: every error, whoever made it, as `application/problem+json`.
//! - `tokens`: who may ask for what.
//! - `request_id`: what joins a request, its lines in the log, and the spans of the tasks that it starts.
//! - `metrics`: what the engine counts, for Prometheus.
//! - `service`: what all handlers share, start and stop.

mod api;
mod extract;
mod gate;
mod metrics;
mod model;
mod openapi;
mod problem;
mod request_id;
mod service;
mod tokens;
mod workflows;

pub use metrics::{Metrics, MetricsError};
pub use service::{Limits, ServeError, Service};
pub use tokens::{Token, Tokens, TokensError};
