//! The settings of a manager, one by one.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::roster::{Roster, Settings};
use super::{TenantManager, TenantStore};
use crate::config::duration;
use crate::engine::Shared;
use crate::executor::Prepared;
use crate::{ConfigError, ExecutorError, TenantId, UnifiedExecutorBuilder};

/// How long an executor has nothing to do before it is stopped, if nothing else is said.
const IDLE: Duration = Duration::from_secs(30);

/// How many tenants can have all the slots that one may have, if nothing else is said.
const SEVERAL: usize = 4;

/// How often all tenants are looked through, if nothing else is said.
const SWEEP: Duration = Duration::from_secs(300);

/// Builds a manager of tenants; made by [`TenantManager::builder`].
///
/// Tasks of all tenants share `max_concurrent_tasks` slots. Once all are taken, the tenants that wait take turns, and in its
/// turn a tenant gets as many slots as its weight: one that submits ten thousand executions delays another's single one by about
/// the length of one task. `max_concurrent_tasks` of the [`executor`](Self::executor) bounds a single tenant.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct TenantManagerBuilder<S: TenantStore> {
    store: S,
    executor: UnifiedExecutorBuilder<S::Backend>,
    max_concurrent_tasks: Option<usize>,
    weights: HashMap<TenantId, NonZeroU32>,
    idle_timeout: Duration,
    sweep_interval: Duration,
}

impl<S: TenantStore> TenantManagerBuilder<S> {
    pub(super) fn new(store: S) -> Self {
        Self {
            store,
            executor: UnifiedExecutorBuilder::new(),
            max_concurrent_tasks: None,
            weights: HashMap::new(),
            idle_timeout: IDLE,
            sweep_interval: SWEEP,
        }
    }

    /// Starts each tenant's executor as this builder says: workflows, state, time limits, and how many tasks of one tenant run at
    /// once. Address and schema are the store's business.
    ///
    /// `max_held_executions`, `max_waiting_submits` and `max_waiting_submit_bytes` bound the process; where one of them is reached, each
    /// tenant has an equal share.
    pub fn executor(mut self, executor: UnifiedExecutorBuilder<S::Backend>) -> Self {
        self.executor = executor;
        self
    }

    /// Sets how many task bodies run at once in this process, for all tenants together. Default: four times as many
    /// as for one tenant, so that a single one never has them all.
    pub fn max_concurrent_tasks(mut self, count: usize) -> Self {
        self.max_concurrent_tasks = Some(count);
        self
    }

    /// Sets how many slots a tenant gets in its turn, when slots are scarce. Default 1.
    pub fn weight(mut self, tenant: TenantId, weight: NonZeroU32) -> Self {
        self.weights.insert(tenant, weight);
        self
    }

    /// Sets how long an executor that nobody holds has nothing to do before it is stopped. Default 30 s.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets how often all tenants are looked through for work of which nothing told. Default 5 minutes.
    pub fn sweep_interval(mut self, interval: Duration) -> Self {
        self.sweep_interval = interval;
        self
    }

    /// Builds the manager, which begins to work at once within a runtime, otherwise with its first call.
    ///
    /// # Errors
    ///
    /// A setting that is not allowed, a workflow that is not well formed, state that a task needs and that is missing.
    pub fn build(mut self) -> Result<TenantManager<S>, ExecutorError> {
        let executor = std::mem::replace(&mut self.executor, UnifiedExecutorBuilder::new());
        let prepared = executor.prepare()?;
        if self.max_concurrent_tasks.is_some_and(|count| !(1..=1_000_000).contains(&count)) {
            return Err(ExecutorError::Config(ConfigError {
                field: "max_concurrent_tasks",
                value: self.max_concurrent_tasks.unwrap_or_default().to_string(),
                allowed: "from 1 to 1000000",
            }));
        }
        let (least, allowed) = (Duration::from_millis(10), "from 10 ms to 100 years");
        duration("idle_timeout", self.idle_timeout, least, allowed)
            .and_then(|()| duration("sweep_interval", self.sweep_interval, least, allowed))
            .map_err(ExecutorError::Config)?;
        Ok(self.build_with(Some(prepared)))
    }

    /// Builds a manager that says with its first call what is wrong.
    pub(super) fn build_unchecked(self) -> TenantManager<S> {
        self.build_with(None)
    }

    fn build_with(self, prepared: Option<Prepared<S::Backend>>) -> TenantManager<S> {
        let Self { store, max_concurrent_tasks, weights, idle_timeout, sweep_interval, .. } = self;
        let config = prepared.as_ref().map(|one| one.config.clone()).unwrap_or_default();
        let slots = max_concurrent_tasks.unwrap_or(config.max_concurrent_tasks * SEVERAL);
        let shared = Shared::new(slots, &config);
        let poll_interval = config.poll_interval;
        let settings = Settings { weights, idle_timeout, sweep_interval, poll_interval };
        TenantManager::from_roster(Roster::new(store, prepared, shared, settings))
    }
}
