//! The back end: each method is one transaction, carried out by the modules beside this one.

mod batch;

use std::fmt;
use std::num::NonZeroUsize;
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

use crate::PostgresOptions;
use crate::claim::{self, Search};
use crate::connections::Connections;
use crate::control;
use crate::error::is_unexpected;
use crate::liveness::{self, Suspect};
use crate::open;
use crate::pace::Pace;
use crate::read;
use crate::wake::{self, Seat};

/// The time between the two looks that prove a death: a living worker whose session was cut has told by then that its lock
/// proves nothing, or has taken it back.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// A store in one schema of a PostgreSQL database.
///
/// Dropping it without [`close`](Backend::close) is like a crash: nothing that was acknowledged is lost, and other
/// processes take over at once.
pub struct PostgresBackend {
    connections: Arc<Connections>,
    seat: Seat,
    pace: Arc<Pace>,
}

impl PostgresBackend {
    /// Opens a schema, creates it if there is none and the role may, and brings its tables up to date.
    ///
    /// Any number of processes may do so at once.
    ///
    /// # Errors
    ///
    /// [`BackendError::Refused`] for a schema that may not be used: one that holds another program's tables, one of a newer
    /// version of this program, one for which the role lacks a right; it is left untouched. [`BackendError::Unavailable`]
    /// for a server that does not answer.
    ///
    /// # Cancel safety
    ///
    /// The schema may have been created, and is then complete.
    pub async fn open(options: PostgresOptions) -> Result<Self, BackendError> {
        let tracker = tokio_util::task::TaskTracker::new();
        // A task that nobody can drop: what it has begun it also closes.
        let opened = tracker.spawn(async move { open::open(options).await });
        let (connections, seat) = opened.await.map_err(|failure| {
            let reason = "opening the database did not end".to_owned();
            BackendError::Unavailable { reason, source: Some(Box::new(failure)) }
        })??;
        Ok(Self::new(connections, seat))
    }

    pub(crate) fn new(connections: Arc<Connections>, seat: Seat) -> Self {
        Self { connections, seat, pace: Arc::default() }
    }

    fn check_open(&self) -> Result<(), BackendError> {
        if self.connections.is_closed() { Err(BackendError::Closed) } else { Ok(()) }
    }

    /// Carries out an order, unless a worker claims the execution meanwhile.
    async fn try_control(
        &self,
        execution: ExecutionId,
        order: &Control,
    ) -> Result<ControlVerdict, BackendError> {
        let (order, sender) = (order.clone(), self.seat.sender().clone());
        let carried_out =
            self.connections.write("carry out an order", move |connection, queries, clock| {
                Box::pin(async move {
                    let verdict =
                        control::control(connection, queries, clock, execution, &order).await?;
                    wake::tell(connection, queries, &sender).await?;
                    Ok(verdict)
                })
            });
        carried_out.await
    }

    async fn bury(&self, suspect: Suspect) -> Result<Option<Burial>, BackendError> {
        let sender = self.seat.sender().clone();
        let buried =
            self.connections.write("bury a dead worker", move |connection, queries, clock| {
                Box::pin(async move {
                    let burial = liveness::bury(connection, queries, clock, suspect).await?;
                    if burial.is_some() {
                        wake::tell(connection, queries, &sender).await?;
                    }
                    Ok(burial)
                })
            });
        buried.await
    }
}

