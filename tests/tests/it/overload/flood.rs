//! Far more submits than can be run, in a process of its own, whose memory is looked at.

use std::process::Command;

use cloacina_testing::postgres::Server;
use serde_json::Value;

const SUBMITS: u64 = 6_000;
const KIB_EACH: u64 = 16;

/// Floods a process that may hold little: what is acknowledged is in the store, and not in memory as well.
fn flood(url: &str) {
    let settings = [
        format!("submits={SUBMITS}"),
        format!("bytes={}", KIB_EACH * 1_024),
        "held=64".to_owned(),
        "waiting=64".to_owned(),
        "callers=200".to_owned(),
        "task_ms=0".to_owned(),
    ];
    let output =
        Command::new(env!("CARGO_BIN_EXE_flood")).arg(url).args(settings).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |key: &str| line[key].as_u64().unwrap();
    assert_eq!(
        (number("completed"), number("lost"), number("ran_again")),
        (SUBMITS, 0, 0),
        "{line}"
    );
    assert!(number("most_waiting_submits") <= 64, "{line}");
    let grown = number("rss_peak_submitted") - number("rss_before");
    let submitted = SUBMITS * KIB_EACH;
    assert!(grown < submitted / 2, "grown by {grown} KiB while {submitted} were submitted: {line}");
}

#[test]
fn a_flood_takes_disk_space_and_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    flood(&format!("sqlite://{}", folder.path().join("app.db").display()));
}

#[test]
fn a_flood_takes_disk_space_and_no_memory_on_postgresql() {
    let server = Server::start().unwrap();
    flood(server.url());
}
