//! What a worker process does: it runs the workflows on a store until its standard input ends or `SIGTERM` comes, then shuts down.
//!
//! An address may hold a password, so it comes by the environment: `FLEET_URL` and, on PostgreSQL, `FLEET_SCHEMA`. The sessions of the
//! process carry the schema and its id as their application name. Meant to be killed and stopped.

use std::error::Error;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::{Backend, Connect, UnifiedExecutor, UnifiedExecutorBuilder};
use cloacina_postgres::{PostgresBackend, PostgresOptions};
use cloacina_sqlite::{SqliteBackend, SqliteOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::effects::Effects;
use crate::montage::{self, Studio};
use crate::settings::Settings;
use crate::weather;

/// The store, by the environment.
#[derive(Debug, Clone)]
pub(crate) enum Address {
    Postgres { url: String, schema: String },
    Sqlite { url: String },
}

impl Address {
    #[expect(
        clippy::disallowed_methods,
        reason = "an argument would show the password to everybody"
    )]
    pub(crate) fn read() -> Result<Self, std::env::VarError> {
        let url = std::env::var("FLEET_URL")?;
        if url.starts_with("sqlite:") {
            return Ok(Self::Sqlite { url });
        }
        Ok(Self::Postgres { url, schema: std::env::var("FLEET_SCHEMA")? })
    }
}

/// What a worker may be told.
const SETTINGS: [&str; 5] =
    ["slots", "lease_ms", "shutdown_grace_ms", "max_recovery_attempts", "witness"];

/// Runs a worker: `LOG [KEY=NUMBER]..`.
///
/// # Errors
///
/// Arguments that are not understood; what the store says at the start and at the end.
pub async fn run_worker(arguments: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let mut arguments = arguments;
    let log = arguments.next().ok_or("expected LOG")?;
    let settings = Settings::read(arguments, &SETTINGS)?;
    let started = started(Path::new(&log), std::process::id());
    let effects = Effects::open(Path::new(&log))?;
    let is_witness = settings.number("witness", 0) > 0;
    match Address::read()? {
        Address::Postgres { url, schema } => {
            let mut witness: Option<Arc<dyn Backend>> = None;
            if is_witness {
                let url = named(&url, &format!("witness.{schema}"));
                let options = PostgresOptions::from_url(&url)?.schema(&schema)?.pool_size(2);
                witness = Some(Arc::new(PostgresBackend::open(options).await?));
            }
            let url = named(&url, &format!("{schema}.{}", std::process::id()));
            let builder = UnifiedExecutor::<PostgresBackend>::builder().schema(schema);
            serve(builder.database_url(url), &settings, Studio { effects, witness }, &started).await
        }
        Address::Sqlite { url } => {
            let mut witness: Option<Arc<dyn Backend>> = None;
            if is_witness {
                let options = SqliteOptions::from_url(&url)?.readers(1);
                witness = Some(Arc::new(SqliteBackend::open(options).await?));
            }
            let builder = UnifiedExecutor::<SqliteBackend>::builder().database_url(url);
            serve(builder, &settings, Studio { effects, witness }, &started).await
        }
    }
}

async fn serve<B: Connect>(
    builder: UnifiedExecutorBuilder<B>,
    settings: &Settings,
    studio: Studio,
    started: &Path,
) -> Result<(), Box<dyn Error>> {
    let studio = Arc::new(studio);
    let millis = |key, default| Duration::from_millis(settings.number(key, default));
    let mut asked = signal(SignalKind::terminate())?;
    let executor = builder
        .db_pool_size(4)
        .max_concurrent_tasks(usize::try_from(settings.number("slots", 16))?)
        .lease_ttl(millis("lease_ms", 3_000))
        .poll_interval(Duration::from_millis(100))
        .shutdown_grace(millis("shutdown_grace_ms", 10_000))
        .max_recovery_attempts(u32::try_from(settings.number("max_recovery_attempts", 1_000))?)
        .workflows([montage::workflow(Some(&studio))?, weather::workflow(Some(&studio))?])
        .build()
        .await?;
    std::fs::File::create(started)?;
    tokio::select! {
        _ = input_ended() => {}
        _ = asked.recv() => {}
    }
    executor.shutdown().await?;
    if let Some(witness) = &studio.witness {
        witness.close().await;
    }
    Ok(())
}

/// Comes when standard input ends. Read on a thread of its own, which the end of the process does not wait for.
fn input_ended() -> oneshot::Receiver<()> {
    let (ended, wait) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = ended.send(());
    });
    wait
}

/// Returns the file that a worker makes beside its log once it has started.
pub(super) fn started(log: &Path, pid: u32) -> PathBuf {
    log.with_extension(format!("started-{pid}"))
}

/// Gives the sessions at an address a name.
fn named(url: &str, name: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}application_name={name}")
}
