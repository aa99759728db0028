//! A throw-away PostgreSQL server for tests: a real one, on a port and in a folder of its own, gone with the process.
//!
//! [`server`] starts one for the whole test process, from the server binaries that it finds, or takes the server that
//! `CLOACINA_TEST_POSTGRES_URL` names. On a Debian machine without one, run by root, it installs the package.

mod binaries;

use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use cloacina_core::WorkerId;

/// Names a server that is there already; a role of it may create schemas.
const URL: &str = "CLOACINA_TEST_POSTGRES_URL";

/// Runs the server until standard input ends, which it does with the test process, however that ends.
const SUPERVISOR: &str = r#"
set -u
bin=$1 dir=$2 options=$3
fail() { cat "$dir"/*.log >&2; rm -rf "$dir"; exit 1; }
"$bin/initdb" -D "$dir/data" -U postgres -A scram-sha-256 --pwfile="$dir/password" --no-sync \
    -E UTF8 --locale=C >"$dir/initdb.log" 2>&1 || fail
"$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -o "$options" start >"$dir/start.log" 2>&1 || fail
echo ready
cat >/dev/null
"$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1
rm -rf "$dir"
"#;

/// A server for tests. Stops when it is dropped, or when the process ends.
pub struct Server {
    url: String,
    /// `None` for a server that was there already.
    own: Option<Own>,
}

/// A server that was started here.
struct Own {
    supervisor: Child,
    binaries: PathBuf,
    folder: PathBuf,
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Connections are cut, transactions rolled back, and all is written down.
    Fast,
    /// As by a crash: the next start recovers from the log.
    Immediate,
}

/// No server could be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// There are no server binaries, and none could be installed.
    #[error(
        "no PostgreSQL server was found in `PATH`, by `pg_config`, or in `/usr/lib/postgresql`{why}: install one \
         (`apt-get install postgresql`, `dnf install postgresql-server`, `brew install postgresql`), or name a running \
         one by `{URL}`"
    )]
    NotFound {
        /// Why it was not installed, if that was tried.
        why: String,
    },
    /// It did not start.
    #[error("the PostgreSQL server did not start: {log}")]
    NotStarted {
        /// What it said.
        log: String,
    },
    /// Something about its folder or its processes failed.
    #[error("the PostgreSQL server could not be {what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// Returns the server of this test process, and starts it at the first call.
///
/// # Panics
///
/// If there is no server to be had; the message says how to get one.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the variable names the server of the tests")]
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| match std::env::var(URL) {
        Ok(url) => Server { url, own: None },
        Err(_) => Server::start().unwrap_or_else(|error| panic!("{error}")),
    })
}

/// Returns a name for a schema that no other test has.
#[must_use]
pub fn schema_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("t_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Server {
    /// Starts a server of the caller's own, to be stopped and started again at will.
    ///
    /// # Errors
    ///
    /// A [`ServerError`] that says how to get a server, or what it said when it did not start.
    pub fn start() -> Result<Self, ServerError> {
        let binaries = binaries::find()?;
        let password = WorkerId::new().to_string();
        let port = free_port()?;
        let folder = folder(&password)?;
        // A test has no use for durability against a loss of power.
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off \
             -c max_connections=300 -c log_min_messages=warning"
        );
        let mut command = Command::new("sh");
        command.args(["-c", SUPERVISOR, "supervisor"]).arg(&binaries).arg(&folder).arg(options);
        command
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        binaries::as_user(&mut command);
        let mut supervisor = command.spawn().map_err(|source| io("started", source))?;
        let mut said = String::new();
        if let Some(output) = supervisor.stdout.take() {
            BufReader::new(output).read_line(&mut said).map_err(|source| io("started", source))?;
        }
        if said.trim() != "ready" {
            let mut log = String::new();
            if let Some(mut errors) = supervisor.stderr.take() {
                let _ = errors.read_to_string(&mut log);
            }
            return Err(ServerError::NotStarted { log });
        }
        let url = format!("postgresql://postgres:{password}@127.0.0.1:{port}/postgres");
        Ok(Self { url, own: Some(Own { supervisor, binaries, folder }) })
    }

    /// Returns the address, with the password of a role that may do everything.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops the server and starts it again.
    ///
    /// # Errors
    ///
    /// A [`ServerError`] if it does not come back, or was not started here.
    pub fn restart(&self, stop: Stop) -> Result<(), ServerError> {
        let mode = match stop {
            Stop::Fast => "fast",
            Stop::Immediate => "immediate",
        };
        let ended = self.pg_ctl(&["-m", mode, "-w", "restart"])?;
        if ended.success() {
            return Ok(());
        }
        Err(ServerError::NotStarted { log: "`pg_ctl restart` failed".to_owned() })
    }

    fn pg_ctl(&self, arguments: &[&str]) -> Result<ExitStatus, ServerError> {
        let Some(own) = &self.own else {
            let reason = format!("it is the one that `{URL}` names");
            return Err(io("restarted", std::io::Error::other(reason)));
        };
        let mut command = Command::new(own.binaries.join("pg_ctl"));
        command.arg("-D").arg(own.folder.join("data")).arg("-l").arg(own.folder.join("server.log"));
        command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
        binaries::as_user(&mut command);
        command.status().map_err(|source| io("restarted", source))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Its standard input ends, and it stops the server.
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

impl fmt::Debug for Server {
    /// Leaves the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.url.rsplit('@').next().unwrap_or_default();
        f.debug_struct("Server").field("at", &place).finish_non_exhaustive()
    }
}

/// Makes the server's folder, with the password in it.
fn folder(password: &str) -> Result<PathBuf, ServerError> {
    let name = format!("cloacina-postgres-{}", WorkerId::new());
    let folder = std::env::temp_dir().join(name);
    let made = (|| {
        std::fs::create_dir(&folder)?;
        let file = folder.join("password");
        std::fs::write(&file, password)?;
        for path in [&file, &folder] {
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
            give_to_user(path)?;
        }
        Ok(())
    })();
    made.map(|()| folder).map_err(|source| io("given a folder", source))
}

fn give_to_user(path: &Path) -> std::io::Result<()> {
    match binaries::user() {
        Some((uid, gid)) => std::os::unix::fs::chown(path, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

fn free_port() -> Result<u16, ServerError> {
    let listener =
        TcpListener::bind(("127.0.0.1", 0)).map_err(|source| io("given a port", source))?;
    listener.local_addr().map(|address| address.port()).map_err(|source| io("given a port", source))
}

fn io(what: &'static str, source: std::io::Error) -> ServerError {
    ServerError::Io { what, source }
}
