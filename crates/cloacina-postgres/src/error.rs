//! Turns what sqlx and PostgreSQL report into what the caller can do about it.

use std::fmt;
use std::time::Duration;

use cloacina_core::BackendError;
use cloacina_core::backend::BoxError;

/// Turns an error into ours. `what` says what was tried.
pub(crate) fn translate(what: &str, error: sqlx::Error) -> BackendError {
    let reason = match &error {
        sqlx::Error::PoolClosed => return BackendError::Closed,
        sqlx::Error::PoolTimedOut => {
            format!("{what}: no connection became free, or could be made, in time")
        }
        // Its own text says where in the server's source it arose, which helps nobody.
        sqlx::Error::Database(error) => format!("{what}: {}", error.message()),
        _ => format!("{what}: {}", describe(&error)),
    };
    let code = error.as_database_error().and_then(|error| error.code()).map(String::from);
    let source = source(error);
    match code.as_deref() {
        Some(code) => by_state(code, reason, source),
        None => match source.downcast_ref::<sqlx::Error>() {
            Some(sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => {
                BackendError::Corrupt { reason, source: Some(source) }
            }
            Some(sqlx::Error::Configuration(_)) => BackendError::Config { reason },
            _ => BackendError::Unavailable { reason, source: Some(source) },
        },
    }
}

/// Returns the text of an error of the driver, but for one that shows a character of the password.
pub(crate) fn describe(error: &sqlx::Error) -> String {
    let text = error.to_string();
    match error {
        sqlx::Error::Configuration(_) if text.contains("saslprep password") => {
            "the password holds a character that SCRAM does not take (RFC 4013 says which)"
                .to_owned()
        }
        _ => text,
    }
}

/// Decides by the SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn by_state(code: &str, reason: String, source: BoxError) -> BackendError {
    let source = Some(source);
    match code {
        // Out of disk space or memory.
        "53100" | "53200" => BackendError::Full { reason, source },
        // Permissions, wrong passwords and unknown databases.
        "42501" | "28000" | "28P01" | "3D000" | "3F000" => BackendError::Refused { reason, source },
        // A table that is not there any more: somebody dropped it.
        "42P01" => BackendError::Refused { reason, source },
        _ => match code.get(..2) {
            // Connections, a server that only reads for now, transactions that got into each other's way, resources, an operator's intervention, the
            // server's own troubles, limits on time and locks.
            Some("08" | "25" | "40" | "53" | "55" | "57" | "58") => {
                BackendError::Unavailable { reason, source }
            }
            Some("XX") => BackendError::Corrupt { reason, source },
            _ => BackendError::Rejected { reason, source },
        },
    }
}

/// Says what was tried when it fails.
pub(crate) trait Context<T> {
    /// Turns the error into ours.
    fn during(self, what: &str) -> Result<T, BackendError>;
}

impl<T> Context<T> for Result<T, sqlx::Error> {
    fn during(self, what: &str) -> Result<T, BackendError> {
        self.map_err(|error| translate(what, error))
    }
}

impl<T> Context<T> for Result<T, serde_json::Error> {
    fn during(self, what: &str) -> Result<T, BackendError> {
        self.map_err(|error| BackendError::Rejected {
            reason: format!("{what}: {error}"),
            source: Some(Box::new(error)),
        })
    }
}

/// Tells whether something could not be made because it is there: a unique violation in the catalog, a duplicate schema,
/// table or column.
pub(crate) fn is_there_already(error: &BackendError) -> bool {
    has_state(error, &["23505", "42P06", "42P07", "42701"])
}

/// A batch met something else than most do.
#[derive(Debug)]
struct Unexpected;

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an execution is not in the hands in which it was expected")
    }
}

impl std::error::Error for Unexpected {}

/// A batch met something else than most do: it is to be committed with care.
pub(crate) fn unexpected() -> BackendError {
    let reason = Unexpected.to_string();
    BackendError::Unavailable { reason, source: Some(Box::new(Unexpected)) }
}

/// Tells whether a batch has met what was taken for ruled out.
pub(crate) fn is_unexpected(error: &BackendError) -> bool {
    let source = std::error::Error::source(error);
    is_there_already(error) || source.is_some_and(|source| source.is::<Unexpected>())
}

