//! Gives a tenant a new password.

use std::time::Duration;

use sqlx::postgres::PgConnection;

use crate::error::{AdminError, Context as _};
use crate::names::Names;
use crate::rights::Standing;
use crate::session::wait_for_locks;
use crate::sql::{literal, run};
use crate::{DatabaseAdmin, TenantCredentials, password, registry, scram};

const WHAT: &str = "set a new password";

/// How long to wait for a lock that the tenant itself may hold.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sets a chosen password, or a generated one.
pub(crate) async fn rotate(
    admin: &DatabaseAdmin,
    names: &Names,
    chosen: Option<String>,
) -> Result<TenantCredentials, AdminError> {
    let password = chosen.map_or_else(password::generate, Ok)?;
    let verifier = scram::verifier(&password)?;
    let mut session = admin.database.session().await?;
    if !admin.has_registry(&mut session.connection).await? {
        session.close().await;
        return Err(AdminError::UnknownTenant {
            schema_name: names.schema.clone(),
            username: names.role.clone(),
        });
    }
    session.begin().await?;
    let done = set(&mut session.connection, admin, names, &verifier).await;
    let mut done = session.end(WHAT, done).await;
    if matches!(done, Err(AdminError::Busy { .. })) {
        // A tenant may change settings of its own role, and keep that transaction open.
        let query = sqlx::query(include_str!("../queries/sessions/terminate_idle.sql"));
        let query = query.persistent(false).bind(&names.role);
        query.fetch_all(&mut session.connection).await.during(WHAT)?;
        session.begin().await?;
        let again = set(&mut session.connection, admin, names, &verifier).await;
        done = session.end(WHAT, again).await;
    }
    session.close().await;
    done?;
    tracing::info!(schema = names.schema, role = names.role, "the tenant has a new password");
    admin.credentials(names, password)
}

async fn set(
    connection: &mut PgConnection,
    admin: &DatabaseAdmin,
    names: &Names,
    verifier: &str,
) -> Result<(), AdminError> {
    registry::lock_active(connection, names).await?;
    Standing::read(connection, admin, names).await?.check_complete(admin, names)?;
    wait_for_locks(connection, PATIENCE).await?;
    let mut values = names.values().to_vec();
    values.push(("verifier", literal(verifier)));
    run(connection, WHAT, include_str!("../queries/roles/set_password.sql"), &values).await?;
    registry::password_set(connection, names).await
}
