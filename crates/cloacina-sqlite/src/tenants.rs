//! Many tenants in a folder, one file each.

mod backup;
mod folder;
mod look;
mod remove;
mod watch;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use cloacina_core::{
    Backend as _, BackendError, Changes, Creation, OpenTenants, Removal, TenantError, TenantId,
    TenantStore, TenantWork,
};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connections::{Connections, blocking, to_its_end};
use crate::{SqliteBackend, SqliteOptions, Synchronous};
use folder::{Folder, Hold};
use look::{Ask, Found, leave_out, look, look_at_all, look_locked};
use remove::Attempt;
use watch::Watch;

/// More often nobody looks for changes.
const SHORTEST_POLL: Duration = Duration::from_secs(1);

/// How long those may take who are about to leave a tenant that is to be removed.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a removal is tried meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// Tenants in a folder: `acme` is the file `acme.db`, with what lies beside it as the [crate] tells.
///
/// ```no_run
/// use std::path::Path;
///
/// use cloacina_core::{TenantError, TenantId, TenantStore};
/// use cloacina_sqlite::SqliteTenants;
///
/// # async fn run() -> Result<(), TenantError> {
/// let tenants = SqliteTenants::new("data/tenants")?;
/// let acme = TenantId::new("acme")?;
/// tenants.create(&acme).await?;
/// let backend = tenants.open(&acme).await?;
/// tenants.backup(&acme, Path::new("acme-backup.db")).await?;
/// # Ok(())
/// # }
/// ```
///
/// The folder is for its owner only, and must not be writable by anybody else: who can put a link into it can lead us out of
/// it. Links in it are refused all the same. What is no tenant there, such as another program's file, is never
/// listed, opened or removed. Several processes of one host may share a folder; open its tenants through `SqliteTenants` only.
///
/// A tenant that is not open costs no connection, no thread and no query, only some hundred bytes for what
/// [`changed`](TenantStore::changed) saw of its file. What was opened is independent of the store: closing the store
/// leaves it open.
///
/// To restore a copy, put it into the folder under the tenant's name while no file, `-wal` or `-shm` of that name is there.
#[derive(Debug)]
pub struct SqliteTenants {
    inner: Arc<Inner>,
    settings: Settings,
}

/// How tenants are opened.
#[derive(Debug, Clone, Copy)]
struct Settings {
    synchronous: Synchronous,
    busy_timeout: Duration,
    readers: u32,
}

#[derive(Debug)]
struct Inner {
    folder: Folder,
    tracker: TaskTracker,
    closed: CancellationToken,
    /// What was opened here, to be told apart from what others do.
    opened: Mutex<HashMap<TenantId, Vec<Weak<Connections>>>>,
    watch: Mutex<Watch>,
}

impl SqliteTenants {
    /// Takes a folder, and creates it with mode 0700, and those above it, if it does not exist.
    ///
    /// A relative path starts at the working directory of this moment. The file system is asked here, so this blocks for a moment.
    ///
    /// # Errors
    ///
    /// [`BackendError::Config`] for an address in place of a path, [`BackendError::Refused`] for a folder that cannot be created or written, and for one to which its group or
    /// everybody may write. That they may read it is no error: they learn the names of the tenants, no more.
    pub fn new(folder: impl AsRef<Path>) -> Result<Self, BackendError> {
        let folder = Folder::prepare(folder.as_ref())?;
        let watch = Mutex::new(Watch::new(&folder)?);
        let (tracker, closed) = (TaskTracker::new(), CancellationToken::new());
        let inner = Inner { folder, tracker, closed, opened: Mutex::default(), watch };
        let settings = Settings {
            synchronous: Synchronous::Full,
            busy_timeout: Duration::from_secs(10),
            readers: 1,
        };
        Ok(Self { inner: Arc::new(inner), settings })
    }

