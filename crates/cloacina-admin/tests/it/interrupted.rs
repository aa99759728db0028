//! Operations that are cut off, and what the next call makes of it.

use std::time::Duration;

use cloacina_admin::{AdminError, FindingKind, Removal, TenantState};
use cloacina_testing::postgres::server;
use sqlx::postgres::PgConnection;

use crate::proxy::Proxy;
use crate::support::{Place, connect, login_refusal, number, open, run, work};

/// Waits until a session of the admin waits for a lock, and ends it if that is wanted.
async fn wait_for_admin(place: &Place, superuser: &mut PgConnection, action: &str) {
    let sql = format!(
        "SELECT count({action}) FROM pg_stat_activity \
         WHERE usename = '{}' AND wait_event_type = 'Lock'",
        place.admin_role
    );
    while number(superuser, &sql).await == 0 {
        tokio::task::yield_now().await;
    }
}

const END: &str = "CASE WHEN pg_terminate_backend(pid) THEN 1 END";

/// How many traces there are of a tenant.
async fn traces(place: &Place, superuser: &mut PgConnection) -> i64 {
    let config = place.config("a");
    let sql = format!(
        "SELECT (SELECT count(*) FROM pg_roles WHERE rolname = '{}') \
         + (SELECT count(*) FROM pg_namespace WHERE nspname = '{}') \
         + (SELECT count(*) FROM cloacina_admin.tenants)",
        config.username, config.schema_name
    );
    number(superuser, &sql).await
}

#[tokio::test]
async fn a_creation_that_is_cut_off_leaves_nothing_and_is_done_by_the_next_call() {
    let place = Place::prepared(server()).await;
    // The database is prepared by the first tenant.
    let first = place.tenant("b").await;
    place.admin().remove_tenant(&first.schema_name, &first.username).await.unwrap();
    let (mut holder, mut superuser) = (place.superuser().await, place.superuser().await);
    // Defaults of columns are written there, in the middle of the migrations.
    run(&mut holder, "BEGIN; LOCK TABLE pg_attrdef IN SHARE MODE").await;
    let admin = place.admin();
    let creating = admin.create_tenant(place.config("a"));
    let (created, ()) = tokio::join!(creating, wait_for_admin(&place, &mut superuser, END));
    let error = created.unwrap_err();
    assert!(matches!(error, AdminError::Migration { .. }), "{error:?}");
    assert!(error.is_transient());
    assert_eq!(traces(&place, &mut superuser).await, 0);
    run(&mut holder, "ROLLBACK").await;
    work(&open(&place.tenant("a").await).await).await;
}

#[tokio::test]
async fn a_creation_whose_future_is_dropped_goes_on() {
    let place = Place::prepared(server()).await;
    let admin = place.admin();
    let creating = admin.create_tenant(place.config_with("a", "chosen"));
    tokio::select! {
        biased;
        created = creating => panic!("{created:?}"),
        () = std::future::ready(()) => {}
    }
    while admin.list_tenants().await.unwrap().is_empty() {}
    // The same call again tells the credentials.
    let tenant = admin.create_tenant(place.config_with("a", "chosen")).await.unwrap();
    connect(&tenant.connection_string).await;
}

#[tokio::test]
async fn a_removal_that_is_cut_off_locks_the_tenant_out_and_goes_on_by_the_next_call() {
    let place = Place::prepared(server()).await;
    let (admin, tenant) = (place.admin(), place.tenant("a").await);
    let (schema, role) = (&tenant.schema_name, &tenant.username);
    let (mut holder, mut superuser) = (place.superuser().await, place.superuser().await);
    run(&mut holder, &format!("BEGIN; LOCK TABLE {schema}.executions IN ACCESS SHARE MODE")).await;
    let removing = admin.remove_tenant(schema, role);
    let (removed, ()) = tokio::join!(removing, wait_for_admin(&place, &mut superuser, END));
    let error = removed.unwrap_err();
    assert!(matches!(error, AdminError::Unavailable { .. }), "{error:?}");
    assert_eq!(admin.list_tenants().await.unwrap()[0].state, TenantState::Removing);
    assert_eq!(login_refusal(&tenant.connection_string).await, "28000");
    let created = admin.create_tenant(place.config("a")).await.unwrap_err();
    let rotated = admin.rotate_password(schema, role).await.unwrap_err();
    for error in [created, rotated] {
        assert!(matches!(error, AdminError::BeingRemoved { .. }), "{error:?}");
    }
    assert!(admin.migrate_tenants().await.unwrap().is_empty());
    let findings = admin.audit().await.unwrap();
    assert!(findings.iter().any(|finding| finding.kind == FindingKind::Incomplete));
    let hasty = admin.clone().removal_patience(Duration::from_millis(50));
    let error = hasty.remove_tenant(schema, role).await.unwrap_err();
    assert!(matches!(error, AdminError::Busy { .. }) && error.is_transient(), "{error:?}");
    run(&mut holder, "ROLLBACK").await;
    assert_eq!(admin.remove_tenant(schema, role).await.unwrap(), Removal::Removed);
    assert_eq!(traces(&place, &mut superuser).await, 0);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_looked_up() {
    let place = Place::prepared(server()).await;
    place.tenant("b").await;
    let mut proxy = Proxy::start(server().url()).await;
    let admin = place.admin_through(proxy.port());
    for _ in 0..3 {
        proxy.swallow_the_next_answer_to(b"COMMIT\0");
        let tenant = admin.create_tenant(place.config("a")).await.unwrap();
        proxy.has_swallowed().await;
        work(&open(&tenant).await).await;
        proxy.swallow_the_next_answer_to(b"COMMIT\0");
        let (schema, role) = (&tenant.schema_name, &tenant.username);
        let rotated = admin.rotate_password(schema, role).await.unwrap();
        proxy.has_swallowed().await;
        connect(&rotated.connection_string).await;
        proxy.swallow_the_next_answer_to(b"COMMIT\0");
        assert_eq!(admin.remove_tenant(schema, role).await.unwrap(), Removal::Removed);
        proxy.has_swallowed().await;
    }
}

#[tokio::test]
async fn a_role_with_something_in_another_database_is_told_about_and_removed_after_that() {
    let place = Place::prepared(server()).await;
    let (admin, tenant) = (place.admin(), place.tenant("a").await);
    let (schema, role) = (&tenant.schema_name, &tenant.username);
    let mut other = Place::bare(server()).await.superuser().await;
    run(&mut other, &format!("CREATE SCHEMA s AUTHORIZATION {role}")).await;
    let error = admin.remove_tenant(schema, role).await.unwrap_err();
    assert!(matches!(error, AdminError::Refused { .. }), "{error:?}");
    let statement = format!("DROP OWNED BY \"{role}\" CASCADE");
    assert!(error.to_string().contains(&statement), "{error}");
    run(&mut other, &statement).await;
    assert_eq!(admin.remove_tenant(schema, role).await.unwrap(), Removal::Removed);
}
