//! The connections: one that writes, a few that read.
//!
//! Every use of one runs in a task of its own that is never dropped half-way, whatever becomes of the caller.

use std::error::Error;
use std::future::Future;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use cloacina_core::BackendError;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{Connection as _, Executor as _, Sqlite};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, oneshot};
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::clock::Clock;
use crate::error::{Context as _, is_busy, translate};
use crate::strain::Strain;

/// What an operation on a connection returns.
pub(crate) type Operation<'c, T> =
    Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'c>>;

/// How long a call waits for other processes before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a call waits until a reading connection becomes free.
pub(crate) const READER_PATIENCE: Duration = Duration::from_secs(30);

/// Where an operation waits for the answers to its statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the runtime, among other tasks: what has few statements.
    Runtime,
    /// On a thread that does nothing else: a busy runtime comes back late from each of many statements.
    Thread,
}

/// The connections of one handle.
#[derive(Debug)]
pub(crate) struct Connections {
    writer: Mutex<Writer>,
    readers: SqlitePool,
    tracker: TaskTracker,
    strain: Arc<Strain>,
    /// Names the file in errors.
    path: PathBuf,
}

/// The connection that writes.
#[derive(Debug)]
struct Writer {
    /// `None` once closed.
    connection: Option<SqliteConnection>,
    /// Whether a transaction was begun and not ended. Left behind only by a task that panicked or whose runtime ended.
    unfinished: bool,
}

impl Connections {
    pub(crate) fn new(writer: SqliteConnection, readers: SqlitePool, path: PathBuf) -> Arc<Self> {
        let writer = Writer { connection: Some(writer), unfinished: false };
        let tracker = TaskTracker::new();
        let strain = Arc::default();
        Arc::new(Self { writer: Mutex::new(writer), readers, tracker, strain, path })
    }

    /// Tells when this handle could not write.
    pub(crate) fn strain(&self) -> &Arc<Strain> {
        &self.strain
    }

    /// Runs an operation in a write transaction.
    pub(crate) async fn write<T, F>(
        self: &Arc<Self>,
        what: &'static str,
        operation: F,
    ) -> Result<T, BackendError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection, Clock) -> Operation<'c, T> + Send + 'static,
    {
        self.write_in(Place::Runtime, what, operation).await
    }

    /// As [`write`](Self::write), in a place.
    pub(crate) async fn write_in<T, F>(
        self: &Arc<Self>,
        place: Place,
        what: &'static str,
        operation: F,
    ) -> Result<T, BackendError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection, Clock) -> Operation<'c, T> + Send + 'static,
    {
        let this = Arc::clone(self);
        let write = async move {
            let mut writer = this.writer.lock().await;
            this.strain.tries(Clock::read());
            let strain = Arc::clone(&this.strain);
            let written = writer.transaction(what, move |connection, clock| {
                strain.has_lock(clock);
                operation(connection, clock)
            });
            let written = written.await?;
            this.strain.has_written(Clock::read());
            Ok(written)
        };
        let written = match place {
            Place::Runtime => self.spawn(write).await,
            Place::Thread => self.spawn(on_a_thread(write)?).await,
        };
        written.map_err(|error| match error {
            BackendError::Refused { reason, source } => BackendError::Refused {
                reason: format!("`{}` may not be written: {reason}", self.path.display()),
                source,
            },
            other => other,
        })
    }

    /// Runs an operation on the writing connection, outside of a transaction.
    pub(crate) async fn on_writer<T, F>(self: &Arc<Self>, operation: F) -> Result<T, BackendError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Operation<'c, T> + Send + 'static,
    {
        let this = Arc::clone(self);
        self.spawn(async move {
            let mut writer = this.writer.lock().await;
            operation(writer.ready().await?).await
        })
        .await
    }

    /// Runs an operation on one of the reading connections: all that it reads is of one moment.
    pub(crate) async fn read<T, F>(
        self: &Arc<Self>,
        what: &'static str,
        operation: F,
    ) -> Result<T, BackendError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection, Clock) -> Operation<'c, T> + Send + 'static,
    {
        let this = Arc::clone(self);
        self.spawn(async move {
            let mut reader = this.reader(what).await?;
            reader.execute("BEGIN").await.during(what)?;
            let result = operation(&mut reader, Clock::read()).await;
            if reader.execute("ROLLBACK").await.is_err() {
                // Its state is unknown: nobody else may get it.
                reader.close_on_drop();
            }
            result
        })
        .await
    }

    async fn reader(&self, what: &str) -> Result<PoolConnection<Sqlite>, BackendError> {
        let readers = self.readers.options().get_max_connections();
        match self.readers.acquire().await {
            Err(error @ sqlx::Error::PoolTimedOut) => Err(BackendError::Unavailable {
                reason: format!(
                    "{what}: none of {readers} reading connections became free within {READER_PATIENCE:?}; there are as many \
                     as `db_pool_size` less one, 4 at most"
                ),
                source: Some(Box::new(error)),
            }),
            acquired => acquired.during(what),
        }
    }

    /// Runs a task to its end even if the caller goes away.
    pub(crate) async fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = Result<T, BackendError>> + Send + 'static,
    ) -> Result<T, BackendError> {
        to_its_end(&self.tracker, task).await
    }

    /// Runs blocking work, such as work on lock files, to its end even if the caller goes away.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BackendError> {
        let work = self.tracker.spawn_blocking(work);
        self.spawn(async move { work.await.map_err(unfinished) }).await
    }

    /// Reports whether `close` was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.tracker.is_closed()
    }

    /// Waits for what is under way and closes the connections, the writing one last: the last connection to a file
    /// puts the log into it, and only this one may write.
    pub(crate) async fn close(&self) {
        self.tracker.close();
        self.tracker.wait().await;
        self.readers.close().await;
        let Some(connection) = self.writer.lock().await.connection.take() else { return };
        if let Err(error) = connection.close().await {
            tracing::warn!(error = &error as &dyn Error, "closing the database failed");
        }
    }
}

