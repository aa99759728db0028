//! Brings the tables of tenants up to date. Tenants may not do that themselves: who owns tables could plant a trigger in them
//! that runs with the rights of whoever writes there.

use std::time::Duration;

use sqlx::postgres::PgConnection;

use crate::database::limited;
use crate::error::AdminError;
use crate::names::Names;
use crate::rights::{Rights, Standing};
use crate::session::{LOCK_PATIENCE, wait_for_locks};
use crate::sql::run;
use crate::{DatabaseAdmin, Tenant, TenantMigration, TenantState, create, registry};

const WHAT: &str = "bring a tenant's tables up to date";

/// How long to wait for a lock on a table: the tenant's own statements wait behind it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Migrates a schema in the transaction of the caller, and lets the tenant's role use what is in it.
pub(crate) async fn migrate(
    connection: &mut PgConnection,
    names: &Names,
) -> Result<(), AdminError> {
    wait_for_locks(connection, PATIENCE).await?;
    let migrated = cloacina_postgres::admin::migrate(connection, &names.schema).await;
    migrated
        .map_err(|source| AdminError::Migration { schema_name: names.schema.clone(), source })?;
    wait_for_locks(connection, LOCK_PATIENCE).await?;
    run(connection, WHAT, include_str!("../queries/schemas/grant.sql"), &names.values()).await
}

/// Migrates all tenants, a transaction each.
pub(crate) async fn all(admin: &DatabaseAdmin) -> Result<Vec<TenantMigration>, AdminError> {
    let mut outcomes = Vec::new();
    for Tenant { schema_name, username, state, .. } in admin.tenants().await? {
        if state != TenantState::Active {
            continue;
        }
        let outcome = limited(one(admin, &schema_name, &username)).await;
        if let Err(error) = &outcome {
            tracing::warn!(schema = schema_name, %error, "a tenant's tables are not up to date");
        }
        outcomes.push(TenantMigration { schema_name, outcome });
    }
    Ok(outcomes)
}

/// Migrates one tenant.
pub(crate) async fn one(admin: &DatabaseAdmin, schema: &str, role: &str) -> Result<(), AdminError> {
    let names = Names::new(schema, role)?;
    let mut session = admin.database.session().await?;
    session.begin().await?;
    let done = one_locked(&mut session.connection, admin, &names).await;
    let done = session.end(WHAT, done).await;
    session.close().await;
    done
}

async fn one_locked(
    connection: &mut PgConnection,
    admin: &DatabaseAdmin,
    names: &Names,
) -> Result<(), AdminError> {
    let rights = Rights::read(connection, admin).await?;
    rights.check_runtime(admin)?;
    registry::lock_active(connection, names).await?;
    Standing::read(connection, admin, names).await?.check_complete(admin, names)?;
    migrate(connection, names).await?;
    create::join(connection, admin, &rights, names).await
}
