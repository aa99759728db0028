//! What the engine counts, for Prometheus: on a listener of its own.
//!
//! It tells of all tenants together and names none, but how busy a service is, is nobody's business outside. A token would be the
//! operator's, who can remove tenants: too much for a scraper. So whoever reaches the listener may read, and it is the
//! network that decides who does.

use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use cloacina_core::metrics::COMMIT_BATCH_ITEMS;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

/// The upper bounds of times, in seconds: from a commit on a fast disk to a task of some minutes.
const SECONDS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// The upper bounds of items in a batch.
const ITEMS: [f64; 6] = [1.0, 4.0, 16.0, 64.0, 256.0, 1024.0];

/// How often what was recorded is added up: until then each value takes memory of its own.
const UPKEEP: Duration = Duration::from_secs(5);

/// The text format of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the engine counts in this process.
#[derive(Debug)]
pub struct Metrics {
    handle: PrometheusHandle,
}

/// Metrics cannot be counted.
#[derive(Debug, thiserror::Error)]
#[error("metrics cannot be counted")]
pub struct MetricsError(#[from] BuildError);

impl Metrics {
    /// Counts from now on, for the whole process. Executors that are started before are not counted.
    ///
    /// # Errors
    ///
    /// Somebody else counts already.
    pub fn install() -> Result<Self, MetricsError> {
        let items = Matcher::Full(COMMIT_BATCH_ITEMS.to_owned());
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .set_buckets_for_metric(items, &ITEMS)?
            .install_recorder()?;
        Ok(Self { handle })
    }

    /// Serves `GET /metrics`, for ever.
    ///
    /// # Errors
    ///
    /// Connections cannot be accepted.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let handle = self.handle.clone();
        let render = get(async move || ([(CONTENT_TYPE, TEXT)], handle.render()));
        let upkeep = async {
            loop {
                tokio::time::sleep(UPKEEP).await;
                self.handle.run_upkeep();
            }
        };
        tokio::select! {
            served = axum::serve(listener, Router::new().route("/metrics", render)).into_future() => served,
            () = upkeep => Ok(()),
        }
    }
}
