//! Brings the tables of a schema up to date.

use std::time::Duration;

use cloacina_core::BackendError;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use crate::begin::set_role;
use crate::error::{Context as _, is_forbidden, is_there_already, refused, silent};
use crate::queries::render;
use crate::schema::{RoleName, SchemaName};

/// The version that this program writes: the number of migrations.
pub(crate) const VERSION: usize = MIGRATIONS.len();

const MIGRATIONS: [&str; 3] = [
    include_str!("../migrations/0001_initial.sql"),
    include_str!("../migrations/0002_progress.sql"),
    include_str!("../migrations/0003_tasks.sql"),
];

/// What it needs of the session it sets itself: a role may have other defaults.
const BEGIN: &str = "\
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
    SET LOCAL search_path = pg_catalog, pg_temp; \
    SET LOCAL lock_timeout = '60s'; \
    SET LOCAL statement_timeout = '10min'; \
    SET LOCAL idle_in_transaction_session_timeout = '60s'";

/// How long the answer to a look is waited for. The server gives up a lock before.
const LOOK: Duration = Duration::from_secs(70);

/// How long the answer to a change is waited for. The server gives up the statement before.
const CHANGE: Duration = Duration::from_secs(11 * 60);

const WHAT: &str = "bring the schema up to date";

/// Tells that a schema is ours, and what it has seen.
const LEDGER: &str = "\
    CREATE TABLE {schema}.cloacina_migrations (\
        version integer NOT NULL PRIMARY KEY, \
        applied_at timestamptz NOT NULL DEFAULT clock_timestamp()\
    )";

/// How often to begin again when others were faster. Each time, one of them got further.
const RACES: usize = 100;

/// What to do with a schema that is not there, or has no ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Create,
    Leave,
}

/// What was found, or done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Migration {
    /// It was made.
    Created,
    /// It was there, and is up to date.
    Existed,
    /// It is not there.
    Absent,
}

/// Applies what the schema has not seen yet, all or nothing, as that role if one is given. Others may do the same at the
/// same time.
pub(crate) async fn migrate(
    connection: &mut PgConnection,
    schema: &SchemaName,
    role: Option<&RoleName>,
    missing: Missing,
) -> Result<Migration, BackendError> {
    let mut races = 0;
    loop {
        let begin = AssertSqlSafe(format!("{BEGIN}; {}", set_role(role)));
        within(LOOK, WHAT, connection.execute(begin)).await?;
        let applied = apply(connection, schema, missing).await;
        let end = if applied.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = within(LOOK, WHAT, connection.execute(end)).await.map(drop);
        match applied {
            // Somebody else has made the schema or its ledger meanwhile.
            Err(error) if is_there_already(&error) && races < RACES => races += 1,
            applied => return ended.and(applied),
        }
    }
}

/// Waits for an answer. A connection that has fallen silent gives none; it is not to be used any more then.
async fn within<T>(
    patience: Duration,
    what: &str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, BackendError> {
    match tokio::time::timeout(patience, work).await {
        Ok(answer) => answer.during(what),
        Err(_) => Err(silent(what, patience)),
    }
}

/// The same in a transaction that has begun.
pub(crate) async fn apply(
    connection: &mut PgConnection,
    schema: &SchemaName,
    missing: Missing,
) -> Result<Migration, BackendError> {
    let seen = seen(connection, schema).await?;
    let migration = match seen {
        Some(VERSION) => return Ok(Migration::Existed),
        Some(_) => Migration::Existed,
        None if missing == Missing::Leave => return Ok(Migration::Absent),
        None => {
            create(connection, schema).await?;
            Migration::Created
        }
    };
    // A lock that only those get who may write to this schema: tenants of one database neither wait for each other nor can
    // they hold each other up.
    let lock = "LOCK TABLE {schema}.cloacina_migrations IN SHARE ROW EXCLUSIVE MODE";
    let lock = sqlx::raw_sql(render(lock, schema));
    let locked = within(LOOK, WHAT, lock.execute(&mut *connection)).await;
    locked.map_err(|error| explain(schema, seen.unwrap_or_default(), error))?;
    let seen = self::seen(connection, schema).await?.unwrap_or_default();
    for (place, migration) in MIGRATIONS.iter().enumerate().skip(seen) {
        let sql = sqlx::raw_sql(render(migration, schema));
        let migrated = within(CHANGE, WHAT, sql.execute(&mut *connection)).await;
        migrated.map_err(|error| explain(schema, place, error))?;
        let version = i32::try_from(place + 1).unwrap_or(i32::MAX);
        let insert =
            render("INSERT INTO {schema}.cloacina_migrations (version) VALUES ($1)", schema);
        let insert = sqlx::query(insert).persistent(false).bind(version);
        within(LOOK, WHAT, insert.execute(&mut *connection)).await?;
    }
    Ok(migration)
}

/// Explains why a migration is not possible: it found in place what it was to make, which nobody else can have made under
/// the ledger's lock, or the role may not.
fn explain(schema: &SchemaName, seen: usize, error: BackendError) -> BackendError {
    let name = schema.as_str();
    let why = if is_there_already(&error) {
        format!("the ledger of schema `{name}` says version {seen}, its tables say otherwise")
    } else if is_forbidden(&error) {
        format!(
            "schema `{name}` has version {seen} and this program needs version {VERSION}: its owner has to bring it up to \
             date, this role may not"
        )
    } else {
        return error;
    };
    refused(format!("{why} ({error}): it was left untouched"))
}

/// Says what to do for a role that may not create what is missing.
fn missing_right(schema: &SchemaName, error: BackendError) -> BackendError {
    if !is_forbidden(&error) {
        return error;
    }
    refused(format!(
        "{error}: for a tenant with a role of its own, `DatabaseAdmin::create_tenant` makes the schema; otherwise somebody who \
         may has to run `CREATE SCHEMA {schema} AUTHORIZATION` with the name of this role"
    ))
}

/// Makes the schema, unless it is there, and its ledger. A schema that holds another program's tables is left alone.
async fn create(connection: &mut PgConnection, schema: &SchemaName) -> Result<(), BackendError> {
    let what = "create the schema";
    let name = schema.as_str();
    // A role may own a schema and yet not be allowed to create any, so this looks first.
    let exists = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)";
    let exists = sqlx::query(exists).persistent(false).bind(name);
    let row = within(LOOK, what, exists.fetch_one(&mut *connection)).await?;
    if !row.try_get::<bool, _>(0).during(what)? {
        let create = sqlx::raw_sql(render("CREATE SCHEMA {schema}", schema));
        let created = within(LOOK, what, create.execute(&mut *connection)).await;
        created.map_err(|error| missing_right(schema, error))?;
    }
    // Not what somebody else has made of it since this looked, which comes with a ledger, and not what belongs to an
    // extension.
    let others = "\
        SELECT c.relname::text FROM pg_class AS c \
        JOIN pg_namespace AS n ON n.oid = c.relnamespace \
        WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT EXISTS (\
            SELECT 1 FROM pg_class AS l \
            WHERE l.relnamespace = n.oid AND l.relname = 'cloacina_migrations'\
        ) AND NOT EXISTS (\
            SELECT 1 FROM pg_depend AS d \
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'\
        ) \
        ORDER BY 1 LIMIT 1";
    let others = sqlx::query(others).persistent(false).bind(name);
    let found = within(LOOK, what, others.fetch_optional(&mut *connection)).await?;
    if let Some(row) = found {
        let table: String = row.try_get(0).during(what)?;
        return Err(refused(format!(
            "schema `{name}` holds `{table}`, which is not ours: it was left untouched, name a schema of its own"
        )));
    }
    let ledger = sqlx::raw_sql(render(LEDGER, schema));
    let created = within(CHANGE, "create the tables", ledger.execute(connection)).await;
    created.map(drop).map_err(|error| missing_right(schema, error))
}

