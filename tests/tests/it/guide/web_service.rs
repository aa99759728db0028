//! "Web Service Integration".

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::Json,
    routing::{get, post},
};
use cloacina_core::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::support::database;
use super::tenant_manager::TenantManager;

#[derive(Serialize)]
struct ExecutionResponse {
    execution_id: String,
    status: String,
}

#[derive(Deserialize)]
struct WorkflowRequest {
    workflow_name: String,
    context: serde_json::Value,
}

async fn execute_workflow(
    Path(tenant_id): Path<String>,
    State(manager): State<Arc<TenantManager>>,
    Json(request): Json<WorkflowRequest>,
) -> Result<Json<ExecutionResponse>, StatusCode> {
    let context = Context::from_value(request.context).map_err(|_| StatusCode::BAD_REQUEST)?;

    match manager.execute_for_tenant(&tenant_id, &request.workflow_name, context).await {
        Ok(result) => Ok(Json(ExecutionResponse {
            execution_id: result.execution_id.to_string(),
            status: format!("{:?}", result.status),
        })),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

async fn get_execution_status(
    Path((tenant_id, execution_id)): Path<(String, String)>,
    State(manager): State<Arc<TenantManager>>,
) -> Result<Json<ExecutionResponse>, StatusCode> {
    let executor =
        manager.get_executor(&tenant_id).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;

    let execution_id = execution_id.parse().map_err(|_| StatusCode::BAD_REQUEST)?;

    match executor.get_execution_status(execution_id).await {
        Ok(status) => Ok(Json(ExecutionResponse {
            execution_id: execution_id.to_string(),
            status: format!("{:?}", status),
        })),
        Err(_) => Err(StatusCode::NOT_FOUND),
    }
}

fn app(manager: Arc<TenantManager>) -> Router {
    // CHANGED: axum 0.8 writes `{tenant_id}` where 0.7 has `:tenant_id`.
    Router::new()
        .route("/tenants/{tenant_id}/workflows", post(execute_workflow))
        .route("/tenants/{tenant_id}/executions/{execution_id}", get(get_execution_status))
        .with_state(manager)
}

/// Sends one request and returns the status line's number, and the body.
async fn ask(server: SocketAddr, request: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

async fn use_it(server: SocketAddr) {
    let request = json!({ "workflow_name": "test_workflow", "context": { "count": 1 } });
    let (status, executed) = ask(server, "POST /tenants/acme/workflows", &request).await;
    assert_eq!((status, &executed["status"]), (200, &json!("Completed")));
    let id = executed["execution_id"].as_str().unwrap();

    let found = ask(server, &format!("GET /tenants/acme/executions/{id}"), &Value::Null).await;
    assert_eq!(found, (200, executed.clone()));
    let elsewhere = format!("GET /tenants/umbrella/executions/{id}");
    assert_eq!(ask(server, &elsewhere, &Value::Null).await.0, 404);
    assert_eq!(ask(server, "GET /tenants/acme/executions/1", &Value::Null).await.0, 400);
    let no_object = json!({ "workflow_name": "test_workflow", "context": [1] });
    assert_eq!(ask(server, "POST /tenants/acme/workflows", &no_object).await.0, 400);
    let unknown = json!({ "workflow_name": "unknown", "context": {} });
    assert_eq!(ask(server, "POST /tenants/acme/workflows", &unknown).await.0, 500);
}

#[tokio::test]
async fn a_client_runs_a_workflow_and_asks_for_it() {
    let manager = Arc::new(TenantManager::new(database().await));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::select! {
        ended = axum::serve(listener, app(Arc::clone(&manager))).into_future() => panic!("{ended:?}"),
        () = use_it(address) => {}
    }
    for tenant in ["acme", "umbrella"] {
        manager.get_executor(tenant).await.unwrap().shutdown().await.unwrap();
    }
}
