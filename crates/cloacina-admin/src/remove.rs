//! Removes a tenant: locks it out, ends its sessions, drops what it had. Each step may find its outcome in place, so that a
//! removal that was cut off goes on where it ended.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgDatabaseError};

use crate::error::{AdminError, Context as _};
use crate::names::Names;
use crate::rights::{Rights, Standing};
use crate::session::{Session, wait_for_locks};
use crate::sql::{Value, identifier, run};
use crate::{DatabaseAdmin, Removal, TenantState, create, registry};

const WHAT: &str = "remove a tenant";

/// How often to try to drop the schema, and to end the sessions.
const ROUNDS: u32 = 5;

/// How long to wait for a lock that the tenant itself may hold, before its sessions are ended.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) async fn remove(admin: &DatabaseAdmin, names: &Names) -> Result<Removal, AdminError> {
    let mut session = admin.database.session().await?;
    let done = carry_out(&mut session, admin, names).await;
    session.close().await;
    let removal = done?;
    if removal == Removal::Removed {
        tracing::info!(schema = names.schema, role = names.role, "the tenant was removed");
    }
    Ok(removal)
}

async fn carry_out(
    session: &mut Session,
    admin: &DatabaseAdmin,
    names: &Names,
) -> Result<Removal, AdminError> {
    let rights = Rights::read(&mut session.connection, admin).await?;
    rights.check_registry()?;
    let mut round = 1;
    loop {
        session.begin().await?;
        let done = lock_out(&mut session.connection, admin, &rights, names).await;
        match session.end(WHAT, done).await {
            Ok(Removal::Removed) => break,
            Ok(Removal::Absent) => return Ok(Removal::Absent),
            // A tenant may change settings of its own role, and keep that transaction open.
            Err(AdminError::Busy { .. }) if round < ROUNDS => {
                round += 1;
                end_sessions(&mut session.connection, names).await?;
            }
            Err(error) => return Err(error),
        }
    }
    round = 1;
    loop {
        end_sessions(&mut session.connection, names).await?;
        unlink_large_objects(&mut session.connection, names).await?;
        session.begin().await?;
        let done = drop_all(&mut session.connection, admin, names).await;
        match session.end(WHAT, done).await {
            // Whoever shares connections between tenants may hold locks for a while.
            Err(AdminError::Busy { .. }) if round < ROUNDS => round += 1,
            Err(error) => return Err(explain(names, error)),
            Ok(removal) => return Ok(removal),
        }
    }
}

/// Lets nobody log in or act as the tenant any more, and lets no session that is open read its schema.
async fn lock_out(
    connection: &mut PgConnection,
    admin: &DatabaseAdmin,
    rights: &Rights,
    names: &Names,
) -> Result<Removal, AdminError> {
    // Locked even if it does not exist, so that nobody creates it between the looks.
    if !rights.registry_exists || registry::insert(connection, names).await? {
        if Standing::read(connection, admin, names).await?.schema_exists {
            return Err(AdminError::not_ours(format!(
                "schema `{}` exists and was not made by `create_tenant`",
                names.schema
            )));
        }
        if rights.registry_exists {
            registry::delete(connection, names).await?;
        }
        return Ok(Removal::Absent);
    }
    // Somebody else may have removed it at the same moment.
    if registry::lock(connection, names).await?.is_none() {
        return Ok(Removal::Absent);
    }
    let standing = Standing::read(connection, admin, names).await?;
    standing.check_role(admin, names)?;
    registry::removing(connection, names).await?;
    let values = names.values();
    if standing.role_exists {
        wait_for_locks(connection, PATIENCE.min(admin.removal_patience)).await?;
        run(connection, WHAT, include_str!("../queries/roles/lock_out.sql"), &values).await?;
        create::grant_admin(connection, rights, names).await?;
        dismiss(connection, names).await?;
        if standing.schema_exists {
            run(connection, WHAT, include_str!("../queries/schemas/lock_out.sql"), &values).await?;
        }
    }
    Ok(Removal::Removed)
}

