//! How the faults are done that hit a file.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::WORKERS;
use super::storm::Storm;
use crate::faults::{WriteLock, freeze, power};
use crate::fleet::Harm;

/// How long a write lock is held and a disk is full at most, in milliseconds: longer than a lease.
const LASTS: u64 = 6_000;

impl Storm {
    /// Lets another process be in the middle of a write for a while.
    pub(super) async fn hold_lock(&mut self) {
        let Some(database) = self.fleet.database.file().map(ToOwned::to_owned) else { return };
        // One that stands still may hold the lock for good. And whoever loses its lease meanwhile is not to blame.
        self.calm();
        let mut command = Command::new(&self.program);
        command.arg("lock");
        let take = move || WriteLock::take(command, &database).unwrap();
        let lock = tokio::task::spawn_blocking(take).await.unwrap();
        self.lasts().await;
        let ended = if self.random.bool() { lock.release() } else { lock.kill() };
        ended.unwrap();
    }

    /// Lets the disk be full for a while.
    pub(super) async fn fill_disk(&mut self) {
        self.strike_all();
        let Some(disk) = &self.disk else { return };
        disk.fill().unwrap();
        self.lasts().await;
        if let Some(disk) = &self.disk {
            disk.make_room().unwrap();
        }
    }

    async fn lasts(&mut self) {
        let millis = self.random.u64(50..LASTS);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    /// Lets the power fail: all processes end at once, and of the file there is what a disk may be left with. All start again.
    pub(super) async fn fail_power(&mut self) {
        let Some(database) = self.fleet.database.file().map(ToOwned::to_owned) else { return };
        self.strike_all();
        let ended = self.fleet.database.ended().await;
        let mut members = std::mem::take(&mut self.workers);
        members.append(&mut self.stopped);
        members.append(&mut self.leaving);
        let pids = members.iter().map(|member| member.worker.pid()).chain(self.submitter.pid());
        let pids: Vec<u32> = pids.collect();
        // Nobody goes on between the copy and the end.
        let frozen = freeze(&pids).unwrap();
        let copies = self.fleet.path("power");
        std::fs::create_dir(&copies).unwrap();
        let copy = power::fail(&database, &pids, &copies, &mut self.random).unwrap();
        drop(members);
        self.submitter.halt();
        drop(frozen);
        self.fleet.database.let_go().await;
        for ending in ["", "-wal", "-shm"] {
            let beside = |path: &PathBuf| PathBuf::from(format!("{}{ending}", path.display()));
            // The log and its index may be there or not.
            let _ = std::fs::remove_file(beside(&database));
            if beside(&copy).exists() {
                std::fs::copy(beside(&copy), beside(&database)).unwrap();
            }
        }
        std::fs::remove_dir_all(&copies).unwrap();
        self.fleet.database.take_up().await;
        let now = self.fleet.database.ended().await;
        if now < ended {
            let what = format!("{ended} executions had ended, after a power failure {now} have");
            self.accuse(Harm::Lost, "G1 (survives a power failure)", what);
        }
        let url = self.client_url();
        self.submitter.kill(&self.fleet, &url);
        while self.workers.len() < WORKERS {
            self.recruit();
        }
    }

    /// Leaves the traces, the file among them, and tells where they are.
    pub(super) fn keep(&mut self) -> Option<PathBuf> {
        let kept = self.fleet.keep()?;
        if let Some(database) = self.fleet.database.file() {
            // It is gone with its disk. What cannot be copied is missed by nobody who does not look.
            for ending in ["", "-wal"] {
                let from = format!("{}{ending}", database.display());
                let _ = std::fs::copy(from, kept.join(format!("fleet.db{ending}")));
            }
        }
        Some(kept)
    }
}
