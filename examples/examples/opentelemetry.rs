//! Traces: from the request that submits an execution to each attempt of its tasks, and on into what they do.
//!
//! ```sh
//! cargo run -p cloacina-examples --example opentelemetry
//! ```
//!
//! The engine speaks `tracing` and knows nothing of OpenTelemetry: `tracing-opentelemetry` makes traces of its spans. Here they go to
//! standard output; put an exporter of `opentelemetry-otlp` in its place, and they go to a collector.

use std::sync::atomic::{AtomicU32, Ordering};

use cloacina_core::{Context, Output, TaskError, task, workflow};
use cloacina_sqlite::UnifiedExecutor;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Instrument as _, info_span};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

/// Fails once, so there are two spans of it, one an attempt.
#[task(retry_attempts = 2, retry_delay_ms = 20)]
async fn reserve() -> Result<u32, TaskError> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    // A span of its own lies within that of the attempt, and so do those of instrumented clients.
    let call = async { CALLS.fetch_add(1, Ordering::SeqCst) }.instrument(info_span!("warehouse"));
    if call.await == 0 { Err(TaskError::new("the warehouse is busy")) } else { Ok(4711) }
}

#[task]
async fn ship(reservation: Output<reserve>) {
    // An event of the attempt's span.
    tracing::info!(reservation = *reservation, "shipped");
}

workflow! { name: "order", tasks: [reserve, ship] }

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(opentelemetry_stdout::SpanExporter::default())
        .with_resource(Resource::builder().with_service_name("orders").build())
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("orders"))
        // Attributes that say where in the code a span was made, and by which thread: more lines than the spans themselves.
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false);
    tracing_subscriber::registry().with(layer.with_filter(LevelFilter::INFO)).init();

    let executor = UnifiedExecutor::new("sqlite://opentelemetry.db").await?;
    // All that the execution does while this process keeps it is one trace, below the span in which it was submitted.
    let request = info_span!("request", otel.kind = "server", http.route = "/orders");
    let order = executor.execute("order", Context::new()).instrument(request).await?;
    anyhow::ensure!(order.is_success(), "the order failed: {order}");

    executor.shutdown().await?;
    // What was not exported yet.
    provider.shutdown()?;
    Ok(())
}
