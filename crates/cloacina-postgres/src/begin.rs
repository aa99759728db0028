//! How transactions begin: as whom, in which schema, and with which limits. Nothing of it outlives them, but for what a session is
//! set to when it is opened.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _, SqlSafeStr as _, SqlStr};

use crate::schema::{RoleName, SchemaName};

/// As whom transactions run, and where.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// As whom, unless as the one who is logged in.
    pub(crate) role: Option<RoleName>,
    /// Which schema: one that is dropped and made anew has another number. Any, if it does not matter.
    pub(crate) schema: Option<(SchemaName, i64)>,
}

impl Scope {
    /// What finds the number of the schema.
    fn schema_id(&self) -> String {
        match &self.schema {
            // No name that was checked holds a quote.
            Some((schema, _)) => {
                let name = schema.as_str();
                format!("(SELECT n.oid::bigint FROM pg_namespace AS n WHERE n.nspname = '{name}')")
            }
            None => "NULL::bigint".to_owned(),
        }
    }

    /// Reports whether transactions run as the one who is logged in, and it does not matter which schema they find.
    pub(crate) const fn is_open(&self) -> bool {
        self.role.is_none() && self.schema.is_none()
    }

    /// Reports whether a schema that was found is the one.
    pub(crate) fn fits(&self, found: Option<i64>) -> bool {
        self.schema.as_ref().is_none_or(|(_, id)| found == Some(*id))
    }
}

/// What a session is set to when it is opened, where a session belongs to one client: for statements that are transactions by
/// themselves. One that stays stopped by locks gives way to a transaction, which knows its lease.
///
/// A role, a database and the server may have other defaults.
pub(crate) const SESSION: &str = "SET search_path = pg_catalog, pg_temp; \
     SET enable_seqscan = off; \
     SET plan_cache_mode = force_generic_plan; \
     SET jit = off; \
     SET synchronous_commit = on; \
     SET default_transaction_isolation = 'read committed'; \
     SET default_transaction_read_only = off; \
     SET lock_timeout = '250ms'; \
     SET statement_timeout = '10s'; \
     SET timezone = 'UTC'";

/// Begins a transaction that writes. What it needs of the session it sets itself, to its own end: the session may be shared
/// with others by a pooler, and a role may have other defaults.
///
/// Statistics are older than the rows: a plan made for a small table would be kept while it grows. So there is no choice. And since
/// there is none, nothing is to be gained by planning a statement anew for what is bound to it, which takes longer than to carry it
/// out.
pub(crate) fn begin(longest: Duration, scope: &Scope) -> SqlStr {
    let (longest, locked) = (longest.as_millis(), longest.as_millis() / 2);
    let (role, schema) = (set_role(scope.role.as_ref()), scope.schema_id());
    let sql = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {role} \
         SET LOCAL search_path = pg_catalog, pg_temp; \
         SET LOCAL enable_seqscan = off; \
         SET LOCAL plan_cache_mode = force_generic_plan; \
         SET LOCAL jit = off; \
         SET LOCAL synchronous_commit = on; \
         SET LOCAL lock_timeout = {locked}; \
         SET LOCAL statement_timeout = {longest}; \
         SET LOCAL idle_in_transaction_session_timeout = {longest}; \
         SET LOCAL timezone = 'UTC'; \
         SELECT clock_timestamp() AS now, pg_backend_pid() AS pid, {schema} AS schema"
    );
    // Nothing but numbers of our own and a quoted name was put into it.
    AssertSqlSafe(sql).into_sql_str()
}

/// Begins a transaction that reads: all of one moment.
///
/// What is looked for differs from call to call, and with it which index finds it: each statement is planned for what is bound to
/// it.
pub(crate) fn begin_read(scope: &Scope) -> SqlStr {
    let (role, schema) = (set_role(scope.role.as_ref()), scope.schema_id());
    let sql = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {role} \
         SET LOCAL search_path = pg_catalog, pg_temp; \
         SET LOCAL lock_timeout = '5s'; \
         SET LOCAL enable_seqscan = off; \
         SET LOCAL plan_cache_mode = force_custom_plan; \
         SET LOCAL jit = off; \
         SET LOCAL statement_timeout = '50s'; \
         SET LOCAL timezone = 'UTC'; \
         SELECT clock_timestamp() AS now, pg_backend_pid() AS pid, {schema} AS schema"
    );
    // Nothing but a quoted name was put into it.
    AssertSqlSafe(sql).into_sql_str()
}

/// Makes the rest of a transaction run as a tenant: whatever it names, the server refuses what is not the tenant's.
pub(crate) fn set_role(role: Option<&RoleName>) -> String {
    role.map(|role| format!("SET LOCAL ROLE {role};")).unwrap_or_default()
}

/// A transaction that has begun.
pub(crate) struct Begun {
    /// Its time.
    pub(crate) now: DateTime<Utc>,
    /// The server's process that serves the connection.
    pub(crate) pid: i32,
    /// Which schema it finds.
    pub(crate) schema: Option<i64>,
}

/// Begins a transaction, in one round trip.
pub(crate) async fn start(
    connection: &mut PgConnection,
    begin: SqlStr,
) -> Result<Begun, sqlx::Error> {
    let row = sqlx::raw_sql(begin).fetch_one(connection).await?;
    Ok(Begun { now: row.try_get("now")?, pid: row.try_get("pid")?, schema: row.try_get("schema")? })
}
