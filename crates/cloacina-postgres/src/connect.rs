//! What can be chosen when a schema is opened.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloacina_core::backend::BoxError;
use cloacina_core::{BackendError, Connect, ConnectOptions, ConnectSchema};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::PostgresBackend;
use crate::schema::SchemaName;
use crate::sessions::Sessions;
use crate::url::{self, Address};

/// How to open a schema.
///
/// ```
/// use cloacina_postgres::PostgresOptions;
///
/// # fn options() -> Result<PostgresOptions, cloacina_core::BackendError> {
/// let options = PostgresOptions::from_url("postgresql://app:secret@localhost/app")?
///     .schema("acme")?
///     .pool_size(20);
/// # Ok(options)
/// # }
/// # let options = options().unwrap();
/// # assert!(!format!("{options:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct PostgresOptions {
    pub(crate) connect: PgConnectOptions,
    pub(crate) schema: SchemaName,
    pub(crate) pool_size: u32,
    /// What the address says of sessions; nothing in most cases.
    pub(crate) sessions: Option<Sessions>,
    /// Whom to ask when the server refuses the credentials.
    pub(crate) credentials: Option<Credentials>,
    /// Whether sessions lose their settings before each use, as they may behind a pooler.
    pub(crate) forgetful: bool,
}

impl PostgresOptions {
    /// Reads an address such as `postgresql://user:password@host:5432/database?sslmode=verify-full`. The schema is
    /// `public`, and there are 10 connections. What the address leaves out is taken from the variables `PGHOST`, `PGPORT`, `PGUSER`,
    /// `PGPASSWORD`, `PGDATABASE` and `PGSSLMODE`, and from `~/.pgpass`.
    ///
    /// `?statement-cache-capacity=0` says that a pooler shares its sessions; otherwise that is found out, unless several
    /// poolers share the address.
    ///
    /// # Errors
    ///
    /// [`BackendError::Config`] for an address that is malformed, of another database, or has a parameter that the driver does
    /// not know, or one twice. The error shows no part of it but the name of a parameter.
    pub fn from_url(url: &str) -> Result<Self, BackendError> {
        let Address { connect, shared } = url::parse(url)?;
        // A pooler may refuse settings at the start of a session.
        let mut connect = connect.extra_float_digits(None);
        if connect.get_application_name().is_none() {
            connect = connect.application_name("cloacina");
        }
        Ok(Self {
            connect,
            schema: SchemaName::public(),
            pool_size: 10,
            sessions: shared.then_some(Sessions::Shared),
            credentials: None,
            forgetful: false,
        })
    }

    /// Chooses the schema of a tenant.
    ///
    /// # Errors
    ///
    /// [`BackendError::Config`] for a name that breaks a rule: 1 to 48 bytes, lower-case ASCII letters, digits and `_`, a
    /// letter first; neither `public`, nor one of PostgreSQL's own. Words of SQL are fine: names are always quoted.
    pub fn schema(mut self, name: &str) -> Result<Self, BackendError> {
        self.schema = SchemaName::tenant(name)?;
        Ok(self)
    }

    /// Chooses how many connections may be open at once, at least 1. One more carries the signs of life, and one hears from
    /// other processes.
    #[must_use]
    pub fn pool_size(mut self, connections: u32) -> Self {
        self.pool_size = connections.max(1);
        self
    }

    /// Asks for another address when the server refuses the credentials of this one, as after their rotation. Connections that
    /// are open stay, so what runs goes on.
    ///
    /// Everybody who needs a connection meanwhile waits for the answer, up to 8 s. While it is late, fails, or gives what the server
    /// refuses as well, the store counts as unavailable: what is to be written waits and is tried again.
    ///
    /// ```
    /// use cloacina_postgres::PostgresOptions;
    ///
    /// # async fn ask_the_vault() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// # fn options() -> Result<PostgresOptions, cloacina_core::BackendError> {
    /// let options = PostgresOptions::from_url("postgresql://app:secret@localhost/app")?
    ///     .credentials(|| async { Ok(ask_the_vault().await?) });
    /// # Ok(options)
    /// # }
    /// # options().unwrap();
    /// ```
    #[must_use]
    pub fn credentials<F, Fut>(mut self, ask: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, BoxError>> + Send + 'static,
    {
        let ask = Arc::new(move || -> Asked { Box::pin(ask()) });
        self.credentials = Some(Credentials { ask, last: Arc::default() });
        self
    }

    /// Makes sessions lose their settings before each use, for tests that nothing relies on them.
    #[doc(hidden)]
    #[must_use]
    pub fn forgetful_sessions(mut self) -> Self {
        self.forgetful = true;
        self
    }
}

impl fmt::Debug for PostgresOptions {
    /// Leaves the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("host", &url::host(&self.connect))
            .field("port", &self.connect.get_port())
            .field("database", &self.connect.get_database())
            .field("schema", &self.schema.as_str())
            .field("pool_size", &self.pool_size)
            .finish_non_exhaustive()
    }
}

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(8);

/// How long an answer serves others as well.
const FRESH: Duration = Duration::from_secs(1);

/// Whom to ask for an address.
#[derive(Clone)]
pub(crate) struct Credentials {
    ask: Arc<dyn Fn() -> Asked + Send + Sync>,
    /// When somebody last asked, and the answer: all who need it at once get the same.
    last: Arc<Mutex<Option<(Instant, PgConnectOptions)>>>,
}

type Asked = Pin<Box<dyn Future<Output = Result<String, BoxError>> + Send>>;

impl Credentials {
    /// Asks, and makes settings for new connections of the answer.
    pub(crate) async fn renew(&self) -> Result<PgConnectOptions, BackendError> {
        // Whoever keeps the new ones may be behind for a moment: what is to be written waits.
        let failed = |source| BackendError::Unavailable {
            reason: "the server refuses the credentials, and asking for new ones failed".to_owned(),
            source,
        };
        let mut last = self.last.lock().await;
        if let Some((at, connect)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(connect.clone());
        }
        let asked = tokio::time::timeout(PATIENCE, (self.ask)()).await;
        let url = asked.map_err(|late| failed(Some(Box::new(late))))?;
        let url = url.map_err(|error| failed(Some(error)))?;
        let connect = PostgresOptions::from_url(&url)?.connect;
        *last = Some((Instant::now(), connect.clone()));
        Ok(connect)
    }
}

#[async_trait]
impl Connect for PostgresBackend {
    async fn connect(options: ConnectOptions) -> Result<Self, BackendError> {
        let mut chosen = PostgresOptions::from_url(&options.url)?.pool_size(options.pool_size);
        if let Some(schema) = &options.schema {
            chosen = chosen.schema(schema)?;
        }
        Self::open(chosen).await
    }
}

impl ConnectSchema for PostgresBackend {}
