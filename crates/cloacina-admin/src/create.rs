//! Creates a tenant: one transaction, so that a crash leaves all of it or nothing.

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};

use crate::error::{AdminError, Context as _};
use crate::names::Names;
use crate::prepare::prepare;
use crate::rights::{Rights, SEPARATE_RIGHTS, Standing};
use crate::sql::{identifier, literal, run};
use crate::{
    DatabaseAdmin, TenantCredentials, TenantState, migrate, password, registry, scram, session,
};

const WHAT: &str = "create a tenant";

/// What the transaction came to.
enum Done {
    Created,
    /// It was complete before.
    Exists,
}

/// Creates a tenant with a chosen password, or a generated one.
pub(crate) async fn create(
    admin: &DatabaseAdmin,
    names: &Names,
    chosen: Option<String>,
) -> Result<TenantCredentials, AdminError> {
    let is_chosen = chosen.is_some();
    let password = chosen.map_or_else(password::generate, Ok)?;
    let verifier = scram::verifier(&password)?;
    let mut session = admin.database.session().await?;
    let rights = prepare(&mut session, admin).await?;
    session.begin().await?;
    let done = make(&mut session.connection, admin, &rights, names, &verifier).await;
    let done = session.end(WHAT, done).await;
    session.close().await;
    let (schema, role) = (&*names.schema, &*names.role);
    match done? {
        Done::Created => tracing::info!(schema, role, "the tenant was created"),
        Done::Exists if is_chosen && logs_in(admin, names, &password).await? => {
            tracing::debug!(schema, role, "the tenant exists with this password");
        }
        Done::Exists => {
            return Err(AdminError::TenantExists {
                schema_name: schema.to_owned(),
                username: role.to_owned(),
            });
        }
    }
    admin.credentials(names, password)
}

