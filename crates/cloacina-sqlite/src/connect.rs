//! What can be chosen when a file is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use cloacina_core::{BackendError, Connect, ConnectOptions};

use crate::SqliteBackend;
use crate::url::{self, Mode};

/// What a commit waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Synchronous {
    /// The disk has it: what was acknowledged survives a loss of power.
    #[default]
    Full,
    /// The operating system has it: a loss of power may take the last commits, a crash of the process does not.
    Normal,
}

impl Synchronous {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

/// How to open a file.
///
/// ```
/// use std::time::Duration;
///
/// use cloacina_sqlite::{SqliteOptions, Synchronous};
///
/// let options = SqliteOptions::new("app.db")
///     .synchronous(Synchronous::Normal)
///     .busy_timeout(Duration::from_secs(5));
/// ```
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    pub(crate) path: PathBuf,
    pub(crate) mode: Mode,
    pub(crate) synchronous: Synchronous,
    pub(crate) busy_timeout: Duration,
    pub(crate) readers: u32,
}

impl SqliteOptions {
    /// Names a file, which is created on demand; its folder must exist. A relative path starts at the working
    /// directory of the moment of opening.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            mode: Mode::Rwc,
            synchronous: Synchronous::Full,
            busy_timeout: Duration::from_secs(10),
            readers: 4,
        }
    }

    /// Reads an address such as `sqlite://app.db?mode=rw`.
    ///
    /// # Errors
    ///
    /// [`BackendError::Config`] for an address that is malformed, in memory, of another database, or has a parameter
    /// other than `mode`.
    pub fn from_url(url: &str) -> Result<Self, BackendError> {
        let address = url::parse(url)?;
        Ok(Self { mode: address.mode, ..Self::new(address.path) })
    }

    /// Chooses what a commit waits for; [`Synchronous::Full`] if not called.
    #[must_use]
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// Chooses how long SQLite itself waits for another process's lock before a call is tried again; 10 seconds if
    /// not called, at most one minute. A call fails after about a minute in all.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout.min(Duration::from_secs(60));
        self
    }

    /// Chooses how many connections may read at once, 4 if not called, at least 1. One more connection writes.
    #[must_use]
    pub fn readers(mut self, readers: u32) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// Forbids creating the file.
    #[must_use]
    pub fn must_exist(mut self) -> Self {
        self.mode = if self.mode == Mode::Rwc { Mode::Rw } else { self.mode };
        self
    }

    /// Opens the file for reading only: it must exist and be up to date, and every write is refused.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.mode = Mode::Ro;
        self
    }
}

#[async_trait]
impl Connect for SqliteBackend {
    async fn connect(options: ConnectOptions) -> Result<Self, BackendError> {
        if options.schema.is_some() {
            return Err(BackendError::Config {
                reason: "SQLite has no schemas, use one file a tenant".to_owned(),
            });
        }
        // More than a few readers only compete for the disk.
        let readers = options.pool_size.saturating_sub(1).clamp(1, 4);
        Self::open(SqliteOptions::from_url(&options.url)?.readers(readers)).await
    }
}
