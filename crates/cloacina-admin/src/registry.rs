//! The admin's registry: which tenants there are. A tenant's row is also its lock, which nobody but the admin can reach.

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use crate::error::{AdminError, Context as _};
use crate::names::Names;
use crate::{Tenant, TenantState};

/// Writes a tenant into the registry, unless it is there; tells whether it was not. Waits for whoever does the same.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    names: &Names,
) -> Result<bool, AdminError> {
    let what = "take the lock of the tenant";
    let query = sqlx::query(include_str!("../queries/registry/insert.sql")).persistent(false);
    let query = query.bind(&names.schema).bind(&names.role);
    Ok(query.execute(connection).await.during(what)?.rows_affected() == 1)
}

/// Locks a tenant to the end of the transaction; `None` if there is none. Names of two tenants are refused.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    names: &Names,
) -> Result<Option<TenantState>, AdminError> {
    let what = "take the lock of the tenant";
    let query = sqlx::query(include_str!("../queries/registry/lock.sql")).persistent(false);
    let query = query.bind(&names.schema).bind(&names.role);
    let mut found = None;
    for row in query.fetch_all(connection).await.during(what)? {
        let (schema, role): (String, String) =
            (row.try_get("schema_name").during(what)?, row.try_get("username").during(what)?);
        if schema != names.schema || role != names.role {
            return Err(AdminError::not_ours(format!(
                "another tenant has schema `{schema}` with role `{role}`"
            )));
        }
        found = Some(state(&row).during(what)?);
    }
    Ok(found)
}

/// Locks a tenant that may work.
pub(crate) async fn lock_active(
    connection: &mut PgConnection,
    names: &Names,
) -> Result<(), AdminError> {
    let schema_name = names.schema.clone();
    match lock(connection, names).await? {
        Some(TenantState::Active) => Ok(()),
        Some(TenantState::Removing) => Err(AdminError::BeingRemoved { schema_name }),
        None => Err(AdminError::UnknownTenant { schema_name, username: names.role.clone() }),
    }
}

/// Lists all tenants, in the order of their schemas.
pub(crate) async fn list(connection: &mut PgConnection) -> Result<Vec<Tenant>, AdminError> {
    let what = "list the tenants";
    let query = sqlx::query(include_str!("../queries/registry/list.sql")).persistent(false);
    let rows = query.fetch_all(connection).await.during(what)?;
    let read = |row: &PgRow| {
        Ok(Tenant {
            schema_name: row.try_get("schema_name")?,
            username: row.try_get("username")?,
            state: state(row)?,
            created_at: row.try_get("created_at")?,
            password_set_at: row.try_get("password_set_at")?,
        })
    };
    rows.iter().map(read).collect::<Result<_, sqlx::Error>>().during(what)
}

/// Notes that a tenant has a new password.
pub(crate) async fn password_set(
    connection: &mut PgConnection,
    names: &Names,
) -> Result<(), AdminError> {
    let statement = include_str!("../queries/registry/password_set.sql");
    note(connection, "note the new password", statement, names).await
}

/// Notes that a tenant is being removed.
pub(crate) async fn removing(
    connection: &mut PgConnection,
    names: &Names,
) -> Result<(), AdminError> {
    let statement = include_str!("../queries/registry/removing.sql");
    note(connection, "mark the tenant as being removed", statement, names).await
}

/// Takes a tenant out of the registry.
pub(crate) async fn delete(connection: &mut PgConnection, names: &Names) -> Result<(), AdminError> {
    let statement = include_str!("../queries/registry/delete.sql");
    note(connection, "take the tenant out of the registry", statement, names).await
}

async fn note(
    connection: &mut PgConnection,
    what: &str,
    statement: &'static str,
    names: &Names,
) -> Result<(), AdminError> {
    let query = sqlx::query(statement).persistent(false).bind(&names.schema);
    query.execute(connection).await.during(what).map(drop)
}

fn state(row: &PgRow) -> Result<TenantState, sqlx::Error> {
    let state: String = row.try_get("state")?;
    match &*state {
        "active" => Ok(TenantState::Active),
        "removing" => Ok(TenantState::Removing),
        _ => Err(sqlx::Error::Decode(format!("state {state:?} of a tenant is unknown").into())),
    }
}
