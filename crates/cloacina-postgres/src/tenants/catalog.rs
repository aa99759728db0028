//! What the server's catalog tells of schemas, and dropping one.

use std::time::Duration;

use cloacina_core::{BackendError, Removal, TenantId};
use sqlx::postgres::PgConnection;
use sqlx::{Executor as _, Row as _};

use crate::error::{Context as _, detail, is_forbidden, is_gone, is_in_use, is_locked, refused};
use crate::queries::render;
use crate::schema::{RoleName, SchemaName};

/// How often to try to drop a schema that others use: each time waits for them a few seconds.
const TRIES: u32 = 5;

/// Begins a transaction that drops a schema. Who waits for its locks keeps others waiting, so it does not wait for long.
const BEGIN: &str = "\
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
    SET LOCAL search_path = pg_catalog, pg_temp; \
    SET LOCAL lock_timeout = '3s'; \
    SET LOCAL statement_timeout = '5min'; \
    SET LOCAL idle_in_transaction_session_timeout = '60s'";

/// A schema that holds a tenant.
pub(super) struct Found {
    pub(super) tenant: TenantId,
    pub(super) schema: SchemaName,
    /// Its number in the catalog.
    pub(super) id: i64,
    /// The roles for which it was made, in truth one at most, and whether this login may become each.
    roles: Vec<(String, bool)>,
}

impl Found {
    /// As whom to work there: nobody else, if it was made for no role. Then the login itself has to have the rights.
    ///
    /// A schema that was made for a role is never worked on as its owner: nothing would keep that tenant apart then.
    pub(super) fn role(&self) -> Result<Option<RoleName>, BackendError> {
        let schema = self.schema.as_str();
        match self.roles.as_slice() {
            [] => Ok(None),
            [(role, true)] => Ok(Some(RoleName::new(role.clone()))),
            [(role, false)] => Err(refused(format!(
                "schema `{schema}` is for role `{role}`, which this login may not become: use the runtime role that \
                 `DatabaseAdmin` was given, or grant it `{role}`"
            ))),
            [(one, _), (other, _), ..] => Err(refused(format!(
                "schema `{schema}` may be written by `{one}` and by `{other}`: a tenant has one role"
            ))),
        }
    }
}

/// Finds the schemas that hold tenants, among those or all.
pub(super) async fn find(
    connection: &mut PgConnection,
    among: Option<&[&str]>,
) -> Result<Vec<Found>, BackendError> {
    let what = "list the tenants";
    let query = sqlx::query(include_str!("../../queries/catalog/schemas.sql")).persistent(false);
    let rows = query.bind(among).fetch_all(connection).await.during(what)?;
    let mut found = Vec::new();
    for row in rows {
        let name: String = row.try_get("schema").during(what)?;
        // What is no name of a tenant is nobody's that we serve.
        let (Ok(schema), Ok(tenant)) = (SchemaName::tenant(&name), TenantId::new(name)) else {
            continue;
        };
        let roles: Option<Vec<String>> = row.try_get("roles").during(what)?;
        let reachable: Option<Vec<bool>> = row.try_get("reachable").during(what)?;
        let roles = roles.into_iter().flatten().zip(reachable.into_iter().flatten()).collect();
        let id = row.try_get("id").during(what)?;
        found.push(Found { tenant, schema, id, roles });
    }
    Ok(found)
}

/// Drops a schema of ours, unless somebody else keeps something in it.
pub(super) async fn drop_schema(
    connection: &mut PgConnection,
    schema: &SchemaName,
) -> Result<Removal, BackendError> {
    let mut tries = 0;
    loop {
        connection.execute(BEGIN).await.during("remove a tenant")?;
        let dropped = drop_now(connection, schema).await;
        let end = if matches!(dropped, Ok(Removal::Removed)) { "COMMIT" } else { "ROLLBACK" };
        connection.execute(end).await.during("remove a tenant")?;
        tries += 1;
        match dropped {
            Err(error) if is_locked(&error) && tries < TRIES => {
                tracing::info!(schema = schema.as_str(), "a schema to be dropped is in use");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            dropped => return dropped,
        }
    }
}

async fn drop_now(
    connection: &mut PgConnection,
    schema: &SchemaName,
) -> Result<Removal, BackendError> {
    let what = "remove a tenant";
    let name = schema.as_str();
    if find(connection, Some(&[name])).await?.is_empty() {
        // In this order: somebody else may be removing it.
        let query = sqlx::query("SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1");
        let there = query.persistent(false).bind(name).fetch_optional(&mut *connection).await;
        return match there.during(what)? {
            None => Ok(Removal::Absent),
            Some(_) => Err(refused(format!(
                "schema `{name}` is no tenant of ours, or not for this role: it was left untouched"
            ))),
        };
    }
    // First a lock for which others wait who want to drop it as well.
    let drop = include_str!("../../queries/catalog/drop.sql");
    match sqlx::raw_sql(render(drop, schema)).execute(connection).await.during(what) {
        Ok(_) => Ok(Removal::Removed),
        Err(error) if is_in_use(&error) => Err(refused(format!(
            "schema `{name}` holds what is not ours, or something elsewhere depends on it ({}): it was left untouched, move that \
             elsewhere first",
            detail(&error)
        ))),
        Err(error) if is_gone(&error) => Ok(Removal::Absent),
        Err(error) if is_forbidden(&error) => Err(refused(format!(
            "{error}: the owner of schema `{name}` has to remove the tenant, as `DatabaseAdmin::remove_tenant` does"
        ))),
        Err(error) => Err(error),
    }
}
