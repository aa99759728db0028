//! Another process in the middle of a write.

use std::error::Error;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

/// How long the other process waits for its turn.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the other process says once it holds the lock.
const HELD: &str = "held";

/// A process that holds the write lock of a database, and has put pages that it has not committed into the log. Killed when
/// this is dropped.
#[derive(Debug)]
pub struct WriteLock {
    holder: Child,
}

impl WriteLock {
    /// Starts the process and waits until it holds the lock. The command runs [`hold_write_lock`] with what is added to its arguments.
    ///
    /// # Errors
    ///
    /// What the system says; a process that ended without having held the lock.
    pub fn take(mut command: Command, database: &Path) -> io::Result<Self> {
        command.arg(database).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut lock = Self { holder: command.spawn()? };
        let mut said = String::new();
        if let Some(output) = lock.holder.stdout.take() {
            BufReader::new(output).read_line(&mut said)?;
        }
        if said.trim() == HELD {
            return Ok(lock);
        }
        Err(io::Error::other(format!("{command:?} did not get the lock")))
    }

    /// Returns the id of the process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.holder.id()
    }

    /// Lets the process roll its transaction back, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// What the system says; a process that failed.
    pub fn release(mut self) -> io::Result<()> {
        drop(self.holder.stdin.take());
        let ended = self.holder.wait()?;
        if ended.success() { Ok(()) } else { Err(io::Error::other(format!("the holder: {ended}"))) }
    }

    /// Kills the process in the middle of its transaction, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn kill(mut self) -> io::Result<()> {
        self.holder.kill()?;
        self.holder.wait().map(drop)
    }
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// What the other process does: `DATABASE`. It begins a write, says so, and rolls it back when its standard input ends.
///
/// # Errors
///
/// A missing argument; what SQLite says.
#[expect(clippy::print_stdout, reason = "this is how the parent process follows")]
pub async fn hold_write_lock(
    mut arguments: impl Iterator<Item = PathBuf>,
) -> Result<(), Box<dyn Error>> {
    let database = arguments.next().ok_or("expected DATABASE")?;
    let options = SqliteConnectOptions::new().filename(database).busy_timeout(PATIENCE);
    // So few pages are kept in memory that the others go to the log before the commit.
    let mut connection = options.pragma("cache_size", "4").connect().await?;
    connection.execute("BEGIN IMMEDIATE").await?;
    connection.execute("CREATE TABLE never_committed (bytes BLOB)").await?;
    let row = "INSERT INTO never_committed VALUES (randomblob(20000))";
    for _ in 0..10 {
        connection.execute(row).await?;
    }
    println!("{HELD}");
    tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
    connection.execute("ROLLBACK").await?;
    Ok(connection.close().await?)
}
