//! Names of tenants, checked before any SQL is made of them.

use cloacina_core::BackendError;

use crate::AdminError;
use crate::sql::{Value, identifier};

/// The schema in which the admin keeps its registry.
pub(crate) const ADMIN_SCHEMA: &str = "cloacina_admin";

/// The two names of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) schema: String,
    pub(crate) role: String,
}

impl Names {
    /// Checks both.
    pub(crate) fn new(schema: &str, role: &str) -> Result<Self, AdminError> {
        if let Err(error) = cloacina_postgres::admin::check_schema_name(schema) {
            return Err(match error {
                BackendError::Config { reason } => AdminError::config(reason),
                other => AdminError::config(other.to_string()),
            });
        }
        if schema == ADMIN_SCHEMA {
            return Err(refused("schema name", schema, "the admin keeps its registry there"));
        }
        if let Some(rule) = broken_rule(role) {
            return Err(refused("role name", role, rule));
        }
        Ok(Self { schema: schema.to_owned(), role: role.to_owned() })
    }

    /// Returns both quoted, as statements want them.
    pub(crate) fn values(&self) -> [Value<'static>; 2] {
        [("schema", identifier(&self.schema)), ("role", identifier(&self.role))]
    }
}

/// Says which rule the name of a role breaks.
fn broken_rule(name: &str) -> Option<&'static str> {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    if name.is_empty() || name.len() > 63 {
        // Longer ones would be cut, and be another's.
        Some("it must have 1 to 63 bytes")
    } else if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        Some("it must begin with a letter from a to z")
    } else if !name.bytes().all(is_allowed) {
        Some("it may hold lower-case ASCII letters, digits and `_` only")
    } else if name.starts_with("pg_") || name == "public" || name == "none" {
        Some("it belongs to PostgreSQL")
    } else {
        None
    }
}

pub(crate) fn refused(what: &str, name: &str, rule: &str) -> AdminError {
    let name: String = name.chars().take(64).collect();
    AdminError::config(format!("{what} {name:?} is refused: {rule}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_anything_else_are_refused() {
        assert!(Names::new("acme", "select").is_ok());
        for role in ["", "7a", "_a", "Acme", "a\"b", "a-b", "a\0", "ä", "pg_x", "public", "none"] {
            let text = Names::new("acme", role).unwrap_err().to_string();
            assert!(text.starts_with("role name ") && text.contains("is refused"), "{text}");
        }
        assert!(Names::new("acme", &"a".repeat(64)).is_err());
        for schema in ["", "public", "pg_catalog", "a.b", ADMIN_SCHEMA] {
            let text = Names::new(schema, "acme").unwrap_err().to_string();
            assert!(text.starts_with("schema name ") && text.contains("is refused"), "{text}");
        }
    }
}
