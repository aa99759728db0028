//! Notices from outside, by the times of files, in which tenants others did something.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;
use std::{fs, io};

use cloacina_core::{BackendError, TenantId};
use tokio::time::Instant;

use super::folder::{ENDING, Folder, Marks, named};
use crate::locks::{self, Probe};
use crate::mark::{LOG, Mark, beside};

/// What was seen in the folder, and what nobody was told of yet.
#[derive(Debug)]
pub(super) struct Watch {
    /// The folder itself, once all in it is known: files that come and go change it.
    folder: Option<Mark>,
    seen: HashMap<TenantId, Marks>,
    /// Who has a log, an empty one too. The others are open nowhere: they change only after the folder has.
    logs: HashSet<TenantId>,
    locks: HashMap<PathBuf, Lock>,
    news: BTreeSet<TenantId>,
    looked: Instant,
}

/// The file of a worker.
#[derive(Debug, Clone)]
struct Lock {
    tenant: TenantId,
    state: State,
}

/// What was seen of a worker's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It was not there before. It is not touched yet: its worker may be about to lock it.
    New,
    /// It was there, and held when somebody looked.
    There,
    /// It was free: the worker is dead, and that was told.
    Free,
}

impl Watch {
    /// Takes what is there now for known.
    pub(super) fn new(folder: &Folder) -> Result<Self, BackendError> {
        let mut watch = Self {
            folder: None,
            seen: HashMap::new(),
            logs: HashSet::new(),
            locks: HashMap::new(),
            news: BTreeSet::new(),
            looked: Instant::now(),
        };
        watch.scan(folder, |_| false)?;
        watch.news.clear();
        Ok(watch)
    }

    /// Notes where somebody did something since the last scan, but for the tenants that are open here: who has one open
    /// notices by itself, and learns of the rest once it was closed.
    pub(super) fn scan(
        &mut self,
        folder: &Folder,
        is_open: impl Fn(&TenantId) -> bool,
    ) -> Result<(), BackendError> {
        let unreadable = |error| folder.unreadable(error);
        let now = Mark::of(&fs::metadata(folder.path()).map_err(unreadable)?);
        if cfg!(unix) && self.folder == Some(now) {
            for tenant in self.logs.clone() {
                let database = folder.file(&tenant);
                let log = Mark::at(&beside(&database, LOG));
                self.note(tenant, Marks { database: Mark::at(&database), log }, &is_open);
            }
        } else {
            self.folder = None;
            self.read(folder, &is_open).map_err(unreadable)?;
            self.folder = now.is_settled().then_some(now);
        }
        self.examine(is_open);
        Ok(())
    }

    /// Looks at all files.
    fn read(&mut self, folder: &Folder, is_open: impl Fn(&TenantId) -> bool) -> io::Result<()> {
        let mut found: HashMap<TenantId, Marks> = HashMap::with_capacity(self.seen.len());
        let mut locks = HashMap::new();
        for entry in fs::read_dir(folder.path())? {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
            let Some(name) = name.to_str() else { continue };
            if let Some(tenant) = named(name, ENDING) {
                found.entry(tenant).or_default().database = Mark::at(&path);
            } else if let Some(tenant) = name.strip_suffix(LOG).and_then(|it| named(it, ENDING)) {
                found.entry(tenant).or_default().log = Mark::at(&path);
            } else if let Some((database, _)) = name.split_once(locks::MARK)
                && let Some(tenant) = named(database, ENDING)
            {
                let known = self.locks.remove(&path);
                let new = Lock { tenant, state: State::New };
                locks.insert(path, known.unwrap_or(new));
            }
        }
        self.locks = locks;
        self.seen.retain(|tenant, _| found.contains_key(tenant));
        let logs = found.iter().filter(|(_, marks)| marks.log.is_some());
        self.logs = logs.map(|(tenant, _)| tenant.clone()).collect();
        for (tenant, marks) in found {
            self.note(tenant, marks, &is_open);
        }
        Ok(())
    }

    fn note(&mut self, tenant: TenantId, mut marks: Marks, is_open: impl Fn(&TenantId) -> bool) {
        // An empty log tells only that somebody has opened the tenant.
        marks.log = marks.log.filter(|log| log.len > 0);
        if self.seen.get(&tenant) == Some(&marks) || is_open(&tenant) {
            return;
        }
        self.news.insert(tenant.clone());
        if marks.are_settled() {
            self.seen.insert(tenant, marks);
        } else {
            self.seen.remove(&tenant);
        }
    }

    /// Looks whether workers have died.
    fn examine(&mut self, is_open: impl Fn(&TenantId) -> bool) {
        for (path, lock) in &mut self.locks {
            lock.state = match lock.state {
                State::New => State::There,
                State::There if !is_open(&lock.tenant) => match locks::probe(path) {
                    Probe::Free(_) => {
                        self.news.insert(lock.tenant.clone());
                        State::Free
                    }
                    Probe::Held | Probe::Unknown => State::There,
                },
                state => state,
            };
        }
    }

    /// Takes what nobody was told of yet.
    pub(super) fn news(&mut self) -> Option<Vec<TenantId>> {
        let news = std::mem::take(&mut self.news);
        (!news.is_empty()).then(|| news.into_iter().collect())
    }

    /// Returns when to look again, and never if that is too far away. The time of the last look is kept, so that a caller that
    /// gives up early again and again still gets to look.
    pub(super) fn next_look(&self, poll: Duration) -> Option<Instant> {
        self.looked.checked_add(poll)
    }

