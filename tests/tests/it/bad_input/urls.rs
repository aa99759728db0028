//! Addresses of databases.

use cloacina_core::BackendError;
use cloacina_postgres::PostgresOptions;
use cloacina_sqlite::SqliteOptions;

use super::{Case, check};

const MEMORY: &str = "an in-memory SQLite database is not durable: give a file, such as `sqlite://app.db`, or use \
                      `cloacina_testing::MemoryBackend` in tests";
const NO_FILE: &str = "the SQLite address names no file, write for example `sqlite://app.db`";
const NO_SCHEME: &str = "a SQLite address starts with `sqlite:`, such as `sqlite://app.db`";
const HALF_ENCODED: &str = "the path in the SQLite address holds a `%` without two hexadecimal digits, write `%25` for `%`";

/// An address, and the file and the mode that it names.
const SQLITE: &[Case] = &[
    ("sqlite://app.db", Ok("app.db Rwc")),
    ("sqlite:app.db", Ok("app.db Rwc")),
    ("SQLite:app.db", Ok("app.db Rwc")),
    ("sqlite:///var/lib/app.db", Ok("/var/lib/app.db Rwc")),
    ("sqlite:/var/lib/app.db", Ok("/var/lib/app.db Rwc")),
    ("sqlite:////app.db", Ok("//app.db Rwc")),
    ("sqlite://data/app.db", Ok("data/app.db Rwc")),
    ("sqlite://./data/../app.db", Ok("./data/../app.db Rwc")),
    ("sqlite://localhost/app.db", Ok("localhost/app.db Rwc")),
    ("sqlite://C:\\data\\app.db", Ok("C:\\data\\app.db Rwc")),
    ("sqlite:file:app.db", Ok("file:app.db Rwc")),
    ("sqlite://app.db#x", Ok("app.db#x Rwc")),
    ("sqlite://my%20app%3F%25.db", Ok("my app?%.db Rwc")),
    ("sqlite://a%2Fb.db", Ok("a/b.db Rwc")),
    ("sqlite://a+b.db", Ok("a+b.db Rwc")),
    ("sqlite://\u{fc}b%C3%A4r.db", Ok("\u{fc}b\u{e4}r.db Rwc")),
    ("sqlite://app.db?", Ok("app.db Rwc")),
    ("sqlite://app.db?mode=ro", Ok("app.db Ro")),
    ("sqlite://app.db?mode=rw&", Ok("app.db Rw")),
    ("sqlite://app.db?mode=ro&mode=rw", Err("the SQLite address has `mode` twice")),
    (
        "sqlite://app.db?mode=",
        Err("the parameter `mode` of a SQLite address is ``, expected `ro`, `rw` or `rwc`"),
    ),
    (
        "sqlite://app.db?mode=RO",
        Err("the parameter `mode` of a SQLite address is `RO`, expected `ro`, `rw` or `rwc`"),
    ),
    (
        "sqlite://app.db?Mode=ro",
        Err("a SQLite address has no parameter `Mode`: only `mode` is known"),
    ),
    ("sqlite://app.db?x", Err("a SQLite address has no parameter `x`: only `mode` is known")),
    ("sqlite://app.db?=x", Err("a SQLite address has no parameter ``: only `mode` is known")),
    (
        "sqlite://app.db?mode=ro?x=1",
        Err("the parameter `mode` of a SQLite address is `ro?x=1`, expected `ro`, `rw` or `rwc`"),
    ),
    (
        "sqlite://app.db?cache=shared",
        Err("a SQLite address has no parameter `cache`: every connection has a cache of its own"),
    ),
    (
        "sqlite://app.db?schema=acme",
        Err(
            "a SQLite address has no parameter `schema`: SQLite has no schemas, use one file a tenant",
        ),
    ),
    (
        "sqlite://app.db?journal_mode=off",
        Err("a SQLite address has no parameter `journal_mode`: the journal mode is always WAL"),
    ),
    ("sqlite::memory:", Err(MEMORY)),
    ("sqlite://:memory:", Err(MEMORY)),
    ("sqlite://%3Amemory%3A", Err(MEMORY)),
    ("sqlite:file::memory:", Err(MEMORY)),
    ("sqlite://app.db?mode=memory", Err(MEMORY)),
    ("sqlite:", Err(NO_FILE)),
    ("sqlite://", Err(NO_FILE)),
    ("sqlite://?mode=ro", Err(NO_FILE)),
    ("sqlite://a%", Err(HALF_ENCODED)),
    ("sqlite://a%4", Err(HALF_ENCODED)),
    ("sqlite://a%+4", Err(HALF_ENCODED)),
    ("sqlite://a%\u{e9}", Err(HALF_ENCODED)),
    ("sqlite://a%ff", Err("the path in the SQLite address is not UTF-8 once percent-decoded")),
    ("sqlite://a%00b", Err("the path in the SQLite address holds a NUL character")),
    ("sqlite://a\0b", Err("the path in the SQLite address holds a NUL character")),
    ("", Err(NO_SCHEME)),
    ("app.db", Err(NO_SCHEME)),
    ("/var/lib/app.db", Err(NO_SCHEME)),
    (" sqlite://app.db", Err(NO_SCHEME)),
    (
        "mysql://h/db",
        Err(
            "the scheme `mysql` is unknown, a SQLite address starts with `sqlite:`, such as `sqlite://app.db`",
        ),
    ),
    (
        "postgresql://u:hunter2@h/db",
        Err(
            "the scheme `postgresql` is for PostgreSQL: use the crate `cloacina-postgres`, `cloacina-sqlite` opens `sqlite:` addresses",
        ),
    ),
];