/// Tells whether a text could not be read as what it was taken for.
pub(crate) fn is_unreadable(error: &BackendError) -> bool {
    has_state(error, &["22P02"])
}

/// Tells whether something cannot be dropped because something else depends on it.
pub(crate) fn is_in_use(error: &BackendError) -> bool {
    has_state(error, &["2BP01"])
}

/// What the server adds to its message.
pub(crate) fn detail(error: &BackendError) -> String {
    let source = std::error::Error::source(error);
    let driver = source.and_then(|source| source.downcast_ref::<sqlx::Error>());
    let told = driver.and_then(sqlx::Error::as_database_error);
    let told = told.and_then(|error| error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>());
    told.and_then(|error| error.detail()).unwrap_or("nothing more is known").to_owned()
}

/// Tells whether something is locked by somebody else for longer than was waited.
pub(crate) fn is_locked_out(error: &BackendError) -> bool {
    has_state(error, &["40P01", "55P03"])
}

/// Tells whether a schema or a table is not there.
pub(crate) fn is_gone(error: &BackendError) -> bool {
    has_state(error, &["3F000", "42P01"])
}

/// Tells whether the connection is gone, whoever ended it.
pub(crate) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        // The administrator or a timeout ended the session, the server crashed or is about to stop.
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| matches!(&*code, "57P01" | "57P02" | "57P03" | "57P05" | "25P03")),
        _ => false,
    }
}

/// The same of an error that was translated.
pub(crate) fn is_lost_with(error: &BackendError) -> bool {
    let source = std::error::Error::source(error);
    let driver = source.and_then(|source| source.downcast_ref::<sqlx::Error>());
    matches!(error, BackendError::Closed) || driver.is_some_and(is_lost)
}

/// Tells whether the server refuses to let a role be taken on: it is not there, or not for this login.
pub(crate) fn is_refusal(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(&*code, "22023" | "42501" | "42704"))
}

/// Tells whether a limit on time ended it.
pub(crate) fn is_slow(error: &BackendError) -> bool {
    has_state(error, &["55P03", "57014"])
}

/// Tells whether others had it locked for too long.
pub(crate) fn is_locked(error: &BackendError) -> bool {
    has_state(error, &["55P03", "40P01"])
}

/// Tells whether a statement that is a transaction by itself met what a transaction of our own may not: locks, others'
/// changes, and defaults of the session that are not ours.
pub(crate) fn is_hampered(error: &BackendError) -> bool {
    is_locked(error) || has_state(error, &["25006", "40001"])
}

/// Tells whether the server refused the credentials.
pub(crate) fn is_wrong_password(error: &BackendError) -> bool {
    has_state(error, &["28P01", "28000"])
}

/// Tells whether the role lacks a right.
pub(crate) fn is_forbidden(error: &BackendError) -> bool {
    has_state(error, &["42501"])
}

fn has_state(error: &BackendError, states: &[&str]) -> bool {
    let source = std::error::Error::source(error);
    let driver = source.and_then(|source| source.downcast_ref::<sqlx::Error>());
    let code = driver.and_then(|error| error.as_database_error()).and_then(|error| error.code());
    code.is_some_and(|code| states.contains(&&*code))
}

/// The server does not begin transactions, as one that is being replaced: whatever it says, it may later.
pub(crate) fn not_begun(what: &str, error: sqlx::Error) -> BackendError {
    match translate(what, error) {
        BackendError::Rejected { reason, source } | BackendError::Refused { reason, source } => {
            BackendError::Unavailable { reason, source }
        }
        error => error,
    }
}

/// The connection has fallen silent: the server tells of its own limits, and of this nobody.
pub(crate) fn silent(what: &str, patience: Duration) -> BackendError {
    let reason = format!("{what}: the server did not answer within {patience:?}");
    BackendError::Unavailable { reason, source: None }
}

/// Refuses a store.
pub(crate) fn refused(reason: String) -> BackendError {
    BackendError::Refused { reason, source: None }
}

fn source(error: sqlx::Error) -> BoxError {
    Box::new(error)
}
