//! What an audit finds.

use cloacina_admin::{Finding, FindingKind};
use cloacina_testing::postgres::Server;

use crate::support::{Block, Place, connect, run};

/// A violation, how it is planted and by whom, and what is found.
struct Planted {
    by: By,
    /// `{a}` and `{b}` are tenants' roles; their schemas are `tenant_a` and `tenant_b`.
    statement: &'static str,
    kind: FindingKind,
    /// A part of what the finding says.
    subject: &'static str,
    /// What puts an end to it, if the remedy does not.
    undone: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq)]
enum By {
    Superuser,
    Tenant,
}

const fn planted(statement: &'static str, kind: FindingKind, subject: &'static str) -> Planted {
    Planted { by: By::Superuser, statement, kind, subject, undone: None }
}

const PLANTED: [Planted; 21] = [
    planted(
        "GRANT CONNECT ON DATABASE {database} TO PUBLIC",
        FindingKind::OpenDatabase,
        "PUBLIC has CONNECT on database",
    ),
    planted(
        "GRANT TEMPORARY ON DATABASE postgres TO PUBLIC",
        FindingKind::OpenDatabase,
        "PUBLIC has TEMPORARY on database postgres",
    ),
    planted(
        "GRANT CONNECT ON DATABASE postgres TO {group}",
        FindingKind::ForeignDatabase,
        "may connect to database postgres",
    ),
    planted(
        "GRANT CONNECT ON DATABASE postgres TO {b}",
        FindingKind::ForeignDatabase,
        "may connect to database postgres",
    ),
    planted(
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        FindingKind::OpenSchema,
        "PUBLIC has CREATE on schema public",
    ),
    planted(
        "GRANT USAGE ON SCHEMA tenant_a TO PUBLIC",
        FindingKind::OpenSchema,
        "PUBLIC has USAGE on schema tenant_a",
    ),
    planted(
        "GRANT USAGE ON SCHEMA tenant_a TO {b}",
        FindingKind::ForeignSchema,
        "{b} has USAGE on schema tenant_a",
    ),
    planted(
        "GRANT CREATE ON SCHEMA tenant_b TO {b}",
        FindingKind::ForeignSchema,
        "{b} has CREATE on schema tenant_b",
    ),
    planted(
        "GRANT USAGE ON SCHEMA cloacina_admin TO {b}",
        FindingKind::ForeignSchema,
        "{b} has USAGE on schema cloacina_admin",
    ),
    planted(
        "GRANT USAGE ON SCHEMA tenant_a TO {other}",
        FindingKind::Guest,
        "{other} has USAGE on schema tenant_a",
    ),
    planted(
        "GRANT SELECT ON tenant_a.tasks TO {b}",
        FindingKind::Guest,
        "{b} has SELECT on tenant_a.tasks",
    ),
    planted(
        "GRANT SELECT (input) ON tenant_a.executions TO {b}",
        FindingKind::Guest,
        "{b} has SELECT on column input of tenant_a.executions",
    ),
    planted(
        "GRANT TRIGGER ON tenant_b.tasks TO {b}",
        FindingKind::Guest,
        "{b} has TRIGGER on tenant_b.tasks",
    ),
    planted(
        "GRANT INSERT ON tenant_b.cloacina_migrations TO {b}",
        FindingKind::Guest,
        "{b} has INSERT on tenant_b.cloacina_migrations",
    ),
    planted(
        "GRANT SELECT ON cloacina_admin.tenants TO PUBLIC",
        FindingKind::Guest,
        "PUBLIC has SELECT on cloacina_admin.tenants",
    ),
    planted(
        "ALTER TABLE tenant_b.tasks OWNER TO {b}",
        FindingKind::Planted,
        "tenant_b.tasks belongs to role {b}",
    ),
    planted(
        "CREATE RULE r AS ON DELETE TO tenant_b.tasks DO NOTHING",
        FindingKind::Planted,
        "rule r is on tenant_b.tasks",
    ),
    planted(
        "CREATE FUNCTION tenant_b.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        FindingKind::Planted,
        "function tenant_b.f() is in schema tenant_b",
    ),
    planted("GRANT {a} TO {b}", FindingKind::Membership, "role {b} is in role {a}"),
    planted(
        "GRANT {a} TO {other}",
        FindingKind::Impersonation,
        "role {other} has all rights of role {a}",
    ),
    planted("ALTER ROLE {b} CREATEDB", FindingKind::Power, "role {b} has CREATEDB"),
];

const ALSO_PLANTED: [Planted; 3] = [
    Planted {
        by: By::Tenant,
        statement: "SELECT lo_create(0)",
        kind: FindingKind::Ownership,
        subject: "role {b} owns 1 objects in database",
        undone: None,
    },
    Planted {
        by: By::Superuser,
        statement: "DROP OWNED BY {b} CASCADE; DROP ROLE {b}",
        kind: FindingKind::Incomplete,
        subject: "role {b} of tenant tenant_b is gone",
        undone: Some(""),
    },
    Planted {
        by: By::Superuser,
        statement: "DROP SCHEMA tenant_b CASCADE",
        kind: FindingKind::Incomplete,
        subject: "schema tenant_b is gone",
        undone: Some(""),
    },
];

#[tokio::test]
async fn an_audit_finds_nothing_in_a_prepared_database_and_everything_that_is_planted() {
    // A server of its own: it looks at all databases.
    let server: &'static Server = Box::leak(Box::new(Server::start().unwrap()));
    let place = Place::prepared(server).await;
    place.dba(Block::OtherDatabases).await;
    place.dba(Block::Runtime).await;
    let (runtime, other) = (place.runtime_role(), format!("{}_other", place.name));
    let admin = place.admin().runtime_role(&runtime);
    assert_eq!(admin.audit().await.unwrap(), []);
    admin.create_tenant(place.config("a")).await.unwrap();
    let tenant = admin.create_tenant(place.config("b")).await.unwrap();
    assert_eq!(admin.audit().await.unwrap(), []);
    let unaware = place.admin().audit().await.unwrap();
    assert_eq!(unaware.len(), 2, "{unaware:?}");
    assert!(unaware.iter().all(|finding| finding.subject.contains("may become role")));

    let mut superuser = place.superuser().await;
    run(&mut superuser, &format!("CREATE ROLE {other}")).await;
    let named = |text: &str| {
        text.replace("{a}", &place.config("a").username)
            .replace("{b}", &tenant.username)
            .replace("{other}", &other)
            .replace("{group}", &place.group)
            .replace("{database}", &place.database)
    };
    for planted in PLANTED.into_iter().chain(ALSO_PLANTED) {
        let statement = named(planted.statement);
        match planted.by {
            By::Superuser => run(&mut superuser, &statement).await,
            By::Tenant => run(&mut connect(&tenant.connection_string).await, &statement).await,
        }
        let found = admin.audit().await.unwrap();
        let subject = named(planted.subject);
        let is_it =
            |finding: &&Finding| finding.kind == planted.kind && finding.subject.contains(&subject);
        assert!(found.iter().any(|finding| is_it(&finding)), "{statement}: {found:?}");
        if planted.undone.is_some() {
            let config = place.config("b");
            admin.create_tenant(config).await.unwrap();
        } else {
            for finding in &found {
                run(&mut superuser, &finding.remedy).await;
            }
            // An owner that was replaced took the tenant's rights along.
            admin.migrate_tenants().await.unwrap();
        }
        assert_eq!(admin.audit().await.unwrap(), [], "{statement}");
    }
}