#[test]
fn every_address_of_sqlite_names_a_file_or_is_refused() {
    check(SQLITE, |url| match SqliteOptions::from_url(url) {
        Ok(options) => {
            let shown = format!("{options:?}");
            let path = between(&shown, "path: \"", "\", mode: ").replace("\\\\", "\\");
            Ok(format!("{path} {}", between(&shown, ", mode: ", ",")))
        }
        Err(error @ BackendError::Config { .. }) => Err(error.to_string()),
        Err(error) => Err(format!("another kind of error: {error:?}")),
    });
}

const MALFORMED: &str = "the address of the database is malformed, expected `postgresql://user:password@host:port/database`; \
                         characters such as `/`, `#`, `?`, `@` and `%` in a name or a password are percent-encoded, `sslmode` \
                         is one of `disable`, `allow`, `prefer`, `require`, `verify-ca` and `verify-full`";
const OTHER_SCHEME: &str = "a PostgreSQL address starts with `postgresql://`, such as `postgresql://user:password@host:port/database`";
const NUL: &str = "the address of the database holds a NUL character";
/// Its name may be the rest of a password, so it is not shown.
const UNKNOWN: &str = "a parameter of the address of the database is unknown: known are `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, \
                       `statement-cache-capacity`, `host`, `port`, `dbname`, `user`, `password`, `application_name`, `options`";

