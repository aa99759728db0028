//! Runs the montage workflow on a SQLite file until its standard input ends, then shuts down: `file_worker DATABASE FOLDER
//! [KEY=NUMBER]..`. The folder gets `effects.log`, what the bodies do, and `acks.log`, what became of submits.
//!
//! With `submitters=N` it also submits, N at a time. Meant to be killed, stopped and starved.

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cloacina_sqlite::{SqliteBackend, SqliteOptions, Synchronous, UnifiedExecutor};
use cloacina_tests::effects::Effects;
use cloacina_tests::montage::{self, Order, Studio};
use cloacina_tests::settings::Settings;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

/// What it may be told.
const SETTINGS: [&str; 6] = ["normal", "busy_ms", "slots", "lease_ms", "submitters", "pace"];

/// After a submit that was refused.
const PAUSE: Duration = Duration::from_millis(50);

/// How long an execution keeps its submitter from the next.
const PATIENCE: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("expected DATABASE FOLDER");
    let (database, folder) = (next()?, next()?);
    let (database, folder) = (Path::new(&database), Path::new(&folder));
    let settings = Settings::read(arguments, &SETTINGS)?;
    let number = |key: &str, default: u64| settings.number(key, default);
    let synchronous = match number("normal", 0) {
        0 => Synchronous::Full,
        _ => Synchronous::Normal,
    };
    let options = SqliteOptions::new(database)
        .synchronous(synchronous)
        .busy_timeout(Duration::from_millis(number("busy_ms", 10_000)));
    let studio = Studio { effects: Effects::open(&folder.join("effects.log"))?, witness: None };
    let executor = UnifiedExecutor::builder()
        .max_concurrent_tasks(usize::try_from(number("slots", 16))?)
        .lease_ttl(Duration::from_millis(number("lease_ms", 3_000)))
        .poll_interval(Duration::from_millis(100))
        .max_recovery_attempts(1_000)
        .workflows([montage::workflow(Some(&Arc::new(studio)))?])
        .build_on(SqliteBackend::open(options).await?)
        .await?;
    let acks = File::options().append(true).create(true).open(folder.join("acks.log"))?;
    let acks = Arc::new(acks);
    let mut submitters = JoinSet::new();
    let abreast = number("submitters", 0);
    for first in 0..abreast {
        let step = usize::try_from(abreast)?;
        let (executor, acks, pace) = (executor.clone(), Arc::clone(&acks), number("pace", 1));
        submitters.spawn(async move {
            for n in (first..).step_by(step) {
                submit(&executor, &acks, Order { n, pace, ..Order::default() }).await?;
            }
            std::io::Result::Ok(())
        });
    }
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    submitters.shutdown().await;
    Ok(executor.shutdown().await?)
}

/// Submits an execution, and waits until it has ended, or for a while.
async fn submit(executor: &UnifiedExecutor, mut acks: &File, order: Order) -> std::io::Result<()> {
    match executor.execute_async(montage::NAME, order.to_context()).await {
        Ok(execution) => {
            let line = format!("ack {} {}\n", order.n, execution.execution_id);
            acks.write_all(line.as_bytes())?;
            // Whatever becomes of it is in the database.
            let _ = execution.wait_timeout(PATIENCE).await;
        }
        Err(error) => {
            acks.write_all(format!("refused {} {error}\n", order.n).as_bytes())?;
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}
