//! Durable workflows that a Rust program embeds.
//!
//! A workflow is a DAG of tasks; every result is committed before anything that depends on it starts; a crash loses
//! nothing that was acknowledged. Add this crate and one back end, such as `cloacina-sqlite`.

pub mod backend;
mod config;
mod context;
mod dag;
mod engine;
mod error;
mod executor;
mod explanation;
mod id;
pub mod metrics;
mod panics;
mod result;
mod retry;
mod rule;
mod state;
mod status;
mod task;
mod tenant;
mod tenants;
mod workflow;

pub use cloacina_macros::{task, workflow};

pub use backend::{Backend, BackendError, Connect, ConnectOptions, ConnectSchema, ExecutionQuery};
pub use config::{ConfigError, ExecutorConfig, OverloadPolicy};
pub use context::{Context, ContextError, MAX_DEPTH};
pub use dag::WorkflowError;
pub use engine::ExecutorMetrics;
pub use error::ExecutorError;
pub use executor::{ExecuteOptions, PipelineExecution, UnifiedExecutor, UnifiedExecutorBuilder};
pub use explanation::{ExecutionReason, Explanation, TaskExplanation, TaskReason};
pub use id::{ExecutionId, ParseExecutionIdError, TaskId, WorkerId};
pub use result::{ExecutionSummary, PipelineResult, TaskResult};
pub use retry::{Backoff, Jitter, RetryPolicy};
pub use rule::{ContextCondition, TriggerRule, ValueOperator};
pub use status::{PipelineStatus, SkipReason, TaskState};
pub use task::{
    Durability, Input, IntoTaskOutput, NotCompleted, Output, State, Task, TaskArgument,
    TaskContext, TaskDefinition, TaskError, TaskFuture, TaskMeta, TaskOutput,
};
pub use tenant::{TenantId, TenantIdError};
pub use tenants::{
    Changes, Creation, OpenTenants, Removal, TenantError, TenantManager, TenantManagerBuilder,
    TenantMetrics, TenantStore, TenantWork,
};
pub use workflow::{Registration, Workflow, WorkflowBuilder, registered_workflows};

/// What generated code and the simulation name. No part of the public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::dag::{Check, count_dependencies};
    pub use crate::engine::{Turn, Turns, in_turn};
    pub use crate::task::expanded::{
        ContextArgument, Fallible, IntoTaskError, IsNoResult, Returned, Returns, asynchronous,
        blocking, joined, joined_len, result, returned, value,
    };
    pub use inventory;
}
