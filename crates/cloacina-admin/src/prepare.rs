//! What a database needs before its first tenant: the admin's registry, the group of all tenants, and nothing left open to everybody.

use sqlx::postgres::PgConnection;

use crate::DatabaseAdmin;
use crate::error::AdminError;
use crate::rights::Rights;
use crate::session::Session;
use crate::sql::{identifier, run};

const WHAT: &str = "prepare the database";

/// How often to begin again when others were faster. Each time, one of them got further.
const RACES: usize = 20;

/// Prepares what is missing and may be prepared, and tells of the rest.
pub(crate) async fn prepare(
    session: &mut Session,
    admin: &DatabaseAdmin,
) -> Result<Rights, AdminError> {
    let mut races = 0;
    let rights = loop {
        let rights = Rights::read(&mut session.connection, admin).await?;
        rights.check(admin)?;
        if !is_wanting(&rights) {
            break rights;
        }
        session.begin().await?;
        let done = supply(&mut session.connection, admin, &rights).await;
        match session.end(WHAT, done).await {
            // Read again, since a statement that had no effect is no error.
            Ok(()) => {
                let rights = Rights::read(&mut session.connection, admin).await?;
                rights.check(admin)?;
                break rights;
            }
            // Somebody else made the same at the same time.
            Err(error) if error.is_transient() && races < RACES => races += 1,
            Err(error) => return Err(error),
        }
    };
    tell(admin, &rights);
    Ok(rights)
}

/// Whether there is something to do that the admin may do.
fn is_wanting(rights: &Rights) -> bool {
    !rights.registry_exists
        || !rights.group_exists
        || (!rights.group_connects && rights.grants_connect)
        || (!rights.runtime_connects && rights.grants_connect)
        || (rights.database_is_open && rights.owns_database)
        || (rights.public_is_open && rights.owns_public)
}

async fn supply(
    connection: &mut PgConnection,
    admin: &DatabaseAdmin,
    seen: &Rights,
) -> Result<(), AdminError> {
    if !seen.registry_exists {
        run(connection, WHAT, include_str!("../queries/registry/create.sql"), &[]).await?;
    }
    // Two that change one entry of a catalog at once get an error, not a wait.
    run(connection, WHAT, include_str!("../queries/registry/lock_all.sql"), &[]).await?;
    let rights = Rights::read(connection, admin).await?;
    let group = identifier(&admin.group);
    if !rights.group_exists {
        let create = include_str!("../queries/roles/create_group.sql");
        run(connection, WHAT, create, &[("group", group.clone())]).await?;
    }
    let database = ("database", identifier(&admin.database_name()));
    let connect = include_str!("../queries/rights/connect.sql");
    if !rights.group_connects && rights.grants_connect {
        run(connection, WHAT, connect, &[database.clone(), ("role", group)]).await?;
    }
    // It may have been let in by what is taken away next.
    if let Some(runtime) = &admin.runtime
        && rights.grants_connect
        && (rights.database_is_open || !rights.runtime_connects)
    {
        let runtime = ("role", identifier(runtime));
        run(connection, WHAT, connect, &[database.clone(), runtime]).await?;
    }
    if rights.database_is_open && rights.owns_database {
        let close = include_str!("../queries/rights/close_database.sql");
        run(connection, WHAT, close, &[database]).await?;
        tracing::warn!(
            database = admin.database_name(),
            "PUBLIC may no longer connect to the database: roles that are no tenants need CONNECT of their own"
        );
    }
    if rights.public_is_open && rights.owns_public {
        run(connection, WHAT, include_str!("../queries/rights/close_public.sql"), &[]).await?;
        tracing::warn!(
            database = admin.database_name(),
            "PUBLIC may no longer use schema `public`: roles that are no tenants need USAGE of their own"
        );
    }
    Ok(())
}

/// Tells of what the admin may not take away.
fn tell(admin: &DatabaseAdmin, rights: &Rights) {
    let database = admin.database_name();
    if rights.database_is_open {
        let statement = format!("REVOKE ALL ON DATABASE {} FROM PUBLIC", identifier(&database));
        tracing::warn!(
            database,
            statement,
            "every role may connect to the database: its owner has to run this"
        );
    }
    if rights.public_is_open {
        let statement = "REVOKE ALL ON SCHEMA public FROM PUBLIC";
        tracing::warn!(
            database,
            statement,
            "every role may use schema `public`: the owner of the database has to run this"
        );
    }
}