    /// Notes that somebody looks now.
    pub(super) fn looks(&mut self) {
        self.looked = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    /// A folder, with files that were written at chosen times.
    struct Place {
        _root: TempDir,
        folder: Folder,
        watch: Watch,
    }

    impl Place {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let folder = Folder::prepare(&root.path().join("tenants")).unwrap();
            let watch = Watch::new(&folder).unwrap();
            Self { _root: root, folder, watch }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        /// Writes a file, so many seconds after 1970.
        fn write(&self, name: &str, content: &str, at: u64) {
            fs::write(self.path(name), content).unwrap();
            let file = File::options().write(true).open(self.path(name)).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(at)).unwrap();
        }

        /// What is new, while some tenants are open.
        fn news(&mut self, open: &[&str]) -> Vec<String> {
            self.watch.scan(&self.folder, |tenant| open.contains(&tenant.as_str())).unwrap();
            let news = self.watch.news().unwrap_or_default();
            news.iter().map(ToString::to_string).collect()
        }
    }

    #[test]
    fn a_change_of_a_database_or_its_log_is_told_once() {
        let mut place = Place::new();
        place.write("a.db", "x", 1);
        place.write("b.db", "x", 1);
        assert_eq!(place.news(&[]), ["a", "b"], "they are new");
        assert_eq!(place.news(&[]), [""; 0]);
        place.write("a.db", "y", 2);
        assert_eq!(place.news(&[]), ["a"], "the database was written");
        place.write("b.db-wal", "", 3);
        assert_eq!(place.news(&[]), [""; 0], "an empty log tells nothing");
        place.write("b.db-wal", "x", 3);
        assert_eq!(place.news(&[]), ["b"], "there is a log");
        place.write("b.db-wal", "xy", 3);
        assert_eq!(place.news(&[]), ["b"], "the log has grown");
        assert_eq!(place.news(&[]), [""; 0]);
    }

    #[test]
    fn what_is_there_at_the_beginning_is_known_and_what_is_gone_is_forgotten() {
        let mut place = Place::new();
        place.write("a.db", "x", 1);
        place.watch = Watch::new(&place.folder).unwrap();
        assert_eq!(place.news(&[]), [""; 0]);
        fs::remove_file(place.path("a.db")).unwrap();
        assert_eq!(place.news(&[]), [""; 0]);
        assert!(place.watch.seen.is_empty());
        place.write("A.db", "x", 1);
        place.write("a.txt", "x", 1);
        assert_eq!(place.news(&[]), [""; 0], "no tenants");
    }

    #[test]
    fn what_was_written_just_now_is_told_again() {
        let mut place = Place::new();
        fs::write(place.path("a.db"), "x").unwrap();
        let tomorrow = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 33);
        let file = File::options().write(true).open(place.path("a.db")).unwrap();
        file.set_modified(tomorrow).unwrap();
        assert_eq!(place.news(&[]), ["a"]);
        assert_eq!(place.news(&[]), ["a"], "it may have been written again within the same tick");
        place.write("a.db", "x", 5);
        assert_eq!(place.news(&[]), ["a"]);
        assert_eq!(place.news(&[]), [""; 0]);
    }

    #[test]
    fn what_is_open_here_is_told_once_it_is_closed() {
        let mut place = Place::new();
        place.write("a.db", "x", 1);
        assert_eq!(place.news(&[]), ["a"]);
        place.write("a.db-wal", "x", 2);
        assert_eq!(place.news(&["a"]), [""; 0]);
        assert_eq!(place.news(&["a"]), [""; 0]);
        assert_eq!(place.news(&[]), ["a"], "others may have written at the very end");
        assert_eq!(place.news(&[]), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn while_no_file_comes_or_goes_only_logs_and_locks_are_looked_at() {
        let mut place = Place::new();
        for name in ["a.db", "b.db", "c.db", "c.db.worker-1"] {
            place.write(name, "x", 1);
        }
        place.write("a.db-wal", "", 1);
        let worker = File::open(place.path("c.db.worker-1")).unwrap();
        worker.lock().unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        File::open(place.folder.path()).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(place.news(&[]), ["a", "b", "c"], "they are new");
        assert!(place.watch.folder.is_some(), "all is known");
        assert_eq!(place.news(&[]), [""; 0]);
        place.write("a.db-wal", "x", 2);
        drop(worker);
        assert_eq!(place.news(&[]), ["a", "c"], "the first write, and a death");
        place.write("a.db-wal", "y", 3);
        assert_eq!(place.news(&["a"]), [""; 0]);
        assert_eq!(place.news(&[]), ["a"]);
        assert!(place.watch.folder.is_some(), "no file came or went");
        place.write("b.db-wal", "x", 4);
        assert_eq!(place.news(&[]), ["b"], "a file came");
    }

    #[test]
    fn the_death_of_a_worker_is_told_once() {
        let mut place = Place::new();
        place.write("a.db", "x", 1);
        assert_eq!(place.news(&[]), ["a"]);
        let living = File::create(place.path("a.db.worker-1")).unwrap();
        living.try_lock().unwrap();
        let young = File::create(place.path("a.db.worker-2")).unwrap();
        assert_eq!(place.news(&[]), [""; 0], "one that is new may not be locked yet");
        young.try_lock().unwrap();
        assert_eq!(place.news(&[]), [""; 0], "both live");
        drop(living);
        assert_eq!(place.news(&["a"]), [""; 0], "who has the tenant open notices by itself");
        assert_eq!(place.news(&[]), ["a"], "its lock is free");
        assert_eq!(place.news(&[]), [""; 0]);
        drop(young);
        assert_eq!(place.news(&[]), ["a"]);
    }
}
