//! The tenants of a database: each in a schema of its own, all through a few connections.

mod catalog;
mod work;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloacina_core::{
    BackendError, Changes, Creation, OpenTenants, Removal, TenantError, TenantId, TenantStore,
    TenantWork,
};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::begin::Scope;
use crate::connections::Ownership;
use crate::heard::Heard;
use crate::migrate::{self, Migration, Missing};
use crate::open::Site;
use crate::pools;
use crate::schema::SchemaName;
use crate::{PostgresBackend, PostgresOptions};
use catalog::Found;

/// How often all tenants are looked through where a pooler shares sessions, so that nothing is heard from others.
const DEAF: Duration = Duration::from_secs(10);

/// After a look into more schemas than this a session is not kept.
const MANY: usize = 200;

/// The tenants of one PostgreSQL database, each in a schema of its own.
///
/// All of them share the connections of this store: at most `pool_size` in all, of which one carries signs of life, one hears
/// from other processes, and one looks after the tenants themselves. Where a schema belongs to a tenant's own role, as `cloacina-admin` makes it, every transaction
/// runs as that role (`SET LOCAL ROLE`), so that the server itself refuses whatever is not that tenant's. The login of this store
/// has to be a member of the tenants' roles then, and need not inherit anything (`NOINHERIT`). Otherwise the login owns
/// the schemas, and what keeps the tenants apart is that every statement names its schema.
///
/// ```no_run
/// use cloacina_core::{Context, TenantError};
/// use cloacina_postgres::TenantManager;
///
/// # async fn run() -> Result<(), TenantError> {
/// let manager = TenantManager::new("postgresql://app:secret@db.example.com/app");
/// manager.create_tenant("acme").await?;
/// let result = manager.execute_for_tenant("acme", "etl", Context::new()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresTenants {
    inner: Arc<Inner>,
}

struct Inner {
    /// Or what is wrong with the address.
    options: Result<PostgresOptions, String>,
    site: OnceCell<Open>,
    tracker: TaskTracker,
    closed: CancellationToken,
}

/// The database, once it was reached.
struct Open {
    site: Site,
    heard: Option<Arc<Heard>>,
}

impl PostgresTenants {
    /// Uses the database at that address, with at most 10 connections. It is reached with the first call, which also tells what is
    /// wrong with the address.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self::from_result(PostgresOptions::from_url(url).map_err(|error| error.to_string()))
    }

    /// Uses the database that the options name. Their schema does not matter; `pool_size` bounds all connections of the store, and is
    /// at least 4.
    #[must_use]
    pub fn with_options(options: PostgresOptions) -> Self {
        Self::from_result(Ok(options))
    }

    fn from_result(options: Result<PostgresOptions, String>) -> Self {
        let (tracker, closed) = (TaskTracker::new(), CancellationToken::new());
        Self { inner: Arc::new(Inner { options, site: OnceCell::new(), tracker, closed }) }
    }
}

impl Inner {
    fn options(&self) -> Result<&PostgresOptions, BackendError> {
        let options = self.options.as_ref();
        options.map_err(|reason| BackendError::Config { reason: reason.clone() })
    }

    /// Reaches the database, if that has not been done.
    async fn open(&self) -> Result<&Open, BackendError> {
        if self.closed.is_cancelled() {
            return Err(BackendError::Closed);
        }
        let options = self.options()?;
        let opened = self.site.get_or_try_init(|| async {
            let mut options = options.clone();
            let mut first = pools::first(&mut options).await?;
            // One hears from others, one carries signs of life, one is for what is done past the tenants.
            let size = options.pool_size.max(4) - 3;
            let site = Site::open(&options, size, &mut first).await;
            let _ = first.close_hard().await;
            let site = site?;
            Ok(Open { heard: site.session.join_all().await, site })
        });
        opened.await
    }

    async fn create(&self, tenant: &TenantId) -> Result<Creation, BackendError> {
        let schema = SchemaName::tenant(tenant.as_str())?;
        let mut connection =
            self.open().await?.site.pools.general().acquire("create a tenant").await?;
        let migrated = migrate::migrate(&mut connection, &schema, None, Missing::Create).await;
        // What it has seen of this schema it would remember.
        connection.close_on_drop();
        match migrated? {
            Migration::Created => Ok(Creation::Created),
            Migration::Existed | Migration::Absent => Ok(Creation::Existed),
        }
    }

    async fn enter(&self, tenant: &TenantId) -> Result<PostgresBackend, TenantError> {
        let unknown = || TenantError::UnknownTenant(tenant.clone());
        let Ok(schema) = SchemaName::tenant(tenant.as_str()) else { return Err(unknown()) };
        let site = &self.open().await?.site;
        let mut connection = site.pools.general().acquire_checked("open a tenant").await?;
        let entered = async {
            let found = catalog::find(&mut connection, Some(&[tenant.as_str()])).await?;
            let found = found.first().ok_or_else(unknown)?;
            let role = found.role()?;
            let migrated =
                migrate::migrate(&mut connection, &schema, role.as_ref(), Missing::Leave).await?;
            if migrated == Migration::Absent {
                return Err(unknown());
            }
            Ok(Scope { role, schema: Some((schema.clone(), found.id)) })
        };
        let entered = entered.await;
        if entered.is_err() {
            connection.close_on_drop();
        }
        let (connections, seat) = site.enter(&schema, entered?, Ownership::Shared);
        Ok(PostgresBackend::new(connections, seat))
    }

