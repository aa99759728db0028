//! Several at once.

use cloacina_admin::{AdminError, Removal};
use cloacina_testing::postgres::server;
use tokio::task::JoinSet;

use crate::support::{Place, connect, open, run, work};

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_that_create_one_tenant_one_gets_the_password_and_it_works() {
    let place = Place::prepared(server()).await;
    let mut creating = JoinSet::new();
    for _ in 0..8 {
        let (admin, config) = (place.admin(), place.config("a"));
        creating.spawn(async move { admin.create_tenant(config).await });
    }
    let mut created = Vec::new();
    for outcome in creating.join_all().await {
        match outcome {
            Ok(tenant) => created.push(tenant),
            Err(error) => assert!(matches!(error, AdminError::TenantExists { .. }), "{error:?}"),
        }
    }
    assert_eq!(created.len(), 1);
    work(&open(&created[0]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_that_create_one_tenant_with_one_password_all_succeed() {
    // Nothing is prepared, and the admin owns the database: they prepare it at the same time, too.
    let statements = "\
        CREATE ROLE {admin} LOGIN CREATEROLE NOCREATEDB; \
        ALTER DATABASE {database} OWNER TO {admin}";
    let place = Place::with(server(), statements).await;
    let mut creating = JoinSet::new();
    for _ in 0..8 {
        let (admin, config) = (place.admin(), place.config_with("a", "chosen"));
        creating.spawn(async move { admin.create_tenant(config).await });
    }
    for tenant in creating.join_all().await {
        connect(&tenant.unwrap().connection_string).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn different_tenants_are_created_and_removed_at_the_same_time() {
    let place = Place::with(
        server(),
        "CREATE ROLE {admin} LOGIN CREATEROLE; ALTER DATABASE {database} OWNER TO {admin}",
    )
    .await;
    let mut living = JoinSet::new();
    for number in 0..8 {
        let (admin, config) = (place.admin(), place.config(&format!("n{number}")));
        living.spawn(async move {
            let tenant = admin.create_tenant(config).await.unwrap();
            work(&open(&tenant).await).await;
            admin.rotate_password(&tenant.schema_name, &tenant.username).await.unwrap();
            admin.remove_tenant(&tenant.schema_name, &tenant.username).await.unwrap()
        });
    }
    assert_eq!(living.join_all().await, [Removal::Removed; 8]);
    assert!(place.admin().list_tenants().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn creations_and_removals_of_one_tenant_leave_it_whole_or_gone() {
    let place = Place::prepared(server()).await;
    let mut busy = JoinSet::new();
    for number in 0..6 {
        let (admin, config) = (place.admin(), place.config("a"));
        busy.spawn(async move {
            for _ in 0..4 {
                let outcome = if number % 2 == 0 {
                    admin.create_tenant(config.clone()).await.map(drop)
                } else {
                    admin.remove_tenant(&config.schema_name, &config.username).await.map(drop)
                };
                if let Err(error) = outcome {
                    let is_expected = matches!(
                        error,
                        AdminError::TenantExists { .. } | AdminError::BeingRemoved { .. }
                    );
                    assert!(is_expected || error.is_transient(), "{error:?}");
                }
            }
        });
    }
    busy.join_all().await;
    let (admin, config) = (place.admin(), place.config("a"));
    admin.remove_tenant(&config.schema_name, &config.username).await.unwrap();
    work(&open(&place.tenant("a").await).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_removed_while_it_works_and_holds_locks() {
    let place = Place::prepared(server()).await;
    let (admin, tenant) = (place.admin(), place.tenant("a").await);
    let executor = open(&tenant).await;
    work(&executor).await;
    let mut session = connect(&tenant.connection_string).await;
    let lock = format!("BEGIN; LOCK TABLE {}.executions IN ROW SHARE MODE", tenant.schema_name);
    run(&mut session, &lock).await;
    // Large objects are the one thing that any role may own.
    let mut owner = connect(&tenant.connection_string).await;
    run(&mut owner, "SELECT lo_from_bytea(0, 'x')").await;
    let removal = admin.remove_tenant(&tenant.schema_name, &tenant.username).await.unwrap();
    assert_eq!(removal, Removal::Removed);
    assert!(executor.execute("arithmetic", crate::support::input(1)).await.is_err());
    // An executor that was left behind brings nothing back.
    let left = cloacina_postgres::UnifiedExecutor::with_schema(
        &tenant.connection_string,
        &tenant.schema_name,
    );
    assert!(left.await.is_err());
}
