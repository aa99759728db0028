//! Addresses: `sqlite://relative.db`, `sqlite:///absolute.db`, `sqlite:app.db`, with an optional `?mode=ro|rw|rwc`.

use std::path::PathBuf;

use cloacina_core::BackendError;

/// How the file may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Read only.
    Ro,
    /// Read and write, the file exists.
    Rw,
    /// Read and write, create on demand.
    Rwc,
}

/// What an address says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The file.
    pub(crate) path: PathBuf,
    /// How it may be used.
    pub(crate) mode: Mode,
}

const IN_MEMORY: &str = "an in-memory SQLite database is not durable: give a file, such as `sqlite://app.db`, or use \
                         `cloacina_testing::MemoryBackend` in tests";

/// Reads an address. Errors name parts of it only where no password can be.
pub(crate) fn parse(url: &str) -> Result<Address, BackendError> {
    let rest = strip_scheme(url)?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut mode = None;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name != "mode" {
            return config(unknown_parameter(name));
        }
        if mode.is_some() {
            return config("the SQLite address has `mode` twice".to_owned());
        }
        mode = Some(match value {
            "ro" => Mode::Ro,
            "rw" => Mode::Rw,
            "rwc" => Mode::Rwc,
            "memory" => return config(IN_MEMORY.to_owned()),
            _ => {
                return config(format!(
                    "the parameter `mode` of a SQLite address is `{value}`, expected `ro`, `rw` or `rwc`"
                ));
            }
        });
    }
    let path = percent_decode(path)?;
    if path == ":memory:" || path == "file::memory:" {
        return config(IN_MEMORY.to_owned());
    }
    check_path(&path)?;
    Ok(Address { path: PathBuf::from(path), mode: mode.unwrap_or(Mode::Rwc) })
}

fn strip_scheme(url: &str) -> Result<&str, BackendError> {
    let is_scheme = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    let Some((scheme, rest)) = url.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return config(
            "a SQLite address starts with `sqlite:`, such as `sqlite://app.db`".to_owned(),
        );
    };
    match scheme.to_ascii_lowercase().as_str() {
        "sqlite" => Ok(rest),
        "postgres" | "postgresql" => config(format!(
            "the scheme `{scheme}` is for PostgreSQL: use the crate `cloacina-postgres`, `cloacina-sqlite` opens \
             `sqlite:` addresses"
        )),
        _ => config(format!(
            "the scheme `{scheme}` is unknown, a SQLite address starts with `sqlite:`, such as `sqlite://app.db`"
        )),
    }
}

/// Says what to use in place of a parameter that other programs know.
fn unknown_parameter(name: &str) -> String {
    let instead = match name {
        "synchronous" | "_synchronous" | "_sync" => "use `SqliteOptions::synchronous`",
        "busy_timeout" | "_busy_timeout" | "_timeout" | "timeout" => {
            "use `SqliteOptions::busy_timeout`"
        }
        "max_connections" | "min_connections" | "pool_size" | "pool_max" | "connection_limit" => {
            "use the builder's `db_pool_size` or `SqliteOptions::readers`"
        }
        "journal_mode" | "_journal_mode" | "_journal" => "the journal mode is always WAL",
        "foreign_keys" | "_foreign_keys" | "_fk" => "foreign keys are always enforced",
        "cache" => "every connection has a cache of its own",
        "immutable" => "use `mode=ro`",
        "create_if_missing" => "use `mode=rwc` or `mode=rw`",
        "schema" | "search_path" | "options" => "SQLite has no schemas, use one file a tenant",
        "key" | "password" => "files are not encrypted",
        _ => "only `mode` is known",
    };
    format!("a SQLite address has no parameter `{name}`: {instead}")
}

fn check_path(path: &str) -> Result<(), BackendError> {
    if path.is_empty() {
        return config(
            "the SQLite address names no file, write for example `sqlite://app.db`".to_owned(),
        );
    }
    if path.contains('\0') {
        return config("the path in the SQLite address holds a NUL character".to_owned());
    }
    Ok(())
}

fn percent_decode(text: &str) -> Result<String, BackendError> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            decoded.push(byte);
            rest = tail;
            continue;
        }
        let value = tail.get(..2).and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
            u8::from_str_radix(digits, 16).ok()
        });
        let Some(value) = value else {
            return config(
                "the path in the SQLite address holds a `%` without two hexadecimal digits, write `%25` for `%`"
                    .to_owned(),
            );
        };
        decoded.push(value);
        rest = tail.get(2..).unwrap_or_default();
    }
    String::from_utf8(decoded).or_else(|_| {
        config("the path in the SQLite address is not UTF-8 once percent-decoded".to_owned())
    })
}

fn config<T>(reason: String) -> Result<T, BackendError> {
    Err(BackendError::Config { reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(url: &str) -> String {
        parse(url).unwrap().path.to_str().unwrap().to_owned()
    }

    #[test]
    fn paths() {
        assert_eq!(path("sqlite://a.db"), "a.db");
        assert_eq!(path("sqlite:a.db"), "a.db");
        assert_eq!(path("sqlite:///a/b.db"), "/a/b.db");
        assert_eq!(path("sqlite:/a/b.db"), "/a/b.db");
        assert_eq!(path("sqlite://a%20b%3F.db"), "a b?.db");
        assert_eq!(path("sqlite:file:a.db"), "file:a.db");
        assert_eq!(path("sqlite://dir/a.db?mode=rw"), "dir/a.db");
    }

    #[test]
    fn modes() {
        assert_eq!(parse("sqlite://a.db").unwrap().mode, Mode::Rwc);
        assert_eq!(parse("sqlite://a.db?mode=ro").unwrap().mode, Mode::Ro);
        assert_eq!(parse("sqlite://a.db?mode=rw").unwrap().mode, Mode::Rw);
        assert_eq!(parse("sqlite://a.db?mode=rwc&").unwrap().mode, Mode::Rwc);
    }

    #[test]
    fn errors_say_what_to_do() {
        for (url, wanted) in [
            ("sqlite://a.db?mode=x", "`mode`"),
            ("sqlite::memory:", "MemoryBackend"),
            ("sqlite://:memory:", "MemoryBackend"),
            ("sqlite://a.db?mode=memory", "MemoryBackend"),
            ("sqlite://a.db?synchronous=off", "SqliteOptions::synchronous"),
            ("sqlite://a.db?busy_timeout=5", "SqliteOptions::busy_timeout"),
            ("sqlite://a.db?max_connections=5", "db_pool_size"),
            ("sqlite://a.db?pool_size=5", "db_pool_size"),
            ("sqlite://a.db?journal_mode=delete", "always WAL"),
            ("sqlite://a.db?frobnicate=1", "`frobnicate`"),
            ("sqlite://", "names no file"),
            ("sqlite://a%2", "%25"),
            ("sqlite://a%zz", "%25"),
            ("sqlite://a%ff", "UTF-8"),
            ("sqlite://a%00b", "NUL"),
            ("app.db", "sqlite://app.db"),
            ("mysql://x", "`mysql`"),
        ] {
            let error = parse(url).unwrap_err();
            assert!(matches!(error, BackendError::Config { .. }), "{url}: {error:?}");
            assert!(error.to_string().contains(wanted), "{url}: {error}");
        }
    }

    #[test]
    fn a_password_is_never_repeated() {
        let error = parse("postgres://me:s3cret@host/db?x=s3cret").unwrap_err().to_string();
        assert!(error.contains("cloacina-postgres") && !error.contains("s3cret"), "{error}");
        for url in ["me:s3cret@host", "sqlite://a?password=s3cret", "s3cret"] {
            let error = parse(url).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
