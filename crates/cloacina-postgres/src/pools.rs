//! The one place that makes pools, and what shares them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloacina_core::BackendError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Postgres};
use tokio::time::Instant;

use crate::PostgresOptions;
use crate::begin::SESSION;
use crate::connect::Credentials;
use crate::error::{Context as _, is_wrong_password};
use crate::sessions::Sessions;

/// How long a call waits for a connection to become free, or to be made.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The same for a sign of life, which is soon followed by the next.
const VITAL_PATIENCE: Duration = Duration::from_secs(5);

/// The same for what is done past the tenants, one after another.
const CHORE_PATIENCE: Duration = Duration::from_secs(120);

/// How long connections may take to close.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);

/// How long a connection lives: a server's session remembers every table that it has seen.
const LIFETIME: Duration = Duration::from_secs(600);

/// How long a connection that nobody uses is kept.
const REST: Duration = Duration::from_secs(60);

/// The pools of one address, shared by all who work there.
pub(crate) struct Pools {
    general: Pool,
    /// One connection for what is done past the tenants. It does not live for long: a server's session remembers every
    /// table that it has seen, and never forgets one.
    chores: Pool,
    /// One connection for what keeps workers alive: it does not wait behind the others.
    vital: Pool,
    own: Arc<OwnPids>,
    settings: Settings,
}

/// What becomes of the settings of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settings {
    /// They stay.
    Kept,
    /// They may be gone when it is used again.
    Lost,
}

/// The server's processes that served these pools a moment ago: what they tell is no news here.
#[derive(Debug, Default)]
pub(crate) struct OwnPids(Mutex<HashMap<i32, Instant>>);

impl OwnPids {
    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, pid: i32) {
        let (mut pids, now) = (self.lock(), Instant::now());
        if pids.insert(pid, now).is_none() {
            // The number may come to be another's.
            pids.retain(|_, used| now.duration_since(*used) < REST);
        }
    }

    /// Reports whether a process serves these pools.
    pub(crate) fn has(&self, pid: u32) -> bool {
        let used = i32::try_from(pid).ok().and_then(|pid| self.lock().get(&pid).copied());
        used.is_some_and(|used| used.elapsed() < REST)
    }
}

/// A pool, and where it gets new credentials if the server refuses those that it has.
pub(crate) struct Pool {
    pool: PgPool,
    extent: Extent,
    patience: Duration,
    credentials: Option<Credentials>,
}

/// What says how many connections a pool has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// There is one, whatever the settings say.
    Fixed,
    /// The user.
    Set(u32),
}

impl Pools {
    /// Makes pools that connect when they are first used.
    pub(crate) fn new(
        options: &PostgresOptions,
        size: u32,
        sessions: Sessions,
        own: Arc<OwnPids>,
    ) -> Arc<Self> {
        let settings = match sessions {
            Sessions::Own if !options.forgetful => Settings::Kept,
            _ => Settings::Lost,
        };
        let set = (settings == Settings::Kept).then_some(SESSION);
        let general = Pool::new(options, Extent::Set(size), PATIENCE, set);
        let vital = Pool::new(options, Extent::Fixed, VITAL_PATIENCE, None);
        let chores = Pool::new(options, Extent::Fixed, CHORE_PATIENCE, None);
        Arc::new(Self { general, chores, vital, own, settings })
    }

    /// What becomes of what the sessions of the general pool are [set](SESSION) to.
    pub(crate) const fn settings(&self) -> Settings {
        self.settings
    }

    pub(crate) const fn general(&self) -> &Pool {
        &self.general
    }

    pub(crate) fn own(&self) -> &OwnPids {
        &self.own
    }

    pub(crate) const fn chores(&self) -> &Pool {
        &self.chores
    }

    pub(crate) const fn vital(&self) -> &Pool {
        &self.vital
    }

    /// Closes the connections.
    pub(crate) async fn close(&self) {
        for pool in [&self.vital, &self.chores, &self.general] {
            pool.close().await;
        }
    }
}

