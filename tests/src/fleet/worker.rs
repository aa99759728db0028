//! Child processes, and the one that sees to it that none outlives the harness.

use std::fmt;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use super::until;

/// Kills, when its standard input ends, the processes that were named on it and not taken back, and unmounts what was named. It leaves the
/// terminal's group, so that Ctrl-C does not end it first.
const REAPER: &str = r#"
trap '' INT TERM HUP PIPE
pids=" " disk=
while read -r sign pid; do
    case $sign in
        =) disk=$pid ;;
        +) pids="$pids$pid " ;;
        -) pids="${pids%% $pid *} ${pids#* $pid }" ;;
    esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
[ -z "$disk" ] || { umount -l "$disk"; rm -rf "$disk"; } 2>/dev/null
"#;

/// Ends processes, stopped ones too, when this process has ended, however that happens.
#[derive(Debug)]
pub(super) struct Reaper {
    shell: Child,
    list: Mutex<Option<ChildStdin>>,
}

impl Reaper {
    pub(super) fn start() -> Arc<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", REAPER]).stdin(Stdio::piped()).process_group(0);
        let mut shell = command.stdout(Stdio::null()).spawn().unwrap();
        let list = Mutex::new(shell.stdin.take());
        Arc::new(Self { shell, list })
    }

    /// Names the folder on which a file system is mounted.
    pub(super) fn unmount(&self, folder: &Path) {
        self.say('=', folder.display());
    }

    fn say(&self, sign: char, what: impl fmt::Display) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = &mut *list {
            writeln!(list, "{sign} {what}").unwrap();
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        drop(self.list.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _ = self.shell.wait();
    }
}

/// A child process; killed when it is dropped.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    reaper: Arc<Reaper>,
}

impl Worker {
    pub(super) fn new(command: &mut Command, reaper: &Arc<Reaper>) -> Self {
        let child = command.spawn().unwrap();
        reaper.say('+', child.id());
        Self { child, reaper: Arc::clone(reaper) }
    }

    /// Returns the id of the process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a crash would, and waits until it is gone.
    ///
    /// # Panics
    ///
    /// If the system refuses.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Keeps it from running until it is continued.
    pub fn stop(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status().unwrap();
        assert!(sent.success(), "{signal} was sent");
    }

    /// Writes a line to its standard input.
    pub(crate) fn tell(&mut self, line: &str) {
        if let Some(input) = &mut self.child.stdin {
            // One that has ended hears nothing.
            let _ = writeln!(input, "{line}");
        }
    }

    /// Asks it to shut down.
    pub fn ask_to_shut_down(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut ended = None;
        until("a worker has ended", async || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        ended.unwrap()
    }

    /// Reports whether it runs still.
    ///
    /// # Panics
    ///
    /// If the system refuses to tell.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Shuts it down.
    ///
    /// # Panics
    ///
    /// If it does not end, or says that something failed.
    pub async fn shut_down(mut self) {
        self.ask_to_shut_down();
        let ended = self.ended().await;
        assert!(ended.success(), "a clean end: {ended}");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.reaper.say('-', self.child.id());
    }
}
