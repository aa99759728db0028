//! The tenants of a database: what every such store promises, and what is special to schemas.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cloacina_core::{
    Backend as _, Context, PipelineStatus, Removal, Task, TaskError, TenantError, TenantId,
    TenantStore as _, Workflow,
};
use cloacina_postgres::{
    PostgresBackend, PostgresOptions, PostgresTenants, TenantManager, UnifiedExecutor,
};
use cloacina_testing::postgres::{schema_name, server};
use cloacina_testing::tenant_conformance::TenantHarness;
use futures_util::future::join_all;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::support::{raw, raw_to, run};

/// A database of its own.
pub(crate) struct DatabaseHarness {
    database: String,
}

impl DatabaseHarness {
    fn url(&self) -> String {
        let (place, _) = server().url().rsplit_once('/').unwrap();
        format!("{place}/{}", self.database)
    }
}

#[async_trait]
impl TenantHarness for DatabaseHarness {
    type Store = PostgresTenants;

    async fn start() -> Self {
        let database = schema_name();
        run(&mut raw().await, &format!("CREATE DATABASE {database}")).await;
        Self { database }
    }

    async fn store(&self) -> PostgresTenants {
        let options = PostgresOptions::from_url(&self.url()).unwrap().pool_size(5);
        let store = PostgresTenants::with_options(options);
        // It connects, and hears, from its first call on.
        store.list().await.unwrap();
        store
    }

    async fn finish(self) {
        run(&mut raw().await, &format!("DROP DATABASE {} WITH (FORCE)", self.database)).await;
    }
}

cloacina_testing::tenant_conformance_suite!(DatabaseHarness);

/// The address of the server with another user and password.
fn url_of(database: &str, user: &str, password: &str) -> String {
    let (_, place) = server().url().split_once('@').unwrap();
    let (host, _) = place.split_once('/').unwrap();
    format!("postgresql://{user}:{password}@{host}/{database}")
}

