//! The service: what all handlers share, and how it is served.

use std::time::Duration;

use cloacina_core::{
    ExecutorConfig, ExecutorError, OverloadPolicy, TenantError, TenantManager, TenantStore,
    UnifiedExecutor,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::gate::Gate;
use crate::tokens::Tokens;

/// How long requests may take to finish once the service stops.
const DRAIN: Duration = Duration::from_secs(10);

/// The limits of a service.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest body of a request, in bytes.
    pub body_bytes: usize,
    /// How many requests of one tenant may wait for executions at once.
    pub waiting_requests: usize,
    /// How often an execution is looked at for those who follow it.
    pub look_interval: Duration,
}

impl Default for Limits {
    /// 1 MiB, 64 requests, 250 ms.
    fn default() -> Self {
        let look_interval = Duration::from_millis(250);
        Self { body_bytes: 1 << 20, waiting_requests: 64, look_interval }
    }
}

/// All that a request needs. Cheap to clone.
#[derive(Debug)]
pub struct Service<S: TenantStore> {
    pub(crate) manager: TenantManager<S>,
    pub(crate) tokens: Tokens,
    pub(crate) gate: Gate,
    pub(crate) limits: Limits,
    /// Requests that wait let go.
    pub(crate) stop: CancellationToken,
}

impl<S: TenantStore> Clone for Service<S> {
    fn clone(&self) -> Self {
        Self {
            manager: self.manager.clone(),
            tokens: self.tokens.clone(),
            gate: self.gate.clone(),
            limits: self.limits.clone(),
            stop: self.stop.clone(),
        }
    }
}

/// The service could not be served to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Connections cannot be accepted.
    #[error("connections cannot be accepted")]
    Accept(#[source] std::io::Error),
    /// What the tasks were at could not be handed over.
    #[error("the work could not be handed over")]
    HandOver(#[source] TenantError),
}

impl<S: TenantStore> Service<S> {
    /// Puts a service together: its tenants' workflows run from now on. A submit too many is refused, since a client that is told
    /// can try again, and one that waits holds a connection.
    ///
    /// # Errors
    ///
    /// A setting that is not allowed.
    pub fn new(
        store: S,
        tokens: Tokens,
        mut config: ExecutorConfig,
        limits: Limits,
    ) -> Result<Self, ExecutorError> {
        config.overload = OverloadPolicy::Refuse;
        config.max_context_bytes = config.max_context_bytes.min(limits.body_bytes);
        let executor = UnifiedExecutor::builder().config(config);
        let manager = TenantManager::builder(store).executor(executor).build()?;
        let gate = Gate::new(limits.waiting_requests);
        Ok(Self { manager, tokens, gate, limits, stop: CancellationToken::new() })
    }

    /// Serves until `stop`: then no connection is accepted any more, requests finish, those that wait for executions let go, running
    /// tasks may finish within `shutdown_grace`, and all other work is handed over.
    ///
    /// # Errors
    ///
    /// A [`ServeError`]. What was acknowledged is safe in any case.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let stopped = self.stop.clone();
        let server = axum::serve(listener, api::router(self.clone()))
            .with_graceful_shutdown(stopped.clone().cancelled_owned())
            .into_future();
        let stopping = async {
            stop.await;
            tracing::info!("stopping");
            stopped.cancel();
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            served = server => served.map_err(ServeError::Accept)?,
            () = stopping => tracing::warn!("requests did not finish and are cut off"),
        }
        self.manager.shutdown().await.map_err(ServeError::HandOver)?;
        tracing::info!("stopped");
        Ok(())
    }
}
