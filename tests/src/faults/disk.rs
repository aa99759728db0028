//! Disks without room.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::run;

/// A small file system in memory. Unmounted when this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts one of so many bytes on a folder.
    ///
    /// # Errors
    ///
    /// What `mount` says: usually that only root may do that.
    pub fn mount(at: &Path, bytes: u64) -> io::Result<Self> {
        let options = format!("size={bytes},mode=0700");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at))?;
        Ok(Self { at: at.to_owned() })
    }

    /// Takes all the room there is.
    ///
    /// # Errors
    ///
    /// What the file system says, but for having no more room.
    pub fn fill(&self) -> io::Result<()> {
        let mut ballast = File::options().append(true).create(true).open(self.ballast())?;
        loop {
            match ballast.write(&[0; 4096]) {
                Ok(1..) => {}
                Ok(0) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the room back.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn make_room(&self) -> io::Result<()> {
        fs::remove_file(self.ballast())
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.at);
    }
}

/// Unmounts a file system; one that is in use goes when it is not any more.
pub(super) fn unmount(at: &Path) {
    if run(Command::new("umount").arg(at)).is_err() {
        // Nothing more can be done.
        let _ = run(Command::new("umount").arg("-l").arg(at));
    }
}

/// What becomes of a process that writes beyond the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtLimit {
    /// The write fails.
    Fails,
    /// A signal ends the process, which is what the system does unless told otherwise.
    Dies,
}

/// Makes a command that runs another under a limit on the size of each file that it writes, in bytes, as `ulimit -f` sets
/// it. Program, arguments and environment are taken over; where its output goes is to be said again.
#[must_use]
pub fn limit_files(command: &Command, bytes: u64, then: AtLimit) -> Command {
    // A signal that is ignored stays ignored in the program that takes the shell's place.
    let prepare = match then {
        AtLimit::Fails => "trap '' XFSZ; ",
        AtLimit::Dies => "ulimit -c 0; ",
    };
    let mut limited = Command::new("sh");
    limited.arg("-c").arg(format!("{prepare}ulimit -f {}; exec \"$0\" \"$@\"", bytes / 512));
    limited.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(key, value),
            None => limited.env_remove(key),
        };
    }
    limited
}