async fn number(connection: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await.unwrap()
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_of_others_are_neither_listed_nor_opened_nor_dropped() {
    let harness = DatabaseHarness::start().await;
    let mut connection = raw_to(&harness.url()).await;
    run(&mut connection, "CREATE SCHEMA theirs; CREATE TABLE theirs.executions (id int)").await;
    run(&mut connection, "CREATE SCHEMA \"Upper\"; CREATE TABLE \"Upper\".cloacina_migrations ()")
        .await;
    let store = harness.store().await;
    assert_eq!(store.list().await.unwrap(), []);
    let theirs = tenant("theirs");
    assert!(!store.exists(&theirs).await.unwrap());
    let error = store.open(&theirs).await.unwrap_err();
    assert!(matches!(error, TenantError::UnknownTenant(_)), "{error:?}");
    for error in
        [store.create(&theirs).await.unwrap_err(), store.remove(&theirs).await.unwrap_err()]
    {
        let error = error.to_string();
        assert!(error.contains("schema `theirs`") && error.contains("left untouched"), "{error}");
    }
    run(&mut connection, "SELECT id FROM theirs.executions").await;
    store.close().await;
    connection.close().await.unwrap();
    harness.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_in_which_others_keep_something_is_not_dropped() {
    let harness = DatabaseHarness::start().await;
    let store = harness.store().await;
    let acme = tenant("acme");
    store.create(&acme).await.unwrap();
    let mut connection = raw_to(&harness.url()).await;
    for (make, name, unmake) in [
        ("CREATE TABLE acme.invoices ()", "invoices", "DROP TABLE acme.invoices"),
        ("CREATE FUNCTION acme.f() RETURNS int RETURN 1", "f", "DROP FUNCTION acme.f()"),
    ] {
        run(&mut connection, make).await;
        let error = store.remove(&acme).await.unwrap_err().to_string();
        assert!(error.contains("schema `acme`") && error.contains(name), "{error}");
        run(&mut connection, unmake).await;
    }
    assert_eq!(store.remove(&acme).await.unwrap(), Removal::Removed);
    store.close().await;
    connection.close().await.unwrap();
    harness.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tenants_together_use_no_more_connections_than_the_pool_may_have() {
    let harness = DatabaseHarness::start().await;
    let names: Vec<_> = (0..20).map(|number| format!("t{number}")).collect();
    let manager = TenantManager::builder(harness.store().await)
        .executor(UnifiedExecutor::builder().workflows([many_tasks()]))
        .build()
        .unwrap();
    let mut connection = raw_to(&harness.url()).await;
    let watched = AtomicI64::new(0);
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = '{}' AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
        harness.database
    );
    for created in join_all(names.iter().map(|name| manager.create_tenant(name))).await {
        created.unwrap();
    }
    // A connection that made a tenant is closed, and the server takes a moment to see that.
    while number(&mut connection, &sql).await > 5 {}
    let work = join_all(names.iter().map(|name| async {
        for _ in 0..5 {
            let result = manager.execute_for_tenant(name, "many", Context::new()).await.unwrap();
            assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
        }
    }));
    let watch = async {
        loop {
            watched.fetch_max(number(&mut connection, &sql).await, Ordering::Relaxed);
        }
    };
    tokio::select! {
        _ = work => {}
        () = watch => {}
    }
    let most = watched.into_inner();
    assert!((3..=5).contains(&most), "{most} connections, with a pool of 5");
    manager.shutdown().await.unwrap();
    connection.close().await.unwrap();
    harness.finish().await;
}

fn many_tasks() -> Workflow {
    let tasks = (0..5).map(|number| {
        Task::new(format!("t{number}"), |_, _| Box::pin(async { Ok::<_, TaskError>(()) }))
    });
    Workflow::builder("many").tasks(tasks).build().unwrap()
}

/// Roles as `cloacina-admin` makes them: the owner of the schemas, two tenants, and a login that may turn into either.
struct Roles {
    harness: DatabaseHarness,
    runtime: String,
    tenants: [String; 2],
}

impl Roles {
    async fn make() -> Self {
        let harness = DatabaseHarness::start().await;
        let name = &harness.database;
        let runtime = format!("{name}_runtime");
        let tenants = ["a", "b"].map(|tenant| format!("{name}_{tenant}"));
        let mut connection = raw_to(&harness.url()).await;
        run(&mut connection, &format!("CREATE ROLE {runtime} LOGIN NOINHERIT PASSWORD 'r'")).await;
        let owner = harness.store().await;
        for (role, schema) in tenants.iter().zip(["a", "b"]) {
            owner.create(&tenant(schema)).await.unwrap();
            let sql = format!(
                "CREATE ROLE {role} LOGIN PASSWORD 't'; GRANT {role} TO {runtime}; \
                 GRANT USAGE ON SCHEMA {schema} TO {role}; \
                 GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}; \
                 GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"
            );
            run(&mut connection, &sql).await;
        }
        owner.create(&tenant("not_for_it")).await.unwrap();
        owner.close().await;
        connection.close().await.unwrap();
        Self { harness, runtime, tenants }
    }

    async fn finish(self) {
        let Self { harness, runtime, tenants } = self;
        harness.finish().await;
        let [a, b] = tenants;
        run(&mut raw().await, &format!("DROP ROLE {a}, {b}, {runtime}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_transaction_runs_as_the_role_of_its_tenant() {
    let roles = Roles::make().await;
    let url = url_of(&roles.harness.database, &roles.runtime, "r");
    // As who runs a statement that writes, by the server's own word.
    let mut connection = raw_to(&roles.harness.url()).await;
    let audit = "
        CREATE TABLE public.seen (schema text, role text, login text);
        GRANT INSERT ON public.seen TO PUBLIC;
        CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                INSERT INTO public.seen VALUES (TG_TABLE_SCHEMA, current_user, session_user);
                RETURN NULL;
            END $$;
        CREATE TRIGGER note AFTER INSERT ON a.executions EXECUTE FUNCTION public.note();
        CREATE TRIGGER note AFTER INSERT ON b.executions EXECUTE FUNCTION public.note()";
    run(&mut connection, audit).await;
    let store = PostgresTenants::new(&url);
    let tenants: Vec<_> = ["a", "b"].map(tenant).into();
    assert_eq!(store.list().await.unwrap(), tenants, "those that it may serve");
    let manager = TenantManager::builder(store)
        .executor(UnifiedExecutor::builder().workflows([many_tasks()]))
        .build()
        .unwrap();
    join_all((0..40).map(|number| {
        let (manager, name) = (manager.clone(), if number % 2 == 0 { "a" } else { "b" });
        async move { manager.execute_for_tenant(name, "many", Context::new()).await.unwrap() }
    }))
    .await;
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT DISTINCT schema, role, login FROM public.seen ORDER BY 1")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let seen =
        |schema: &str, role: &str| (schema.to_owned(), role.to_owned(), roles.runtime.clone());
    assert_eq!(rows, [seen("a", &roles.tenants[0]), seen("b", &roles.tenants[1])]);
    let error = manager.get_executor("not_for_it").await.unwrap_err();
    assert!(matches!(error, TenantError::UnknownTenant(_)), "{error:?}");
    manager.shutdown().await.unwrap();
    let mut runtime = raw_to(&url).await;
    let denied = runtime.execute("SELECT id FROM a.executions").await.unwrap_err();
    assert!(denied.to_string().contains("permission denied for schema a"), "{denied}");
    runtime.close().await.unwrap();
    connection.close().await.unwrap();
    roles.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_credentials_are_asked_for_and_what_runs_goes_on() {
    let roles = Roles::make().await;
    let (database, role) = (roles.harness.database.clone(), roles.tenants[0].clone());
    let asked = Arc::new(AtomicI64::new(0));
    let (count, new) = (Arc::clone(&asked), url_of(&database, &role, "new"));
    let options = PostgresOptions::from_url(&url_of(&database, &role, "t")).unwrap();
    let options = options.schema("a").unwrap().pool_size(2).credentials(move || {
        count.fetch_add(1, Ordering::Relaxed);
        let new = new.clone();
        async move { Ok(new) }
    });
    let backend = PostgresBackend::open(options).await.unwrap();
    let executor = UnifiedExecutor::builder().workflows([many_tasks()]).build_on(backend).await;
    let executor = executor.unwrap();
    executor.execute("many", Context::new()).await.unwrap();
    let mut connection = raw_to(&roles.harness.url()).await;
    run(&mut connection, &format!("ALTER ROLE {role} PASSWORD 'new'")).await;
    executor.execute("many", Context::new()).await.unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 0, "open connections need no password");
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'";
    run(&mut connection, &end.replace("{role}", &role)).await;
    let result = executor.execute("many", Context::new()).await.unwrap();
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    assert!(asked.load(Ordering::Relaxed) > 0, "it was not asked");
    executor.shutdown().await.unwrap();
    connection.close().await.unwrap();
    roles.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_locks_its_own_tables_does_not_keep_the_connections_from_others() {
    let harness = DatabaseHarness::start().await;
    let options = PostgresOptions::from_url(&harness.url()).unwrap().pool_size(6);
    let manager = TenantManager::builder(PostgresTenants::with_options(options))
        .executor(UnifiedExecutor::builder().workflows([many_tasks()]).lease_ttl(LEASE))
        .build()
        .unwrap();
    for name in ["good", "hostile"] {
        manager.create_tenant(name).await.unwrap();
        manager.execute_for_tenant(name, "many", Context::new()).await.unwrap();
    }
    let mut lock = raw_to(&harness.url()).await;
    let tables = "BEGIN; LOCK hostile.executions, hostile.workers, hostile.tasks";
    // The tables are locked one after another, so what the executor does just then can turn it into a deadlock.
    while let Err(error) = lock.execute(tables).await {
        let code = error.as_database_error().and_then(|error| error.code());
        assert_eq!(code.as_deref(), Some("40P01"), "{error:?}");
        run(&mut lock, "ROLLBACK").await;
    }
    let hostile = manager.get_executor("hostile").await.unwrap();
    let waiting = join_all((0..50).map(|_| hostile.list_executions()));
    let good = async {
        let began = tokio::time::Instant::now();
        // Longer than a lease: a worker whose signs of life do not get through would be declared dead.
        while began.elapsed() < LEASE * 2 {
            let result = manager.execute_for_tenant("good", "many", Context::new()).await.unwrap();
            assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
        }
    };
    tokio::select! {
        () = good => {}
        _ = waiting => panic!("nobody kept the other tenant waiting"),
    }
    let fenced = manager.get_executor("good").await.unwrap().metrics().fenced;
    assert_eq!(fenced, 0, "executions that were taken from a living worker");
    run(&mut lock, "ROLLBACK").await;
    lock.close().await.unwrap();
    drop(hostile);
    manager.shutdown().await.unwrap();
    harness.finish().await;
}

/// Short, so that the test is.
const LEASE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_for_a_role_is_not_worked_on_as_its_owner() {
    let harness = DatabaseHarness::start().await;
    let name = &harness.database;
    let (owner, role, reader) =
        (format!("{name}_owner"), format!("{name}_role"), format!("{name}_reader"));
    let mut connection = raw_to(&harness.url()).await;
    let roles = format!(
        "CREATE ROLE {owner} LOGIN PASSWORD 'o'; GRANT CREATE ON DATABASE {name} TO {owner}; \
         CREATE ROLE {role}; CREATE ROLE {reader}"
    );
    run(&mut connection, &roles).await;
    let store = PostgresTenants::new(&url_of(name, &owner, "o"));
    let acme = tenant("acme");
    store.create(&acme).await.unwrap();
    // Who may only look is no tenant.
    let look = format!(
        "GRANT USAGE ON SCHEMA acme TO {reader}; GRANT SELECT ON ALL TABLES IN SCHEMA acme TO {reader}"
    );
    run(&mut connection, &look).await;
    store.open(&acme).await.unwrap().close().await;
    let write = format!(
        "GRANT USAGE ON SCHEMA acme TO {role}; GRANT INSERT ON ALL TABLES IN SCHEMA acme TO {role}"
    );
    run(&mut connection, &write).await;
    // Whoever may write, and is no role of the owner's making, is no tenant either.
    store.open(&acme).await.unwrap().close().await;
    let version = "SELECT current_setting('server_version_num')::bigint";
    if number(&mut connection, version).await >= 160_000 {
        let grant = format!("GRANT {role} TO {owner} WITH INHERIT TRUE, SET FALSE");
        run(&mut connection, &grant).await;
        let error = store.open(&acme).await.unwrap_err().to_string();
        assert!(error.contains(&format!("schema `acme` is for role `{role}`")), "{error}");
        run(&mut connection, &format!("REVOKE {role} FROM {owner}")).await;
    }
    run(&mut connection, &format!("GRANT {role} TO {owner}")).await;
    run(&mut connection, &format!("GRANT ALL ON ALL TABLES IN SCHEMA acme TO {role}")).await;
    store.open(&acme).await.unwrap().close().await;
    store.close().await;
    connection.close().await.unwrap();
    harness.finish().await;
    run(&mut raw().await, &format!("DROP ROLE {owner}, {role}, {reader}")).await;
}
