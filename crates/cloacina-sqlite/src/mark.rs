//! What a file looks like from outside: whoever writes to it changes that.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::clock::Clock;

/// What SQLite puts behind the name of a file for its log.
pub(crate) const LOG: &str = "-wal";

/// Times of files are coarse: what was written a moment ago may be written again without a trace.
const COARSE: Duration = Duration::from_millis(100);

/// When a file was written, and how large it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) written: Option<SystemTime>,
    pub(crate) len: u64,
}

impl Mark {
    pub(crate) fn of(found: &Metadata) -> Self {
        Self { written: found.modified().ok(), len: found.len() }
    }

    /// Looks at a file; none if it cannot be looked at.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        fs::symlink_metadata(path).ok().map(|found| Self::of(&found))
    }

    /// Reports whether nobody wrote a moment ago: who writes from now on changes the mark.
    pub(crate) fn is_settled(&self) -> bool {
        let since_1970 = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
        let written = self.written.and_then(since_1970).map(|at| i64::try_from(at.as_micros()));
        matches!(written, Some(Ok(at)) if at < Clock::read().before(COARSE))
    }
}

/// Returns the path of what lies beside a database.
pub(crate) fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(ending);
    path.into()
}
