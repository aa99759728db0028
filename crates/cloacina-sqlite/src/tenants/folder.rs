//! The folder, and what lies in it.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cloacina_core::{BackendError, TenantId};
use tokio::time::{Instant, sleep};

use crate::error::{refused, refused_by};
use crate::mark::{LOG, Mark, beside};

/// What the name of a tenant's file ends with.
pub(super) const ENDING: &str = ".db";

/// What SQLite puts behind the name of a file.
const COMPANIONS: [&str; 3] = [LOG, "-shm", "-journal"];

/// Whoever opens a tenant shares the lock of this file meanwhile, whoever removes one has it alone. No tenant is called so.
const LOCK: &str = ".lock";

/// Who goes in shares this for a moment; who wants to be alone closes it.
const GATE: &str = ".gate";

/// How long a call waits for that lock before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of tenants, by its absolute path without symbolic links.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

/// How the lock of a folder is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Beside others that open tenants.
    Shared,
    /// Alone.
    Alone,
}

/// What a database and its log are like: whoever writes to one changes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) database: Option<Mark>,
    /// Of a log that holds something.
    pub(super) log: Option<Mark>,
}

impl Folder {
    /// Creates the folder, readable by its owner only, or takes one that only its owner may write to.
    pub(super) fn prepare(path: &Path) -> Result<Self, BackendError> {
        if path.to_str().is_some_and(|path| path.contains("://") || path.starts_with("sqlite:")) {
            // It may hold a password, so it is not shown.
            let reason = "the folder of tenants is a path such as `data/tenants`, not an address";
            return Err(BackendError::Config { reason: reason.to_owned() });
        }
        let path = std::path::absolute(path)
            .map_err(|error| refused_by("the working directory cannot be read", error))?;
        let named = path.display();
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // Fails on anything but a folder.
        let made = builder.create(&path);
        let found = match (made, fs::metadata(&path)) {
            (_, Ok(found)) if !found.is_dir() => {
                return Err(refused(format!("`{named}` is a file, expected a folder")));
            }
            (Ok(()), Ok(found)) => found,
            (Err(error), _) | (Ok(()), Err(error)) => {
                return Err(refused_by(&format!("the folder `{named}` cannot be created"), error));
            }
        };
        check_mode(&path, &found)?;
        let path = fs::canonicalize(&path)
            .map_err(|error| refused_by(&format!("`{named}` cannot be resolved"), error))?;
        if path.to_str().is_none() {
            return Err(refused(format!("the path `{}` is not UTF-8", path.display())));
        }
        let folder = Self(path);
        folder.open_lock(LOCK)?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the path of a tenant's file, which may not exist.
    pub(super) fn file(&self, tenant: &TenantId) -> PathBuf {
        self.0.join(format!("{tenant}{ENDING}"))
    }

    /// Lists what looks like a tenant from outside, by name.
    pub(super) fn candidates(&self) -> Result<Vec<TenantId>, BackendError> {
        let unreadable = |error| self.unreadable(error);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let Some(tenant) = entry.file_name().to_str().and_then(|name| named(name, ENDING))
            else {
                continue;
            };
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                found.push(tenant);
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    pub(super) fn unreadable(&self, error: io::Error) -> BackendError {
        let reason = format!("the folder `{}` cannot be read: {error}", self.0.display());
        BackendError::Unavailable { reason, source: Some(Box::new(error)) }
    }

    /// Waits until nobody opens, or removes, a tenant.
    ///
    /// Who wants it alone closes the gate first, through which the others go: otherwise there might always be some inside.
    pub(super) async fn lock(&self, hold: Hold) -> Result<Lock, BackendError> {
        let deadline = Instant::now() + PATIENCE;
        let gate = self.lock_file(GATE, hold, deadline).await?;
        let folder = self.lock_file(LOCK, hold, deadline).await?;
        let gate = (hold == Hold::Alone).then_some(gate);
        Ok(Lock { _folder: folder, _gate: gate })
    }

    /// Locks a file. The lock ends with it.
    async fn lock_file(
        &self,
        name: &str,
        hold: Hold,
        deadline: Instant,
    ) -> Result<File, BackendError> {
        let file = self.open_lock(name)?;
        let mut pause = Duration::from_millis(2);
        loop {
            let tried = match hold {
                Hold::Shared => file.try_lock_shared(),
                Hold::Alone => file.try_lock(),
            };
            match tried {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(pause).await,
                Err(TryLockError::WouldBlock) => {
                    let named = self.0.display();
                    let reason = format!("others opened or removed tenants of `{named}` all along");
                    return Err(BackendError::Unavailable { reason, source: None });
                }
                Err(TryLockError::Error(error)) => {
                    let named = self.0.display();
                    return Err(refused_by(&format!("files in `{named}` cannot be locked"), error));
                }
            }
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    fn open_lock(&self, name: &str) -> Result<File, BackendError> {
        let path = self.0.join(name);
        // A link would lead out of the folder.
        regular(&path)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let named = path.display();
        options.open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.unreadable(error),
            _ => refused_by(&format!("the lock file `{named}` cannot be opened"), error),
        })
    }
}

/// The folder is locked while this lives.
#[derive(Debug)]
pub(super) struct Lock {
    _folder: File,
    _gate: Option<File>,
}

/// Refuses a folder in which others than its owner could put links and files under our feet.
#[cfg(unix)]
fn check_mode(path: &Path, found: &Metadata) -> Result<(), BackendError> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o7777;
    if mode & 0o022 == 0 {
        return Ok(());
    }
    let named = path.display();
    Err(refused(format!(
        "others than its owner may write to the folder `{named}` (mode {mode:04o}): take that from them, such as by \
         `chmod go-w`"
    )))
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &Metadata) -> Result<(), BackendError> {
    Ok(())
}

/// Returns the tenant to which a name with that ending belongs.
pub(super) fn named(name: &str, ending: &str) -> Option<TenantId> {
    TenantId::new(name.strip_suffix(ending)?).ok()
}

/// Looks at a database and its log from outside. Refuses what is no regular file: a link may lead anywhere.
pub(super) fn marks(database: &Path) -> Result<Marks, BackendError> {
    let mut marks = Marks { database: regular(database)?, log: None };
    if marks.database.is_some() {
        let [log, index, journal] = COMPANIONS.map(|ending| beside(database, ending));
        marks.log = regular(&log)?.filter(|log| log.len > 0);
        regular(&index)?;
        regular(&journal)?;
    }
    Ok(marks)
}

fn regular(path: &Path) -> Result<Option<Mark>, BackendError> {
    let named = path.display();
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() && has_another_name(&found) => Err(refused(format!(
            "`{named}` is a hard link to a file that has another name as well"
        ))),
        Ok(found) if found.is_file() => Ok(Some(Mark::of(&found))),
        Ok(found) if found.is_symlink() => {
            Err(refused(format!("`{named}` is a symbolic link, which is not followed")))
        }
        Ok(_) => Err(refused(format!("`{named}` is not a regular file"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let reason = format!("`{named}` cannot be looked at: {error}");
            Err(BackendError::Unavailable { reason, source: Some(Box::new(error)) })
        }
    }
}

#[cfg(unix)]
fn has_another_name(found: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(found) > 1
}

#[cfg(not(unix))]
fn has_another_name(_: &Metadata) -> bool {
    false
}

impl Marks {
    /// Reports whether who writes from now on changes the marks.
    pub(super) fn are_settled(&self) -> bool {
        [self.database, self.log].iter().flatten().all(Mark::is_settled)
    }
}

/// Removes a database with all that SQLite put beside it, it itself last: until then it is there, and whole.
pub(super) fn remove(database: &Path) -> io::Result<()> {
    for ending in COMPANIONS {
        remove_one(&beside(database, ending))?;
    }
    let folder = database.parent().unwrap_or(Path::new("/"));
    flush(folder)?;
    remove_one(database)?;
    flush(folder)
}

fn remove_one(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes sure that a loss of power does not bring back, or take away, names in a folder.
pub(super) fn flush(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
