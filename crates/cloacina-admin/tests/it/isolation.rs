//! One process serves several tenants, one of which is hostile, or its schema a stranger's: the others and the admin notice nothing.

use std::time::Duration;

use cloacina_admin::{AdminError, DatabaseAdmin, Removal, TenantCredentials};
use cloacina_core::{PipelineStatus, TenantId, TenantStore as _};
use cloacina_postgres::{PostgresTenants, TenantManager};
use sqlx::postgres::PgConnection;
use tokio::time::{Instant, sleep};

use crate::runtime;
use crate::support::{Place, connect, input, number, run};

/// A process that serves two tenants, of which `b` is hostile.
struct Scene {
    place: Place,
    url: String,
    admin: DatabaseAdmin,
    a: TenantCredentials,
    b: TenantCredentials,
}

impl Scene {
    async fn new() -> Self {
        let (place, url) = runtime::place().await;
        let admin = place.admin().runtime_role(place.runtime_role());
        let a = admin.create_tenant(place.config("a")).await.unwrap();
        let b = admin.create_tenant(place.config("b")).await.unwrap();
        Self { place, url, admin, a, b }
    }

    fn manager(&self) -> TenantManager {
        TenantManager::builder(PostgresTenants::new(&self.url)).build().unwrap()
    }

    async fn remove_b(&self) -> Result<Removal, AdminError> {
        self.admin.remove_tenant(&self.b.schema_name, &self.b.username).await
    }
}

/// Runs a workflow of a tenant to its end.
async fn work(manager: &TenantManager, tenant: &TenantCredentials) {
    let run = manager.execute_for_tenant(&tenant.schema_name, "arithmetic", input(21)).await;
    assert_eq!(run.unwrap().status, PipelineStatus::Completed);
}

/// Locks tables as their tenant, until the session ends.
async fn lock(of: &TenantCredentials, tables: &str) -> PgConnection {
    let mut session = connect(&of.connection_string).await;
    run(&mut session, "SET idle_in_transaction_session_timeout = 0; BEGIN").await;
    run(&mut session, &format!("SET LOCAL search_path = {}; LOCK {tables}", of.schema_name)).await;
    session
}

