//! A process that serves tenants and crashes, seen from its parent; and what it is told.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

use super::{Crash, Place};

/// Starts this program again with that argument, tells it where the tenants are, and waits until it has crashed.
///
/// Returns what it said, and how it ended. It is killed if this future is dropped.
///
/// # Errors
///
/// It cannot be started, or it ended without a crash.
pub async fn start_and_crash(argument: &str, place: &Place) -> anyhow::Result<(Crash, String)> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut process = Command::new(program)
        .arg(argument)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start a process")?;
    let mut input = process.stdin.take().context("it has no standard input")?;
    let mut output = process.stdout.take().context("it has no standard output")?;
    // Not on its command line, which others can read: there may be a password in it.
    let mut line = serde_json::to_vec(place)?;
    line.push(b'\n');
    input.write_all(&line).await.context("it does not listen")?;
    let mut said = String::new();
    output.read_to_string(&mut said).await.context("cannot hear it")?;
    let status = process.wait().await.context("it is gone")?;
    ensure!(!status.success(), "the process was to crash, and ended in order");
    let crash = serde_json::from_str(&said)
        .with_context(|| format!("the process ended before it was to, with {status}"))?;
    Ok((crash, status.to_string()))
}

/// Reads from the first line of standard input where the tenants are.
///
/// # Errors
///
/// That line is missing or says something else.
pub async fn told_where() -> anyhow::Result<Place> {
    let mut line = String::new();
    let mut input = BufReader::new(tokio::io::stdin());
    input.read_line(&mut line).await.context("cannot read standard input")?;
    // Not the line itself in the error: it may hold a password.
    serde_json::from_str(&line).context("the first line of standard input is no place of tenants")
}
