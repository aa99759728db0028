//! What the sections share: the workflow that they run, and databases of their own.

use cloacina_core::{Context, TaskError, task, workflow};
use cloacina_testing::postgres::{self, Server};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

#[task]
async fn count(context: &mut Context<serde_json::Value>) -> Result<(), TaskError> {
    let before: i64 = context.get("count").and_then(serde_json::Value::as_i64).unwrap_or(0);
    context.set("count", json!(before + 1));
    Ok(())
}

workflow! { name: "test_workflow", description: "counts one further", tasks: [count] }

/// A database of its own on the server of the tests, so that sections that run at once may name the same tenants. Its address.
pub(super) async fn database() -> String {
    let server = postgres::server().url();
    let name = postgres::schema_name();
    execute(server, &format!("CREATE DATABASE {name}")).await;
    on_database(server, &name)
}

/// A server of its own with the database and the login that the guide's admin has: roles belong to a whole server.
pub(super) async fn admin_server() -> (Server, String) {
    let server = Server::start().unwrap();
    let create = "CREATE ROLE admin LOGIN PASSWORD 'admin_pass' CREATEDB CREATEROLE";
    execute(server.url(), create).await;
    execute(server.url(), "CREATE DATABASE cloacina OWNER admin").await;
    let (_, place) = server.url().split_once('@').unwrap();
    let url = on_database(&format!("postgresql://admin:admin_pass@{place}"), "cloacina");
    (server, url)
}

async fn execute(url: &str, statement: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute(AssertSqlSafe(statement)).await.unwrap();
    connection.close().await.unwrap();
}

fn on_database(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}
