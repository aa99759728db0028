//! Each workload runs, in a small version, and reports what it should. Nothing here asserts on speed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::process::Command;

use serde_json::Value;

/// What every line of JSON has.
const FIELDS: [&str; 14] = [
    "workload",
    "backend",
    "executions",
    "executions_per_s",
    "tasks_per_s",
    "limit_executions_per_s",
    "ratio_to_limit",
    "p50_ms",
    "p99_ms",
    "commits_per_execution",
    "cpu_s",
    "server_cpu_s",
    "peak_rss_mb",
    "settings",
];

/// Runs the command on SQLite, and reads the last line that it prints.
fn last_line(line: &str) -> Value {
    last_line_on("sqlite", line)
}

/// The same on any store.
fn last_line_on(backend: &str, line: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_cloacina-bench"))
        .args(line.split(' '))
        .args(["--backend", backend, "--runs", "1", "--json"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {errors}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let figures: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    for field in FIELDS {
        assert!(figures.get(field).is_some(), "{line}: `{field}` is missing: {figures}");
    }
    assert_eq!(figures["workload"], line.split(' ').next().unwrap());
    assert_eq!(figures["backend"], backend);
    figures
}

/// Reads a number that is above zero.
fn number(figures: &Value, field: &str) -> f64 {
    let value = figures[field].as_f64();
    value.filter(|value| *value > 0.0).unwrap_or_else(|| panic!("`{field}`: {figures}"))
}

#[test]
fn workloads_run_beside_their_limit_and_count_what_they_write() {
    // Rows: the execution and its tasks.
    for (line, rows) in [
        ("single --executions 50", 2.0),
        ("chain --executions 50", 4.0),
        ("chain --executions 50 --workers 2", 4.0),
        ("fan --executions 20", 13.0),
        ("wide --tasks 100 --executions 2", 103.0),
        ("deep --tasks 100 --executions 2", 101.0),
        ("latency --executions 5", 4.0),
    ] {
        let figures = last_line(line);
        for field in ["executions_per_s", "limit_executions_per_s", "ratio_to_limit", "p50_ms"] {
            number(&figures, field);
        }
        assert_eq!(number(&figures, "rows_inserted_per_execution"), rows, "{line}");
    }
}

#[test]
fn on_postgres_a_chain_inserts_four_rows_and_updates_one() {
    let figures = last_line_on("postgres", "chain --executions 50");
    assert_eq!(number(&figures, "rows_inserted_per_execution"), 4.0);
    assert_eq!(number(&figures, "rows_updated_per_execution"), 1.0);
}

#[test]
fn a_chain_alone_has_a_commit_for_its_submit_and_for_each_task() {
    let figures = last_line("latency --executions 20");
    let commits = number(&figures, "commits_per_execution");
    // A sign of life may come between.
    assert!((4.0..5.0).contains(&commits), "{commits}");
}

#[test]
fn a_file_is_a_workload() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/bakery.json");
    let figures = last_line(&format!("dag {file} --executions 5"));
    number(&figures, "executions_per_s");
}

#[test]
fn executions_are_resumed() {
    let figures = last_line("resume --executions 60");
    number(&figures, "first_task_ms");
    number(&figures, "all_done_ms");
    let rows = number(&figures, "rows_inserted_per_execution");
    assert!((2.0..3.0).contains(&rows), "about half have done one of three tasks: {rows}");
}

#[test]
fn a_past_is_put_in_and_compared_with_none() {
    let figures = last_line("history --executions 50 --history 300");
    assert_eq!(figures["finished_before"], 300);
    assert_eq!(number(&figures, "rows_inserted_per_execution"), 4.0);
    number(&figures, "ratio_to_empty");
}

#[test]
fn the_length_of_tasks_is_looked_for() {
    let figures = last_line("metg --steps 3");
    for pattern in ["stencil", "fft", "no_dependency"] {
        number(&figures["patterns"][pattern], "metg_ms");
    }
}

#[test]
fn tenants_are_measured_in_the_same_words() {
    let figures = last_line("tenants --tenants 3 --active 1 --flood 5 --samples 1");
    assert_eq!(figures["tenants"], 3);
    number(&figures, "p50_ms");
}

#[test]
fn the_limit_runs_alone() {
    let figures = last_line("limit single --executions 100");
    number(&figures, "limit_executions_per_s");
}

#[test]
fn a_workload_that_lacks_its_file_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_cloacina-bench")).args(["dag"]).output().unwrap();
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("`dag` needs a file"), "{errors}");
}

#[test]
fn a_queued_execution_takes_less_than_two_kilobytes_and_a_finished_one_nothing() {
    let output = Command::new(env!("CARGO_BIN_EXE_memory")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let bytes = |what: &str| -> u32 {
        let line = printed.lines().find_map(|line| line.strip_prefix(what));
        let bytes = line.and_then(|line| line.split_whitespace().next());
        bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or_else(|| panic!("{what}: {printed}"))
    };
    let queued = bytes("queued");
    assert!((500..2_000).contains(&queued), "{printed}");
    // The size of a queue now and then, divided among all.
    assert!(bytes("finished") < 50, "{printed}");
}