/// Looks again and again until a count is reached.
async fn until(connection: &mut PgConnection, sql: &str, wanted: i64) {
    let began = Instant::now();
    while number(connection, sql).await != wanted {
        assert!(began.elapsed() < Duration::from_secs(30), "{sql} never gave {wanted}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_a_stranger_is_neither_listed_nor_worked_on() {
    let scene = Scene::new().await;
    let mut superuser = scene.place.superuser().await;
    let evil = format!("{}_evil", scene.place.name);
    let make = format!(
        "CREATE ROLE {evil} LOGIN PASSWORD 'evil'; GRANT CONNECT, CREATE ON DATABASE {} TO {evil}",
        scene.place.database
    );
    run(&mut superuser, &make).await;
    let login = format!("{}:runtime", scene.place.runtime_role());
    let theirs = PostgresTenants::new(&scene.url.replace(&login, &format!("{evil}:evil")));
    let name = TenantId::new("evil").unwrap();
    theirs.create(&name).await.unwrap();
    theirs.close().await;
    let mut stranger = connect(&scene.url.replace(&login, &format!("{evil}:evil"))).await;
    for grantee in ["PUBLIC", scene.a.username.as_str()] {
        let grant = format!(
            "GRANT USAGE ON SCHEMA evil TO {grantee}; GRANT ALL ON ALL TABLES IN SCHEMA evil TO {grantee}"
        );
        run(&mut stranger, &grant).await;
        let store = PostgresTenants::new(&scene.url);
        assert_eq!(store.list().await.unwrap().len(), 2, "the admin's tenants, and no other");
        assert!(store.open(&name).await.is_err(), "it was opened, granted to {grantee}");
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tenant_plants_in_public_is_never_run_by_the_admin() {
    let scene = Scene::new().await;
    let mut superuser = scene.place.superuser().await;
    // A cluster that was upgraded, or a DBA who left `public` open.
    run(&mut superuser, "GRANT USAGE, CREATE ON SCHEMA public TO PUBLIC").await;
    let mut session = connect(&scene.b.connection_string).await;
    let name = &scene.place.name;
    let plant = format!(
        "CREATE FUNCTION public.pg_terminate_backend(integer, integer) RETURNS boolean LANGUAGE plpgsql AS \
         $f$ BEGIN EXECUTE 'CREATE ROLE {name}_stolen'; RETURN true; END $f$"
    );
    run(&mut session, &plant).await;
    // A session that is to be ended is all that it takes.
    assert_eq!(scene.remove_b().await.unwrap(), Removal::Removed);
    let stolen = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{name}_stolen'");
    assert_eq!(number(&mut superuser, &stolen).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_drops_nothing_that_others_made() {
    let scene = Scene::new().await;
    let mut superuser = scene.place.superuser().await;
    let schema = &scene.b.schema_name;
    let kept = [
        (format!("CREATE TABLE {schema}.notes ()"), format!("DROP TABLE {schema}.notes")),
        (
            format!("CREATE VIEW public.all_work AS SELECT id FROM {schema}.executions"),
            "DROP VIEW public.all_work".to_owned(),
        ),
    ];
    for (make, unmake) in kept {
        run(&mut superuser, &make).await;
        let error = scene.remove_b().await.unwrap_err();
        assert!(matches!(error, AdminError::NotOurs { .. }), "{error:?}");
        run(&mut superuser, &unmake).await;
    }
    assert_eq!(scene.remove_b().await.unwrap(), Removal::Removed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_cannot_hold_up_its_removal() {
    let scene = Scene::new().await;
    let mut session = connect(&scene.b.connection_string).await;
    let hold = format!(
        "SET idle_in_transaction_session_timeout = 0; SELECT lo_create(0) FROM generate_series(1, 3000); \
         BEGIN; ALTER ROLE {} SET work_mem = '1MB'",
        scene.b.username
    );
    run(&mut session, &hold).await;
    scene.admin.rotate_password(&scene.b.schema_name, &scene.b.username).await.unwrap();
    let mut session = connect(&scene.url).await;
    run(&mut session, &format!("BEGIN; SET LOCAL ROLE {}", scene.b.username)).await;
    assert_eq!(scene.remove_b().await.unwrap(), Removal::Removed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_locks_its_tables_hides_nobody_elses_work() {
    let scene = Scene::new().await;
    let mut superuser = scene.place.superuser().await;
    let manager = scene.manager();
    work(&manager, &scene.a).await;
    manager.shutdown().await.unwrap();
    let insert = format!(
        "INSERT INTO {}.executions (id, workflow, version, status, epoch, created_at, input) \
         VALUES (gen_random_uuid(), 'w', 'v', 'pending', 0, now(), '{{}}')",
        scene.a.schema_name
    );
    run(&mut superuser, &insert).await;
    let _held = lock(&scene.b, "executions, workers").await;
    let store = PostgresTenants::new(&scene.url);
    let found = store.work(None).await.unwrap();
    let a = TenantId::new(scene.a.schema_name.as_str()).unwrap();
    let a = found.iter().find(|work| work.tenant == a).expect("the work of a");
    assert_eq!((a.owned, a.next_due), (false, Some(Duration::ZERO)));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_for_news_comes_back_whatever_a_tenant_has_locked() {
    let scene = Scene::new().await;
    let mut superuser = scene.place.superuser().await;
    let manager = scene.manager();
    let _a = manager.get_executor(&scene.a.schema_name).await.unwrap();
    let _b = manager.get_executor(&scene.b.schema_name).await.unwrap();
    let held = format!(
        "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) \
         WHERE l.locktype = 'advisory' AND a.usename = '{}'",
        scene.place.runtime_role()
    );
    until(&mut superuser, &held, 2).await;
    let _held = lock(&scene.b, "workers").await;
    let cut = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND pid IN \
         (SELECT pid FROM pg_stat_activity WHERE usename = '{}')",
        scene.place.runtime_role()
    );
    number(&mut superuser, &cut).await;
    until(&mut superuser, &held, 2).await;
    let proved = format!("SELECT count(lock_key) FROM {}.workers", scene.a.schema_name);
    until(&mut superuser, &proved, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_of_a_removed_tenant_does_not_work_on_one_that_was_made_anew() {
    let scene = Scene::new().await;
    let manager = scene.manager();
    work(&manager, &scene.b).await;
    let old = manager.get_executor(&scene.b.schema_name).await.unwrap();
    scene.remove_b().await.unwrap();
    let b = scene.admin.create_tenant(scene.place.config("b")).await.unwrap();
    assert!(old.execute_async("arithmetic", input(21)).await.is_err());
    let mut superuser = scene.place.superuser().await;
    for table in ["executions", "workers"] {
        let count = format!("SELECT count(*) FROM {}.{table}", b.schema_name);
        assert_eq!(number(&mut superuser, &count).await, 0, "{table} of the new tenant");
    }
}