/// Tells whether the tenant's password is this one.
async fn logs_in(admin: &DatabaseAdmin, names: &Names, password: &str) -> Result<bool, AdminError> {
    let address = admin.database.address()?;
    let options = address.options().clone().username(&names.role).password(password);
    match session::connect(&options, &address.place()).await {
        Ok(connection) => {
            let _ = connection.close_hard().await;
            Ok(true)
        }
        Err(AdminError::Refused { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The steps, under the lock of the tenant. Each may find its outcome in place.
async fn make(
    connection: &mut PgConnection,
    admin: &DatabaseAdmin,
    rights: &Rights,
    names: &Names,
    verifier: &str,
) -> Result<Done, AdminError> {
    let is_new = registry::insert(connection, names).await?;
    match registry::lock(connection, names).await? {
        Some(TenantState::Active) => {}
        Some(TenantState::Removing) => {
            return Err(AdminError::BeingRemoved { schema_name: names.schema.clone() });
        }
        None => {
            return Err(AdminError::Unavailable {
                reason: format!("{WHAT}: a tenant of that name was removed at the same moment"),
                source: None,
            });
        }
    }
    let standing = Standing::read(connection, admin, names).await?;
    if is_new {
        check_new(&standing, names)?;
    } else {
        standing.check_role(admin, names)?;
        if standing.role_exists && standing.has_ledger {
            return Ok(Done::Exists);
        }
        registry::password_set(connection, names).await?;
    }
    check_schema(&standing, names)?;
    make_role(connection, admin, names, &standing, verifier).await?;
    let values = names.values();
    if !standing.schema_exists {
        run(connection, WHAT, include_str!("../queries/schemas/create.sql"), &values).await?;
    }
    migrate::migrate(connection, names).await?;
    // Late, since it makes others wait who create tenants.
    join(connection, admin, rights, names).await?;
    verify(connection, admin, rights, names).await?;
    Ok(Done::Created)
}

/// Refuses a role that somebody else has made.
fn check_new(standing: &Standing, names: &Names) -> Result<(), AdminError> {
    if standing.role_exists {
        return Err(AdminError::not_ours(format!(
            "role `{}` exists and is no tenant's of this database",
            names.role
        )));
    }
    Ok(())
}

/// Refuses a schema that is none of Cloacina's, or in which somebody but the admin may have planted something.
fn check_schema(standing: &Standing, names: &Names) -> Result<(), AdminError> {
    let schema = &names.schema;
    if !standing.schema_exists || (standing.has_ledger && standing.is_owned) {
        return Ok(());
    }
    Err(AdminError::not_ours(match standing.has_ledger {
        true => format!("schema `{schema}`, or something in it, does not belong to the admin"),
        false => format!("schema `{schema}` exists and is none of Cloacina's"),
    }))
}

async fn make_role(
    connection: &mut PgConnection,
    admin: &DatabaseAdmin,
    names: &Names,
    standing: &Standing,
    verifier: &str,
) -> Result<(), AdminError> {
    let mut values = names.values().to_vec();
    values.extend(admin.settings.values());
    values.push(("verifier", literal(verifier)));
    values.push(("database", identifier(&admin.database_name())));
    let make = match standing.role_exists {
        true => include_str!("../queries/roles/alter.sql"),
        false => include_str!("../queries/roles/create.sql"),
    };
    run(connection, WHAT, make, &values).await?;
    run(connection, WHAT, include_str!("../queries/roles/configure.sql"), &values).await
}

/// Puts the role into the group, and lets those act as the tenant who have to.
pub(crate) async fn join(
    connection: &mut PgConnection,
    admin: &DatabaseAdmin,
    rights: &Rights,
    names: &Names,
) -> Result<(), AdminError> {
    let separate = |options: &'static str| match rights.version >= SEPARATE_RIGHTS {
        true => options,
        false => "",
    };
    let mut grants = vec![(&*admin.group, &*names.role, separate("WITH INHERIT TRUE, SET FALSE"))];
    if !rights.is_superuser {
        grants.push(own_grant(rights, names));
    }
    if let Some(runtime) = &admin.runtime {
        grants.push((&*names.role, runtime, separate("WITH INHERIT FALSE, SET TRUE")));
    }
    for (role, member, options) in grants {
        grant(connection, role, member, options).await?;
    }
    Ok(())
}

/// Whoever ends a tenant's sessions has to have its rights, but need not become it.
fn own_grant<'a>(rights: &'a Rights, names: &'a Names) -> (&'a str, &'a str, &'static str) {
    let options = match rights.version >= SEPARATE_RIGHTS {
        true => "WITH INHERIT TRUE, SET FALSE",
        false => "",
    };
    (&names.role, &rights.admin, options)
}

/// Grants the admin what it takes to end a tenant's sessions.
pub(crate) async fn grant_admin(
    connection: &mut PgConnection,
    rights: &Rights,
    names: &Names,
) -> Result<(), AdminError> {
    if rights.is_superuser {
        return Ok(());
    }
    let (role, member, options) = own_grant(rights, names);
    grant(connection, role, member, options).await
}

async fn grant(
    connection: &mut PgConnection,
    role: &str,
    member: &str,
    options: &str,
) -> Result<(), AdminError> {
    let values = [
        ("role", identifier(role)),
        ("member", identifier(member)),
        ("options", options.to_owned()),
    ];
    run(connection, WHAT, include_str!("../queries/roles/grant.sql"), &values).await
}

/// Reads back what was granted.
async fn verify(
    connection: &mut PgConnection,
    admin: &DatabaseAdmin,
    rights: &Rights,
    names: &Names,
) -> Result<(), AdminError> {
    let what = "read back what was granted";
    let query = sqlx::query(include_str!("../queries/rights/verify.sql")).persistent(false);
    let row =
        query.bind(&names.schema).bind(&names.role).fetch_one(connection).await.during(what)?;
    if !row.try_get::<bool, _>("connects").during(what)? {
        let (database, group) = (identifier(&admin.database_name()), identifier(&admin.group));
        return Err(AdminError::MissingRights {
            role: rights.admin.clone(),
            statements: vec![format!("GRANT CONNECT ON DATABASE {database} TO {group}")],
        });
    }
    if !row.try_get::<bool, _>("fits").during(what)? {
        let (role, schema) = (&names.role, &names.schema);
        return Err(AdminError::Failed {
            reason: format!(
                "{what}: role `{role}` has other rights in schema `{schema}` than it was given"
            ),
            source: None,
        });
    }
    Ok(())
}
