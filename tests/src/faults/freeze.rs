//! Processes that stand still.

use std::fs;
use std::io;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::run;

/// A process that is in the kernel stops when it comes out.
const PATIENCE: Duration = Duration::from_secs(30);

/// Processes that stand still until this is dropped.
#[derive(Debug)]
pub struct Frozen {
    pids: Vec<u32>,
}

/// Stops processes by `SIGSTOP`, and waits until all their threads stand still. Those that stood still before, or have
/// ended, are left as they are.
///
/// # Errors
///
/// What the system says; a thread that does not stop.
#[expect(clippy::disallowed_methods, reason = "blocks no longer than the commands that it runs")]
pub fn freeze(pids: &[u32]) -> io::Result<Frozen> {
    let mut frozen = Frozen { pids: Vec::new() };
    for pid in pids {
        if !stands_still(*pid) && signal("-STOP", *pid).is_ok() {
            frozen.pids.push(*pid);
        }
    }
    let end = Instant::now() + PATIENCE;
    while !pids.iter().all(|pid| stands_still(*pid)) {
        if Instant::now() > end {
            return Err(io::Error::other(format!("processes {pids:?} do not stop")));
        }
        sleep(Duration::from_micros(200));
    }
    Ok(frozen)
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.pids {
            // It may have been killed meanwhile.
            let _ = signal("-CONT", *pid);
        }
    }
}

fn signal(signal: &str, pid: u32) -> io::Result<()> {
    run(Command::new("kill").args([signal, &pid.to_string()])).map(drop)
}

/// Reports whether no thread of a process runs.
fn stands_still(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.flatten().all(|thread| {
        let Ok(stat) = fs::read_to_string(thread.path().join("stat")) else { return true };
        // `pid (name) state ..`: a name may hold anything.
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        matches!(state, Some('T' | 't' | 'Z' | 'X'))
    })
}
