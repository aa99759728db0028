//! The environment of a real process: this test, started once more with variables and a folder of its own.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use cloacina_config::{FromEnv as _, TenantConfig};

/// Names the file into which the other process writes what it read; only set there.
const ANSWER: &str = "CLOACINA_CONFIG_ANSWER";

/// What the process that is started does. In any other run nothing is asked of it.
#[test]
fn child() {
    if let Some(answer) = env::var_os(ANSWER) {
        let read = TenantConfig::from_env();
        let read = read.map(|config| format!("{} {config:?}", config.database_url.expose()));
        fs::write(answer, read.unwrap_or_else(|error| error.to_string())).unwrap();
    }
}

/// What a process reads that is started in that folder, below which `.env` may be, with these variables.
fn read(folder: &Path, variables: &[(&str, &str)]) -> String {
    let answer = folder.join("answer");
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "process::child"]).current_dir(folder).stdin(Stdio::null());
    for name in ["DATABASE_URL", "TENANT_ID", "DEFAULT_SCHEMA", "MAX_CONCURRENT_TASKS"] {
        child.env_remove(name);
    }
    for name in ["TASK_TIMEOUT_SECONDS", "DB_POOL_SIZE"] {
        child.env_remove(name);
    }
    child.envs(variables.iter().map(|(name, value)| (OsString::from(name), value)));
    let ended = child.env(ANSWER, &answer).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    fs::read_to_string(answer).unwrap()
}

#[test]
fn a_variable_of_the_process_goes_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("below");
    fs::create_dir(&below).unwrap();
    let file = "# the guide's\nDATABASE_URL='sqlite://from$file.db'\nTENANT_ID=acme\nTENANT_ID=other\nDB_POOL_SIZE=3\n";
    fs::write(folder.path().join(".env"), file).unwrap();
    let read = read(&below, &[("DB_POOL_SIZE", "4")]);
    assert!(read.starts_with("sqlite://from$file.db "), "{read}");
    assert!(read.contains("tenant_id: \"acme\""), "{read}");
    assert!(read.contains("db_pool_size: Some(4)"), "{read}");
}

#[test]
fn the_file_that_the_guide_shows_is_read() {
    let page = include_str!("../../../../docs/guide/src/configuration.md");
    let (_, block) = page.split_once("\n```bash\n").unwrap();
    let (file, _) = block.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".env"), file).unwrap();
    let read = read(folder.path(), &[]);
    assert!(read.starts_with("postgresql://app:secret@localhost/app "), "{read}");
    assert!(read.contains("schema: Some(\"acme\"), max_concurrent_tasks: Some(8)"), "{read}");
}

#[test]
fn no_file_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let read = read(folder.path(), &[("DATABASE_URL", "sqlite://app.db")]);
    assert!(read.contains("tenant_id: \"default\""), "{read}");
}

#[test]
fn a_malformed_line_is_told_by_its_number_and_never_by_its_value() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".env");
    for line in ["DATABASE_URL=postgresql://a:s3 cret@db/app", "DATABASE_URL='s3cret", "s3cret"] {
        fs::write(&file, format!("TENANT_ID=acme\n{line}\n")).unwrap();
        let read = read(folder.path(), &[]);
        let reason = "line 2 is not `NAME=value`, or its value needs single quotes";
        assert!(read.ends_with(&format!("/.env` is refused: {reason}")), "{read}");
    }
}
