//! A disk that can be copied as it is: what it holds is what was synced, and what the system wrote by itself.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::disk::unmount;
use super::{freeze, run};

/// How often a copy is tried: while the system writes, no two are alike.
const TRIES: usize = 100;

/// A file system in a file. Unmounted when this is dropped.
#[derive(Debug)]
pub struct LoopDisk {
    image: PathBuf,
    at: PathBuf,
}

impl LoopDisk {
    /// Makes a file system of so many bytes in a new file, and mounts it on a folder.
    ///
    /// # Errors
    ///
    /// What `mkfs.ext4` and `mount` say: usually that only root may do that, or that there are no loop devices.
    pub fn make(image: &Path, at: &Path, bytes: u64) -> io::Result<Self> {
        File::create_new(image)?.set_len(bytes)?;
        // Nothing is left to be initialised while others look.
        let whole = "lazy_itable_init=0,lazy_journal_init=0";
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-E", whole]).arg(image))?;
        Self::mount(image, at)
    }

    /// Mounts a file system that is in a file, after a power failure if that is what the file is from.
    ///
    /// # Errors
    ///
    /// What `mount` says.
    pub fn mount(image: &Path, at: &Path) -> io::Result<Self> {
        run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(at))?;
        Ok(Self { image: image.to_owned(), at: at.to_owned() })
    }

    /// Copies the disk as it would be found if the power failed now: `into` gets only what has reached the disk. The
    /// processes, who are all that write to it, stand still meanwhile.
    ///
    /// # Errors
    ///
    /// What the system says; a disk that is written to all the time.
    pub fn fail_power(&self, pids: &[u32], into: &Path) -> io::Result<()> {
        let _frozen = freeze(pids)?;
        let again = into.with_extension("again");
        for _ in 0..TRIES {
            // The system may be writing. Two copies that are alike are of one moment.
            for copy in [into, &again] {
                run(Command::new("cp").args(["--sparse=always"]).arg(&self.image).arg(copy))?;
            }
            let alike = run(Command::new("cmp").arg("-s").arg(into).arg(&again)).is_ok();
            fs::remove_file(&again)?;
            if alike {
                return Ok(());
            }
        }
        Err(io::Error::other(format!("{} never stands still", self.image.display())))
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        unmount(&self.at);
    }
}
