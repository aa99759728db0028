//! The back end: each method is one transaction, carried out by the modules beside this one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use cloacina_core::backend::{
    Batch, BatchVerdicts, Burial, ClaimRequest, Claims, Control, ControlVerdict, Counts,
    EventRecord, ExecutionRecord, ExecutionSnapshot, Heartbeat, JsonText, NewWorker, Pulse,
    Release, Standing, Survival, WorkflowDefinition, WorkflowKey,
};
use cloacina_core::{Backend, BackendError, ExecutionId, ExecutionQuery, WorkerId};

use crate::SqliteOptions;
use crate::claim::{self, Search};
use crate::commit;
use crate::connections::{Connections, Place};
use crate::control;
use crate::error::refused_by;
use crate::liveness;
use crate::locks::Locks;
use crate::open::{self, Opened};
use crate::read;
use crate::wake::{self, Wake};

/// A batch of so many items has many statements.
const MANY: usize = 64;

/// A store in one SQLite file.
///
/// Dropping it without [`close`](Backend::close) is like a crash: nothing that was acknowledged is lost, and other
/// processes take over at once.
#[derive(Debug)]
pub struct SqliteBackend {
    connections: Arc<Connections>,
    locks: Arc<Locks>,
    wake: Wake,
    path: Arc<Path>,
}

impl SqliteBackend {
    /// Opens a file, creates it if there is none, and brings its tables up to date.
    ///
    /// Any number of processes may do so at once.
    ///
    /// # Errors
    ///
    /// [`BackendError::Refused`] for a file that may not be used: another program's, one of a newer version of this
    /// program, one that may not be written; it is left untouched. [`BackendError::Unavailable`] if others keep it
    /// locked for a minute.
    ///
    /// # Cancel safety
    ///
    /// A file may have been created, and is then complete or empty.
    pub async fn open(options: SqliteOptions) -> Result<Self, BackendError> {
        Ok(Self::open_or_create(options).await?.0)
    }

    /// Opens a file, and tells whether it held nothing before.
    pub(crate) async fn open_or_create(
        options: SqliteOptions,
    ) -> Result<(Self, bool), BackendError> {
        // A task that nobody can drop: half a migration would hold the lock until the connection is gone.
        let opening = tokio_util::task::TaskTracker::new();
        let opened = opening.spawn(async move {
            let opened = open::open(&options).await?;
            let version = opened.connections.on_writer(|writer| Box::pin(wake::version(writer)));
            Ok((version.await?, opened))
        });
        let (version, opened) = opened.await.map_err(|failure| {
            let reason = "opening the database did not end".to_owned();
            BackendError::Unavailable { reason, source: Some(Box::new(failure)) }
        })??;
        let Opened { path, connections, is_new } = opened;
        let locks = Arc::new(Locks::new(path.clone()));
        let wake = Wake::new(version, &path);
        Ok((Self { connections, locks, wake, path: path.into() }, is_new))
    }

    pub(crate) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Returns the file's absolute path, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn check_open(&self) -> Result<(), BackendError> {
        if self.connections.is_closed() { Err(BackendError::Closed) } else { Ok(()) }
    }

    /// Removes and unlocks the file of a worker that has no row any more.
    async fn give_up_lock(&self, worker: WorkerId) -> Result<(), BackendError> {
        let locks = Arc::clone(&self.locks);
        self.connections.blocking(move || locks.give_up(worker)).await
    }
}

#[async_trait]
impl Backend for SqliteBackend {
    async fn register_worker(&self, worker: &NewWorker) -> Result<(), BackendError> {
        self.check_open()?;
        let (connections, locks) = (Arc::clone(&self.connections), Arc::clone(&self.locks));
        let worker = worker.clone();
        connections.strain().note_lease(worker.lease_ttl);
        // One task, so that no lock file stays without its row.
        self.connections.spawn(async move { register(&connections, &locks, worker).await }).await
    }

    async fn heartbeat(&self, beat: &Heartbeat) -> Result<Pulse, BackendError> {
        self.check_open()?;
        let worker = beat.worker;
        let beat = beat.clone();
        let pulse = self.connections.write("renew a lease", move |connection, clock| {
            Box::pin(async move { liveness::heartbeat(connection, clock, &beat).await })
        });
        let pulse = pulse.await?;
        if pulse == Pulse::Buried {
            self.give_up_lock(worker).await?;
        }
        Ok(pulse)
    }

