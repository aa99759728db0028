//! Addresses: `postgresql://user:password@host:5432/database?sslmode=verify-full`.
//!
//! They are checked before the driver reads them: it passes over parameters that it does not know, and logs their values, of
//! which one may be the password under a misspelt name.

use std::borrow::Cow;
use std::str::FromStr as _;

use cloacina_core::BackendError;
use sqlx::postgres::PgConnectOptions;
use url::Url;

/// What an address says.
#[derive(Clone)]
pub(crate) struct Address {
    /// What the driver makes of it.
    pub(crate) connect: PgConnectOptions,
    /// Whether it says that a pooler shares its sessions.
    pub(crate) shared: bool,
}

/// The parameters of the driver, each with its other spellings.
const PARAMETERS: [(&str, &[&str]); 12] = [
    ("sslmode", &["ssl-mode"]),
    ("sslrootcert", &["ssl-root-cert", "ssl-ca"]),
    ("sslcert", &["ssl-cert"]),
    ("sslkey", &["ssl-key"]),
    (SHARED, &[]),
    ("host", &["hostaddr"]),
    ("port", &[]),
    ("dbname", &[]),
    ("user", &[]),
    ("password", &[]),
    ("application_name", &[]),
    (OPTIONS, &[]),
];

/// Settings of the server: the only parameter that may be given several times, also as `options[name]`.
const OPTIONS: &str = "options";

/// What says, with the value 0, that sessions are shared.
const SHARED: &str = "statement-cache-capacity";

/// Reads an address. No error shows a part of it where a password could be, be it for want of an encoding.
pub(crate) fn parse(text: &str) -> Result<Address, BackendError> {
    check_scheme(text)?;
    let url = Url::parse(text).map_err(|_| malformed())?;
    // Each is a password with a character that ought to be encoded, of which the first half would be taken for a port.
    if url.fragment().is_some() || url.path().contains('@') {
        return Err(malformed());
    }
    if text.contains('\0') || text.contains("%00") {
        return config("the address of the database holds a NUL character".to_owned());
    }
    let mut shared = false;
    let mut seen = Vec::new();
    for (name, value) in url.query_pairs() {
        let Some(parameter) = known(&name) else {
            return config(unknown_parameter(&name, url.query().unwrap_or_default()));
        };
        if seen.contains(&parameter) && parameter != OPTIONS {
            return config(format!("the address of the database has `{parameter}` twice"));
        }
        seen.push(parameter);
        shared |= parameter == SHARED && value.parse() == Ok(0_usize);
    }
    // Not the error's own text, which may hold a part of the address.
    let connect = PgConnectOptions::from_str(text).map_err(|_| malformed())?;
    Ok(Address { connect, shared })
}

fn check_scheme(text: &str) -> Result<(), BackendError> {
    let scheme = text.split(':').next().unwrap_or_default().to_ascii_lowercase();
    match scheme.trim() {
        "postgres" | "postgresql" => Ok(()),
        "sqlite" => config(
            "an address that starts with `sqlite:` is for the crate `cloacina-sqlite`".to_owned(),
        ),
        _ => config(
            "a PostgreSQL address starts with `postgresql://`, such as \
             `postgresql://user:password@host:port/database`"
                .to_owned(),
        ),
    }
}

fn malformed() -> BackendError {
    BackendError::Config {
        reason: "the address of the database is malformed, expected \
                 `postgresql://user:password@host:port/database`; characters such as `/`, `#`, `?`, `@` and `%` in a name \
                 or a password are percent-encoded, `sslmode` is one of `disable`, `allow`, `prefer`, `require`, \
                 `verify-ca` and `verify-full`"
            .to_owned(),
    }
}

/// Finds a parameter under any of its spellings.
fn known(name: &str) -> Option<&'static str> {
    if name.starts_with("options[") && name.ends_with(']') {
        return Some(OPTIONS);
    }
    let is = |(first, others): &&(&str, &[&str])| *first == name || others.contains(&name);
    PARAMETERS.iter().find(is).map(|(first, _)| *first)
}

/// Names a parameter that is not known, unless it could be the rest of a password, and says what to use instead.
fn unknown_parameter(name: &str, query: &str) -> String {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if !(1..=40).contains(&name.len()) || !name.bytes().all(is_name) || query.contains('@') {
        return format!("a parameter of the address of the database is unknown: {}", all_known());
    }
    let instead = match name {
        "schema" | "currentSchema" | "search_path" => {
            "use `with_schema`, or the builder's `schema`".to_owned()
        }
        "max_connections" | "min_connections" | "pool_size" | "pool_max_conns"
        | "connection_limit" => "use the builder's `db_pool_size`".to_owned(),
        "pgbouncer" => format!("use `{SHARED}=0`"),
        "connect_timeout" | "pool_timeout" | "statement_timeout" | "lock_timeout" => {
            "these limits follow from the builder's `lease_ttl`, or are fixed".to_owned()
        }
        "channel_binding"
        | "gssencmode"
        | "target_session_attrs"
        | "load_balance_hosts"
        | "require_auth"
        | "sslcrl"
        | "sslpassword"
        | "passfile"
        | "service" => "the driver does not support it".to_owned(),
        _ => all_known(),
    };
    format!("the address of a PostgreSQL database has no parameter `{name}`: {instead}")
}

fn all_known() -> String {
    let names: Vec<String> = PARAMETERS.iter().map(|(name, _)| format!("`{name}`")).collect();
    format!("known are {}", names.join(", "))
}

/// Returns where the server is: a host, or the folder of its socket.
pub(crate) fn host(options: &PgConnectOptions) -> Cow<'_, str> {
    match options.get_socket() {
        Some(folder) => folder.to_string_lossy(),
        None => options.get_host().into(),
    }
}

fn config<T>(reason: String) -> Result<T, BackendError> {
    Err(BackendError::Config { reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_reads_what_was_checked() {
        let address = parse(
            "postgres://a%40b:p%2Fw@db.example:5433/my%20db?sslmode=verify-full&application_name=x%20y\
             &options=-c%20a=1&options[b]=2&statement-cache-capacity=0",
        )
        .unwrap();
        assert_eq!(address.connect.get_host(), "db.example");
        assert_eq!(address.connect.get_port(), 5433);
        assert_eq!(address.connect.get_username(), "a@b");
        assert_eq!(address.connect.get_database(), Some("my db"));
        assert_eq!(address.connect.get_application_name(), Some("x y"));
        assert_eq!(address.connect.get_options(), Some("-c a=1 -c b=2"));
        assert!(address.shared);
    }

    #[test]
    fn every_spelling_of_a_parameter_is_taken() {
        for (first, others) in PARAMETERS {
            let value = match first {
                "sslmode" => "require",
                "host" => "::1",
                _ => "1",
            };
            for name in [first].iter().chain(others) {
                parse(&format!("postgresql://h/d?{name}={value}")).unwrap();
            }
        }
    }

    #[test]
    fn sessions_are_shared_only_where_the_parameter_says_so() {
        for (url, shared) in [
            ("postgresql://h/d", false),
            ("postgresql://h/d?statement-cache-capacity=0", true),
            ("postgresql://h/d?statement-cache-capacity=%30", true),
            ("postgresql://h/d?statement-cache-capacity=010", false),
            ("postgresql://h/d?application_name=statement-cache-capacity=0", false),
            ("postgresql://u:statement-cache-capacity=0@h/d", false),
        ] {
            assert_eq!(parse(url).unwrap().shared, shared, "{url}");
        }
    }
}