/// Takes the role from those who may act as the tenant.
async fn dismiss(connection: &mut PgConnection, names: &Names) -> Result<(), AdminError> {
    let query = sqlx::query(include_str!("../queries/roles/members.sql")).persistent(false);
    let rows = query.bind(&names.role).fetch_all(&mut *connection).await.during(WHAT)?;
    for row in rows {
        let member: String = row.try_get("member").during(WHAT)?;
        let values: [Value<'_>; 2] =
            [("role", identifier(&names.role)), ("member", identifier(&member))];
        run(connection, WHAT, include_str!("../queries/roles/revoke.sql"), &values).await?;
    }
    Ok(())
}

/// Ends the sessions of the role, which nobody can open any more.
async fn end_sessions(connection: &mut PgConnection, names: &Names) -> Result<(), AdminError> {
    let what = "end the sessions of a tenant";
    for _ in 0..ROUNDS {
        let query = sqlx::query(include_str!("../queries/sessions/terminate.sql"));
        let query = query.persistent(false).bind(&names.role);
        if query.fetch_all(&mut *connection).await.during(what)?.is_empty() {
            return Ok(());
        }
    }
    Err(AdminError::Busy {
        what: what.to_owned(),
        reason: format!("some of role `{}` do not end", names.role),
        source: None,
    })
}

/// Removes the large objects of the role, of which it may have made any number.
async fn unlink_large_objects(
    connection: &mut PgConnection,
    names: &Names,
) -> Result<(), AdminError> {
    let what = "remove the large objects of a tenant";
    loop {
        let query = sqlx::query(include_str!("../queries/large_objects/unlink.sql"));
        let query = query.persistent(false).bind(&names.role);
        let row = query.fetch_one(&mut *connection).await.during(what)?;
        if row.try_get::<i64, _>("unlinked").during(what)? == 0 {
            return Ok(());
        }
    }
}

/// Drops schema and role, and forgets the tenant, all or nothing.
async fn drop_all(
    connection: &mut PgConnection,
    admin: &DatabaseAdmin,
    names: &Names,
) -> Result<Removal, AdminError> {
    // Somebody else may have come to the end first, and what is there now is another tenant.
    if registry::lock(connection, names).await? != Some(TenantState::Removing) {
        return Ok(Removal::Absent);
    }
    let standing = Standing::read(connection, admin, names).await?;
    standing.check_role(admin, names)?;
    if standing.schema_exists && !standing.has_ledger {
        let schema = &names.schema;
        return Err(AdminError::not_ours(format!("schema `{schema}` is none of Cloacina's")));
    }
    let values = names.values();
    if standing.schema_exists {
        wait_for_locks(connection, admin.removal_patience / ROUNDS).await?;
        let dropped = run(connection, WHAT, include_str!("../queries/schemas/drop.sql"), &values);
        dropped.await.map_err(|error| foreign(names, error))?;
    }
    if standing.role_exists {
        run(connection, WHAT, include_str!("../queries/roles/drop.sql"), &values).await?;
    }
    registry::delete(connection, names).await?;
    Ok(Removal::Removed)
}

/// Says that somebody else keeps something in the schema, or has made something of what is in it.
fn foreign(names: &Names, error: AdminError) -> AdminError {
    if !error.has_state(&["2BP01"]) {
        return error;
    }
    AdminError::not_ours(format!(
        "schema `{}` holds what Cloacina did not make, or something elsewhere depends on it ({})",
        names.schema,
        detail(&error)
    ))
}

/// What the server adds to its message.
fn detail(error: &AdminError) -> String {
    let source = std::error::Error::source(error);
    let driver = source.and_then(|source| source.downcast_ref::<sqlx::Error>());
    let told = driver.and_then(sqlx::Error::as_database_error);
    let told = told.and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    told.and_then(PgDatabaseError::detail).unwrap_or("something depends on it").to_owned()
}

/// Says what to do about a role that cannot be dropped, because it has something in another database.
fn explain(names: &Names, error: AdminError) -> AdminError {
    if !error.has_state(&["2BP01"]) {
        return error;
    }
    let detail = detail(&error);
    let AdminError::Failed { source, .. } = error else { return error };
    let (role, quoted) = (&names.role, identifier(&names.role));
    let reason = format!(
        "role `{role}` cannot be dropped ({detail}): run `DROP OWNED BY {quoted} CASCADE` there, then remove the tenant again"
    );
    AdminError::Refused { reason, source }
}
