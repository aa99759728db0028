//! Turns what sqlx and SQLite report into what the caller can do about it.

use cloacina_core::BackendError;
use cloacina_core::backend::BoxError;

// The primary result codes: https://www.sqlite.org/rescode.html
const PERM: i32 = 3;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const NOMEM: i32 = 7;
const READONLY: i32 = 8;
const INTERRUPT: i32 = 9;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const PROTOCOL: i32 = 15;
const AUTH: i32 = 23;
const NOTADB: i32 = 26;

// What SQLite says when a file cannot grow for another reason than a full disk: https://www.sqlite.org/rescode.html#extrc
const IOERR_WRITE: i32 = 778;
const IOERR_SHMSIZE: i32 = 4874;

/// Returns SQLite's extended result code.
fn code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// Returns SQLite's primary result code.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    code(error).map(|code| code & 0xff)
}

/// Reports whether another connection was in the way.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(BUSY | LOCKED | PROTOCOL))
}

/// Reports whether the file holds something else.
pub(crate) fn is_not_a_database(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(NOTADB)
}

/// Turns an error into ours. `what` says what was tried.
pub(crate) fn translate(what: &str, error: sqlx::Error) -> BackendError {
    match error {
        sqlx::Error::PoolClosed => return BackendError::Closed,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            return BackendError::Corrupt {
                reason: format!("{what}: {error}"),
                source: source(error),
            };
        }
        _ => {}
    }
    let reason = format!("{what}: {error}");
    if let Some(IOERR_WRITE | IOERR_SHMSIZE) = code(&error) {
        // What the system said is lost on the way. A disk that fails is by far the rarest of these.
        let reason = format!(
            "{reason}: the system does not take what is written, because of a quota, a limit on the size of files, or a \
             failing disk"
        );
        return BackendError::Full { reason, source: source(error) };
    }
    match primary_code(&error) {
        Some(FULL) => BackendError::Full { reason, source: source(error) },
        Some(READONLY | CANTOPEN | NOTADB | PERM | AUTH) => {
            BackendError::Refused { reason, source: source(error) }
        }
        Some(CORRUPT) => BackendError::Corrupt { reason, source: source(error) },
        Some(BUSY | LOCKED | PROTOCOL | IOERR | NOMEM | INTERRUPT) | None => {
            BackendError::Unavailable { reason, source: source(error) }
        }
        Some(_) => BackendError::Rejected { reason, source: source(error) },
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

/// Refuses a store.
pub(crate) fn refused(reason: String) -> BackendError {
    BackendError::Refused { reason, source: None }
}

/// Refuses a store because of a failure of the file system.
pub(crate) fn refused_by(reason: &str, error: std::io::Error) -> BackendError {
    BackendError::Refused { reason: format!("{reason}: {error}"), source: Some(Box::new(error)) }
}

fn source(error: sqlx::Error) -> Option<BoxError> {
    Some(Box::new(error))
}
