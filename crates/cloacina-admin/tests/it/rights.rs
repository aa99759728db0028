//! What the admin needs, and what it takes from `PUBLIC`.

use cloacina_admin::{AdminError, Removal};
use cloacina_testing::postgres::server;
use sqlx::postgres::PgConnection;

use crate::support::{Block, Place, number, open, refusal, run, work};

/// Grants of the least rights, without a group.
const LEAST: &str = "\
    CREATE ROLE {admin} LOGIN CREATEROLE NOCREATEDB; \
    GRANT CONNECT, CREATE ON DATABASE {database} TO {admin}";

/// What the error says is missing.
async fn missing(place: &Place) -> Vec<String> {
    let error = place.admin().create_tenant(place.config("a")).await.unwrap_err();
    let told = error.to_string();
    let AdminError::MissingRights { role, statements } = error else { panic!("{error:?}") };
    assert_eq!(role, place.admin_role);
    assert!(statements.iter().all(|statement| told.contains(statement)), "{told}");
    assert!(place.admin().list_tenants().await.unwrap().is_empty());
    statements
}

async fn works(place: &Place) {
    let tenant = place.tenant("a").await;
    let executor = open(&tenant).await;
    work(&executor).await;
    let removal = place.admin().remove_tenant(&tenant.schema_name, &tenant.username).await;
    assert_eq!(removal.unwrap(), Removal::Removed);
}

async fn privileges_of_public(connection: &mut PgConnection) -> i64 {
    let sql = "SELECT \
        (SELECT count(*) FROM pg_database AS d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a \
            WHERE d.datname = current_database() AND a.grantee = 0) \
        + (SELECT count(*) FROM pg_namespace AS n, aclexplode(n.nspacl) AS a \
            WHERE n.nspname = 'public' AND a.grantee = 0)";
    number(connection, sql).await
}

#[tokio::test]
async fn each_right_that_is_missing_is_named_by_the_statement_that_grants_it() {
    let place = Place::with(server(), "CREATE ROLE {admin} LOGIN").await;
    let (role, database) = (&place.admin_role, &place.database);
    let create_role = format!("ALTER ROLE \"{role}\" CREATEROLE");
    let create = format!("GRANT CREATE ON DATABASE \"{database}\" TO \"{role}\"");
    assert_eq!(missing(&place).await, [create_role.clone(), create.clone()]);
    let mut superuser = place.superuser().await;
    run(&mut superuser, &create_role).await;
    assert_eq!(missing(&place).await, [&*create]);
    run(&mut superuser, &create).await;
    works(&place).await;
}