impl fmt::Debug for PostgresBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresBackend")
            .field("schema", &self.seat.sender().schema())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for PostgresBackend {
    async fn register_worker(&self, worker: &NewWorker) -> Result<(), BackendError> {
        self.check_open()?;
        // The lock before the row: a row without its lock would look like a death.
        let key = self.seat.hold(worker.id).await;
        self.connections.limit_by(worker.lease_ttl);
        let (worker, sender) = (worker.clone(), self.seat.sender().clone());
        let registered =
            self.connections.urgent("register a worker", move |connection, queries, clock| {
                Box::pin(async move {
                    liveness::register(connection, queries, clock, &worker, key).await?;
                    wake::tell(connection, queries, &sender).await
                })
            });
        registered.await
    }

    async fn heartbeat(&self, beat: &Heartbeat) -> Result<Pulse, BackendError> {
        self.check_open()?;
        let (worker, beat) = (beat.worker, beat.clone());
        let pulse = self.connections.vital("renew a lease", move |connection, queries, clock| {
            Box::pin(async move { liveness::heartbeat(connection, queries, clock, &beat).await })
        });
        let pulse = pulse.await?;
        if pulse == Pulse::Buried {
            self.seat.let_go(worker);
        }
        Ok(pulse)
    }

    async fn lease(&self, worker: WorkerId) -> Result<Option<DateTime<Utc>>, BackendError> {
        self.check_open()?;
        let read = self.connections.read("read a lease", move |connection, queries, _| {
            Box::pin(read::lease(connection, queries, worker))
        });
        read.await
    }

    async fn retire_worker(&self, worker: WorkerId) -> Result<(), BackendError> {
        self.check_open()?;
        let sender = self.seat.sender().clone();
        let retired =
            self.connections.urgent("retire a worker", move |connection, queries, clock| {
                Box::pin(async move {
                    liveness::retire(connection, queries, clock, worker).await?;
                    wake::tell(connection, queries, &sender).await
                })
            });
        retired.await?;
        self.seat.let_go(worker);
        Ok(())
    }

    async fn bury_dead_workers(&self, by: WorkerId) -> Result<Vec<Burial>, BackendError> {
        self.check_open()?;
        let look =
            self.connections.write("look for dead workers", move |connection, queries, clock| {
                Box::pin(liveness::suspects(connection, queries, clock, by))
            });
        let suspects = look.await?;
        if suspects.is_empty() {
            return Ok(Vec::new());
        }
        tokio::time::sleep(SECOND_LOOK).await;
        let (mut burials, mut failed) = (Vec::new(), None);
        for suspect in suspects {
            // Each in a transaction of its own: what holds one up does not hold up the others.
            match self.bury(suspect).await {
                Ok(burial) => burials.extend(burial),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) if burials.is_empty() => Err(error),
            _ => Ok(burials),
        }
    }

    async fn acquit(&self, survivals: &[Survival]) -> Result<(), BackendError> {
        self.check_open()?;
        if survivals.is_empty() {
            return Ok(());
        }
        let survivals = survivals.to_vec();
        let acquitted =
            self.connections.urgent("acquit owners", move |connection, queries, clock| {
                Box::pin(
                    async move { liveness::acquit(connection, queries, clock, &survivals).await },
                )
            });
        acquitted.await
    }

    async fn define_workflows(
        &self,
        definitions: &[WorkflowDefinition],
    ) -> Result<(), BackendError> {
        self.check_open()?;
        let keys: Vec<_> = definitions.iter().map(|definition| definition.key.clone()).collect();
        let look = self.connections.read("look for workflows", move |connection, queries, _| {
            Box::pin(async move { read::unknown_workflows(connection, queries, &keys).await })
        });
        // Most starts find everything on record: those write nothing.
        let unknown = look.await?;
        let new: Vec<_> =
            definitions.iter().filter(|one| unknown.contains(&one.key)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        let defined = self.connections.write("define workflows", move |connection, queries, _| {
            Box::pin(async move { control::define(connection, queries, &new).await })
        });
        defined.await
    }

    async fn definition(&self, key: &WorkflowKey) -> Result<Option<JsonText>, BackendError> {
        self.check_open()?;
        let key = key.clone();
        let read =
            self.connections.read("read a workflow's structure", move |connection, queries, _| {
                Box::pin(async move { read::definition(connection, queries, &key).await })
            });
        read.await
    }

    async fn commit(&self, batch: Arc<Batch>) -> Result<BatchVerdicts, BackendError> {
        self.check_open()?;
        self.commit_batch(&batch).await
    }

    fn lines(&self) -> NonZeroUsize {
        self.connections.lines()
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Claims, BackendError> {
        self.check_open()?;
        let search = Search::new(request, &self.connections.queries)?;
        let request = request.clone();
        let claimed =
            self.connections.write("claim executions", move |connection, queries, clock| {
                Box::pin(async move {
                    claim::claim(connection, queries, clock, &request, &search).await
                })
            });
        claimed.await
    }

    async fn release(&self, releases: &[Release]) -> Result<(), BackendError> {
        self.check_open()?;
        if releases.is_empty() {
            return Ok(());
        }
        let (releases, sender) = (releases.to_vec(), self.seat.sender().clone());
        let released =
            self.connections.write("release executions", move |connection, queries, clock| {
                Box::pin(async move {
                    control::release(connection, queries, clock, &releases).await?;
                    wake::tell(connection, queries, &sender).await
                })
            });
        released.await
    }

    async fn control(
        &self,
        execution: ExecutionId,
        order: &Control,
    ) -> Result<ControlVerdict, BackendError> {
        self.check_open()?;
        match self.try_control(execution, order).await {
            // Claimed meanwhile: its owner is known now.
            Err(error) if is_unexpected(&error) => self.try_control(execution, order).await,
            carried_out => carried_out,
        }
    }

    async fn standing(&self, ids: &[ExecutionId]) -> Result<Vec<Option<Standing>>, BackendError> {
        self.check_open()?;
        let wanted = ids.to_vec();
        let read =
            self.connections.read("read where executions stand", move |connection, queries, _| {
                Box::pin(async move { read::standings(connection, queries, wanted).await })
            });
        let found = read.await?;
        Ok(ids.iter().map(|id| found.get(id).copied()).collect())
    }

    async fn load(&self, id: ExecutionId) -> Result<Option<ExecutionSnapshot>, BackendError> {
        self.check_open()?;
        let read = self.connections.read("load an execution", move |connection, queries, clock| {
            Box::pin(read::snapshot(connection, queries, clock, id))
        });
        read.await
    }

    async fn list(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionRecord>, BackendError> {
        self.check_open()?;
        let query = query.clone();
        let read = self.connections.read("list executions", move |connection, queries, _| {
            Box::pin(async move { read::list(connection, queries, &query).await })
        });
        read.await
    }

    async fn events(&self, execution: ExecutionId) -> Result<Vec<EventRecord>, BackendError> {
        self.check_open()?;
        let read = self.connections.read("list events", move |connection, queries, _| {
            Box::pin(read::events(connection, queries, execution))
        });
        read.await
    }

    async fn counts(&self) -> Result<Counts, BackendError> {
        self.check_open()?;
        let read = self.connections.read("count executions", |connection, queries, _| {
            Box::pin(read::counts(connection, queries))
        });
        read.await
    }

    async fn prune(&self, age: Duration, limit: u32) -> Result<u64, BackendError> {
        self.check_open()?;
        // What ended does not begin again: the look needs no write lock.
        let look = self.connections.read(
            "look for what can be deleted",
            move |connection, queries, clock| {
                let cutoff = clock.before(age);
                Box::pin(read::prunable(connection, queries, cutoff, limit))
            },
        );
        let found = look.await?;
        if found.is_empty() {
            return Ok(0);
        }
        let pruned = self.connections.write("delete executions", move |connection, queries, _| {
            Box::pin(control::prune(connection, queries, found))
        });
        pruned.await
    }

    async fn changed(&self, poll: Duration) {
        self.seat.changed(poll).await;
    }

    async fn close(&self) {
        self.connections.close().await;
        self.seat.close().await;
    }
}
