//! What the tenants do.

use std::sync::Mutex as SyncMutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use cloacina_core::{
    Context, Task, TaskError, TenantManager, TenantStore, Workflow, WorkflowError,
};
use futures_util::future::{join_all, try_join_all};
use tokio::sync::mpsc;

use crate::figures::Samples;

/// The workflow of a quiet tenant: one task that tells when it starts.
pub(super) const PROBE: &str = "probe";

/// The workflow of the active tenants: three tasks of a few milliseconds each.
const WORK: &str = "work";

/// How long a task of an active tenant takes.
const TASK: Duration = Duration::from_millis(5);

/// How long to wait for a task to start.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many executions each active tenant has in flight.
const IN_FLIGHT: usize = 2;

/// Where tasks tell that they have started.
#[derive(Clone)]
pub(super) struct Board {
    starts: mpsc::UnboundedSender<Instant>,
    started: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Instant>>>,
    work: Arc<AtomicU64>,
}

impl Board {
    pub(super) fn new() -> Self {
        let (starts, started) = mpsc::unbounded_channel();
        Self { starts, started: Arc::new(started.into()), work: Arc::default() }
    }

    /// Waits for the start of a quiet tenant's task.
    pub(super) async fn next_start(&self) -> Result<Instant> {
        let next = async { self.started.lock().await.recv().await };
        let next = tokio::time::timeout(PATIENCE, next).await.context("no task has started")?;
        next.context("the board is open")
    }

    pub(super) fn workflows(&self) -> Result<[Workflow; 2], WorkflowError> {
        let starts = self.starts.clone();
        let probe = Task::new(PROBE, move |_, _| {
            // A run that is over needs no news.
            let _ = starts.send(Instant::now());
            Box::pin(async { Ok::<_, TaskError>(()) })
        });
        let step = |id: &str| {
            let work = Arc::clone(&self.work);
            Task::new(id, move |_, _| {
                let work = Arc::clone(&work);
                Box::pin(async move {
                    tokio::time::sleep(TASK).await;
                    work.fetch_add(1, Ordering::Relaxed);
                    Ok::<_, TaskError>(())
                })
            })
        };
        let chain = [
            step("extract"),
            step("transform").depends_on(["extract"]),
            step("load").depends_on(["transform"]),
        ];
        Ok([
            Workflow::builder(PROBE).task(probe).build()?,
            Workflow::builder(WORK).tasks(chain).build()?,
        ])
    }
}

/// From the submit to the start of the task, of tenants whose executor was stopped, and of the same ones again.
#[derive(Default)]
pub(super) struct Quiet {
    pub(super) cold: Samples,
    pub(super) warm: Samples,
}

/// What was measured while others worked.
pub(super) struct Loaded {
    pub(super) quiet: Quiet,
    pub(super) tasks_per_s: f64,
}

/// The tenants, by what they do.
pub(super) struct Load<'m, S: TenantStore> {
    manager: &'m TenantManager<S>,
    board: &'m Board,
    active: &'m [String],
    quiet: &'m [String],
}

impl<'m, S: TenantStore> Load<'m, S> {
    pub(super) fn new(
        manager: &'m TenantManager<S>,
        board: &'m Board,
        names: &'m [String],
        active: usize,
        samples: usize,
    ) -> Self {
        let (active, quiet) = names.split_at(active.min(names.len()));
        Self { manager, board, active, quiet: &quiet[..samples.min(quiet.len())] }
    }

    /// Asks quiet tenants, one after another, for an execution, and at once for another.
    pub(super) async fn quiet(&self) -> Result<Quiet> {
        let mut measured = Quiet::default();
        for name in self.quiet {
            measured.cold.add(self.one(name).await?);
            measured.warm.add(self.one(name).await?);
        }
        Ok(measured)
    }

    async fn one(&self, name: &str) -> Result<Duration> {
        let began = Instant::now();
        let executor = self.manager.get_executor(name).await?;
        let submitted = executor.execute_async(PROBE, Context::new()).await?;
        let started = self.board.next_start().await?;
        submitted.wait().await?;
        Ok(started.duration_since(began))
    }

    /// The same, while one tenant works on that many executions, which it has submitted at once.
    pub(super) async fn quiet_beside_a_flood(&self, flood: usize) -> Result<Loaded> {
        self.quiet_beside(flood, &[]).await
    }

    /// The same, while the other active tenants work as well.
    pub(super) async fn quiet_beside_all(&self, flood: usize) -> Result<Loaded> {
        self.quiet_beside(flood, self.active.get(1..).unwrap_or_default()).await
    }

    async fn quiet_beside(&self, flood: usize, others: &[String]) -> Result<Loaded> {
        let Some(first) = self.active.first() else { bail!("no tenant is active") };
        let executor = self.manager.get_executor(first).await?;
        // Their handles are not kept: they end when they end.
        let submits = (0..flood).map(|_| executor.execute_async(WORK, Context::new()));
        try_join_all(submits).await?;
        let failed = SyncMutex::new(None);
        let work =
            join_all(others.iter().flat_map(|name| vec![name; IN_FLIGHT]).map(|name| async {
                loop {
                    if let Err(error) =
                        self.manager.execute_for_tenant(name, WORK, Context::new()).await
                    {
                        *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        return;
                    }
                }
            }));
        let measure = async {
            let (began, before) = (Instant::now(), self.board.work.load(Ordering::Relaxed));
            let quiet = self.quiet().await?;
            let tasks = self.board.work.load(Ordering::Relaxed) - before;
            anyhow::Ok(Loaded { quiet, tasks_per_s: tasks as f64 / began.elapsed().as_secs_f64() })
        };
        tokio::select! {
            measured = measure => measured,
            _ = work, if !others.is_empty() => {
                let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
                Err(failed.context("an active tenant has stopped")?.into())
            }
        }
    }
}
