//! Names of schemas.

use std::fmt;

use cloacina_core::BackendError;

/// The schema of a database that holds one tenant only.
const PUBLIC: &str = "public";

/// The name of a schema, checked before any SQL is made of it. It shows itself in quotes, as SQL wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SchemaName(String);

impl SchemaName {
    /// Names the schema of a program with one tenant.
    pub(crate) fn public() -> Self {
        Self(PUBLIC.to_owned())
    }

    /// Checks the name of a tenant's schema.
    pub(crate) fn tenant(name: &str) -> Result<Self, BackendError> {
        let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        let rule = if name.is_empty() || name.len() > 48 {
            "it must have 1 to 48 bytes"
        } else if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
            "it must begin with a letter from a to z"
        } else if !name.bytes().all(is_allowed) {
            "it may hold lower-case ASCII letters, digits and `_` only"
        } else if name.starts_with("pg_") || name == "information_schema" {
            "it belongs to PostgreSQL"
        } else if name == PUBLIC {
            "every role of the database may look into it; a program with one tenant uses it without naming it"
        } else {
            return Ok(Self(name.to_owned()));
        };
        let name: String = name.chars().take(64).collect();
        let reason = format!("schema name {name:?} is refused: {rule}");
        Err(BackendError::Config { reason })
    }

    /// Returns the name without quotes.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No name that was checked holds a quote.
        write!(f, "\"{}\"", self.0)
    }
}

/// The name of a role, as the server gave it. It shows itself in quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoleName(String);

impl RoleName {
    pub(crate) fn new(name: String) -> Self {
        Self(name)
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tenants_are_checked_and_quoted() {
        for name in ["a", "acme_7", "order", "select", "pgx", &"a".repeat(48)] {
            assert_eq!(SchemaName::tenant(name).unwrap().to_string(), format!("\"{name}\""));
        }
        for name in [
            "",
            "Acme",
            "7a",
            "_a",
            "a-b",
            "a\"b",
            "a.b",
            "a\0",
            "ä",
            "public",
            "pg_x",
            "../a",
            "information_schema",
            &"a".repeat(49),
        ] {
            let error = SchemaName::tenant(name).unwrap_err().to_string();
            assert!(error.starts_with("schema name "), "{error}");
        }
    }
}
