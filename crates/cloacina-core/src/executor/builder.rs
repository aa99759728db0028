//! Settings, one by one.

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::UnifiedExecutor;
use crate::engine::{Engine, Role, Setup, Shared, Turns};
use crate::task::States;
use crate::workflow::{Workflows, registered_workflows};
use crate::{
    Backend, ConfigError, Connect, ConnectOptions, ConnectSchema, ExecutorConfig, ExecutorError,
    OverloadPolicy, TenantId, Workflow,
};

/// Builds an executor; made by [`UnifiedExecutor::builder`].
#[must_use = "a builder does nothing until it is built"]
pub struct UnifiedExecutorBuilder<B> {
    url: Option<String>,
    schema: Option<String>,
    config: ExecutorConfig,
    workflows: Option<Vec<Workflow>>,
    states: States,
    /// The first type of state that was given twice.
    state_twice: Option<&'static str>,
    tenant: Option<TenantId>,
    role: Role,
    turns: Option<Arc<dyn Turns>>,
    backend: PhantomData<fn() -> B>,
}

impl<B> fmt::Debug for UnifiedExecutorBuilder<B> {
    /// Leaves the address out: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnifiedExecutorBuilder")
            .field("schema", &self.schema)
            .field("config", &self.config)
            .field("workflows", &self.workflows)
            .field("tenant", &self.tenant)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl<B: Backend> UnifiedExecutorBuilder<B> {
    pub(crate) fn new() -> Self {
        Self {
            url: None,
            schema: None,
            config: ExecutorConfig::default(),
            workflows: None,
            states: States::default(),
            state_twice: None,
            tenant: None,
            role: Role::Worker,
            turns: None,
            backend: PhantomData,
        }
    }

    /// Replaces all settings. See [`ExecutorConfig`] for the defaults.
    pub fn config(mut self, config: ExecutorConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets how many task bodies run at once in this process.
    pub fn max_concurrent_tasks(mut self, count: usize) -> Self {
        self.config.max_concurrent_tasks = count;
        self
    }

    /// Sets how long one attempt of a task may take, unless the task says otherwise.
    pub fn task_timeout(mut self, timeout: Duration) -> Self {
        self.config.task_timeout = timeout;
        self
    }

    /// Sets how long an execution may take from its start, waits included.
    pub fn pipeline_timeout(mut self, timeout: Duration) -> Self {
        self.config.pipeline_timeout = Some(timeout);
        self
    }

    /// Sets how many database connections may be open at once.
    pub fn db_pool_size(mut self, connections: u32) -> Self {
        self.config.db_pool_size = connections;
        self
    }

    /// Sets whether the work of dead workers is freed. What nobody owns is taken up in any case.
    pub fn enable_recovery(mut self, enabled: bool) -> Self {
        self.config.enable_recovery = enabled;
        self
    }

    /// Sets how many crashes in a row a task may cause before it is abandoned.
    pub fn max_recovery_attempts(mut self, crashes: u32) -> Self {
        self.config.max_recovery_attempts = crashes;
        self
    }

    /// Sets how long a worker counts as alive after its last sign of life, where its death cannot be proved.
    pub fn lease_ttl(mut self, ttl: Duration) -> Self {
        self.config.lease_ttl = ttl;
        self
    }

    /// Sets how often to look for what other processes did, where nothing tells.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.config.poll_interval = interval;
        self
    }

    /// Sets how long a cancelled task has to react to its token.
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.config.cancel_grace = grace;
        self
    }

