//! What the crate `cloacina-admin` needs of this one. No part of the public interface.

use cloacina_core::BackendError;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::error;
use crate::migrate::{self, Missing};
use crate::schema::SchemaName;
use crate::url;

/// The table in a tenant's schema that tells that the schema is ours.
pub const LEDGER: &str = "cloacina_migrations";

/// Checks the name of a tenant's schema.
///
/// # Errors
///
/// [`BackendError::Config`] that says which rule the name breaks.
pub fn check_schema_name(name: &str) -> Result<(), BackendError> {
    SchemaName::tenant(name).map(drop)
}

/// Reads the address of a database.
///
/// # Errors
///
/// [`BackendError::Config`] as of [`PostgresOptions::from_url`](crate::PostgresOptions::from_url).
pub fn read_address(url: &str) -> Result<PgConnectOptions, BackendError> {
    url::parse(url).map(|address| address.connect)
}

/// Returns the text of an error of the driver, but for one that shows a character of the password.
#[must_use]
pub fn describe(error: &sqlx::Error) -> String {
    error::describe(error)
}

/// Brings the tables of a tenant's schema up to date, in the transaction that the connection is in. The caller ends it.
///
/// # Errors
///
/// A [`BackendError`] if the name is refused, if the role lacks a right, or if the schema is another program's or a newer
/// program's. The transaction can only be rolled back then.
pub async fn migrate(connection: &mut PgConnection, schema: &str) -> Result<(), BackendError> {
    migrate::apply(connection, &SchemaName::tenant(schema)?, Missing::Create).await.map(drop)
}