    async fn lease(&self, worker: WorkerId) -> Result<Option<DateTime<Utc>>, BackendError> {
        self.check_open()?;
        let read = self
            .connections
            .read("read a lease", move |connection, _| Box::pin(read::lease(connection, worker)));
        read.await
    }

    async fn retire_worker(&self, worker: WorkerId) -> Result<(), BackendError> {
        self.check_open()?;
        let retired = self.connections.write("retire a worker", move |connection, clock| {
            Box::pin(liveness::retire(connection, clock, worker))
        });
        retired.await?;
        self.give_up_lock(worker).await
    }

    async fn bury_dead_workers(&self, by: WorkerId) -> Result<Vec<Burial>, BackendError> {
        self.check_open()?;
        let (connections, locks) = (Arc::clone(&self.connections), Arc::clone(&self.locks));
        // One task, so that a lock taken as proof is not dropped before the burial.
        self.connections.spawn(async move { bury(&connections, &locks, by).await }).await
    }

    async fn acquit(&self, survivals: &[Survival]) -> Result<(), BackendError> {
        self.check_open()?;
        if survivals.is_empty() {
            return Ok(());
        }
        let survivals = survivals.to_vec();
        let acquitted = self.connections.write("acquit owners", move |connection, clock| {
            Box::pin(async move { liveness::acquit(connection, clock, &survivals).await })
        });
        acquitted.await
    }

