//! Where the tenants live, and what keeps them apart there: all that differs between the back ends.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use cloacina_admin::{DatabaseAdmin, TenantConfig, TenantCredentials};
use cloacina_core::{BackendError, ExecutorError, TenantManager, TenantStore};
use cloacina_postgres::UnifiedExecutor;
use serde::{Deserialize, Serialize};

use super::Office;

/// Where the tenants live.
#[derive(Clone, Serialize, Deserialize)]
pub enum Place {
    /// A folder: each tenant is a file of SQLite.
    Folder(PathBuf),
    /// The address of a PostgreSQL database, as its admin: each tenant is a schema, and a role.
    Database(String),
}

/// What a tenant got, and what keeps others out of it.
#[derive(Debug)]
pub enum Wall {
    /// A file that only the user who runs this may read.
    File(PathBuf),
    /// A schema that only its own role may use, and the credentials of that role.
    Role(TenantCredentials),
}

impl Place {
    /// Takes a PostgreSQL database.
    ///
    /// # Errors
    ///
    /// The address does not name one.
    pub fn database(url: String) -> anyhow::Result<Self> {
        database_name(&url)?;
        Ok(Self::Database(url))
    }

    /// Creates a tenant.
    ///
    /// # Errors
    ///
    /// The database refuses or fails.
    pub async fn create<S: TenantStore>(
        &self,
        manager: &TenantManager<S>,
        tenant: &str,
    ) -> anyhow::Result<Wall> {
        match self {
            Self::Folder(folder) => {
                manager.create_tenant(tenant).await?;
                Ok(Wall::File(folder.join(format!("{tenant}.db"))))
            }
            // The manager's own `create_tenant` would make a schema and no role. With a role, each transaction in that
            // schema begins by becoming it, so that the server itself refuses whatever is another tenant's.
            Self::Database(url) => {
                let config = TenantConfig {
                    schema_name: tenant.to_owned(),
                    username: tenant.to_owned(),
                    password: String::new(), // a password is generated
                };
                Ok(Wall::Role(admin(url)?.create_tenant(config).await?))
            }
        }
    }

    /// Removes a tenant with all that it has; one that does not exist is no error.
    ///
    /// # Errors
    ///
    /// The database refuses or fails.
    pub async fn remove<S: TenantStore>(
        &self,
        manager: &TenantManager<S>,
        tenant: &str,
    ) -> anyhow::Result<()> {
        // The manager first: it stops the tenant's executor and waits for the tasks that run.
        manager.remove_tenant(tenant).await?;
        if let Self::Database(url) = self {
            // Then what the manager knows nothing of: the role.
            admin(url)?.remove_tenant(tenant, tenant).await?;
        }
        Ok(())
    }
}

/// The admin of a database.
fn admin(url: &str) -> anyhow::Result<DatabaseAdmin> {
    let database = cloacina_admin::Database::new(url, database_name(url)?, 1);
    Ok(DatabaseAdmin::new(database))
}

/// Takes the name of the database from an address.
fn database_name(url: &str) -> anyhow::Result<&str> {
    // Who logs in comes first and may be malformed: no part of a password is to be taken for the name.
    let place = url.rsplit_once('@').or_else(|| url.split_once("://")).map_or("", |(_, rest)| rest);
    let path = place.split('?').next().and_then(|place| place.split_once('/'));
    path.map(|(_, name)| name).filter(|name| !name.is_empty()).context(
        "the address names no database, expected `postgresql://user:password@host:port/database`",
    )
}

impl Wall {
    /// Tries what gets around the manager: whoever works for one tenant wants to get at another. Returns what was
    /// tried, and by what it was refused; nothing if it got through.
    ///
    /// # Errors
    ///
    /// An attempt cannot be made.
    pub async fn storm<S: TenantStore>(
        &self,
        other: &Self,
        manager: &TenantManager<S>,
    ) -> anyhow::Result<(String, Option<String>)> {
        match (self, other) {
            (Self::File(own), Self::File(other)) => {
                // A link to the other's file, put where a tenant's own would be.
                let link = own.with_file_name("demo_link.db");
                // One may be left of a run that was stopped.
                let _ = fs::remove_file(&link);
                link_to(other, &link)?;
                let refused = manager.get_executor("demo_link").await.err();
                fs::remove_file(&link)?;
                let what = format!("by a link to `{}`", named(other));
                Ok((what, refused.map(|error| error.to_string())))
            }
            (Self::Role(own), Self::Role(other)) => {
                // Past the manager: with the credentials that a tenant's own processes have. They are good for its own schema.
                if let Some(error) = refusal(own, &own.schema_name).await? {
                    bail!("{} is kept out of its own schema: {error}", own.username);
                }
                let what = format!("by a login, as role `{}`", own.username);
                Ok((what, refusal(own, &other.schema_name).await?))
            }
            _ => bail!("both tenants live in one place"),
        }
    }

    /// Looks for what is left of a tenant that was removed, and returns how it shows that it is gone; nothing if it is not.
    ///
    /// # Errors
    ///
    /// It cannot look.
    pub async fn gone(&self) -> anyhow::Result<Option<String>> {
        match self {
            Self::File(path) => {
                // Beside the file itself lay those of SQLite and of the worker.
                let folder = path.parent().unwrap_or(path);
                for entry in fs::read_dir(folder)? {
                    if entry?.file_name().to_string_lossy().starts_with(&named(path)) {
                        return Ok(None);
                    }
                }
                Ok(Some(format!("there is no `{}` any more", named(path))))
            }
            Self::Role(own) => {
                let refused = refusal(own, &own.schema_name).await?;
                Ok(refused.map(|error| format!("nobody logs in as it any more: {error}")))
            }
        }
    }
}

/// Opens a schema with the credentials of a tenant and nothing else, and returns by what the server refuses that; nothing if
/// it does not. That it cannot be reached is no refusal.
async fn refusal(own: &TenantCredentials, schema: &str) -> anyhow::Result<Option<String>> {
    let builder = UnifiedExecutor::builder().database_url(&*own.connection_string).schema(schema);
    match builder.state(Office::default()).client_only().build().await {
        Ok(executor) => {
            executor.shutdown().await?;
            Ok(None)
        }
        Err(ExecutorError::Backend(error)) if matches!(*error, BackendError::Refused { .. }) => {
            Ok(Some(error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

fn named(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl fmt::Display for Wall {
    /// Says what the database got for a tenant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file `{}`{}", named(path), mode(path)),
            Self::Role(TenantCredentials { schema_name, username, .. }) => {
                write!(f, "schema `{schema_name}`, for role `{username}` only")
            }
        }
    }
}

impl fmt::Display for Place {
    /// Leaves out who logs in, and how.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Database(url) => write!(f, "database `{}`", database_name(url).unwrap_or("?")),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

#[cfg(unix)]
fn link_to(file: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(file, link)
}

#[cfg(windows)]
fn link_to(file: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(file, link)
}

/// Says who may read a file.
#[cfg(unix)]
fn mode(path: &Path) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).map(|found| found.permissions().mode() & 0o7777);
    mode.map_or_else(|error| format!(": {error}"), |mode| format!(", mode {mode:04o}"))
}

#[cfg(windows)]
fn mode(_path: &Path) -> String {
    String::new()
}
