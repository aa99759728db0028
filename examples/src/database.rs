//! Which back end an address is for.

use std::fmt;

/// The address of a database, and the schema in it. It shows itself without the password.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A file of SQLite.
    Sqlite {
        /// The address.
        url: String,
    },
    /// A schema of a PostgreSQL database.
    Postgres {
        /// The address.
        url: String,
        /// The schema; without one, `public`.
        schema: Option<String>,
    },
}

/// No back end is for that address. The text does not repeat the address, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The scheme is of neither.
    #[error(
        "`{scheme}:` is no address of a database that is known here, expected `sqlite://file.db` or \
         `postgresql://user:password@host:port/database`"
    )]
    UnknownScheme {
        /// What stands before the first colon.
        scheme: String,
    },
    /// There is no scheme.
    #[error(
        "the address of the database has no scheme, expected `sqlite://file.db` or \
         `postgresql://user:password@host:port/database`"
    )]
    NoScheme,
    /// A schema was named for a file.
    #[error(
        "schema `{schema}` is for PostgreSQL, a file of SQLite has none: use one file for each"
    )]
    SchemaOfFile {
        /// The schema.
        schema: String,
    },
}

impl Database {
    /// Tells from the scheme which back end an address is for. The back end itself checks the rest.
    ///
    /// # Errors
    ///
    /// A [`DatabaseError`] for other schemes than `sqlite`, `postgresql` and `postgres`, and for a schema with SQLite.
    pub fn new(url: &str, schema: Option<&str>) -> Result<Self, DatabaseError> {
        let (scheme, _) = url.split_once(':').ok_or(DatabaseError::NoScheme)?;
        match (scheme, schema) {
            ("sqlite", None) => Ok(Self::Sqlite { url: url.to_owned() }),
            ("sqlite", Some(schema)) => {
                Err(DatabaseError::SchemaOfFile { schema: schema.to_owned() })
            }
            ("postgresql" | "postgres", schema) => {
                Ok(Self::Postgres { url: url.to_owned(), schema: schema.map(str::to_owned) })
            }
            // Anything else before a colon may be a part of a password.
            (scheme, _) if is_scheme(scheme) && url[scheme.len()..].starts_with("://") => {
                Err(DatabaseError::UnknownScheme { scheme: scheme.to_owned() })
            }
            _ => Err(DatabaseError::NoScheme),
        }
    }
}

/// Tells whether that may be a scheme, by RFC 3986.
fn is_scheme(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.chars().all(is_allowed)
}

impl fmt::Display for Database {
    /// Leaves out who connects, and how: both may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { url } => f.write_str(url),
            Self::Postgres { url, schema } => {
                let place = url.split_once("://").map_or("", |(_, rest)| rest);
                let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
                let place = place.split_once('?').map_or(place, |(place, _)| place);
                let schema = schema.as_deref().unwrap_or("public");
                write!(f, "schema `{schema}` of postgresql://{place}")
            }
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({self})")
    }
}