/// An address, and host, port and database that it names. The password is always `hunter2`.
const POSTGRES: &[Case] = &[
    ("postgresql://u:hunter2@h:5433/db", Ok("h 5433 db")),
    ("postgres://u:hunter2@h:5433/db", Ok("h 5433 db")),
    ("PostgreSQL://u:hunter2@h:5433/db", Ok("h 5433 db")),
    (" postgresql://u:hunter2@h:5433/db\n", Ok("h 5433 db")),
    ("postgresql://u@[::1]:5433/db", Ok("[::1] 5433 db")),
    ("postgresql://u@h:5433/my%20db%2F%23%3F", Ok("h 5433 my db/#?")),
    ("postgresql://u@h:5433/order", Ok("h 5433 order")),
    ("postgresql://u@h:0/db", Ok("h 0 db")),
    ("postgresql://u@h:65535/db", Ok("h 65535 db")),
    ("postgresql://h:5433/db?user=u&password=hunter2", Ok("h 5433 db")),
    ("postgresql://h:1/x?host=other&port=5433&dbname=db", Ok("other 5433 db")),
    ("postgresql:///db?host=/run/postgresql&port=5433", Ok("/run/postgresql 5433 db")),
    ("postgresql://u@%2Frun%2Fpostgresql:5433/db", Ok("/run/postgresql 5433 db")),
    ("postgresql://u@h:5433/db?sslmode=verify-full&application_name=a@b", Ok("h 5433 db")),
    ("postgresql://u@h:5433/db?options=-c%20a=1&options[b]=2&options=-c%20c=3", Ok("h 5433 db")),
    // A special character of the password that is not encoded, but cannot be mistaken.
    ("postgresql://u:hunter2@x@h:5433/db", Ok("h 5433 db")),
    ("postgresql://u:hunter2:x@h:5433/db", Ok("h 5433 db")),
    ("postgresql://u:hunter2%@h:5433/db", Ok("h 5433 db")),
    // One that can be: the first half would be taken for a port, and the rest for a name.
    ("postgresql://u:12/hunter2@h/db", Err(MALFORMED)),
    ("postgresql://u:12#hunter2@h/db", Err(MALFORMED)),
    ("postgresql://u:12?hunter2@h/db", Err(UNKNOWN)),
    ("postgresql://u:hunter2/x@h/db", Err(MALFORMED)),
    ("postgresql://u:hunter2#x@h/db", Err(MALFORMED)),
    ("postgresql://u:hunter2?x@h/db", Err(MALFORMED)),
    ("postgresql://u:hunter2[x@h/db", Ok("h 5432 db")),
    ("postgresql://u:hunter2@h:65536/db", Err(MALFORMED)),
    ("postgresql://u:hunter2@h:-1/db", Err(MALFORMED)),
    ("postgresql://u:hunter2@h:port/db", Err(MALFORMED)),
    ("postgresql://u:hunter2@h1:5432,h2:5432/db", Err(MALFORMED)),
    ("postgresql://u:hunter2@:5432/db", Err(MALFORMED)),
    ("postgresql://u:hunter2@[::1/db", Err(MALFORMED)),
    ("postgresql://u:hunter2@h h/db", Err(MALFORMED)),
    ("postgresql://u:hunter2@h/db?port=x", Err(MALFORMED)),
    ("postgresql://u:hunter2@h/db?hostaddr=h", Err(MALFORMED)),
    ("postgresql://u:hunter2@h/db?sslmode=always", Err(MALFORMED)),
    ("postgresql://u:hunter2@h/%ff", Err(MALFORMED)),
    ("postgresql://u:hunter2@h/db%00", Err(NUL)),
    ("postgresql://u%00:hunter2@h/db", Err(NUL)),
    ("postgresql://u:hunter2@h/db?application_name=a%00b", Err(NUL)),
    (
        "postgresql://u:hunter2@h/db?sslmode=disable&ssl-mode=verify-full",
        Err("the address of the database has `sslmode` twice"),
    ),
    (
        "postgresql://u@h/db?pasword=hunter2",
        Err(
            "the address of a PostgreSQL database has no parameter `pasword`: known are `sslmode`, `sslrootcert`, `sslcert`, \
             `sslkey`, `statement-cache-capacity`, `host`, `port`, `dbname`, `user`, `password`, `application_name`, `options`",
        ),
    ),
    (
        "postgresql://u@h/db?schema=acme",
        Err(
            "the address of a PostgreSQL database has no parameter `schema`: use `with_schema`, or the builder's `schema`",
        ),
    ),
    (
        "postgresql://u@h/db?pool_size=5",
        Err(
            "the address of a PostgreSQL database has no parameter `pool_size`: use the builder's `db_pool_size`",
        ),
    ),
    (
        "postgresql://u@h/db?pgbouncer=true",
        Err(
            "the address of a PostgreSQL database has no parameter `pgbouncer`: use `statement-cache-capacity=0`",
        ),
    ),
    (
        "postgresql://u@h/db?channel_binding=require",
        Err(
            "the address of a PostgreSQL database has no parameter `channel_binding`: the driver does not support it",
        ),
    ),
    ("postgresql://u@h/db?hunter2%20x=1", Err(UNKNOWN)),
    ("postgresql://u@h/db?=hunter2", Err(UNKNOWN)),
    (
        "sqlite://app.db",
        Err("an address that starts with `sqlite:` is for the crate `cloacina-sqlite`"),
    ),
    ("mysql://u:hunter2@h/db", Err(OTHER_SCHEME)),
    ("hunter2", Err(OTHER_SCHEME)),
    ("", Err(OTHER_SCHEME)),
    ("host=h user=u password=hunter2", Err(OTHER_SCHEME)),
];

#[test]
fn every_address_of_postgresql_names_a_database_or_is_refused() {
    check(POSTGRES, |url| match PostgresOptions::from_url(url) {
        Ok(options) => {
            let shown = format!("{options:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
            let host = between(&shown, "host: \"", "\"");
            let port = between(&shown, "port: ", ",");
            Ok(format!("{host} {port} {}", between(&shown, "database: Some(\"", "\")")))
        }
        Err(error @ BackendError::Config { .. }) => {
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
            Err(error.to_string())
        }
        Err(error) => Err(format!("another kind of error: {error:?}")),
    });
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let rest = text.split_once(begin).map_or("", |(_, rest)| rest);
    rest.split_once(end).map_or("", |(found, _)| found)
}
