//! The database in which tenants are made, and the connections of the admin.

use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::AdminError;
use crate::address::Address;
use crate::session::Session;

/// How long an operation on one tenant may take. The server limits each statement; a connection that has fallen silent it
/// cannot tell of.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// A PostgreSQL database, and the login that creates tenants in it. Cheap to clone.
///
/// ```
/// use cloacina_admin::Database;
///
/// let database = Database::new("postgresql://admin:admin_pass@localhost/cloacina", "cloacina", 2);
/// assert!(!format!("{database:?}").contains("admin_pass"));
/// ```
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    /// Or what is wrong with it.
    address: Result<Address, String>,
    permits: Arc<Semaphore>,
    tracker: TaskTracker,
}

impl Database {
    /// Names a database. Nothing is asked of it yet, and an address that is malformed is reported by the first call.
    ///
    /// `name` takes the place of the database in the address. At most `connections` are open at once, at least 1; each is
    /// opened for one operation and closed after it. What the address leaves out is taken from the variables `PGHOST`, `PGPORT`,
    /// `PGUSER`, `PGPASSWORD` and `PGSSLMODE`, and from `~/.pgpass`.
    #[must_use]
    pub fn new(url: &str, name: &str, connections: u32) -> Self {
        let address = Address::new(url, name).map_err(|error| error.to_string());
        let permits = usize::try_from(connections.max(1)).unwrap_or(Semaphore::MAX_PERMITS);
        let permits = Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Self { inner: Arc::new(Inner { address, permits, tracker: TaskTracker::new() }) }
    }

    /// Returns the address, if it is one.
    pub(crate) fn address(&self) -> Result<&Address, AdminError> {
        self.inner.address.as_ref().map_err(AdminError::config)
    }

    /// Opens a session for one operation.
    pub(crate) async fn session(&self) -> Result<Session, AdminError> {
        let address = self.address()?.clone();
        // Never closed.
        let permit = Arc::clone(&self.inner.permits).acquire_owned().await.ok();
        Session::open(address, permit).await
    }

    /// Runs an operation on one tenant to its end, even if the caller goes away.
    pub(crate) fn run<T, F>(
        &self,
        operation: F,
    ) -> impl Future<Output = Result<T, AdminError>> + use<T, F>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, AdminError>> + Send + 'static,
    {
        outcome(self.inner.tracker.spawn(limited(operation)))
    }

    /// The same for an operation that limits its own parts.
    pub(crate) fn run_long<T, F>(
        &self,
        operation: F,
    ) -> impl Future<Output = Result<T, AdminError>> + use<T, F>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, AdminError>> + Send + 'static,
    {
        outcome(self.inner.tracker.spawn(operation))
    }
}

/// Waits for a task.
async fn outcome<T>(task: JoinHandle<Result<T, AdminError>>) -> Result<T, AdminError> {
    match task.await {
        Ok(result) => result,
        Err(failure) => match failure.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(cancelled) => Err(AdminError::Unavailable {
                reason: "the runtime is shutting down".to_owned(),
                source: Some(Box::new(cancelled)),
            }),
        },
    }
}

/// Gives up an operation whose connection has fallen silent.
pub(crate) async fn limited<T>(
    operation: impl Future<Output = Result<T, AdminError>>,
) -> Result<T, AdminError> {
    let silent = || AdminError::Unavailable {
        reason: format!("the server did not answer within {LONGEST:?}"),
        source: None,
    };
    tokio::time::timeout(LONGEST, operation).await.unwrap_or_else(|_| Err(silent()))
}

impl fmt::Debug for Database {
    /// Leaves the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Database");
        match &self.inner.address {
            Ok(address) => {
                shown.field("at", &address.place()).field("name", &address.database());
            }
            Err(reason) => {
                shown.field("refused", reason);
            }
        }
        shown.finish_non_exhaustive()
    }
}
