//! What goes wrong, by what the caller can do about it.

use std::error::Error as _;
use std::fmt;

use cloacina_core::BackendError;
use cloacina_core::backend::BoxError;

/// What the admin could not do, by what the caller can do about it. No text holds a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// An address, a name or a password is refused. Nothing was changed. Correct it.
    #[error("{reason}")]
    Config {
        /// What is refused, and by which rule.
        reason: String,
    },
    /// The tenant exists, and its password is another one or unknown. It was left as it is.
    /// [`rotate_password`](crate::DatabaseAdmin::rotate_password) gives it a new one.
    #[error(
        "tenant `{schema_name}` with role `{username}` exists: it was left as it is, `rotate_password` gives it a new password"
    )]
    TenantExists {
        /// The tenant's schema.
        schema_name: String,
        /// The tenant's role.
        username: String,
    },
    /// No such tenant was created here.
    #[error("no tenant has schema `{schema_name}` and role `{username}`")]
    UnknownTenant {
        /// The schema that was asked for.
        schema_name: String,
        /// The role that was asked for.
        username: String,
    },
    /// The tenant's removal has begun and not ended. Call [`remove_tenant`](crate::DatabaseAdmin::remove_tenant) to end it.
    #[error(
        "tenant `{schema_name}` is being removed: `remove_tenant` ends a removal that was cut off"
    )]
    BeingRemoved {
        /// The tenant's schema.
        schema_name: String,
    },
    /// A schema or a role is there already and is not this tenant's. It was left untouched. Choose another name.
    #[error("{reason}: it was left untouched")]
    NotOurs {
        /// What is there, and whose it is as far as that is known.
        reason: String,
    },
    /// The admin lacks rights. Somebody who has them runs the statements.
    #[error("role `{role}` lacks rights: somebody who may has to run {}", Statements(statements))]
    MissingRights {
        /// The admin's role.
        role: String,
        /// What to run.
        statements: Vec<String>,
    },
    /// Others hold locks on what is to be changed. Nothing was lost; the same call goes on where this one ended.
    #[error("{what}: {reason}; run it again to go on")]
    Busy {
        /// What was tried.
        what: String,
        /// What it waited for.
        reason: String,
        /// The server's error, if it said something.
        #[source]
        source: Option<BoxError>,
    },
    /// The tables of a schema could not be brought up to date. The schema is as it was.
    #[error("schema `{schema_name}` could not be brought up to date")]
    Migration {
        /// The tenant's schema.
        schema_name: String,
        /// Why.
        source: BackendError,
    },
    /// The server lets nobody in by this name and password, or does not allow this. Correct it.
    #[error("the database refuses: {reason}")]
    Refused {
        /// What was tried and what the server said.
        reason: String,
        /// The server's error.
        #[source]
        source: Option<BoxError>,
    },
    /// The server cannot be reached or is busy. The same call may be made again.
    #[error("the database is unavailable: {reason}")]
    Unavailable {
        /// What was tried and how it failed.
        reason: String,
        /// The driver's error.
        #[source]
        source: Option<BoxError>,
    },
    /// The server answered what it should not have. Trying again does not help.
    #[error("the database failed: {reason}")]
    Failed {
        /// What was tried and what the server said.
        reason: String,
        /// The server's error.
        #[source]
        source: Option<BoxError>,
    },
}

impl AdminError {
    /// Reports whether the same call may succeed later without anybody correcting something.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Unavailable { .. } => true,
            Self::Migration { source, .. } => source.is_transient(),
            _ => false,
        }
    }

    pub(crate) fn config(reason: impl Into<String>) -> Self {
        Self::Config { reason: reason.into() }
    }

    pub(crate) fn not_ours(reason: impl Into<String>) -> Self {
        Self::NotOurs { reason: reason.into() }
    }

    /// Tells whether the server said one of these SQLSTATEs.
    pub(crate) fn has_state(&self, states: &[&str]) -> bool {
        let driver = self.source().and_then(|source| source.downcast_ref::<sqlx::Error>());
        let code =
            driver.and_then(|error| error.as_database_error()).and_then(|error| error.code());
        code.is_some_and(|code| states.contains(&&*code))
    }
}

/// The statements of a list, one after the other.
struct Statements<'a>(&'a [String]);

impl fmt::Display for Statements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, statement) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}`{statement}`")?;
        }
        Ok(())
    }
}

/// Says what was tried when it fails.
pub(crate) trait Context<T> {
    /// Turns the error into ours.
    fn during(self, what: &str) -> Result<T, AdminError>;
}

impl<T> Context<T> for Result<T, sqlx::Error> {
    fn during(self, what: &str) -> Result<T, AdminError> {
        self.map_err(|error| translate(what, error))
    }
}

fn translate(what: &str, error: sqlx::Error) -> AdminError {
    let Some(told) = error.as_database_error() else {
        let reason = format!("{what}: {}", cloacina_postgres::admin::describe(&error));
        if matches!(error, sqlx::Error::Configuration(_)) {
            return AdminError::config(reason);
        }
        let source: Option<BoxError> = Some(Box::new(error));
        let is_ours = matches!(
            source.as_ref().and_then(|source| source.downcast_ref()),
            Some(
                sqlx::Error::ColumnDecode { .. }
                    | sqlx::Error::Decode(_)
                    | sqlx::Error::RowNotFound
            )
        );
        return match is_ours {
            true => AdminError::Failed { reason, source },
            false => AdminError::Unavailable { reason, source },
        };
    };
    let code = told.code().map(String::from).unwrap_or_default();
    let said = told.message().to_owned();
    let reason = format!("{what}: {said}");
    let source: Option<BoxError> = Some(Box::new(error));
    match (&*code, code.get(..2)) {
        // Permissions, wrong passwords, unknown databases.
        ("42501" | "3D000", _) | (_, Some("28")) => AdminError::Refused { reason, source },
        // Waited too long for a lock; got into somebody's way.
        ("55P03", _) | (_, Some("40")) => {
            AdminError::Busy { what: what.to_owned(), reason: said, source }
        }
        // Somebody else made it at the same moment, or changed the same entry of a catalog, which has no code of its own.
        ("23505" | "42P06" | "42P07" | "42710", _) => AdminError::Unavailable { reason, source },
        ("XX000", _) if said == "tuple concurrently updated" => {
            AdminError::Unavailable { reason, source }
        }
        (_, Some("08" | "25" | "53" | "55" | "57" | "58")) => {
            AdminError::Unavailable { reason, source }
        }
        _ => AdminError::Failed { reason, source },
    }
}
