//! A process in a folder of its own that ends with the test process, however that ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cloacina_core::WorkerId;

use super::{ServerError, binaries};

/// A shell that runs something until its standard input ends.
#[derive(Debug)]
pub(super) struct Supervised {
    shell: Child,
}

impl Supervised {
    /// Runs a script as an unprivileged user, and waits until it says `ready`.
    pub(super) fn start(
        what: &'static str,
        script: &str,
        arguments: &[&std::ffi::OsStr],
    ) -> Result<Self, ServerError> {
        let mut command = Command::new("sh");
        command.args(["-c", script, "supervisor"]).args(arguments).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        binaries::as_user(&mut command);
        // Ctrl-C on a terminal goes to its whole group. The shell has to outlive it, to stop what it runs.
        command.process_group(0);
        let mut shell = command.spawn().map_err(|source| io(what, source))?;
        let mut said = String::new();
        if let Some(output) = shell.stdout.take() {
            BufReader::new(output).read_line(&mut said).map_err(|source| io(what, source))?;
        }
        if said.trim() == "ready" {
            return Ok(Self { shell });
        }
        let mut log = String::new();
        if let Some(mut errors) = shell.stderr.take() {
            let _ = errors.read_to_string(&mut log);
        }
        let _ = shell.wait();
        Err(ServerError::NotStarted { what, log })
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // Its standard input ends, and it stops what it runs.
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// A folder that belongs to the user of the process. What runs there removes it.
#[derive(Debug)]
pub(super) struct Folder {
    what: &'static str,
    path: PathBuf,
}

impl Folder {
    pub(super) fn new(what: &'static str) -> Result<Self, ServerError> {
        let path = std::env::temp_dir().join(format!("cloacina-postgres-{}", WorkerId::new()));
        std::fs::create_dir(&path).map_err(|source| io(what, source))?;
        hand_over(&path).map_err(|source| io(what, source))?;
        Ok(Self { what, path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that nobody else may read.
    pub(super) fn write(&self, name: &str, content: &str) -> Result<(), ServerError> {
        let path = self.path.join(name);
        let written = std::fs::write(&path, content).and_then(|()| hand_over(&path));
        written.map_err(|source| io(self.what, source))
    }
}

/// Gives a path to the user of the process, and to nobody else.
fn hand_over(path: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    match binaries::user() {
        Some((uid, gid)) => std::os::unix::fs::chown(path, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

/// Finds a port that nobody listens on.
pub(super) fn free_port(what: &'static str) -> Result<u16, ServerError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|source| io(what, source))?;
    listener.local_addr().map(|address| address.port()).map_err(|source| io(what, source))
}

pub(super) fn io(what: &'static str, source: std::io::Error) -> ServerError {
    ServerError::Io { what, source }
}
