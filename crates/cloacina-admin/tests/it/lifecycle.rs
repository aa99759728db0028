//! From creation to removal, by an admin that has the least rights.

use std::time::Duration;

use cloacina_admin::{AdminError, Database, DatabaseAdmin, Removal, RoleSettings, TenantState};
use cloacina_postgres::UnifiedExecutor;
use cloacina_testing::postgres::server;

use crate::support::{Block, Place, connect, login_refusal, number, open, run, text, work};

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_with_the_least_rights_creates_lists_rotates_migrates_and_removes() {
    let place = Place::prepared(server()).await;
    let admin = place.admin();
    let tenant = place.tenant("a").await;
    assert_eq!(tenant.password.len(), 32);
    let executor = open(&tenant).await;
    work(&executor).await;

    let listed = admin.list_tenants().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].schema_name, tenant.schema_name);
    assert_eq!(listed[0].username, tenant.username);
    assert_eq!(listed[0].state, TenantState::Active);

    let rotated = admin.rotate_password(&tenant.schema_name, &tenant.username).await.unwrap();
    assert_ne!(rotated.password, tenant.password);
    assert!(admin.list_tenants().await.unwrap()[0].password_set_at > listed[0].password_set_at);
    let migrated = admin.migrate_tenants().await.unwrap();
    assert_eq!(migrated.len(), 1);
    migrated[0].outcome.as_ref().unwrap();
    executor.shutdown().await.unwrap();

    for expected in [Removal::Removed, Removal::Absent, Removal::Absent] {
        let removal = admin.remove_tenant(&tenant.schema_name, &tenant.username).await.unwrap();
        assert_eq!(removal, expected);
    }
    assert!(admin.list_tenants().await.unwrap().is_empty());
    let mut connection = place.superuser().await;
    let left = format!(
        "SELECT (SELECT count(*) FROM pg_roles WHERE rolname = '{}') + \
         (SELECT count(*) FROM pg_namespace WHERE nspname = '{}')",
        tenant.username, tenant.schema_name
    );
    assert_eq!(number(&mut connection, &left).await, 0);
    // The names are free again.
    place.tenant("a").await;
}

#[tokio::test]
async fn a_database_without_tenants_has_none_to_list_rotate_or_remove() {
    let place = Place::prepared(server()).await;
    let admin = place.admin();
    assert!(admin.list_tenants().await.unwrap().is_empty());
    assert!(admin.migrate_tenants().await.unwrap().is_empty());
    assert_eq!(admin.remove_tenant("none", "nobody").await.unwrap(), Removal::Absent);
    let error = admin.rotate_password("none", "nobody").await.unwrap_err();
    assert!(matches!(error, AdminError::UnknownTenant { .. }), "{error:?}");
    place.tenant("a").await;
    let error = admin.rotate_password("none", "nobody").await.unwrap_err();
    assert_eq!(error.to_string(), "no tenant has schema `none` and role `nobody`");
    assert_eq!(admin.remove_tenant("none", "nobody").await.unwrap(), Removal::Absent);
}

#[tokio::test]
async fn a_tenant_that_exists_keeps_its_password_unless_the_same_is_asked_for() {
    let place = Place::prepared(server()).await;
    let admin = place.admin();
    let first = admin.create_tenant(place.config_with("a", "first: Ünïcode%/")).await.unwrap();
    let again = admin.create_tenant(place.config_with("a", "first: Ünïcode%/")).await.unwrap();
    assert_eq!(first.connection_string, again.connection_string);
    for password in ["", "second"] {
        let error = admin.create_tenant(place.config_with("a", password)).await.unwrap_err();
        assert!(matches!(error, AdminError::TenantExists { .. }), "{error:?}");
        assert!(error.to_string().contains("rotate_password"), "{error}");
        assert!(!error.is_transient());
    }
    connect(&first.connection_string).await;
    let chosen = admin.set_password(&first.schema_name, &first.username, "second").await.unwrap();
    connect(&chosen.connection_string).await;
    assert_eq!(login_refusal(&first.connection_string).await, "28P01");
}

#[tokio::test]
async fn two_tenants_share_neither_schema_nor_role() {
    let place = Place::prepared(server()).await;
    let admin = place.admin();
    let tenant = place.tenant("a").await;
    let mut other_role = place.config("b");
    other_role.schema_name.clone_from(&tenant.schema_name);
    let mut other_schema = place.config("b");
    other_schema.username.clone_from(&tenant.username);
    for config in [other_role, other_schema] {
        let (schema, role) = (config.schema_name.clone(), config.username.clone());
        let created = admin.create_tenant(config).await.unwrap_err();
        let removed = admin.remove_tenant(&schema, &role).await.unwrap_err();
        let rotated = admin.rotate_password(&schema, &role).await.unwrap_err();
        for error in [created, removed, rotated] {
            assert!(matches!(error, AdminError::NotOurs { .. }), "{error:?}");
        }
    }
    work(&open(&tenant).await).await;
}

