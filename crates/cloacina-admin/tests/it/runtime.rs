//! One login that serves many tenants over one pool.

use std::time::Duration;

use cloacina_admin::{AdminError, Removal};
use cloacina_testing::postgres::server;

use crate::support::{Block, Place, connect, number, refusal, run, text};

/// A prepared place, and the address of its runtime role.
pub(crate) async fn place() -> (Place, String) {
    let place = Place::prepared(server()).await;
    place.dba(Block::Runtime).await;
    let role = place.runtime_role();
    run(&mut place.superuser().await, &format!("ALTER ROLE {role} PASSWORD 'runtime'")).await;
    let (_, host) =
        place.url().rsplit_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let host = host.split('/').next().unwrap();
    let url = format!("postgresql://{role}:runtime@{host}/{}", place.database);
    (place, url)
}

#[tokio::test]
async fn the_runtime_role_has_no_rights_until_it_says_for_whom_it_acts() {
    let (place, url) = place().await;
    let admin = place.admin().runtime_role(place.runtime_role());
    let a = admin.create_tenant(place.config("a")).await.unwrap();
    let b = admin.create_tenant(place.config("b")).await.unwrap();
    let mut session = connect(&url).await;
    let count = |schema: &str| format!("SELECT count(*) FROM {schema}.executions");
    let act = |role: &str| format!("BEGIN; SET LOCAL ROLE {role}");
    assert_eq!(refusal(&mut session, &count(&a.schema_name)).await.unwrap(), "42501");
    run(&mut session, &act(&b.username)).await;
    assert_eq!(number(&mut session, &count(&b.schema_name)).await, 0);
    assert_eq!(refusal(&mut session, &count(&a.schema_name)).await.unwrap(), "42501");
    run(&mut session, &act(&a.username)).await;
    assert_eq!(number(&mut session, &count(&a.schema_name)).await, 0);
    run(&mut session, "COMMIT").await;
    // The role ended with the transaction.
    assert_eq!(refusal(&mut session, &count(&a.schema_name)).await.unwrap(), "42501");
    // Who has this session may become any tenant: it is the process's, never a task's.
    run(&mut session, &format!("SET ROLE {}; SET ROLE {}", b.username, a.username)).await;
    for role in [&place.admin_role, "postgres"] {
        assert_eq!(refusal(&mut session, &format!("SET ROLE {role}")).await.unwrap(), "42501");
    }
    // What `PostgresTenants` goes by: the one role, besides the owner, that may use the schema.
    let grantees = format!(
        "SELECT string_agg(a.grantee::regrole::text, ',') FROM pg_namespace AS n, aclexplode(n.nspacl) AS a \
         WHERE n.nspname = '{}' AND a.privilege_type = 'USAGE' AND a.grantee <> n.nspowner",
        a.schema_name
    );
    assert_eq!(text(&mut session, &grantees).await, a.username);
}

#[tokio::test]
async fn a_tenant_cannot_become_the_runtime_role_nor_another_tenant() {
    let (place, _) = place().await;
    let admin = place.admin().runtime_role(place.runtime_role());
    let a = admin.create_tenant(place.config("a")).await.unwrap();
    let b = admin.create_tenant(place.config("b")).await.unwrap();
    let mut session = connect(&b.connection_string).await;
    for role in [&place.runtime_role(), &a.username, &place.admin_role, "postgres"] {
        assert_eq!(refusal(&mut session, &format!("SET ROLE {role}")).await.unwrap(), "42501");
    }
}

#[tokio::test]
async fn a_removal_takes_the_tenant_from_a_pool_that_is_in_use() {
    let (place, url) = place().await;
    let admin = place.admin().runtime_role(place.runtime_role());
    let a = admin.create_tenant(place.config("a")).await.unwrap();
    let (schema, role) = (&a.schema_name, &a.username);
    let mut session = connect(&url).await;
    let act = format!("BEGIN; SET LOCAL ROLE {role}; SELECT count(*) FROM {schema}.executions");
    run(&mut session, &act).await;
    let hasty = admin.clone().removal_patience(Duration::from_millis(50));
    let error = hasty.remove_tenant(schema, role).await.unwrap_err();
    assert!(matches!(error, AdminError::Busy { .. }), "{error:?}");
    // The transaction holds its locks, but can neither read on nor be followed by another.
    let read = format!("SELECT count(*) FROM {schema}.tasks");
    assert_eq!(refusal(&mut session, &read).await.unwrap(), "42501");
    assert_eq!(refusal(&mut session, &format!("SET ROLE {role}")).await.unwrap(), "42501");
    assert_eq!(admin.remove_tenant(schema, role).await.unwrap(), Removal::Removed);
}
