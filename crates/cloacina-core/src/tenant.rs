//! Names of tenants.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest name of a tenant, in bytes.
const MAX_LEN: usize = 48;

/// Names that databases and operating systems use themselves, and where `cloacina-admin` keeps its registry.
const RESERVED: [&str; 7] =
    ["public", "information_schema", "cloacina_admin", "con", "prn", "aux", "nul"];

/// Names a tenant. Cheap to clone.
///
/// A name has 1 to 48 bytes: lower-case ASCII letters, digits, `_` and `-`, a letter first. It becomes the name of a schema
/// or a file, so what databases and operating systems use themselves is refused: `public`, `information_schema`, what
/// begins with `pg_`, and the devices of DOS.
///
/// ```
/// use cloacina_core::TenantId;
///
/// assert_eq!("acme_7".parse::<TenantId>().unwrap().as_str(), "acme_7");
/// let error = "../acme".parse::<TenantId>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "tenant name \"../acme\" is refused: it must begin with a letter from a to z"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Arc<str>", into = "Arc<str>")]
pub struct TenantId(Arc<str>);

/// The text is not the name of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tenant name {name:?} is refused: {rule}")]
pub struct TenantIdError {
    /// The text, cut to 64 characters.
    name: String,
    rule: &'static str,
}

impl TenantId {
    /// Checks a name and wraps it.
    ///
    /// # Errors
    ///
    /// A [`TenantIdError`] that says which rule the name breaks.
    pub fn new(name: impl Into<Arc<str>>) -> Result<Self, TenantIdError> {
        let name = name.into();
        match broken_rule(&name) {
            None => Ok(Self(name)),
            Some(rule) => Err(TenantIdError { name: name.chars().take(64).collect(), rule }),
        }
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn broken_rule(name: &str) -> Option<&'static str> {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    let is_device = |prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|rest| matches!(rest.as_bytes(), [b'0'..=b'9']))
    };
    if name.is_empty() || name.len() > MAX_LEN {
        Some("it must have 1 to 48 bytes")
    } else if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        Some("it must begin with a letter from a to z")
    } else if !name.bytes().all(is_allowed) {
        Some("it may hold lower-case ASCII letters, digits, `_` and `-` only")
    } else if name.starts_with("pg_") {
        Some("names that begin with `pg_` belong to PostgreSQL")
    } else if RESERVED.contains(&name) || is_device("com") || is_device("lpt") {
        Some("the name is reserved")
    } else {
        None
    }
}

impl TryFrom<Arc<str>> for TenantId {
    type Error = TenantIdError;

    fn try_from(name: Arc<str>) -> Result<Self, TenantIdError> {
        Self::new(name)
    }
}

impl From<TenantId> for Arc<str> {
    fn from(tenant: TenantId) -> Self {
        tenant.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for TenantId {
    type Err = TenantIdError;

    fn from_str(name: &str) -> Result<Self, TenantIdError> {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests;
