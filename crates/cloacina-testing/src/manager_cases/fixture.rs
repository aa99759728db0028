//! A place for tenants on which a case starts managers, with short words for what most cases do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::backend::{Backend, ClaimRequest, ClaimScope, NewExecution, WorkflowKey};
use cloacina_core::{
    Context, ExecutionId, PipelineResult, PipelineStatus, TenantManagerBuilder, TenantStore as _,
    UnifiedExecutor, UnifiedExecutorBuilder, Workflow,
};

use super::Manager;
use crate::conformance::{execution, soon};
use crate::executor_cases::fixture::until;
use crate::tenant_conformance::fixture::{submit, worker};
use crate::tenant_conformance::{TenantHarness, tenant};

/// The builder of a manager of the suite.
type Builder<H> = TenantManagerBuilder<<H as TenantHarness>::Store>;

/// A place, and a store on it that belongs to no manager.
pub struct ManagerFixture<H: TenantHarness> {
    harness: H,
    store: H::Store,
}

impl<H: TenantHarness> ManagerFixture<H> {
    /// Opens a store that belongs to no manager.
    pub async fn new(harness: H) -> Self {
        let store = harness.store().await;
        Self { harness, store }
    }

    /// Closes the store.
    pub async fn close(self) -> H {
        self.store.close().await;
        self.harness
    }

    /// Returns the store that belongs to no manager.
    #[must_use]
    pub const fn store(&self) -> &H::Store {
        &self.store
    }

    /// Creates tenants.
    pub async fn create(&self, names: impl IntoIterator<Item = &str>) {
        for name in names {
            self.store.create(&tenant(name)).await.expect("create answers");
        }
    }

    /// Opens a tenant past all managers.
    pub async fn open(&self, name: &str) -> Arc<dyn Backend> {
        Arc::new(self.store.open(&tenant(name)).await.expect("open answers"))
    }

    /// Starts a manager on a store of its own, as another process would. Its executors stop soon if there is nothing to do.
    pub async fn manager(&self, workflows: impl IntoIterator<Item = Workflow>) -> Manager<H> {
        self.manager_with(workflows, |manager| manager).await
    }

    /// Starts a manager with settings of its own.
    pub async fn manager_with(
        &self,
        workflows: impl IntoIterator<Item = Workflow>,
        settings: impl FnOnce(Builder<H>) -> Builder<H>,
    ) -> Manager<H> {
        let builder = Manager::<H>::builder(self.harness.store().await)
            .executor(executor::<H>(workflows))
            .idle_timeout(Duration::from_millis(60))
            .sweep_interval(Duration::from_secs(3_600));
        settings(builder).build().expect("a manager is built")
    }

    /// Counts the workers that are registered with a tenant.
    pub async fn workers(&self, name: &str) -> u32 {
        let backend = self.open(name).await;
        let me = worker(&backend).await;
        let scope = ClaimScope::Workflows(Vec::new());
        let claims = backend.claim(&ClaimRequest { worker: me, limit: 1, scope }).await;
        backend.retire_worker(me).await.expect("retire_worker answers");
        backend.close().await;
        claims.expect("claim answers").peers
    }

    /// Waits until an execution of a tenant has ended well.
    pub async fn until_completed(&self, name: &str, id: ExecutionId) {
        let backend = self.open(name).await;
        until("an execution has completed", async || {
            let standing = backend.standing(&[id]).await.expect("standing answers");
            standing[0].is_some_and(|standing| standing.status == PipelineStatus::Completed)
        })
        .await;
        backend.close().await;
    }
}

impl<H: TenantHarness> fmt::Debug for ManagerFixture<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerFixture").field("store", &self.store).finish_non_exhaustive()
    }
}

/// How the executors of the suite are built.
pub(super) fn executor<H: TenantHarness>(
    workflows: impl IntoIterator<Item = Workflow>,
) -> UnifiedExecutorBuilder<<H::Store as cloacina_core::TenantStore>::Backend> {
    UnifiedExecutor::builder()
        .poll_interval(Duration::from_millis(20))
        .lease_ttl(Duration::from_secs(3))
        .cancel_grace(Duration::from_millis(50))
        .workflows(workflows)
}

/// Makes an execution of a workflow, as another process would submit it.
pub(super) fn execution_of(workflow: &Workflow) -> NewExecution {
    let mut new = NewExecution::from(execution());
    let (name, version) = (workflow.name().into(), workflow.version().into());
    new.workflow = WorkflowKey { name, version };
    new
}

/// Submits an execution that nobody owns, as another process would.
pub(super) async fn submit_to(backend: &Arc<dyn Backend>, workflow: &Workflow) -> ExecutionId {
    submit(backend, execution_of(workflow)).await
}

/// Waits until no executor of a manager runs.
pub(super) async fn until_all_rest<H: TenantHarness>(manager: &Manager<H>) {
    until("all executors have stopped", async || manager.active_tenants().is_empty()).await;
}

/// Runs a workflow of a tenant on an empty input to its end, which must be good.
pub(super) async fn complete<H: TenantHarness>(
    manager: &Manager<H>,
    name: &str,
    workflow: &str,
) -> PipelineResult {
    let run = manager.execute_for_tenant(name, workflow, Context::new());
    let result = soon("the end of an execution", run).await.expect("an execution ends");
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    result
}

/// Runs something beside the case.
#[expect(clippy::disallowed_methods, reason = "the case waits for it")]
pub(super) fn spawn<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::spawn(future)
}
