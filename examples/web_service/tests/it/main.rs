//! The service over real HTTP: in this process on a port of its own, and as a process that is told to stop.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod document;
mod executions;
mod explanation;
mod following;
mod limits;
#[cfg(unix)]
mod metrics;
mod orders;
#[cfg(unix)]
mod postgres;
mod problems;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod readme;
mod routes;
mod tokens;

use std::path::Path;

use cloacina_core::{ExecutorConfig, TenantStore};
use cloacina_sqlite::SqliteTenants;
use cloacina_web_service::{Limits, Service, Token, Tokens};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use client::{Client, Request};

const OPERATOR: &str = "the-token-of-the-operator-of-tests";

/// A service in this process.
struct World {
    /// Without a token.
    client: Client,
    operator: Client,
    stop: CancellationToken,
    served: JoinSet<()>,
    folder: TempDir,
}

/// A tenant, and who speaks for it.
struct Tenant {
    client: Client,
    name: String,
    token: String,
}

impl World {
    async fn new() -> Self {
        Self::with(ExecutorConfig::default(), Limits::default()).await
    }

    async fn with(config: ExecutorConfig, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteTenants::new(folder.path().join("tenants")).unwrap();
        Self::on(store, folder, config, limits).await
    }

    async fn on<S: TenantStore>(
        store: S,
        folder: TempDir,
        config: ExecutorConfig,
        limits: Limits,
    ) -> Self {
        let tokens = Tokens::open(folder.path(), &Token::operator(OPERATOR).unwrap()).unwrap();
        let service = Service::new(store, tokens, config, limits).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let mut served = JoinSet::new();
        let serve = service.serve(listener, stop.clone().cancelled_owned());
        served.spawn(async { serve.await.unwrap() });
        let client = Client::new(address).await;
        let operator = client.with(OPERATOR);
        Self { client, operator, stop, served, folder }
    }

    /// Creates a tenant.
    async fn tenant(&self, name: &str) -> Tenant {
        let created = self.operator.post("/tenants").json(&json!({"tenant": name})).send().await;
        let token = created.expect(201)["token"].as_str().unwrap().to_owned();
        Tenant { client: self.client.with(&token), name: name.to_owned(), token }
    }

    /// Stops the service, and waits until it has.
    async fn stop(mut self) {
        self.stop.cancel();
        self.served.join_next().await.unwrap().unwrap();
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Tenant {
    /// A path of this tenant.
    fn path(&self, rest: &str) -> String {
        format!("/tenants/{}/{rest}", self.name)
    }

    /// A request that starts an execution.
    fn submit(&self, workflow: &str, context: &Value) -> Request {
        let body = json!({"workflow_name": workflow, "context": context});
        self.client.post(&self.path("workflows")).json(&body)
    }

    /// Starts an execution, and returns its id.
    async fn start(&self, workflow: &str, context: &Value) -> String {
        let started = self.submit(workflow, context).send().await.expect(202);
        started["execution_id"].as_str().unwrap().to_owned()
    }

    /// Runs an execution to its end, and returns it.
    async fn run(&self, workflow: &str, context: &Value) -> Value {
        self.submit(workflow, context).header("prefer", "wait=60").send().await.expect(200)
    }

    /// Orders something of an execution.
    fn order(&self, id: &str, order: &str) -> Request {
        self.client.post(&self.path(&format!("executions/{id}/{order}")))
    }

    async fn show(&self, id: &str) -> Value {
        self.client.get(&self.path(&format!("executions/{id}"))).send().await.expect(200)
    }

    async fn list(&self, query: &str) -> Value {
        self.client.get(&self.path(&format!("executions?{query}"))).send().await.expect(200)
    }
}

/// An execution that goes on until it is stopped.
fn long() -> Value {
    json!({"seconds": 600})
}

/// A text with words.
fn text() -> Value {
    json!({"text": "a lonely whale"})
}
