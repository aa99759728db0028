//! Databases that other versions have written: the fixtures of `tests/fixtures`, and those that are newer than this program.

mod newer;
mod older;
mod place;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use place::Kind;

/// Where the fixtures of a back end are, each named after the last migration that it has seen.
fn fixtures(kind: Kind) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(kind.as_str())
}

/// The numbers of the SQL files in a folder, which their names begin with.
fn numbers(folder: &Path) -> BTreeSet<u32> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.to_string_lossy()[..4].parse().unwrap()).collect()
}

fn versions(kind: Kind) -> BTreeSet<u32> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    numbers(&crates.join(format!("cloacina-{}", kind.as_str())).join("migrations"))
}

#[test]
fn every_version_has_its_fixtures() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let (fixtures, versions) = (numbers(&fixtures(kind)), versions(kind));
        assert_eq!(fixtures, versions, "of {kind:?}: see tests/examples/make_fixture.rs");
    }
}
