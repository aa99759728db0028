//! Runs the montage workflow on a schema until its standard input ends, then shuts down: `fleet_worker LOG [KEY=NUMBER]..`.
//!
//! The address holds a password, so it comes by the environment: `FLEET_URL` and `FLEET_SCHEMA`. The sessions of the process
//! carry the schema and its id as their application name. Meant to be killed and stopped.

use std::collections::HashMap;
use std::error::Error;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::Backend;
use cloacina_postgres::{PostgresBackend, PostgresOptions, UnifiedExecutor};
use cloacina_tests::effects::Effects;
use cloacina_tests::montage::{self, Studio};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let mut arguments = std::env::args().skip(1);
    let log = arguments.next().ok_or("expected LOG")?;
    let settings = settings(arguments)?;
    let number = |key: &str, default: u64| settings.get(key).copied().unwrap_or(default);
    let (url, schema) = place()?;
    let witness: Option<Arc<dyn Backend>> = match number("witness", 0) {
        0 => None,
        _ => {
            let options = PostgresOptions::from_url(&named(&url, &format!("witness.{schema}")))?;
            Some(Arc::new(PostgresBackend::open(options.schema(&schema)?.pool_size(2)).await?))
        }
    };
    let studio = Arc::new(Studio { effects: Effects::open(Path::new(&log))?, witness });
    let executor = UnifiedExecutor::builder()
        .database_url(named(&url, &format!("{schema}.{}", std::process::id())))
        .schema(schema)
        .db_pool_size(4)
        .max_concurrent_tasks(usize::try_from(number("slots", 16))?)
        .lease_ttl(Duration::from_millis(number("lease_ms", 3_000)))
        .poll_interval(Duration::from_millis(100))
        .shutdown_grace(Duration::from_millis(number("shutdown_grace_ms", 10_000)))
        .max_recovery_attempts(u32::try_from(number("max_recovery_attempts", 1_000))?)
        .workflows([montage::workflow(Some(&studio))?])
        .build()
        .await?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    executor.shutdown().await?;
    if let Some(witness) = &studio.witness {
        witness.close().await;
    }
    Ok(())
}

/// Reads `KEY=NUMBER`.
fn settings(arguments: impl Iterator<Item = String>) -> Result<HashMap<String, u64>, String> {
    let setting = |argument: String| {
        let (key, number) = argument.split_once('=')?;
        Some((key.to_owned(), number.parse().ok()?))
    };
    let read = |argument: String| {
        setting(argument.clone()).ok_or_else(|| format!("`{argument}` is not KEY=NUMBER"))
    };
    arguments.map(read).collect()
}

#[expect(clippy::disallowed_methods, reason = "an argument would show the password to everybody")]
fn place() -> Result<(String, String), std::env::VarError> {
    Ok((std::env::var("FLEET_URL")?, std::env::var("FLEET_SCHEMA")?))
}

/// Gives the sessions at an address a name.
fn named(url: &str, name: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}application_name={name}")
}