#[tokio::test]
async fn what_the_error_says_is_enough_where_public_may_not_connect() {
    let place = Place::with(server(), LEAST).await;
    let mut superuser = place.superuser().await;
    let database = &place.database;
    run(&mut superuser, &format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC")).await;
    let statements = missing(&place).await;
    assert_eq!(statements[0], format!("CREATE ROLE \"{}\" NOLOGIN", place.group));
    for statement in statements {
        run(&mut superuser, &statement).await;
    }
    works(&place).await;
}

#[tokio::test]
async fn a_group_of_others_is_not_used() {
    let place = Place::with(server(), LEAST).await;
    let sql = format!("CREATE ROLE {} LOGIN", place.group);
    run(&mut place.superuser().await, &sql).await;
    let error = place.admin().create_tenant(place.config("a")).await.unwrap_err();
    assert!(matches!(error, AdminError::NotOurs { .. }), "{error:?}");
    assert!(error.to_string().contains(&place.group), "{error}");
}

#[tokio::test]
async fn a_registry_that_somebody_else_prepared_is_not_written_into() {
    let place = Place::prepared(server()).await;
    run(&mut place.superuser().await, "CREATE SCHEMA cloacina_admin").await;
    let error = place.admin().create_tenant(place.config("a")).await.unwrap_err();
    assert!(matches!(error, AdminError::NotOurs { .. }), "{error:?}");
    assert!(place.admin().list_tenants().await.is_err());
}

#[tokio::test]
async fn an_admin_that_does_not_own_the_database_leaves_public_and_says_so() {
    let place = Place::with(server(), LEAST).await;
    works(&place).await;
    let mut superuser = place.superuser().await;
    assert!(privileges_of_public(&mut superuser).await >= 3);
    let told: Vec<_> =
        place.admin().audit().await.unwrap().into_iter().map(|finding| finding.remedy).collect();
    let database = &place.database;
    for statement in [
        format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC"),
        "REVOKE ALL ON SCHEMA public FROM PUBLIC".to_owned(),
    ] {
        assert!(told.contains(&statement), "{told:?}");
    }
}

#[tokio::test]
async fn an_admin_that_owns_the_database_closes_it_by_itself() {
    let statements = "\
        CREATE ROLE {admin} LOGIN CREATEROLE NOCREATEDB; \
        ALTER DATABASE {database} OWNER TO {admin}";
    let place = Place::with(server(), statements).await;
    let mut superuser = place.superuser().await;
    assert!(privileges_of_public(&mut superuser).await >= 3);
    works(&place).await;
    assert_eq!(privileges_of_public(&mut superuser).await, 0);
}

#[tokio::test]
async fn an_admin_as_the_guide_has_it_makes_its_own_database_and_tenants() {
    let statements = "CREATE ROLE {admin} LOGIN CREATEDB CREATEROLE";
    let mut place = Place::with(server(), statements).await;
    place.database = format!("{}_own", place.name);
    let sql = format!("CREATE DATABASE {}", place.database);
    let url = place.url().replace("/ignored", "/postgres");
    run(&mut crate::support::connect(&url).await, &sql).await;
    works(&place).await;
}

#[tokio::test]
async fn what_createrole_reaches_depends_on_the_version() {
    let place = Place::prepared(server()).await;
    let tenant = place.tenant("a").await;
    let mut session = place.session().await;
    let version = "SELECT current_setting('server_version_num')::bigint";
    let is_confined = number(&mut session, version).await >= 160_000;
    for statement in [
        format!("GRANT pg_execute_server_program TO {}", place.admin_role),
        format!("SET ROLE {}", tenant.username),
    ] {
        let refused = refusal(&mut session, &statement).await;
        assert_eq!(refused.as_deref(), is_confined.then_some("42501"), "{statement}");
    }
}

#[tokio::test]
async fn a_superuser_is_an_admin_too() {
    let place = Place::with(server(), "CREATE ROLE {admin} LOGIN SUPERUSER").await;
    works(&place).await;
}

#[tokio::test]
async fn the_runtime_role_has_to_be_there_and_inherit_nothing() {
    let place = Place::prepared(server()).await;
    let runtime = place.runtime_role();
    let admin = place.admin().runtime_role(&runtime);
    let mut superuser = place.superuser().await;
    for statement in ["SELECT 1".to_owned(), format!("CREATE ROLE {runtime} LOGIN INHERIT")] {
        run(&mut superuser, &statement).await;
        let error = admin.create_tenant(place.config("a")).await.unwrap_err();
        assert!(matches!(error, AdminError::Config { .. }), "{error:?}");
        assert!(error.to_string().contains("NOINHERIT"), "{error}");
    }
    run(&mut superuser, &format!("DROP ROLE {runtime}")).await;
    run(&mut superuser, &format!("CREATE ROLE {runtime} LOGIN NOINHERIT")).await;
    let error = admin.create_tenant(place.config("a")).await.unwrap_err();
    let statement = format!("GRANT CONNECT ON DATABASE \"{}\" TO \"{runtime}\"", place.database);
    assert!(error.to_string().contains(&statement), "{error}");
    run(&mut superuser, &format!("DROP ROLE {runtime}")).await;
    place.dba(Block::Runtime).await;
    admin.create_tenant(place.config("a")).await.unwrap();
}
