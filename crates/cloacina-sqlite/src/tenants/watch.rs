//! Notices from outside, by the times of files, in which tenants others did something.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::time::Duration;

use cloacina_core::{BackendError, TenantId};
use tokio::time::Instant;

use super::folder::{ENDING, Folder, Mark, Marks, named};
use crate::locks::{self, Probe};

/// What was seen in the folder, and what nobody was told of yet.
#[derive(Debug)]
pub(super) struct Watch {
    seen: HashMap<TenantId, Marks>,
    locks: HashMap<String, Lock>,
    news: BTreeSet<TenantId>,
    looked: Instant,
}

/// What was seen of a worker's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    /// It was there. Only one that is there for a while is touched: its worker may not have locked it yet.
    There,
    /// It was free: the worker is dead, and that was told.
    Free,
}

impl Watch {
    /// Takes what is there now for known.
    pub(super) fn new(folder: &Folder) -> Result<Self, BackendError> {
        let (seen, locks) = (HashMap::new(), HashMap::new());
        let mut watch = Self { seen, locks, news: BTreeSet::new(), looked: Instant::now() };
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
        let mut found: HashMap<TenantId, Marks> = HashMap::with_capacity(self.seen.len());
        let mut locks = HashMap::new();
        for entry in fs::read_dir(folder.path()).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some(tenant) = named(name, ENDING) {
                found.entry(tenant).or_default().database = mark(&entry);
            } else if let Some(tenant) = name.strip_suffix("-wal").and_then(|it| named(it, ENDING))
            {
                found.entry(tenant).or_default().log = mark(&entry).filter(|log| log.len > 0);
            } else if let Some((database, _)) = name.split_once(locks::MARK)
                && let Some(tenant) = named(database, ENDING)
                && !is_open(&tenant)
            {
                let lock = self.examine(name, &entry);
                if lock == Lock::Free && self.locks.get(name) != Some(&Lock::Free) {
                    self.news.insert(tenant);
                }
                locks.insert(name.to_owned(), lock);
            }
        }
        self.locks = locks;
        self.compare(found, is_open);
        Ok(())
    }

    fn examine(&self, name: &str, entry: &fs::DirEntry) -> Lock {
        match self.locks.get(name) {
            None => Lock::There,
            Some(Lock::Free) => Lock::Free,
            Some(Lock::There) => match locks::probe(&entry.path()) {
                Probe::Free(_) => Lock::Free,
                Probe::Held | Probe::Unknown => Lock::There,
            },
        }
    }

    fn compare(&mut self, found: HashMap<TenantId, Marks>, is_open: impl Fn(&TenantId) -> bool) {
        self.seen.retain(|tenant, _| found.contains_key(tenant));
        for (tenant, marks) in found {
            if self.seen.get(&tenant) == Some(&marks) || is_open(&tenant) {
                continue;
            }
            self.news.insert(tenant.clone());
            if marks.are_settled() {
                self.seen.insert(tenant, marks);
            } else {
                self.seen.remove(&tenant);
            }
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

fn mark(entry: &fs::DirEntry) -> Option<Mark> {
    entry.metadata().ok().map(|found| Mark::of(&found))
}
