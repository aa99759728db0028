//! Files whose locks prove that a worker lives: the operating system drops the lock with the process.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cloacina_core::WorkerId;
use uuid::Uuid;

/// A file without a worker is left alone until it is so old: its worker may be about to register.
const GRACE: Duration = Duration::from_secs(60);

/// Stands between the name of a database and the worker whose file it is.
pub(crate) const MARK: &str = ".worker-";

/// The locks of one handle.
#[derive(Debug)]
pub(crate) struct Locks {
    database: PathBuf,
    held: Mutex<HashMap<WorkerId, File>>,
}

/// What a worker's lock tells.
#[derive(Debug)]
pub(crate) enum Probe {
    /// It is held: the worker lives.
    Held,
    /// It was free, and is held now: the worker is dead.
    Free(File),
    /// There is none, or it cannot be told: only the lease decides.
    Unknown,
}

impl Locks {
    /// Starts with no locks. `database` is absolute and free of symbolic links, so that all processes agree.
    pub(crate) fn new(database: PathBuf) -> Self {
        Self { database, held: Mutex::default() }
    }

    /// Creates and locks a worker's file. Where locks do not work, the worker has none and its lease alone counts.
    pub(crate) fn take(&self, worker: WorkerId) -> io::Result<()> {
        if self.held().contains_key(&worker) {
            return Ok(());
        }
        let path = self.path(worker);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        match file.try_lock() {
            Ok(()) => {
                self.held().insert(worker, file);
            }
            // Another handle has registered the same worker.
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                tracing::warn!(
                    %worker,
                    path = %path.display(),
                    error = &error as &dyn std::error::Error,
                    "files cannot be locked here, a crash is noticed only when the lease runs out"
                );
                drop(file);
                remove(&path);
            }
        }
        Ok(())
    }

    /// Removes and unlocks the file of a worker that has no row any more.
    pub(crate) fn give_up(&self, worker: WorkerId) {
        let held = self.held().remove(&worker);
        if held.is_some() {
            remove(&self.path(worker));
        }
    }

    /// Unlocks the file of a worker and leaves it.
    pub(crate) fn drop_one(&self, worker: WorkerId) {
        self.held().remove(&worker);
    }

    /// Unlocks all files and leaves them: whoever finds one free knows that its worker is gone.
    pub(crate) fn drop_all(&self) {
        self.held().clear();
    }

    /// Looks whether a worker's lock is free.
    pub(crate) fn probe(&self, worker: WorkerId) -> Probe {
        probe(&self.path(worker))
    }

    /// Removes the file of a worker that was found dead and is buried.
    pub(crate) fn bury(&self, worker: WorkerId, lock: File) {
        remove(&self.path(worker));
        drop(lock);
    }

    /// Removes files that a crash left between their creation and the worker's row. `known` are the workers that
    /// have a row. Best effort.
    pub(crate) fn sweep(&self, known: &[WorkerId]) {
        for (worker, file) in self.found() {
            let age = file.metadata().ok().and_then(|found| found.modified().ok()?.elapsed().ok());
            if known.contains(&worker) || age.is_none_or(|age| age < GRACE) {
                continue;
            }
            if let Probe::Free(lock) = self.probe(worker) {
                remove(&file);
                drop(lock);
            }
        }
    }

    /// Finds a worker that lives.
    pub(crate) fn living(&self) -> Option<WorkerId> {
        let mut found = self.found().into_iter().map(|(worker, _)| worker);
        found.find(|worker| matches!(self.probe(*worker), Probe::Held))
    }

    /// Removes the files of all workers, none of which lives.
    pub(crate) fn remove_all(&self) {
        for (_, file) in self.found() {
            remove(&file);
        }
    }

    /// Finds the files of all workers.
    fn found(&self) -> Vec<(WorkerId, PathBuf)> {
        let Some(folder) = self.database.parent() else { return Vec::new() };
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let prefix = self.prefix();
        let prefix = prefix.to_string_lossy();
        let found = entries.flatten().filter_map(|entry| {
            let name = entry.file_name();
            let worker = Uuid::parse_str(name.to_str()?.strip_prefix(&*prefix)?).ok()?;
            Some((WorkerId::from_uuid(worker), entry.path()))
        });
        found.collect()
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<WorkerId, File>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what the names of all lock files start with.
    fn prefix(&self) -> OsString {
        let mut name = self.database.file_name().unwrap_or_default().to_owned();
        name.push(MARK);
        name
    }

    fn path(&self, worker: WorkerId) -> PathBuf {
        let mut name = self.prefix();
        name.push(worker.to_string());
        self.database.with_file_name(name)
    }
}

/// Looks whether the lock on a worker's file is free.
pub(crate) fn probe(path: &Path) -> Probe {
    let Ok(file) = OpenOptions::new().write(true).open(path) else {
        return Probe::Unknown;
    };
    match file.try_lock() {
        Ok(()) => Probe::Free(file),
        Err(TryLockError::WouldBlock) => Probe::Held,
        Err(TryLockError::Error(_)) => Probe::Unknown,
    }
}

/// Removes a file. One that stays does no harm.
fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::debug!(
            path = %path.display(),
            error = &error as &dyn std::error::Error,
            "a worker's lock file stays behind"
        );
    }
}