/// Counts the migrations that a schema has seen; `None` if it has no ledger.
async fn seen(
    connection: &mut PgConnection,
    schema: &SchemaName,
) -> Result<Option<usize>, BackendError> {
    let what = "read the version of the schema";
    let exists = "\
        SELECT EXISTS (\
            SELECT 1 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
            WHERE n.nspname = $1 AND c.relname = 'cloacina_migrations'\
        )";
    let query = sqlx::query(exists).persistent(false).bind(schema.as_str());
    let row = within(LOOK, what, query.fetch_one(&mut *connection)).await?;
    if !row.try_get::<bool, _>(0).during(what)? {
        return Ok(None);
    }
    let versions = "SELECT coalesce(max(version), 0), count(*) FROM {schema}.cloacina_migrations";
    let versions = sqlx::raw_sql(render(versions, schema));
    let row = within(LOOK, what, versions.fetch_one(connection)).await?;
    let (last, count): (i32, i64) = (row.try_get(0).during(what)?, row.try_get(1).during(what)?);
    let (name, last) = (schema.as_str(), usize::try_from(last).unwrap_or_default());
    if last > VERSION {
        return Err(refused(format!(
            "schema `{name}` has version {last}, this program knows versions up to {VERSION}: use a newer program, \
             the schema was left untouched"
        )));
    }
    if usize::try_from(count) != Ok(last) {
        return Err(refused(format!(
            "the ledger of schema `{name}` has {count} entries up to version {last}: some are missing, the schema was \
             left untouched"
        )));
    }
    Ok(Some(last))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cloacina_testing::postgres::{schema_name, server};
    use sqlx::{ConnectOptions as _, Connection as _};
    use tokio::io::copy_bidirectional;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Notify;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::PostgresOptions;

    #[tokio::test]
    async fn a_connection_that_falls_silent_is_not_waited_for_without_end() {
        let mut options = PostgresOptions::from_url(server().url()).unwrap().connect;
        let there = (options.get_host().to_owned(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        options = options.host("127.0.0.1").port(listener.local_addr().unwrap().port());
        let silence = Arc::new(Notify::new());
        let falls = Arc::clone(&silence);
        let proxy = TaskTracker::new().spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(there).await.unwrap();
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => {}
                () = falls.notified() => {}
            }
            // Both stay open.
            std::future::pending::<()>().await;
        });
        let mut connection = options.connect().await.unwrap();
        silence.notify_one();
        // Nothing else is waited for, so the time passes at once.
        tokio::time::pause();
        let schema = SchemaName::tenant(&schema_name()).unwrap();
        let error = migrate(&mut connection, &schema, None, Missing::Create).await.unwrap_err();
        let expected = "the database is unavailable: bring the schema up to date: the server did not answer within 70s";
        assert_eq!(error.to_string(), expected);
        let _ = connection.close_hard().await;
        proxy.abort();
    }
}
