//! Where the server's binaries are, and as whom they run.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ServerError;

/// Finds the folder of the binaries, and installs the server if there is none and that can be done.
pub(super) fn find() -> Result<PathBuf, ServerError> {
    if let Some(found) = look() {
        return Ok(found);
    }
    let why = match install() {
        Ok(()) => ", though its package was installed".to_owned(),
        Err(why) => why,
    };
    look().ok_or(ServerError::NotFound { why })
}

fn look() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
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

/// Tells whether all that is needed is there. A link to a single binary, as some machines have in `PATH`, is not enough.
fn is_complete(place: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"].iter().all(|name| place.join(name).is_file())
}

/// Installs the package of Debian; otherwise says why not.
fn install() -> Result<(), String> {
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
    let script = "mkdir -p /etc/postgresql-common \
        && echo 'create_main_cluster = false' >> /etc/postgresql-common/createcluster.conf \
        && apt-get update -q \
        && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql";
    let output = Command::new("sh").args(["-c", script]).output().map_err(failed)?;
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