    /// Does something past the tenants.
    async fn chore<T>(
        &self,
        what: &str,
        chore: impl AsyncFnOnce(&mut PgConnection) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let mut connection = self.open().await?.site.pools.chores().acquire_checked(what).await?;
        let done = chore(&mut connection).await;
        if done.is_err() {
            // Its transaction may be open still.
            connection.close_on_drop();
        }
        done
    }

    async fn find(&self, among: Option<&[&str]>) -> Result<Vec<Found>, BackendError> {
        let find = async |connection: &mut PgConnection| catalog::find(connection, among).await;
        self.chore("list the tenants", find).await
    }
}

impl PostgresTenants {
    /// Runs something to its end even if the caller goes away.
    async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, TenantError>> + Send + 'static,
    ) -> Result<T, TenantError> {
        self.inner.tracker.spawn(work).await.unwrap_or_else(|failure| {
            let reason = "the work on a tenant did not end".to_owned();
            Err(BackendError::Unavailable { reason, source: Some(Box::new(failure)) }.into())
        })
    }
}

#[async_trait]
impl TenantStore for PostgresTenants {
    type Backend = PostgresBackend;

    async fn create(&self, tenant: &TenantId) -> Result<Creation, TenantError> {
        let (inner, tenant) = (Arc::clone(&self.inner), tenant.clone());
        self.finish(async move { Ok(inner.create(&tenant).await?) }).await
    }

    async fn open(&self, tenant: &TenantId) -> Result<PostgresBackend, TenantError> {
        let (inner, tenant) = (Arc::clone(&self.inner), tenant.clone());
        self.finish(async move { inner.enter(&tenant).await }).await
    }

    async fn list(&self) -> Result<Vec<TenantId>, TenantError> {
        let inner = Arc::clone(&self.inner);
        let list = async move {
            Ok(inner.find(None).await?.into_iter().map(|found| found.tenant).collect())
        };
        self.finish(list).await
    }

    async fn exists(&self, tenant: &TenantId) -> Result<bool, TenantError> {
        let (inner, tenant) = (Arc::clone(&self.inner), tenant.clone());
        self.finish(async move { Ok(!inner.find(Some(&[tenant.as_str()])).await?.is_empty()) })
            .await
    }

    async fn remove(&self, tenant: &TenantId) -> Result<Removal, TenantError> {
        let (inner, tenant) = (Arc::clone(&self.inner), tenant.clone());
        let removed = async move {
            let Ok(schema) = SchemaName::tenant(tenant.as_str()) else {
                return Ok(Removal::Absent);
            };
            let removed = inner.chore("remove a tenant", async |connection| {
                catalog::drop_schema(connection, &schema).await
            });
            Ok(removed.await?)
        };
        self.finish(removed).await
    }

    async fn work(&self, among: Option<&[TenantId]>) -> Result<Vec<TenantWork>, TenantError> {
        let (inner, among) = (Arc::clone(&self.inner), among.map(<[TenantId]>::to_vec));
        let found = async move {
            let among: Option<Vec<_>> =
                among.as_ref().map(|among| among.iter().map(TenantId::as_str).collect());
            let tenants = inner.find(among.as_deref()).await?;
            let pools = &inner.open().await?.site.pools;
            let mut connection = pools.chores().acquire_checked("look for work").await?;
            let found = work::look(&mut connection, &tenants).await;
            if found.is_err() || tenants.len() > MANY {
                // What it has seen of so many schemas the session would remember.
                connection.close_on_drop();
            }
            Ok(found?)
        };
        self.finish(found).await
    }

    async fn changed(&self, poll: Duration) -> Changes {
        let Ok(open) = self.inner.open().await else {
            // Neither hangs nor spins whoever has not noticed.
            tokio::time::sleep(poll.max(Duration::from_millis(100))).await;
            return Changes::In(Vec::new());
        };
        let changes = async {
            match &open.heard {
                Some(heard) => heard.changes().await,
                None => {
                    tokio::time::sleep(poll.max(DEAF)).await;
                    Changes::Anywhere
                }
            }
        };
        tokio::select! {
            changes = changes => changes,
            () = self.inner.closed.cancelled() => Changes::In(Vec::new()),
        }
    }

    async fn close(&self) {
        self.inner.closed.cancel();
        self.inner.tracker.close();
        self.inner.tracker.wait().await;
        if let Some(open) = self.inner.site.get() {
            open.site.session.close().await;
            open.site.pools.close().await;
        }
    }
}

impl OpenTenants for PostgresTenants {
    type Opened<M> = M;

    fn open_and<M>(address: &str, make: impl FnOnce(Self) -> M) -> M {
        make(Self::new(address))
    }
}

impl fmt::Debug for PostgresTenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresTenants").field(&self.inner.options).finish()
    }
}