impl Pool {
    /// Makes a pool. A connection goes back without a transaction, whatever its user did. `set` is executed on each when it is
    /// opened.
    pub(crate) fn new(
        options: &PostgresOptions,
        extent: Extent,
        patience: Duration,
        set: Option<&'static str>,
    ) -> Self {
        let size = match extent {
            Extent::Fixed => 1,
            Extent::Set(size) => size,
        };
        let forgetful = options.forgetful;
        let pool = PgPoolOptions::new()
            .max_connections(size)
            .min_connections(0)
            .max_lifetime(LIFETIME)
            .idle_timeout(REST)
            // A transaction that cannot be begun tells as well, without a round trip before each.
            .test_before_acquire(false)
            .acquire_timeout(patience)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if let Some(set) = set {
                        connection.execute(set).await?;
                    }
                    Ok(())
                })
            })
            .before_acquire(move |connection, _| {
                Box::pin(async move {
                    if forgetful {
                        connection.execute("RESET ALL").await?;
                    }
                    Ok(true)
                })
            })
            .after_release(|connection, _| {
                Box::pin(async move {
                    // The server would log a warning at a bare `ROLLBACK` outside a transaction, which is the usual case.
                    connection.execute("BEGIN; ROLLBACK").await?;
                    Ok(true)
                })
            })
            .connect_lazy_with(options.connect.clone());
        Self { pool, extent, patience, credentials: options.credentials.clone() }
    }

    /// Waits for a connection. Should the server refuse the credentials, asks once for new ones.
    pub(crate) async fn acquire(
        &self,
        what: &str,
    ) -> Result<PoolConnection<Postgres>, BackendError> {
        match self.acquire_once(what).await {
            Err(error) if self.renew_after(&error).await? == Renewal::Renewed => {
                self.acquire_once(what).await.map_err(|error| self.later(error))
            }
            acquired => acquired,
        }
    }

    async fn acquire_once(&self, what: &str) -> Result<PoolConnection<Postgres>, BackendError> {
        match self.pool.acquire().await {
            Err(error @ sqlx::Error::PoolTimedOut) => Err(BackendError::Unavailable {
                reason: self.exhausted(what),
                source: Some(error.into()),
            }),
            acquired => acquired.during(what),
        }
    }

    /// Says that no connection was to be had, and what may be done about it.
    fn exhausted(&self, what: &str) -> String {
        let waited = self.patience;
        match self.extent {
            Extent::Fixed => format!(
                "{what}: the connection that is kept for this did not become free, or could not be made, within {waited:?}"
            ),
            Extent::Set(size) => format!(
                "{what}: no connection became free, or could be made, within {waited:?}; `db_pool_size`, or `pool_size` of the \
                 options, leaves {size} for this"
            ),
        }
    }

    /// The same, and makes sure that the connection was not lost while nobody used it.
    pub(crate) async fn acquire_checked(
        &self,
        what: &str,
    ) -> Result<PoolConnection<Postgres>, BackendError> {
        let mut others = self.size();
        loop {
            let mut connection = self.acquire(what).await?;
            match connection.ping().await.during(what) {
                Ok(()) => return Ok(connection),
                Err(error) if others == 0 => return Err(error),
                Err(_) => others -= 1,
            }
            connection.close_on_drop();
        }
    }

    /// Where credentials can be renewed, those that are refused are no reason to give up.
    fn later(&self, error: BackendError) -> BackendError {
        match error {
            BackendError::Refused { reason, source } if self.credentials.is_some() => {
                BackendError::Unavailable { reason, source }
            }
            error => error,
        }
    }

    /// Asks for new credentials if the server has refused those that are known, and there is somebody to ask.
    pub(crate) async fn renew_after(&self, error: &BackendError) -> Result<Renewal, BackendError> {
        let Some(credentials) = self.credentials.as_ref().filter(|_| is_wrong_password(error))
        else {
            return Ok(Renewal::None);
        };
        tracing::info!("the server refuses the credentials, new ones are asked for");
        self.pool.set_connect_options(credentials.renew().await?);
        Ok(Renewal::Renewed)
    }

    /// How many connections it has now.
    pub(crate) fn size(&self) -> u32 {
        self.pool.size()
    }

    /// How many connections it may have.
    pub(crate) fn most(&self) -> u32 {
        self.pool.options().get_max_connections()
    }

    /// Reports whether all connections that it may have are in use.
    pub(crate) fn is_drained(&self) -> bool {
        self.pool.num_idle() == 0 && self.pool.size() >= self.most()
    }

    /// The pool itself, for what listens.
    pub(crate) const fn inner(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) async fn close(&self) {
        // A connection that has fallen silent does not take its leave.
        let _ = tokio::time::timeout(FAREWELL, self.pool.close()).await;
    }
}

/// What became of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// There are new ones.
    Renewed,
    /// They stay.
    None,
}

/// Opens a connection that belongs to no pool. Should the server refuse the credentials, asks once for new ones, which are part of
/// the options then.
pub(crate) async fn first(options: &mut PostgresOptions) -> Result<PgConnection, BackendError> {
    match (connect(&options.connect).await, &options.credentials) {
        (Err(error), Some(credentials)) if is_wrong_password(&error) => {
            options.connect = credentials.renew().await?;
            connect(&options.connect).await
        }
        (connected, _) => connected,
    }
}

/// Opens a connection that belongs to no pool.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, BackendError> {
    let what = format!("connect to {}:{}", crate::url::host(options), options.get_port());
    match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(connected) => connected.during(&what),
        Err(_) => Err(BackendError::Unavailable {
            reason: format!("{what}: no answer within {PATIENCE:?}"),
            source: None,
        }),
    }
}
