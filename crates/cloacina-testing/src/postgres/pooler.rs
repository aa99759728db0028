//! A throw-away PgBouncer that shares few sessions among many clients.

use std::sync::OnceLock;

use super::supervised::{Folder, Supervised, free_port};
use super::{Server, ServerError, binaries};

const WHAT: &str = "PgBouncer";

/// Runs PgBouncer until standard input ends. It listens once it says so in its log.
const SUPERVISOR: &str = r#"
set -u
trap '' PIPE
bin=$1 dir=$2
"$bin" "$dir/pgbouncer.ini" >"$dir/output.log" 2>&1 &
pid=$!
tries=0
until grep -q "process up" "$dir/pgbouncer.log" 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ] || ! kill -0 "$pid" 2>/dev/null; then
        cat "$dir"/*.log >&2
        kill "$pid" 2>/dev/null
        rm -rf "$dir"
        exit 1
    fi
    sleep 0.05
done
echo ready
cat >/dev/null
kill -9 "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
rm -rf "$dir"
"#;

/// A PgBouncer in transaction mode before a server of its own. Both stop when it is dropped, or when the process ends.
#[derive(Debug)]
pub struct Pooler {
    url: String,
    _pooler: Supervised,
    server: Server,
}

/// Returns the pooler of this test process, and starts it at the first call.
///
/// # Panics
///
/// If there is none to be had; the message says how to get it.
#[must_use]
pub fn pooler() -> &'static Pooler {
    static POOLER: OnceLock<Pooler> = OnceLock::new();
    POOLER.get_or_init(|| Pooler::start().unwrap_or_else(|error| panic!("{error}")))
}

impl Pooler {
    /// Starts a server, and PgBouncer before it.
    ///
    /// # Errors
    ///
    /// A [`ServerError`] that says how to get what is missing, or what it said when it did not start.
    pub fn start() -> Result<Self, ServerError> {
        let binary = binaries::find_pooler()?;
        let server = Server::start()?;
        let place = server.url().rsplit('@').next().unwrap_or_default();
        let port = place.split([':', '/']).nth(1).unwrap_or_default();
        let own_port = free_port(WHAT)?;
        let folder = Folder::new(WHAT)?;
        folder.write("users.txt", &format!("\"postgres\" \"{}\"\n", server.password()))?;
        // Few sessions, so that each serves many clients in turn.
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={port}\n\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {own_port}\nunix_socket_dir =\n\
             auth_type = scram-sha-256\nauth_file = {0}/users.txt\npool_mode = transaction\n\
             default_pool_size = 12\nmax_client_conn = 2000\nlogfile = {0}/pgbouncer.log\n",
            folder.path().display()
        );
        folder.write("pgbouncer.ini", &settings)?;
        let arguments = [binary.as_os_str(), folder.path().as_os_str()];
        let pooler = Supervised::start(WHAT, SUPERVISOR, &arguments)?;
        let url =
            format!("postgresql://postgres:{}@127.0.0.1:{own_port}/postgres", server.password());
        Ok(Self { url, _pooler: pooler, server })
    }

    /// Returns the address of the pooler.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the server behind it.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }
}
