//! Tables of tenants that are behind.

use cloacina_admin::AdminError;
use cloacina_postgres::UnifiedExecutor;
use cloacina_testing::postgres::server;

use crate::support::{Block, Place, connect, number, open, run, work};

/// Takes the last migration back.
async fn set_back(place: &Place, schema: &str) {
    let sql = format!(
        "ALTER TABLE {schema}.tasks ADD FOREIGN KEY (execution_id) REFERENCES {schema}.executions (id) ON DELETE CASCADE; \
         DELETE FROM {schema}.cloacina_migrations WHERE version = (SELECT max(version) FROM {schema}.cloacina_migrations)"
    );
    run(&mut place.session().await, &sql).await;
}

#[tokio::test]
async fn tenants_are_migrated_one_by_one_and_a_failure_stops_no_other() {
    let place = Place::prepared(server()).await;
    let admin = place.admin();
    let (a, b, c) = (place.tenant("a").await, place.tenant("b").await, place.tenant("c").await);
    set_back(&place, &a.schema_name).await;
    set_back(&place, &c.schema_name).await;
    let newer = format!("INSERT INTO {}.cloacina_migrations (version) VALUES (999)", b.schema_name);
    run(&mut place.session().await, &newer).await;

    let opened = UnifiedExecutor::with_schema(&a.connection_string, &a.schema_name).await;
    let text = opened.err().unwrap().to_string();
    assert!(text.contains("its owner has to bring it up to date"), "{text}");

    let migrated = admin.migrate_tenants().await.unwrap();
    let schemas: Vec<_> = migrated.iter().map(|one| one.schema_name.as_str()).collect();
    assert_eq!(schemas, ["tenant_a", "tenant_b", "tenant_c"]);
    assert!(migrated[0].outcome.is_ok() && migrated[2].outcome.is_ok(), "{migrated:?}");
    let error = migrated[1].outcome.as_ref().unwrap_err();
    assert!(matches!(error, AdminError::Migration { .. }) && !error.is_transient(), "{error:?}");
    work(&open(&a).await).await;
    work(&open(&c).await).await;
}

#[tokio::test]
async fn a_migration_lets_a_new_runtime_role_act_for_old_tenants() {
    let place = Place::prepared(server()).await;
    let tenant = place.tenant("a").await;
    place.dba(Block::Runtime).await;
    let (admin, runtime) = (place.admin().runtime_role(place.runtime_role()), place.runtime_role());
    let mut superuser = place.superuser().await;
    run(&mut superuser, &format!("ALTER ROLE {runtime} INHERIT")).await;
    let refused = admin.migrate_tenants().await.unwrap().remove(0).outcome.unwrap_err();
    assert!(matches!(refused, AdminError::Config { .. }), "{refused:?}");
    run(&mut superuser, &format!("ALTER ROLE {runtime} NOINHERIT PASSWORD 'runtime'")).await;
    admin.migrate_tenants().await.unwrap().remove(0).outcome.unwrap();
    let url = tenant.connection_string.replace(&tenant.username, &runtime);
    let mut session = connect(&url.replace(&tenant.password, "runtime")).await;
    run(&mut session, &format!("SET ROLE {}", tenant.username)).await;
    let count = format!("SELECT count(*) FROM {}.tasks", tenant.schema_name);
    assert_eq!(number(&mut session, &count).await, 0);
}
