//! What the admin may do, and what the database leaves open to everybody.

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use crate::error::{AdminError, Context as _};
use crate::names::{ADMIN_SCHEMA, Names};
use crate::sql::identifier;
use crate::{DatabaseAdmin, names};

/// The first version in which who creates a role does not have its rights.
pub(crate) const SEPARATE_RIGHTS: i32 = 160_000;

/// As the catalog has it.
#[derive(Debug)]
pub(crate) struct Rights {
    pub(crate) admin: String,
    pub(crate) version: i32,
    pub(crate) is_superuser: bool,
    creates_roles: bool,
    inherits: bool,
    creates_schemas: bool,
    pub(crate) owns_database: bool,
    pub(crate) grants_connect: bool,
    pub(crate) owns_public: bool,
    pub(crate) group_exists: bool,
    group_has_powers: bool,
    grants_group: bool,
    pub(crate) group_connects: bool,
    public_connects: bool,
    pub(crate) database_is_open: bool,
    pub(crate) public_is_open: bool,
    runtime_exists: bool,
    runtime_fits: bool,
    pub(crate) runtime_connects: bool,
    pub(crate) registry_exists: bool,
    registry_is_ours: bool,
}

impl Rights {
    pub(crate) async fn read(
        connection: &mut PgConnection,
        admin: &DatabaseAdmin,
    ) -> Result<Self, AdminError> {
        let what = "read the rights of the admin";
        let query = sqlx::query(include_str!("../queries/rights/read.sql")).persistent(false);
        let query = query.bind(&admin.group).bind(admin.runtime.as_deref());
        let row = query.fetch_one(connection).await.during(what)?;
        Self::from_row(&row).during(what)
    }

    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            admin: row.try_get("admin")?,
            version: row.try_get("version")?,
            is_superuser: row.try_get("is_superuser")?,
            creates_roles: row.try_get("creates_roles")?,
            inherits: row.try_get("inherits")?,
            creates_schemas: row.try_get("creates_schemas")?,
            owns_database: row.try_get("owns_database")?,
            grants_connect: row.try_get("grants_connect")?,
            owns_public: row.try_get("owns_public")?,
            group_exists: row.try_get("group_exists")?,
            group_has_powers: row.try_get("group_has_powers")?,
            grants_group: row.try_get("grants_group")?,
            group_connects: row.try_get("group_connects")?,
            public_connects: row.try_get("public_connects")?,
            database_is_open: row.try_get("database_is_open")?,
            public_is_open: row.try_get("public_is_open")?,
            runtime_exists: row.try_get("runtime_exists")?,
            runtime_fits: row.try_get("runtime_fits")?,
            runtime_connects: row.try_get("runtime_connects")?,
            registry_exists: row.try_get("registry_exists")?,
            registry_is_ours: row.try_get("registry_is_ours")?,
        })
    }

    /// Refuses to begin without the rights that a tenant takes, and names each that is missing.
    pub(crate) fn check(&self, admin: &DatabaseAdmin) -> Result<(), AdminError> {
        self.check_registry()?;
        if self.group_has_powers {
            let group = &admin.group;
            return Err(AdminError::not_ours(format!(
                "role `{group}` exists and is no group for tenants: it may log in or has powers of its own"
            )));
        }
        self.check_runtime(admin)?;
        let statements = self.missing(admin);
        if statements.is_empty() {
            return Ok(());
        }
        Err(AdminError::MissingRights { role: self.admin.clone(), statements })
    }

    /// Refuses a login of shared pools that would have the rights of all tenants at once.
    pub(crate) fn check_runtime(&self, admin: &DatabaseAdmin) -> Result<(), AdminError> {
        match &admin.runtime {
            Some(runtime) if !self.runtime_exists || !self.runtime_fits => Err(names::refused(
                "runtime role",
                runtime,
                "it must exist, with LOGIN and NOINHERIT, and be no superuser",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses a registry that somebody else could have prepared.
    pub(crate) fn check_registry(&self) -> Result<(), AdminError> {
        if self.registry_exists && !self.registry_is_ours {
            return Err(AdminError::not_ours(format!(
                "schema `{ADMIN_SCHEMA}` exists and does not belong to role `{}`",
                self.admin
            )));
        }
        Ok(())
    }

    fn missing(&self, admin: &DatabaseAdmin) -> Vec<String> {
        let mut statements = Vec::new();
        if self.is_superuser {
            return statements;
        }
        let (me, group) = (identifier(&self.admin), identifier(&admin.group));
        let database = identifier(&admin.database_name());
        let separate = self.version >= SEPARATE_RIGHTS;
        if !self.creates_roles {
            statements.push(format!("ALTER ROLE {me} CREATEROLE"));
        }
        if !self.creates_schemas {
            statements.push(format!("GRANT CREATE ON DATABASE {database} TO {me}"));
        }
        if !separate && !self.inherits {
            // Without it, the admin may not end the sessions of a tenant.
            statements.push(format!("ALTER ROLE {me} INHERIT"));
        }
        let may_connect = self.public_connects || self.group_connects || self.grants_connect;
        if !self.group_exists && !may_connect {
            statements.push(format!("CREATE ROLE {group} NOLOGIN"));
        }
        if separate && !self.grants_group && (self.group_exists || !may_connect) {
            statements.push(format!("GRANT {group} TO {me} WITH ADMIN OPTION"));
        }
        if !may_connect {
            statements.push(format!("GRANT CONNECT ON DATABASE {database} TO {group}"));
        }
        if let Some(runtime) = &admin.runtime
            && !self.runtime_connects
            && !self.grants_connect
        {
            let runtime = identifier(runtime);
            statements.push(format!("GRANT CONNECT ON DATABASE {database} TO {runtime}"));
        }
        statements
    }
}

/// What there is under the names of a tenant.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) role_exists: bool,
    /// It is in the group and has no powers.
    pub(crate) role_fits: bool,
    pub(crate) schema_exists: bool,
    /// The schema is one of Cloacina's.
    pub(crate) has_ledger: bool,
    /// The admin owns the schema and all that is in it.
    pub(crate) is_owned: bool,
}

impl Standing {
    pub(crate) async fn read(
        connection: &mut PgConnection,
        admin: &DatabaseAdmin,
        names: &Names,
    ) -> Result<Self, AdminError> {
        let what = "look for the schema and the role";
        let query = sqlx::query(include_str!("../queries/rights/standing.sql")).persistent(false);
        let query = query.bind(&names.schema).bind(&names.role).bind(&admin.group);
        let row = query.fetch_one(connection).await.during(what)?;
        let read = |row: &PgRow| {
            Ok(Self {
                role_exists: row.try_get("role_exists")?,
                role_fits: row.try_get("role_fits")?,
                schema_exists: row.try_get("schema_exists")?,
                has_ledger: row.try_get("has_ledger")?,
                is_owned: row.try_get("is_owned")?,
            })
        };
        read(&row).during(what)
    }

    /// Refuses a role that is no tenant's.
    pub(crate) fn check_role(
        &self,
        admin: &DatabaseAdmin,
        names: &Names,
    ) -> Result<(), AdminError> {
        if !self.role_exists || self.role_fits {
            return Ok(());
        }
        let (role, group) = (&names.role, &admin.group);
        Err(AdminError::not_ours(format!(
            "role `{role}` exists and is no tenant's: it is not in `{group}` or has powers of its own"
        )))
    }

    /// Refuses a tenant whose role or schema somebody has dropped.
    pub(crate) fn check_complete(
        &self,
        admin: &DatabaseAdmin,
        names: &Names,
    ) -> Result<(), AdminError> {
        self.check_role(admin, names)?;
        if self.role_exists && self.has_ledger {
            return Ok(());
        }
        let (schema, role) = (&names.schema, &names.role);
        Err(AdminError::not_ours(format!(
            "schema `{schema}` or role `{role}` is gone, `create_tenant` makes it anew and `remove_tenant` forgets it"
        )))
    }
}
