//! Looks for unfinished work in many schemas at once.

use std::fmt::Write as _;
use std::time::Duration;

use cloacina_core::{BackendError, TenantWork};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use super::catalog::Found;
use crate::begin::set_role;
use crate::error::{Context as _, is_lost_with};
use crate::queries::render;

const WHAT: &str = "look for work";

/// How many schemas are looked into in one round trip.
const AT_ONCE: usize = 100;

/// What it needs of the session it sets itself. Statistics are older than the rows, and partial indexes tell all.
const BEGIN: &str = "\
    BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; \
    SET LOCAL search_path = pg_catalog, pg_temp; \
    SET LOCAL enable_seqscan = off; \
    SET LOCAL jit = off; \
    SET LOCAL lock_timeout = '200ms'; \
    SET LOCAL statement_timeout = '2s'; ";

/// Tells which of the tenants have unfinished work that may need a worker.
pub(super) async fn look(
    connection: &mut PgConnection,
    tenants: &[Found],
) -> Result<Vec<TenantWork>, BackendError> {
    let mut found = Vec::new();
    for tenants in tenants.chunks(AT_ONCE) {
        match look_into(connection, tenants).await {
            Ok(work) => found.extend(work),
            Err(error) if is_lost_with(&error) => return Err(error),
            // One that cannot be read, such as one that was dropped just now, or that keeps its own tables locked, must not
            // hide the others.
            Err(_) => {
                for tenant in tenants {
                    match look_into(connection, std::slice::from_ref(tenant)).await {
                        Ok(work) => found.extend(work),
                        Err(error) if is_lost_with(&error) => return Err(error),
                        Err(error) => found.extend(unreadable(tenant, &error)),
                    }
                }
            }
        }
    }
    Ok(found)
}

/// A tenant that cannot be read now may have work: whoever opens it tries again.
fn unreadable(tenant: &Found, error: &BackendError) -> Option<TenantWork> {
    tracing::warn!(tenant = %tenant.tenant, %error, "a tenant cannot be read");
    let work = TenantWork { tenant: tenant.tenant.clone(), owned: true, next_due: None };
    error.is_transient().then_some(work)
}

async fn look_into(
    connection: &mut PgConnection,
    tenants: &[Found],
) -> Result<Vec<TenantWork>, BackendError> {
    let mut sql = BEGIN.to_owned();
    for tenant in tenants {
        let role = set_role(tenant.role()?.as_ref());
        let select = render(include_str!("../../queries/catalog/work.sql"), &tenant.schema);
        // Each as its tenant. Writing to a text does not fail.
        let _ = write!(sql, "{role} {}; RESET ROLE; ", select.as_str().trim_end());
    }
    sql.push_str("COMMIT");
    // Nothing but quoted names was put into it.
    let looked = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *connection).await.during(WHAT);
    if looked.is_err() {
        connection.execute("ROLLBACK").await.during(WHAT)?;
    }
    let rows = looked?;
    let mut found = Vec::new();
    for (tenant, row) in tenants.iter().zip(rows) {
        let owned = row.try_get("owned").during(WHAT)?;
        let next_due: Option<f64> = row.try_get("next_due").during(WHAT)?;
        let next_due = next_due.map(|wait| Duration::try_from_secs_f64(wait).unwrap_or_default());
        if owned || next_due.is_some() {
            found.push(TenantWork { tenant: tenant.tenant.clone(), owned, next_due });
        }
    }
    Ok(found)
}
