//! The address of a store, whose password is shown to nobody.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use url::Url;

/// The parameters that hold no secret. Others are left out of what is shown.
const SHOWN: [&str; 13] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "mode",
    "port",
    "ssl-mode",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// The address of a store. Its password leaves only by [`expose`](Self::expose).
///
/// `Debug`, `Display` and `Serialize` leave the password out, and parameters that are not known to be harmless. What is left is an
/// address as well: PostgreSQL's driver takes the password from `PGPASSWORD` or `~/.pgpass` then.
///
/// ```
/// use cloacina_config::DatabaseUrl;
///
/// let url = DatabaseUrl::from("postgresql://app:secret@localhost/app?sslmode=require");
/// assert_eq!(url.to_string(), "postgresql://app@localhost/app?sslmode=require");
/// assert!(url.expose().contains("secret"));
/// ```
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Returns the whole address, the password included.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Serialises the whole address, the password included, for `#[serde(serialize_with = "..")]`.
    ///
    /// # Errors
    ///
    /// Whatever the serializer refuses.
    pub fn serialize_exposed<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }

    /// The part before the first colon, if it may be a scheme.
    pub(crate) fn scheme(&self) -> Option<&str> {
        let (scheme, _) = self.0.split_once(':')?;
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
        (is_scheme && scheme.chars().all(is_allowed)).then_some(scheme)
    }

    /// Reports whether the store is a file, which has no schemas and no password.
    pub(crate) fn is_file(&self) -> bool {
        self.scheme().is_some_and(|scheme| scheme.eq_ignore_ascii_case("sqlite"))
    }

    /// The address without what may be secret.
    fn shown(&self) -> String {
        if self.is_file() {
            let (path, query) = self.0.split_once('?').unwrap_or((&self.0, ""));
            return with_query(path, query.split('&').filter(|one| one.starts_with("mode=")));
        }
        let Some(scheme) = self.scheme() else { return "<hidden>".to_owned() };
        let Some(mut url) = Url::parse(&self.0).ok().filter(|url| !is_ambiguous(url)) else {
            return format!("{scheme}:<hidden>");
        };
        let query = url.query().unwrap_or_default().to_owned();
        let harmless = |one: &&str| SHOWN.contains(&one.split('=').next().unwrap_or_default());
        url.set_query(None);
        // Addresses without a host have no password either.
        if url.set_password(None).is_err() && url.password().is_some() {
            return format!("{scheme}:<hidden>");
        }
        with_query(url.as_str(), query.split('&').filter(harmless))
    }
}

/// Reports whether a part of a password may stand elsewhere, for want of an encoding: `a/b@host`, `1#b@host`, `1?b@host`.
fn is_ambiguous(url: &Url) -> bool {
    let query = url.query().unwrap_or_default();
    url.cannot_be_a_base()
        || url.fragment().is_some()
        || url.path().contains('@')
        || query.contains('@')
}

fn with_query<'a>(address: &str, parameters: impl Iterator<Item = &'a str>) -> String {
    let query = parameters.collect::<Vec<_>>().join("&");
    if query.is_empty() { address.to_owned() } else { format!("{address}?{query}") }
}

impl From<&str> for DatabaseUrl {
    fn from(url: &str) -> Self {
        Self(url.to_owned())
    }
}

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.shown())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({:?})", self.shown())
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::DatabaseUrl;

    #[test]
    fn an_address_without_its_password_is_an_address() {
        for (whole, shown) in [
            ("postgresql://app:s3cret@db:5433/app", "postgresql://app@db:5433/app"),
            ("postgres://app:s3cr%40et@db/app", "postgres://app@db/app"),
            ("postgresql://app:a@s3cret@db/app", "postgresql://app@db/app"),
            ("postgresql://app@db/app", "postgresql://app@db/app"),
            ("postgresql:///app?host=/run/pg", "postgresql:///app?host=/run/pg"),
            ("postgresql://db/app?user=app&password=s3cret", "postgresql://db/app?user=app"),
            (
                "postgresql://db/app?pasword=s3cret&sslmode=require",
                "postgresql://db/app?sslmode=require",
            ),
            ("sqlite://my folder/a@b.db?mode=rw", "sqlite://my folder/a@b.db?mode=rw"),
            ("sqlite://app.db?key=s3cret", "sqlite://app.db"),
        ] {
            assert_eq!(DatabaseUrl::from(whole).to_string(), shown);
        }
    }

    #[test]
    fn where_a_password_may_be_taken_for_something_else_nothing_is_shown() {
        for (whole, shown) in [
            ("postgresql://app:s3cret/s3cret@db/app", "postgresql:<hidden>"),
            ("postgresql://app:33/s3cret@db/app", "postgresql:<hidden>"),
            ("postgresql://app:33#s3cret@db/app", "postgresql:<hidden>"),
            ("postgresql://app:33?s3cret@db/app", "postgresql:<hidden>"),
            ("postgresql:app:s3cret", "postgresql:<hidden>"),
            ("s3cret", "<hidden>"),
            ("", "<hidden>"),
        ] {
            assert_eq!(DatabaseUrl::from(whole).to_string(), shown);
        }
    }

    #[test]
    fn neither_debug_nor_serialize_shows_the_password_unless_it_is_asked_for() {
        let url = DatabaseUrl::from("postgresql://app:s3cret@db/app");
        assert_eq!(format!("{url:?}"), r#"DatabaseUrl("postgresql://app@db/app")"#);
        assert_eq!(serde_json::to_string(&url).unwrap(), r#""postgresql://app@db/app""#);
        let mut written = Vec::new();
        let mut serializer = serde_json::Serializer::new(&mut written);
        url.serialize_exposed(&mut serializer).unwrap();
        assert_eq!(serde_json::from_slice::<DatabaseUrl>(&written).unwrap(), url);
    }
}
