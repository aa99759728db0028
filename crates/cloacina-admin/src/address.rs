//! The address of the database, and that of a tenant, which differs in who logs in.

use cloacina_core::BackendError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use url::Url;

use crate::AdminError;

/// All but what RFC 3986 calls unreserved.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Parameters that say who logs in and where to; the address of a tenant says so elsewhere.
const REPLACED: [&str; 3] = ["user", "password", "dbname"];

/// A checked address of the admin.
#[derive(Clone)]
pub(crate) struct Address {
    url: Url,
    options: PgConnectOptions,
    database: String,
}

impl Address {
    /// Reads an address and puts the name of the database into it.
    pub(crate) fn new(url: &str, database: &str) -> Result<Self, AdminError> {
        if database.is_empty() || database.contains('\0') {
            return Err(crate::names::refused(
                "database name",
                database,
                "it must have 1 byte at least and no NUL character",
            ));
        }
        let options = cloacina_postgres::admin::read_address(url).map_err(|error| match error {
            BackendError::Config { reason } => AdminError::config(reason),
            other => AdminError::config(other.to_string()),
        })?;
        // It was read already: this does not fail.
        let parsed = Url::parse(url).map_err(|error| AdminError::config(error.to_string()))?;
        // A pooler may refuse settings at the start of a session.
        let mut options =
            options.extra_float_digits(None).database(database).disable_statement_logging();
        if options.get_application_name().is_none() {
            options = options.application_name("cloacina-admin");
        }
        Ok(Self { url: parsed, options, database: database.to_owned() })
    }

    pub(crate) const fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// Says where the server is, for errors.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.options.get_host(), self.options.get_port())
    }

    /// Returns the address under which a role logs in: host, port and parameters as in the admin's.
    pub(crate) fn of(&self, username: &str, password: &str) -> String {
        let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let (user, password) = (encode(username), encode(password));
        let mut url = self.url.clone();
        url.set_path(&encode(&self.database));
        let mut parameters: Vec<String> = Vec::new();
        for parameter in url.query().unwrap_or_default().split('&').filter(|one| !one.is_empty()) {
            let key = parameter.split('=').next().unwrap_or_default();
            if !REPLACED.iter().any(|replaced| percent_decode_str(key).eq(replaced.bytes())) {
                parameters.push(parameter.to_owned());
            }
        }
        if url.set_username(&user).and_then(|()| url.set_password(Some(&password))).is_err() {
            // Without a host, as for a socket that a parameter names, nobody can stand before it.
            parameters.push(format!("user={user}"));
            parameters.push(format!("password={password}"));
        }
        let query = Some(parameters.join("&")).filter(|query| !query.is_empty());
        url.set_query(query.as_deref());
        url.into()
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    fn tenant(admin: &str, database: &str) -> String {
        Address::new(admin, database).unwrap().of("acme_app", "p@:/?#%41 ü")
    }

    const PASSWORD: &str = "p%40%3A%2F%3F%23%2541%20%C3%BC";

    #[test]
    fn the_address_of_a_tenant_keeps_all_but_who_logs_in() {
        for (admin, expected) in [
            ("postgresql://admin:a@localhost/app", "postgresql://acme_app:PW@localhost/app"),
            (
                "postgres://h:5433/other?sslmode=verify-full&application_name=a%20b",
                "postgres://acme_app:PW@h:5433/app?sslmode=verify-full&application_name=a%20b",
            ),
            ("postgresql://admin@[::1]:5433", "postgresql://acme_app:PW@[::1]:5433/app"),
            (
                "postgresql://admin:a@%2Frun%2Fpostgresql/app",
                "postgresql://acme_app:PW@%2Frun%2Fpostgresql/app",
            ),
            (
                "postgresql://h/app?user=admin&p%61ssword=a&dbname=b&statement-cache-capacity=0",
                "postgresql://acme_app:PW@h/app?statement-cache-capacity=0",
            ),
            (
                "postgresql:///app?host=/run/postgresql&user=admin",
                "postgresql:///app?host=/run/postgresql&user=acme_app&password=PW",
            ),
        ] {
            assert_eq!(tenant(admin, "app"), expected.replace("PW", PASSWORD));
        }
        assert_eq!(
            tenant("postgresql://a:b@h/x", "my db/#1%41"),
            format!("postgresql://acme_app:{PASSWORD}@h/my%20db%2F%231%2541")
        );
    }

    #[test]
    fn the_driver_reads_back_what_was_meant() {
        for admin in ["postgresql://admin:a@h/app", "postgresql:///app?host=/run/postgresql"] {
            let options = PgConnectOptions::from_str(&tenant(admin, "my db/#1%41")).unwrap();
            assert_eq!(options.get_username(), "acme_app");
            assert_eq!(options.get_database(), Some("my db/#1%41"));
        }
    }

    #[test]
    fn a_malformed_address_is_refused_without_showing_it() {
        for url in [
            "postgresql://u:hunter2@[",
            "postgresql://u:hunter2@h:99999/x",
            "mysql://u:hunter2@h/x",
            "hunter2",
            "",
        ] {
            let error = Address::new(url, "app").err().unwrap();
            assert!(matches!(error, AdminError::Config { .. }));
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        assert!(Address::new("postgresql://h/x", "").is_err());
    }
}
