//! What goes wrong in a store.

/// What went wrong in a store, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The store cannot be reached or is busy. The write may have happened; the same call may be made again.
    #[error("the database is unavailable: {reason}")]
    Unavailable {
        /// What was tried and how it failed.
        reason: String,
        /// The driver's error.
        #[source]
        source: Option<BoxError>,
    },
    /// There is no room left. Nothing was written; make room and try again.
    #[error("the database has no room left: {reason}")]
    Full {
        /// What was tried.
        reason: String,
        /// The driver's error.
        #[source]
        source: Option<BoxError>,
    },
    /// The address or an option is wrong. Correct it.
    #[error("{reason}")]
    Config {
        /// What is wrong, what it held, what is allowed.
        reason: String,
    },
    /// The store may not be used: it is not ours, it is of another version, or it may not be written. It is untouched.
    #[error("{reason}")]
    Refused {
        /// Which store, and why.
        reason: String,
        /// The driver's error.
        #[source]
        source: Option<BoxError>,
    },
    /// The store refused what was written. Trying again does not help.
    #[error("the database rejected a write: {reason}")]
    Rejected {
        /// What was tried and how it failed.
        reason: String,
        /// The driver's error.
        #[source]
        source: Option<BoxError>,
    },
    /// A stored value cannot be read.
    #[error("the database holds a value that cannot be read: {reason}")]
    Corrupt {
        /// Where, and what.
        reason: String,
        /// What failed on it.
        #[source]
        source: Option<BoxError>,
    },
    /// The back end has been closed.
    #[error("the back end is closed")]
    Closed,
}

/// Any error, as a source.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl BackendError {
    /// Reports whether the same call may succeed later without anybody correcting it.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Full { .. })
    }
}