    /// Chooses what a commit waits for, as [`SqliteOptions::synchronous`] does, in what is opened from now on.
    #[must_use]
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.settings.synchronous = synchronous;
        self
    }

    /// Chooses how long SQLite itself waits for another process's lock, as [`SqliteOptions::busy_timeout`] does, in what is
    /// opened from now on; 10 seconds if not called.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.settings.busy_timeout = timeout;
        self
    }

    /// Chooses how many connections may read one tenant at once, 1 if not called. Each connection is a thread, and one more
    /// writes: a process with hundreds of open tenants has hundreds of threads.
    #[must_use]
    pub fn readers(mut self, readers: u32) -> Self {
        self.settings.readers = readers;
        self
    }

    /// Returns the folder's absolute path, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.inner.folder.path()
    }

    /// Copies a tenant to a file that does not exist yet, while it is in use. Opened as a tenant, the copy is what the
    /// tenant was at one moment.
    ///
    /// The copy is readable by its owner only, is checked, and is on the disk before it gets its name; until then it is
    /// called `<to>.partial`. A relative path starts at the working directory. It takes time and room as the whole
    /// database does; meanwhile the tenant works on, but its log is not cut back, and it cannot be removed.
    ///
    /// # Errors
    ///
    /// [`TenantError::UnknownTenant`]; [`BackendError::Refused`] if something is at `to` or at `<to>.partial`, or it cannot be
    /// written; [`BackendError::Corrupt`] if the copy is not sound, for then the tenant is not, and the copy is removed.
    ///
    /// # Cancel safety
    ///
    /// The copy is finished all the same.
    pub async fn backup(&self, tenant: &TenantId, to: &Path) -> Result<(), TenantError> {
        let (tenant, to) = (tenant.clone(), to.to_owned());
        self.run(|inner| async move { backup::back_up(&inner.folder, &tenant, &to).await }).await
    }

    /// Reads the whole of a tenant, while it is in use, and says what is wrong with it: nothing, if it is sound.
    ///
    /// It finds what is out of order in pages, indexes and references, not a value that was replaced by another. It reads
    /// all of the file, so it takes as long as the disk does.
    ///
    /// # Errors
    ///
    /// [`TenantError::UnknownTenant`], and a file that cannot be read.
    ///
    /// # Cancel safety
    ///
    /// It changes nothing; what was begun goes on to its end.
    pub async fn check_integrity(&self, tenant: &TenantId) -> Result<Vec<String>, TenantError> {
        let tenant = tenant.clone();
        self.run(|inner| async move { backup::check(&inner.folder, &tenant).await }).await
    }

    fn options(&self, tenant: &TenantId) -> SqliteOptions {
        SqliteOptions::new(self.inner.folder.file(tenant))
            .synchronous(self.settings.synchronous)
            .busy_timeout(self.settings.busy_timeout)
            .readers(self.settings.readers)
    }

    /// Runs something to its end even if the caller goes away.
    async fn run<T, F>(&self, task: impl FnOnce(Arc<Inner>) -> F) -> Result<T, TenantError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, TenantError>> + Send + 'static,
    {
        if self.inner.closed.is_cancelled() {
            return Err(BackendError::Closed.into());
        }
        to_its_end(&self.inner.tracker, task(Arc::clone(&self.inner))).await
    }

    /// Runs something under the lock of the folder. A caller that goes away while it waits for the lock leaves nothing: what
    /// it wanted would come after what others do meanwhile.
    async fn run_under<T, F>(
        &self,
        hold: Hold,
        task: impl FnOnce(Arc<Inner>) -> F,
    ) -> Result<T, TenantError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, TenantError>> + Send + 'static,
    {
        if self.inner.closed.is_cancelled() {
            return Err(BackendError::Closed.into());
        }
        let lock = self.inner.folder.lock(hold).await?;
        let locked = self.run(|inner| {
            let task = task(inner);
            async move {
                let done = task.await;
                drop(lock);
                done
            }
        });
        locked.await
    }
}

impl Inner {
    /// Notes what was opened, and forgets what was closed meanwhile.
    fn note_opened(&self, tenant: &TenantId, backend: &SqliteBackend) {
        let mut opened = lock(&self.opened);
        forget_closed(&mut opened);
        let handles = opened.entry(tenant.clone()).or_default();
        handles.push(Arc::downgrade(backend.connections()));
    }

    /// Looks over the folder for what others did.
    fn scan(&self) -> Result<(), BackendError> {
        let opened: BTreeSet<TenantId> = {
            let mut opened = lock(&self.opened);
            forget_closed(&mut opened);
            opened.keys().cloned().collect()
        };
        lock(&self.watch).scan(&self.folder, |tenant| opened.contains(tenant))
    }
}