/// Runs a task to its end even if the caller goes away.
pub(crate) async fn to_its_end<T, E>(
    tracker: &TaskTracker,
    task: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<BackendError> + Send + 'static,
{
    match tracker.spawn(task).await {
        Ok(result) => result,
        Err(failure) => match failure.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(cancelled) => Err(E::from(BackendError::Unavailable {
                reason: "the runtime is shutting down".to_owned(),
                source: Some(Box::new(cancelled)),
            })),
        },
    }
}

/// Runs blocking work on the file system, within a task that is run to its end.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BackendError> {
    tokio::task::spawn_blocking(work).await.map_err(unfinished)
}

fn unfinished(failure: tokio::task::JoinError) -> BackendError {
    BackendError::Unavailable {
        reason: "work on the file system did not end".to_owned(),
        source: Some(Box::new(failure)),
    }
}

/// Starts a task on a thread that does nothing else, and returns what waits for it. Not on one of the runtime's threads for blocking work:
/// bodies of tasks may keep all of these.
fn on_a_thread<T: Send + 'static>(
    task: impl Future<Output = Result<T, BackendError>> + Send + 'static,
) -> Result<impl Future<Output = Result<T, BackendError>> + Send + 'static, BackendError> {
    let unavailable = |reason: &str, source: Box<dyn Error + Send + Sync>| {
        BackendError::Unavailable { reason: reason.to_owned(), source: Some(source) }
    };
    let (answer, done) = oneshot::channel();
    let (runtime, task) = (Handle::current(), task.in_current_span());
    // Whoever waits for it goes away only with the runtime.
    let work = move || drop(answer.send(runtime.block_on(task)));
    let thread = Builder::new().name("cloacina-sqlite".to_owned()).spawn(work);
    thread.map_err(|error| unavailable("no thread for a batch could be started", error.into()))?;
    Ok(async move {
        done.await.unwrap_or_else(|error| Err(unavailable("a write did not end", error.into())))
    })
}

impl Writer {
    /// Returns the connection, outside of any transaction.
    async fn ready(&mut self) -> Result<&mut SqliteConnection, BackendError> {
        let connection = self.connection.as_mut().ok_or(BackendError::Closed)?;
        if self.unfinished {
            roll_back(connection).await;
            self.unfinished = false;
        }
        Ok(connection)
    }

    async fn transaction<T, F>(&mut self, what: &str, operation: F) -> Result<T, BackendError>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection, Clock) -> Operation<'c, T>,
    {
        self.ready().await?;
        self.unfinished = true;
        let connection = self.connection.as_mut().ok_or(BackendError::Closed)?;
        let result = transaction(connection, what, operation).await;
        self.unfinished = false;
        result
    }
}

/// Runs an operation between `BEGIN IMMEDIATE` and `COMMIT`.
pub(crate) async fn transaction<T, F>(
    connection: &mut SqliteConnection,
    what: &str,
    operation: F,
) -> Result<T, BackendError>
where
    F: for<'c> FnOnce(&'c mut SqliteConnection, Clock) -> Operation<'c, T>,
{
    patiently(connection, "BEGIN IMMEDIATE").await.during(what)?;
    // The time is taken under the lock, so that the wait for it shortens no lease.
    let result = operation(connection, Clock::read()).await;
    let result = match result {
        Ok(value) => connection.execute("COMMIT").await.map(|_| value).during(what),
        Err(error) => Err(error),
    };
    if result.is_err() {
        roll_back(connection).await;
    }
    result
}

/// Executes a statement that takes a lock, again and again while others hold it.
pub(crate) async fn patiently(
    connection: &mut SqliteConnection,
    statement: &'static str,
) -> Result<(), sqlx::Error> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        match connection.execute(statement).await {
            Ok(_) => return Ok(()),
            Err(error) if is_busy(&error) && begun.elapsed() < PATIENCE => {
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(200));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Ends a transaction that failed. SQLite has often done so itself, and then says that there is none.
async fn roll_back(connection: &mut SqliteConnection) {
    if let Err(error) = connection.execute("ROLLBACK").await {
        let error = translate("roll back", error);
        tracing::debug!(error = &error as &dyn Error, "there was nothing to roll back");
    }
}

#[cfg(test)]
mod tests;