    /// Sets how long `shutdown` lets running tasks finish.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.config.shutdown_grace = grace;
        self
    }

    /// Sets the largest context, as JSON in bytes.
    pub fn max_context_bytes(mut self, bytes: usize) -> Self {
        self.config.max_context_bytes = bytes;
        self
    }

    /// Sets how many submits of this process may wait for their commit at once.
    pub fn max_waiting_submits(mut self, count: usize) -> Self {
        self.config.max_waiting_submits = count;
        self
    }

    /// Sets how many bytes the inputs of these submits may have together, as JSON.
    pub fn max_waiting_submit_bytes(mut self, bytes: usize) -> Self {
        self.config.max_waiting_submit_bytes = bytes;
        self
    }

    /// Sets what becomes of a submit when one of these limits is reached.
    pub fn overload(mut self, policy: OverloadPolicy) -> Self {
        self.config.overload = policy;
        self
    }

    /// Uses these workflows in place of those that `workflow!` registered.
    pub fn workflows(mut self, workflows: impl IntoIterator<Item = Workflow>) -> Self {
        self.workflows = Some(workflows.into_iter().collect());
        self
    }

    /// Adds something of the application, such as a pool of connections, for tasks that take [`State<T>`](crate::State).
    /// There is one value a type; `build` refuses two, and tasks that ask for a type that is missing.
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        if !self.states.add(value) {
            self.state_twice.get_or_insert(std::any::type_name::<T>());
        }
        self
    }

    /// Names the tenant whose store this is: tasks find it in their [`TaskContext`](crate::TaskContext).
    pub fn tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Submits, waits and controls only: other processes run what it submits.
    pub fn client_only(mut self) -> Self {
        self.role = Role::Client;
        self
    }

    /// Lets a simulation decide when the tasks of the executor go on.
    #[doc(hidden)]
    pub fn turns(mut self, turns: Arc<dyn Turns>) -> Self {
        self.turns = Some(turns);
        self
    }

    /// Builds an executor on a back end that is open already.
    ///
    /// # Errors
    ///
    /// A setting that is not allowed, a workflow that is not well formed, state that a task needs and that is missing, a
    /// store that failed.
    pub async fn build_on(self, backend: B) -> Result<UnifiedExecutor<B>, ExecutorError> {
        let tenant = self.tenant.clone();
        self.prepare()?.start(backend, tenant, None, NonZeroU32::MIN).await
    }

    /// Checks all that can be checked before there is a store.
    pub(crate) fn prepare(mut self) -> Result<Prepared<B>, ExecutorError> {
        self.config.validate()?;
        let workflows = match self.workflows.take() {
            Some(workflows) => Workflows::new(workflows)?,
            None => Workflows::new(registered_workflows()?)?,
        };
        self.check_state(&workflows)?;
        let Self { config, states, role, turns, backend, .. } = self;
        let (workflows, states) = (Arc::new(workflows), Arc::new(states));
        Ok(Prepared { config, workflows, states, role, turns, backend })
    }
}

/// What executors are started with, checked. Any number can be.
#[derive(Debug)]
pub(crate) struct Prepared<B> {
    pub(crate) config: ExecutorConfig,
    workflows: Arc<Workflows>,
    states: Arc<States>,
    pub(crate) role: Role,
    turns: Option<Arc<dyn Turns>>,
    backend: PhantomData<fn() -> B>,
}

impl<B: Backend> Prepared<B> {
    pub(crate) async fn start(
        &self,
        backend: B,
        tenant: Option<TenantId>,
        shared: Option<Shared>,
        weight: NonZeroU32,
    ) -> Result<UnifiedExecutor<B>, ExecutorError> {
        let setup = Setup {
            config: self.config.clone(),
            workflows: Arc::clone(&self.workflows),
            states: Arc::clone(&self.states),
            tenant,
            role: self.role,
            shared,
            weight,
            turns: self.turns.clone(),
        };
        let backend: Arc<dyn Backend> = Arc::new(backend);
        let started = Engine::start(Arc::clone(&backend), setup).await;
        if started.is_err() {
            backend.close().await;
        }
        Ok(UnifiedExecutor::from_engine(started?))
    }
}

impl<B> UnifiedExecutorBuilder<B> {
    /// Checks that each task finds the state that it needs, where tasks run.
    fn check_state(&self, workflows: &Workflows) -> Result<(), ExecutorError> {
        if let Some(type_name) = self.state_twice {
            return Err(ExecutorError::DuplicateState { type_name });
        }
        if self.role == Role::Client {
            return Ok(());
        }
        match workflows.missing_state(&self.states) {
            Some((workflow, task, need)) => Err(ExecutorError::MissingState {
                workflow: workflow.name().to_owned(),
                task: task.id().clone(),
                type_name: need.type_name,
            }),
            None => Ok(()),
        }
    }
}

impl<B: Connect> UnifiedExecutorBuilder<B> {
    /// Sets the address of the store.
    pub fn database_url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Sets the address of the store, its schema, and `db_pool_size`, for programs that learn them at run time. A schema where
    /// there are none is refused by `build`.
    pub fn connect_options(mut self, options: ConnectOptions) -> Self {
        self.url = Some(options.url);
        self.schema = options.schema;
        self.config.db_pool_size = options.pool_size;
        self
    }

    /// Opens the store and builds the executor.
    ///
    /// # Errors
    ///
    /// A setting that is missing or not allowed, a workflow that is not well formed, a store that may not be used or does
    /// not answer.
    pub async fn build(self) -> Result<UnifiedExecutor<B>, ExecutorError> {
        let Some(url) = self.url.clone() else {
            return Err(ExecutorError::Config(ConfigError {
                field: "database_url",
                value: "not set".to_owned(),
                allowed: "the address of a database",
            }));
        };
        let mut options = ConnectOptions::new(url);
        options.schema.clone_from(&self.schema);
        options.pool_size = self.config.db_pool_size;
        let tenant = self.tenant.clone();
        // Nothing is made in a store for a program that cannot work on it.
        let prepared = self.prepare()?;
        let backend = B::connect(options).await?;
        prepared.start(backend, tenant, None, NonZeroU32::MIN).await
    }
}

impl<B: ConnectSchema> UnifiedExecutorBuilder<B> {
    /// Sets the schema that holds the tenant.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }
}
