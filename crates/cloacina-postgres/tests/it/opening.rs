//! Opening schemas: what is created, what is refused, and what is left alone.

use cloacina_core::backend::NewWorker;
use cloacina_core::{Backend as _, BackendError, ExecutorError, WorkerId};
use cloacina_postgres::{PostgresBackend, PostgresOptions, UnifiedExecutor};
use cloacina_testing::postgres::{Server, schema_name, server};
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use crate::support::{open, options, raw, raw_to, run};

/// Opens what must be refused, and returns what the error says.
async fn refused(options: PostgresOptions) -> String {
    match PostgresBackend::open(options).await {
        Err(error @ BackendError::Refused { .. }) => error.to_string(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

async fn number(connection: &mut PgConnection, sql: &str) -> i64 {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_one(connection).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_processes_may_open_a_new_schema_at_once() {
    let schema = schema_name();
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let schema = schema.clone();
        opening.spawn(async move { open(&schema).await });
    }
    while let Some(backend) = opening.join_next().await {
        let backend = backend.unwrap();
        let worker =
            NewWorker { id: WorkerId::new(), lease_ttl: std::time::Duration::from_secs(60) };
        backend.register_worker(&worker).await.unwrap();
        backend.close().await;
    }
    let sql = format!("SELECT count(*) FROM {schema}.cloacina_migrations");
    assert_eq!(number(&mut raw().await, &sql).await, 3);
}

#[tokio::test]
async fn a_name_that_is_a_word_of_sql_is_quoted_everywhere() {
    let server = Server::start().unwrap();
    let executor = UnifiedExecutor::with_schema(server.url(), "order").await.unwrap();
    assert!(executor.list_executions().await.unwrap().is_empty());
    executor.shutdown().await.unwrap();
    let single = UnifiedExecutor::new(server.url()).await.unwrap();
    single.shutdown().await.unwrap();
    let mut connection = raw_to(server.url()).await;
    let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(number(&mut connection, sql).await, 7);
    let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'order'";
    assert_eq!(number(&mut connection, sql).await, 7);
}

#[tokio::test]
async fn names_that_are_no_tenants_are_refused_before_anything_is_asked() {
    for name in ["public", "pg_catalog", "information_schema", "Acme", "a\"b", "", "a.b"] {
        // Nobody listens there.
        let url = "postgresql://nobody:secret@127.0.0.1:1/none";
        match UnifiedExecutor::with_schema(url, name).await {
            Err(ExecutorError::Backend(error)) => {
                assert!(matches!(*error, BackendError::Config { .. }), "{error:?}");
            }
            other => panic!("{name:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_schema_with_tables_of_others_is_left_alone() {
    let schema = schema_name();
    let mut connection = raw().await;
    run(&mut connection, &format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.theirs (x int)"))
        .await;
    let text = refused(options(&schema)).await;
    assert!(text.contains(&schema) && text.contains("`theirs`"), "{text}");
    let sql = format!("SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'");
    assert_eq!(number(&mut connection, &sql).await, 1);
}

#[tokio::test]
async fn a_ledger_that_is_newer_or_has_holes_is_left_alone() {
    let schema = schema_name();
    open(&schema).await.close().await;
    let mut connection = raw().await;
    let ledger = format!("{schema}.cloacina_migrations");
    run(&mut connection, &format!("INSERT INTO {ledger} (version) VALUES (7)")).await;
    let text = refused(options(&schema)).await;
    assert!(text.contains("version 7") && text.contains("up to 3"), "{text}");
    run(&mut connection, &format!("DELETE FROM {ledger} WHERE version IN (1, 7)")).await;
    let text = refused(options(&schema)).await;
    assert!(text.contains("some are missing"), "{text}");
    run(&mut connection, &format!("DELETE FROM {ledger}")).await;
    let text = refused(options(&schema)).await;
    assert!(text.contains("says version 0") && text.contains("already exists"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_at_once() {
    let options = PostgresOptions::from_url("postgresql://app:hunter2@127.0.0.1:1/app").unwrap();
    match PostgresBackend::open(options).await {
        Err(error @ BackendError::Unavailable { .. }) => {
            let text = error.to_string();
            assert!(text.contains("127.0.0.1:1") && text.contains("refused"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_schema_of_the_first_version_is_brought_up_to_date() {
    let schema = schema_name();
    let mut connection = raw().await;
    let first = include_str!("../../migrations/0001_initial.sql").replace("{schema}", &schema);
    run(
        &mut connection,
        &format!(
            "CREATE SCHEMA {schema}; \
         CREATE TABLE {schema}.cloacina_migrations (\
             version integer NOT NULL PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now()); \
         INSERT INTO {schema}.cloacina_migrations (version) VALUES (1); {first}"
        ),
    )
    .await;
    open(&schema).await.close().await;
    let sql = format!("SELECT max(version)::bigint FROM {schema}.cloacina_migrations");
    assert_eq!(number(&mut connection, &sql).await, 3);
}

/// Makes a role that may log in and nothing else, and returns the address under which it does.
async fn role(connection: &mut PgConnection, name: &str) -> String {
    run(connection, &format!("CREATE ROLE {name} LOGIN PASSWORD 'secret'")).await;
    let place = server().url().rsplit('@').next().unwrap();
    format!("postgresql://{name}:secret@{place}")
}

#[tokio::test]
async fn a_role_that_may_create_no_schemas_opens_its_own() {
    let schema = schema_name();
    let mut connection = raw().await;
    let url = role(&mut connection, &schema).await;
    let options = || PostgresOptions::from_url(&url).unwrap().schema(&schema).unwrap();
    let text = refused(options()).await;
    assert!(text.contains("permission denied") && !text.contains("secret"), "{text}");
    run(&mut connection, &format!("CREATE SCHEMA {schema} AUTHORIZATION {schema}")).await;
    PostgresBackend::open(options()).await.unwrap().close().await;
}

#[tokio::test]
async fn no_error_and_no_debug_text_shows_the_password() {
    // One of its own: it asks for passwords, whatever the server of the other tests does.
    let server = Server::start().unwrap();
    let place = server.url().rsplit('@').next().unwrap();
    let options = |url: &str| PostgresOptions::from_url(url);
    let wrong = options(&format!("postgresql://postgres:hunter2@{place}")).unwrap();
    let mut texts = vec![format!("{wrong:?}")];
    let error = PostgresBackend::open(wrong).await.unwrap_err();
    assert!(matches!(error, BackendError::Refused { .. }), "{error:?}");
    texts.push(format!("{error} {error:?}"));
    let own = PostgresOptions::from_url(server.url()).unwrap().schema("acme").unwrap();
    let backend = PostgresBackend::open(own).await.unwrap();
    let secret = server.url().split(':').nth(2).unwrap().split('@').next().unwrap().to_owned();
    assert!(!format!("{backend:?}").contains(&secret));
    assert_eq!(format!("{backend:?}"), "PostgresBackend { schema: \"acme\", .. }");
    backend.close().await;
    for url in
        ["postgresql://u:hunter2@[", "postgresql://u:hunter2@host:99999/x", "mysql://u:hunter2@h/x"]
    {
        let error = options(url).unwrap_err();
        texts.push(format!("{error} {error:?}"));
    }
    for text in texts {
        assert!(!text.contains("hunter2"), "{text}");
    }
}