#[tokio::test]
async fn what_others_have_made_is_neither_adopted_nor_dropped() {
    let place = Place::prepared(server()).await;
    let admin = place.admin();
    let config = place.config("a");
    let (schema, role) = (config.schema_name.clone(), config.username.clone());
    let mut connection = place.superuser().await;
    let mut own = place.session().await;
    // The admin's own, and yet nothing of Cloacina's.
    run(&mut own, &format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.theirs (x int)")).await;
    let created = admin.create_tenant(config.clone()).await.unwrap_err();
    let removed = admin.remove_tenant(&schema, &role).await.unwrap_err();
    for error in [created, removed] {
        assert!(matches!(error, AdminError::NotOurs { .. }), "{error:?}");
        assert!(error.to_string().contains(&schema), "{error}");
    }
    assert_eq!(number(&mut own, &format!("SELECT count(*) FROM {schema}.theirs")).await, 0);
    run(&mut own, &format!("DROP SCHEMA {schema} CASCADE")).await;
    // A role that is nobody's tenant, also if somebody puts it into the group.
    run(&mut connection, &format!("CREATE ROLE {role} LOGIN PASSWORD 'theirs'")).await;
    for statement in ["SELECT 1".to_owned(), format!("GRANT {} TO {role}", place.group)] {
        run(&mut connection, &statement).await;
        let error = admin.create_tenant(config.clone()).await.unwrap_err();
        assert!(matches!(error, AdminError::NotOurs { .. }), "{error:?}");
        assert!(error.to_string().contains(&role), "{error}");
        assert_eq!(admin.remove_tenant(&schema, &role).await.unwrap(), Removal::Absent);
    }
    for username in [&place.group, &place.admin_role, "postgres"] {
        let mut config = config.clone();
        config.username = username.to_owned();
        let error = admin.create_tenant(config).await.unwrap_err();
        assert!(matches!(error, AdminError::NotOurs { .. }), "{error:?}");
    }
    let stored = format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'");
    assert!(text(&mut connection, &stored).await.starts_with("SCRAM"));
    assert!(admin.list_tenants().await.unwrap().is_empty());
    let sql = format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'");
    assert_eq!(number(&mut connection, &sql).await, 0);
}

#[tokio::test]
async fn a_role_that_lost_its_group_is_no_tenants_any_more() {
    let place = Place::prepared(server()).await;
    let (admin, tenant) = (place.admin(), place.tenant("a").await);
    let (schema, role) = (&tenant.schema_name, &tenant.username);
    run(&mut place.session().await, &format!("REVOKE {} FROM {role}", place.group)).await;
    let created = admin.create_tenant(place.config("a")).await.unwrap_err();
    let rotated = admin.rotate_password(schema, role).await.unwrap_err();
    let removed = admin.remove_tenant(schema, role).await.unwrap_err();
    let migrated = admin.migrate_tenants().await.unwrap().remove(0).outcome.unwrap_err();
    for error in [created, rotated, removed, migrated] {
        assert!(matches!(error, AdminError::NotOurs { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_tenant_that_lost_its_role_is_made_whole_and_keeps_its_data() {
    let place = Place::prepared(server()).await;
    let (admin, tenant) = (place.admin(), place.tenant("a").await);
    let executor = open(&tenant).await;
    work(&executor).await;
    executor.shutdown().await.unwrap();
    let role = &tenant.username;
    let sql = format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}");
    run(&mut place.superuser().await, &sql).await;
    let rotated = admin.rotate_password(&tenant.schema_name, role).await.unwrap_err();
    assert!(rotated.to_string().contains("`create_tenant` makes it anew"), "{rotated}");
    let whole = admin.create_tenant(place.config("a")).await.unwrap();
    let executor = open(&whole).await;
    assert_eq!(executor.list_executions().await.unwrap().len(), 1);
    work(&executor).await;
}

#[tokio::test]
async fn a_schema_that_the_admin_used_itself_becomes_a_tenants_with_its_data() {
    let place = Place::prepared(server()).await;
    let url = place.url().replace("/ignored", &format!("/{}", place.database));
    let shared = UnifiedExecutor::with_schema(&url, "tenant_a").await.unwrap();
    work(&shared).await;
    shared.shutdown().await.unwrap();
    let executor = open(&place.tenant("a").await).await;
    assert_eq!(executor.list_executions().await.unwrap().len(), 1);
    work(&executor).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_leaves_open_sessions_alone_and_refuses_new_ones() {
    let place = Place::prepared(server()).await;
    let (admin, tenant) = (place.admin(), place.tenant("a").await);
    let mut session = connect(&tenant.connection_string).await;
    let rotated = admin.rotate_password(&tenant.schema_name, &tenant.username).await.unwrap();
    let count = format!("SELECT count(*) FROM {}.executions", tenant.schema_name);
    assert_eq!(number(&mut session, &count).await, 0);
    assert_eq!(login_refusal(&tenant.connection_string).await, "28P01");
    work(&open(&rotated).await).await;
}

#[tokio::test]
async fn settings_of_roles_are_what_was_chosen() {
    let place = Place::prepared(server()).await;
    let settings = RoleSettings::default()
        .connection_limit(3)
        .statement_timeout(Duration::from_secs(7))
        .idle_in_transaction_timeout(Duration::from_secs(8));
    let admin = place.admin().role_settings(settings);
    let tenant = admin.create_tenant(place.config("a")).await.unwrap();
    let mut sessions = vec![connect(&tenant.connection_string).await];
    for (setting, value) in [
        ("statement_timeout", "7s".to_owned()),
        ("idle_in_transaction_session_timeout", "8s".to_owned()),
        ("synchronous_commit", "on".to_owned()),
        ("search_path", format!("{}, pg_temp", tenant.schema_name)),
    ] {
        assert_eq!(text(&mut sessions[0], &format!("SHOW {setting}")).await, value);
    }
    for _ in 0..2 {
        sessions.push(connect(&tenant.connection_string).await);
    }
    assert_eq!(login_refusal(&tenant.connection_string).await, "53300");
}

#[tokio::test]
async fn a_database_of_any_name_is_found_by_its_credentials() {
    let place = Place::prepared(server()).await;
    let name = format!("{} /#%41\"", place.name);
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    let (role, group) = (&place.admin_role, &place.group);
    let mut connection = place.superuser().await;
    run(&mut connection, &format!("CREATE DATABASE {quoted}")).await;
    run(&mut connection, &format!("GRANT CREATE ON DATABASE {quoted} TO {role}")).await;
    let url = format!("{}?sslmode=disable&application_name=kept", place.url());
    let admin = DatabaseAdmin::new(Database::new(&url, &name, 1)).group_role(group);
    let tenant = admin.create_tenant(place.config("a")).await.unwrap();
    let mut session = connect(&tenant.connection_string).await;
    assert_eq!(text(&mut session, "SELECT current_database()::text").await, name);
    assert_eq!(text(&mut session, "SHOW application_name").await, "kept");
    assert!(tenant.connection_string.contains("?sslmode=disable&"));
    work(&open(&tenant).await).await;
}

#[tokio::test]
async fn no_debug_text_and_no_error_shows_a_password() {
    let place = Place::prepared(server()).await;
    let admin = place.admin();
    let config = place.config_with("a", "hunter2");
    let tenant = admin.create_tenant(config.clone()).await.unwrap();
    let wrong = place.url().replace("the%20admin", "hunter2");
    let wrong = DatabaseAdmin::new(Database::new(&wrong, &place.database, 1));
    let refused = wrong.list_tenants().await.unwrap_err();
    assert!(matches!(refused, AdminError::Refused { .. }), "{refused:?}");
    let malformed = DatabaseAdmin::new(Database::new("postgresql://a:hunter2@[", "x", 1));
    let config_error = malformed.list_tenants().await.unwrap_err();
    assert!(matches!(config_error, AdminError::Config { .. }), "{config_error:?}");
    let exists = admin.create_tenant(place.config("a")).await.unwrap_err();
    for text in [
        format!("{config:?} {tenant:?} {admin:?} {malformed:?} {wrong:?}"),
        format!("{refused} {refused:?} {config_error} {config_error:?} {exists} {exists:?}"),
    ] {
        assert!(!text.contains("hunter2") && !text.contains("100%"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_one_login_becomes_a_tenant_with_a_role_and_keeps_what_it_holds() {
    let place = Place::prepared(server()).await;
    let before = UnifiedExecutor::with_schema(&place.superuser_url(), "tenant_a").await.unwrap();
    work(&before).await;
    before.shutdown().await.unwrap();
    let refused = place.admin().create_tenant(place.config("a")).await.unwrap_err();
    assert!(matches!(refused, AdminError::NotOurs { .. }), "{refused:?}");
    place.dba(Block::Adoption).await;
    let executor = open(&place.tenant("a").await).await;
    assert_eq!(executor.list_executions().await.unwrap().len(), 1, "what it held before");
    work(&executor).await;
    executor.shutdown().await.unwrap();
}
