//! What goes wrong with a SQLite file: each fault is inflicted once by a call, and ends with the value that the call returns.
//!
//! - [`WriteLock`]: another process is in the middle of a write, for as long as it likes, and perhaps dies of it.
//! - [`SmallDisk`]: the disk is full, until there is room again. Needs the right to mount.
//! - [`limit_files`]: files may not grow beyond a size, for one process.
//! - [`power`]: the power fails; what was not synced is lost. Needs no rights, and says what it takes for granted.
//! - [`LoopDisk`]: the power fails under a file system of its own; takes nothing for granted. Needs the right to mount.
//!
//! Calls block their thread for as long as the commands take that they run, which is short. None opens the database in the calling process, but through SQLite: the system drops all locks that a process has on a
//! file when any handle of it is closed, SQLite's too. Files in use are copied by `cp`.

mod disk;
mod freeze;
mod image;
mod lock;
pub mod power;

use std::io;
use std::process::{Command, Output};

pub use disk::{AtLimit, SmallDisk, limit_files};
pub use freeze::{Frozen, freeze};
pub use image::LoopDisk;
pub use lock::{WriteLock, hold_write_lock};

/// Runs a command to its end.
///
/// # Errors
///
/// What the system says, or the command on its standard error.
fn run(command: &mut Command) -> io::Result<Output> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{command:?}: {}: {}", output.status, said.trim())))
}
