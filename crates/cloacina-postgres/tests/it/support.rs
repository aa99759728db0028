//! What the tests have in common.

use cloacina_postgres::{PostgresBackend, PostgresOptions};
use cloacina_testing::postgres::server;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _};

pub(crate) fn options(schema: &str) -> PostgresOptions {
    PostgresOptions::from_url(server().url()).unwrap().schema(schema).unwrap().pool_size(4)
}

pub(crate) async fn open(schema: &str) -> PostgresBackend {
    PostgresBackend::open(options(schema)).await.unwrap()
}

/// A connection that knows nothing of us.
pub(crate) async fn raw() -> PgConnection {
    raw_to(server().url()).await
}

pub(crate) async fn raw_to(url: &str) -> PgConnection {
    url.parse::<PgConnectOptions>().unwrap().disable_statement_logging().connect().await.unwrap()
}

/// Runs SQL of a test's own making.
pub(crate) async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
}