fn forget_closed(opened: &mut HashMap<TenantId, Vec<Weak<Connections>>>) {
    let is_open = |handle: &Weak<Connections>| handle.upgrade().is_some_and(|it| !it.is_closed());
    opened.retain(|_, handles| {
        handles.retain(is_open);
        !handles.is_empty()
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl TenantStore for SqliteTenants {
    type Backend = SqliteBackend;

    async fn create(&self, tenant: &TenantId) -> Result<Creation, TenantError> {
        let (tenant, options) = (tenant.clone(), self.options(tenant));
        let created = self.run_under(Hold::Shared, |inner| async move {
            match look_locked(&inner.folder.file(&tenant)).await? {
                Found::Nothing | Found::Tenant(_) => {}
                Found::Unknown(error) | Found::Foreign(error) => return Err(error.into()),
            }
            let (backend, is_new) = SqliteBackend::open_or_create(options).await?;
            backend.close().await;
            Ok(if is_new { Creation::Created } else { Creation::Existed })
        });
        created.await
    }

    async fn open(&self, tenant: &TenantId) -> Result<SqliteBackend, TenantError> {
        let (tenant, options) = (tenant.clone(), self.options(tenant).must_exist());
        // Held until the connections have read, and so hold SQLite's own lock.
        let opened = self.run_under(Hold::Shared, |inner| async move {
            match look_locked(&inner.folder.file(&tenant)).await? {
                Found::Tenant(_) => {}
                Found::Nothing => return Err(TenantError::UnknownTenant(tenant)),
                Found::Unknown(error) | Found::Foreign(error) => return Err(error.into()),
            }
            let backend = SqliteBackend::open(options).await?;
            inner.note_opened(&tenant, &backend);
            Ok(backend)
        });
        opened.await
    }

    async fn list(&self) -> Result<Vec<TenantId>, TenantError> {
        let listed = self.run(|inner| async move {
            let folder = inner.folder.clone();
            let candidates = blocking(move || folder.candidates()).await??;
            let found = look_at_all(&inner.folder, candidates, Ask::Owner).await?;
            let is_tenant = |found: &Found| matches!(found, Found::Tenant(_) | Found::Unknown(_));
            let tenants = found.into_iter().filter(|(_, found)| is_tenant(found));
            let mut tenants: Vec<TenantId> = tenants.map(|(tenant, _)| tenant).collect();
            tenants.sort_unstable();
            Ok(tenants)
        });
        listed.await
    }

    async fn exists(&self, tenant: &TenantId) -> Result<bool, TenantError> {
        let tenant = tenant.clone();
        let found = self.run(|inner| async move { Ok(look(&inner.folder, &tenant).await?) });
        Ok(matches!(found.await?, Found::Tenant(_) | Found::Unknown(_)))
    }

    async fn remove(&self, tenant: &TenantId) -> Result<Removal, TenantError> {
        let begun = Instant::now();
        loop {
            let file = self.inner.folder.file(tenant);
            let attempt =
                self.run_under(Hold::Alone, |_| async move { Ok(remove::remove(file).await?) });
            match attempt.await? {
                Attempt::Done(removal) => return Ok(removal),
                // Others get the lock meanwhile.
                Attempt::InUse(_) if begun.elapsed() < PATIENCE => sleep(PAUSE).await,
                Attempt::InUse(error) => return Err(error.into()),
            }
        }
    }

    async fn work(&self, among: Option<&[TenantId]>) -> Result<Vec<TenantWork>, TenantError> {
        let among = among.map(|among| among.iter().cloned().collect::<BTreeSet<_>>());
        let work = self.run(|inner| async move {
            let folder = inner.folder.clone();
            let candidates = match among {
                Some(among) => among.into_iter().collect(),
                None => blocking(move || folder.candidates()).await??,
            };
            let mut work = Vec::new();
            for (tenant, found) in look_at_all(&inner.folder, candidates, Ask::Work).await? {
                match found {
                    Found::Tenant(Some(found)) if found.owned || found.next_due.is_some() => {
                        let look::Work { owned, next_due } = found;
                        work.push(TenantWork { tenant, owned, next_due });
                    }
                    Found::Unknown(error) => leave_out(&tenant, &error),
                    Found::Tenant(_) | Found::Nothing | Found::Foreign(_) => {}
                }
            }
            Ok(work)
        });
        work.await
    }

    /// Waits until somebody else may have given a tenant work. It looks once a second at most, at the times of files, and opens
    /// no database: at all files after one came or went, else at those of tenants that somebody has open. What is open here
    /// is left out. The death of a process shows by the locks of its workers.
    async fn changed(&self, poll: Duration) -> Changes {
        let poll = poll.max(SHORTEST_POLL);
        let Inner { closed, tracker, watch, .. } = &*self.inner;
        loop {
            if closed.is_cancelled() {
                // Neither hangs nor spins whoever has not noticed the close yet.
                sleep(poll).await;
                return Changes::Anywhere;
            }
            let next = lock(watch).next_look(poll);
            if let Some(news) = lock(watch).news() {
                return Changes::In(news);
            }
            let look = async {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = look => {}
                () = closed.cancelled() => return Changes::Anywhere,
            }
            lock(watch).looks();
            let inner = Arc::clone(&self.inner);
            let scanned = tracker.spawn_blocking(move || inner.scan()).await;
            // An error is for the next call to report: whoever woke up makes one.
            if !matches!(scanned, Ok(Ok(()))) {
                return Changes::Anywhere;
            }
        }
    }

    async fn close(&self) {
        self.inner.closed.cancel();
        self.inner.tracker.close();
        self.inner.tracker.wait().await;
    }
}

impl OpenTenants for SqliteTenants {
    type Opened<M> = Result<M, TenantError>;

    fn open_and<M>(address: &str, make: impl FnOnce(Self) -> M) -> Result<M, TenantError> {
        Ok(make(Self::new(address)?))
    }
}