    async fn define_workflows(
        &self,
        definitions: &[WorkflowDefinition],
    ) -> Result<(), BackendError> {
        self.check_open()?;
        let mut new = Vec::new();
        for definition in definitions {
            // Most starts find everything on record: those take no write lock.
            if self.definition(&definition.key).await?.is_none() {
                new.push(definition.clone());
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let defined = self.connections.write("define workflows", move |connection, _| {
            Box::pin(async move { control::define(connection, &new).await })
        });
        defined.await
    }

    async fn definition(&self, key: &WorkflowKey) -> Result<Option<JsonText>, BackendError> {
        self.check_open()?;
        let key = key.clone();
        let read = self.connections.read("read a workflow's structure", move |connection, _| {
            Box::pin(async move { read::definition(connection, &key).await })
        });
        read.await
    }

    async fn commit(&self, batch: Arc<Batch>) -> Result<BatchVerdicts, BackendError> {
        self.check_open()?;
        let items = batch.submits.len() + batch.checkpoints.len();
        let place = if items < MANY { Place::Runtime } else { Place::Thread };
        let committed =
            self.connections.write_in(place, "commit a batch", move |connection, clock| {
                Box::pin(async move { commit::commit(connection, clock, &batch).await })
            });
        committed.await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claims, BackendError> {
        self.check_open()?;
        let search = Search::new(request)?;
        let request = request.clone();
        let (look, worker) = (search.clone(), request.worker);
        // An idle worker must not take the write lock from a busy one.
        let looked = self.connections.read("look for work", move |connection, clock| {
            Box::pin(async move {
                let found = !look.candidates(connection, clock).await?.is_empty();
                let next_due = look.next_due(connection, clock).await?;
                Ok((found, next_due, liveness::peers(connection, worker).await?))
            })
        });
        let (found, next_due, peers) = looked.await?;
        if !found {
            return Ok(Claims { executions: Vec::new(), next_due, peers });
        }
        let claimed = self.connections.write("claim executions", move |connection, clock| {
            Box::pin(async move { claim::claim(connection, clock, &request, &search).await })
        });
        claimed.await
    }

    async fn release(&self, releases: &[Release]) -> Result<(), BackendError> {
        self.check_open()?;
        if releases.is_empty() {
            return Ok(());
        }
        let releases = releases.to_vec();
        let released = self.connections.write("release executions", move |connection, clock| {
            Box::pin(async move { control::release(connection, clock, &releases).await })
        });
        released.await
    }

    async fn control(
        &self,
        execution: ExecutionId,
        order: &Control,
    ) -> Result<ControlVerdict, BackendError> {
        self.check_open()?;
        let order = order.clone();
        let carried_out = self.connections.write("carry out an order", move |connection, clock| {
            Box::pin(async move { control::control(connection, clock, execution, &order).await })
        });
        carried_out.await
    }

    async fn standing(&self, ids: &[ExecutionId]) -> Result<Vec<Option<Standing>>, BackendError> {
        self.check_open()?;
        let wanted = ids.to_vec();
        let read = self.connections.read("read where executions stand", move |connection, _| {
            Box::pin(async move { read::standings(connection, &wanted).await })
        });
        let found = read.await?;
        Ok(ids.iter().map(|id| found.get(id).copied()).collect())
    }

    async fn load(&self, id: ExecutionId) -> Result<Option<ExecutionSnapshot>, BackendError> {
        self.check_open()?;
        let read = self.connections.read("load an execution", move |connection, clock| {
            Box::pin(read::snapshot(connection, clock, id))
        });
        read.await
    }

    async fn list(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionRecord>, BackendError> {
        self.check_open()?;
        let query = query.clone();
        let read = self.connections.read("list executions", move |connection, _| {
            Box::pin(async move { read::list(connection, &query).await })
        });
        read.await
    }

    async fn events(&self, execution: ExecutionId) -> Result<Vec<EventRecord>, BackendError> {
        self.check_open()?;
        let read = self.connections.read("list events", move |connection, _| {
            Box::pin(read::events(connection, execution))
        });
        read.await
    }

    async fn counts(&self) -> Result<Counts, BackendError> {
        self.check_open()?;
        let read = self
            .connections
            .read("count executions", |connection, _| Box::pin(read::counts(connection)));
        read.await
    }

    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, BackendError> {
        self.check_open()?;
        // What ended does not begin again: the look needs no write lock.
        let look =
            self.connections.read("look for what can be deleted", move |connection, clock| {
                let cutoff = clock.before(age);
                Box::pin(
                    async move { Ok((cutoff, read::prunable(connection, cutoff, limit).await?)) },
                )
            });
        let (cutoff, found) = look.await?;
        if found.is_empty() {
            return Ok(0);
        }
        let pruned = self.connections.write("delete executions", move |connection, _| {
            Box::pin(control::prune(connection, cutoff, limit))
        });
        pruned.await
    }

    async fn changed(&self, poll: Duration) {
        self.wake.changed(&self.connections, poll).await;
    }

    async fn close(&self) {
        self.connections.close().await;
        self.locks.drop_all();
    }
}

/// Takes a worker's lock, then writes its row: a row without a lock would look like a death.
async fn register(
    connections: &Arc<Connections>,
    locks: &Arc<Locks>,
    worker: NewWorker,
) -> Result<(), BackendError> {
    let id = worker.id;
    let taking = Arc::clone(locks);
    let taken = connections.blocking(move || taking.take(id)).await?;
    taken.map_err(|error| refused_by("the worker's lock file cannot be created", error))?;
    let registered = connections.write("register a worker", move |connection, clock| {
        Box::pin(async move {
            liveness::register(connection, clock, &worker).await?;
            liveness::suspects(connection, clock, id).await
        })
    });
    let (others, _) = match registered.await {
        Ok(others) => others,
        Err(error) => {
            // The commit may have happened, then the row has to be proven dead some day: the file stays.
            locks.drop_one(id);
            return Err(error);
        }
    };
    let mut known: Vec<WorkerId> = others.iter().map(|other| other.worker).collect();
    known.push(id);
    let sweeping = Arc::clone(locks);
    connections.blocking(move || sweeping.sweep(&known)).await
}

/// Finds the dead, buries them, and removes their lock files.
async fn bury(
    connections: &Arc<Connections>,
    locks: &Arc<Locks>,
    by: WorkerId,
) -> Result<Vec<Burial>, BackendError> {
    let looked = connections.read("look for dead workers", move |connection, clock| {
        Box::pin(liveness::suspects(connection, clock, by))
    });
    let (suspects, clock) = looked.await?;
    if suspects.is_empty() {
        return Ok(Vec::new());
    }
    let examining = Arc::clone(locks);
    let examined = connections.blocking(move || liveness::examine(&examining, suspects, clock));
    let (corpses, mut taken) = examined.await?;
    if corpses.is_empty() {
        return Ok(Vec::new());
    }
    let strain = Arc::clone(connections.strain());
    let burials = connections.write("bury dead workers", move |connection, clock| {
        Box::pin(async move { liveness::bury(connection, clock, &corpses, &strain).await })
    });
    let burials = burials.await?;
    let removing = Arc::clone(locks);
    let buried: Vec<WorkerId> = burials.iter().map(|burial| burial.worker).collect();
    let removed = connections.blocking(move || {
        for worker in buried {
            if let Some(lock) = taken.remove(&worker) {
                removing.bury(worker, lock);
            }
        }
    });
    removed.await?;
    Ok(burials)
}
