//! The admin's handle.

use std::fmt;
use std::time::Duration;

use sqlx::postgres::PgConnection;

use crate::error::AdminError;
use crate::names::Names;
use crate::rights::Rights;
use crate::{
    Database, Finding, Removal, RoleSettings, Tenant, TenantConfig, TenantCredentials,
    TenantMigration, audit, create, migrate, registry, remove, rotate,
};

/// The group that every tenant's role is in, unless another is chosen.
const GROUP: &str = "cloacina_tenants";

/// Creates, lists and removes tenants that have a schema and a login of their own. Cheap to clone.
///
/// Every operation runs to its end even if its future is dropped, and may be called again after an error or a crash. Those on
/// one tenant wait for each other; no tenant can hold them up by a lock.
#[derive(Clone)]
pub struct DatabaseAdmin {
    pub(crate) database: Database,
    pub(crate) group: String,
    pub(crate) runtime: Option<String>,
    pub(crate) settings: RoleSettings,
    pub(crate) removal_patience: Duration,
}

impl DatabaseAdmin {
    /// Makes a handle. Nothing is asked of the server yet.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            group: GROUP.to_owned(),
            runtime: None,
            settings: RoleSettings::default(),
            removal_patience: Duration::from_secs(30),
        }
    }

    /// Chooses what the roles of tenants that are created from now on may use.
    #[must_use]
    pub fn role_settings(mut self, settings: RoleSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Names the role that every tenant's role is in: `cloacina_tenants` if none is named. It is created if it is missing.
    ///
    /// It carries CONNECT on the database, so each database of a server needs a group of its own: tenants of one could
    /// connect to the other otherwise.
    #[must_use]
    pub fn group_role(mut self, name: impl Into<String>) -> Self {
        self.group = name.into();
        self
    }

    /// Names the login of processes that serve many tenants over one pool. It may act for tenants that are created or migrated
    /// from now on: `SET LOCAL ROLE` makes it one of them, and otherwise it has none of their rights.
    ///
    /// The role has to exist, with LOGIN and NOINHERIT; [`create_tenant`](Self::create_tenant) refuses any other.
    #[must_use]
    pub fn runtime_role(mut self, name: impl Into<String>) -> Self {
        self.runtime = Some(name.into());
        self
    }

    /// Chooses how long a removal waits for locks on the tenant's tables: 30 s by default.
    #[must_use]
    pub fn removal_patience(mut self, patience: Duration) -> Self {
        self.removal_patience = patience;
        self
    }

    /// Creates a tenant: a schema with up-to-date tables, owned by the admin, and a role that may log in, read and write these
    /// tables, and nothing else.
    ///
    /// All of it is one transaction, so a crash leaves the whole tenant or nothing. Called again for a tenant that
    /// exists, it changes nothing and never touches the password: with the tenant's own password it returns the same credentials
    /// as the first time; with another, or to generate one, it is [`AdminError::TenantExists`]. Whoever lost a generated password, because
    /// the process died before it could be kept, gets a new one from [`rotate_password`](Self::rotate_password). A tenant whose role or
    /// schema is gone, as after a restore without roles, is made whole and gets the password.
    ///
    /// A schema that `UnifiedExecutor::with_schema` made with the admin's own login becomes the tenant's, with what is in it.
    ///
    /// The first call prepares the database: it creates the schema `cloacina_admin`, in which the admin keeps its registry, and the
    /// group role, and takes from `PUBLIC` all rights on the database and on the schema `public`, if the admin owns the database.
    /// Otherwise it logs a warning with the statement that the owner has to run, and goes on; [`audit`](Self::audit) tells the same.
    ///
    /// # Errors
    ///
    /// [`AdminError::Config`] for a name or a password that is refused, [`AdminError::TenantExists`], [`AdminError::BeingRemoved`],
    /// [`AdminError::NotOurs`] if schema or role is somebody else's, [`AdminError::MissingRights`] with the statements that are
    /// missing, and what the database makes impossible. After any error nothing of the tenant was made, or the same call says what
    /// there is.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped the tenant is created all the same, or not at all.
    pub async fn create_tenant(
        &self,
        config: TenantConfig,
    ) -> Result<TenantCredentials, AdminError> {
        let names = Names::new(&config.schema_name, &config.username)?;
        let chosen = Some(config.password).filter(|password| !password.is_empty());
        let admin = self.clone();
        self.database.run(async move { create::create(&admin, &names, chosen).await }).await
    }

    /// Removes a tenant and all its data, whether or not it works at the moment.
    ///
    /// First the role can no longer log in, and open sessions can no longer read the schema; then its sessions are ended; then
    /// schema and role are dropped. Called again it goes on where it was cut off. A tenant that does not exist is
    /// [`Removal::Absent`].
    ///
    /// # Errors
    ///
    /// [`AdminError::Busy`] if others hold locks on the tables for longer than [`removal_patience`](Self::removal_patience): the tenant
    /// is locked out, and the same call goes on. [`AdminError::NotOurs`] if schema or role is somebody else's.
    /// [`AdminError::Refused`] if the role owns something in another database; and what the database makes impossible.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped the removal goes on.
    pub async fn remove_tenant(
        &self,
        schema_name: &str,
        username: &str,
    ) -> Result<Removal, AdminError> {
        let (admin, names) = (self.clone(), Names::new(schema_name, username)?);
        self.database.run(async move { remove::remove(&admin, &names).await }).await
    }

    /// Gives a tenant a new generated password and returns it.
    ///
    /// Sessions that are open go on; new ones need the new password from now on, so hand it to running processes at once.
    ///
    /// # Errors
    ///
    /// [`AdminError::UnknownTenant`], [`AdminError::BeingRemoved`], [`AdminError::NotOurs`] if the role is not the tenant's any more, and
    /// what the database makes impossible.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped the password may have changed; call it again.
    pub async fn rotate_password(
        &self,
        schema_name: &str,
        username: &str,
    ) -> Result<TenantCredentials, AdminError> {
        let (admin, names) = (self.clone(), Names::new(schema_name, username)?);
        self.database.run(async move { rotate::rotate(&admin, &names, None).await }).await
    }

    /// Gives a tenant the password that is named, as [`rotate_password`](Self::rotate_password) does.
    ///
    /// # Errors
    ///
    /// As there, and [`AdminError::Config`] for a password that is refused.
    ///
    /// # Cancel safety
    ///
    /// As there. The same call may be made again.
    pub async fn set_password(
        &self,
        schema_name: &str,
        username: &str,
        password: &str,
    ) -> Result<TenantCredentials, AdminError> {
        let (admin, names) = (self.clone(), Names::new(schema_name, username)?);
        let chosen = Some(password.to_owned());
        self.database.run(async move { rotate::rotate(&admin, &names, chosen).await }).await
    }

    /// Lists the tenants that were created here, in the order of their schemas.
    ///
    /// # Errors
    ///
    /// What the database makes impossible.
    pub async fn list_tenants(&self) -> Result<Vec<Tenant>, AdminError> {
        let admin = self.clone();
        self.database.run(async move { admin.tenants().await }).await
    }

    /// Brings the tables of all tenants up to date, one after the other, each in a transaction of its own. To be called when a
    /// new version of this crate is deployed; executors of an old version go on.
    ///
    /// It grants anew what each tenant's role may do, and lets a [`runtime_role`](Self::runtime_role) act for tenants that are older than it.
    ///
    /// One tenant's failure keeps no other from being migrated. Called again, it finds little to do.
    ///
    /// # Errors
    ///
    /// What makes it impossible to list the tenants.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped the migration goes on.
    pub async fn migrate_tenants(&self) -> Result<Vec<TenantMigration>, AdminError> {
        let admin = self.clone();
        self.database.run_long(async move { migrate::all(&admin).await }).await
    }

    /// Brings the tables of one tenant up to date.
    pub(crate) async fn migrate(&self, schema: &str, role: &str) -> Result<(), AdminError> {
        let (admin, schema, role) = (self.clone(), schema.to_owned(), role.to_owned());
        self.database.run(async move { migrate::one(&admin, &schema, &role).await }).await
    }

    /// Looks for what would let a tenant out of its schema, or somebody in. Empty if all is well. Changes nothing.
    ///
    /// # Errors
    ///
    /// What the database makes impossible.
    pub async fn audit(&self) -> Result<Vec<Finding>, AdminError> {
        let admin = self.clone();
        self.database.run(async move { audit::audit(&admin).await }).await
    }

    pub(crate) async fn tenants(&self) -> Result<Vec<Tenant>, AdminError> {
        let mut session = self.database.session().await?;
        let tenants = match self.has_registry(&mut session.connection).await? {
            true => registry::list(&mut session.connection).await?,
            false => Vec::new(),
        };
        session.close().await;
        Ok(tenants)
    }

    /// Tells whether there was ever a tenant.
    pub(crate) async fn has_registry(
        &self,
        connection: &mut PgConnection,
    ) -> Result<bool, AdminError> {
        let rights = Rights::read(connection, self).await?;
        rights.check_registry()?;
        Ok(rights.registry_exists)
    }

    pub(crate) fn database_name(&self) -> String {
        self.database
            .address()
            .map_or_else(|_| String::new(), |address| address.database().to_owned())
    }

    pub(crate) fn credentials(
        &self,
        names: &Names,
        password: String,
    ) -> Result<TenantCredentials, AdminError> {
        Ok(TenantCredentials {
            connection_string: self.database.address()?.of(&names.role, &password),
            username: names.role.clone(),
            password,
            schema_name: names.schema.clone(),
        })
    }
}

impl fmt::Debug for DatabaseAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseAdmin")
            .field("database", &self.database)
            .field("group_role", &self.group)
            .field("runtime_role", &self.runtime)
            .field("role_settings", &self.settings)
            .finish_non_exhaustive()
    }
}
