//! What goes over the wire. Types of its own: what clients see does not change when the engine does.

use std::time::Duration;

use chrono::{DateTime, Utc};
use cloacina_core::{
    Context, ExecutionId, ExecutionReason, ExecutionSummary, PipelineResult, PipelineStatus,
    TaskExplanation, TaskReason, TaskResult, TaskState, TenantId, TenantMetrics, Workflow,
    registered_workflows,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use crate::tokens::Token;

/// The rule that core has for names of tenants.
pub(crate) const TENANT_PATTERN: &str = "^[a-z][a-z0-9_-]{0,47}$";

fn one_of<'n>(names: impl IntoIterator<Item = &'n str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build()
}

fn status_schema() -> Object {
    one_of(PipelineStatus::ALL.map(PipelineStatus::as_str))
}

fn state_schema() -> Object {
    one_of(TaskState::ALL.map(TaskState::as_str))
}

fn workflow_schema() -> Object {
    // One that is not well formed would have kept the service from starting.
    one_of(registered_workflows().unwrap_or_default().iter().map(Workflow::name))
}

/// A tenant to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTenant {
    /// Its name: lower-case letters, digits, `_` and `-`, a letter first.
    #[schema(pattern = "^[a-z][a-z0-9_-]{0,47}$", example = "acme")]
    pub(crate) tenant: String,
}

/// A tenant's token, which is told this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TenantToken {
    /// The tenant.
    #[schema(value_type = String)]
    pub(crate) tenant: TenantId,
    /// The token, for `Authorization: Bearer`.
    #[schema(value_type = String)]
    pub(crate) token: Token,
}

/// An execution to be started.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"workflow_name": "word_count", "context": {"text": "a lonely whale"}}))]
pub(crate) struct Submit {
    /// The workflow.
    #[schema(schema_with = workflow_schema)]
    pub(crate) workflow_name: String,
    /// The input.
    #[schema(value_type = Object)]
    #[serde(default)]
    pub(crate) context: Context,
}

/// Where an execution stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Standing {
    /// The execution.
    #[schema(value_type = String, format = "uuid")]
    pub(crate) execution_id: ExecutionId,
    /// Its status.
    #[schema(schema_with = status_schema)]
    pub(crate) status: PipelineStatus,
}

/// An execution, as it stands or as it ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Execution {
    /// The execution.
    #[schema(value_type = String, format = "uuid")]
    pub(crate) execution_id: ExecutionId,
    /// The workflow.
    pub(crate) workflow_name: String,
    /// Its status.
    #[schema(schema_with = status_schema)]
    pub(crate) status: PipelineStatus,
    /// When it was first taken up; before that, when it was submitted.
    pub(crate) start_time: DateTime<Utc>,
    /// When it ended.
    #[schema(required = true)]
    pub(crate) end_time: Option<DateTime<Utc>>,
    /// How long it took.
    #[schema(required = true)]
    pub(crate) duration_seconds: Option<f64>,
    /// The input with what the tasks that completed changed.
    #[schema(value_type = Object)]
    pub(crate) context: Context,
    /// Its tasks, in an order in which none comes before what it depends on.
    pub(crate) tasks: Vec<Task>,
    /// Why it failed.
    #[schema(required = true)]
    pub(crate) error: Option<String>,
}

/// A task of an execution.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Task {
    /// The task.
    pub(crate) task: String,
    /// Its state.
    #[schema(schema_with = state_schema)]
    pub(crate) status: TaskState,
    /// How many attempts were made, one that runs included.
    pub(crate) attempts: u32,
    /// How far it has come, in its own words; only while it runs.
    #[schema(required = true)]
    pub(crate) progress: Option<String>,
    /// What it returned.
    #[schema(required = true)]
    pub(crate) output: Option<Value>,
    /// Why it failed, or why its last attempt did.
    #[schema(required = true)]
    pub(crate) error: Option<String>,
    /// Why it was skipped.
    #[schema(required = true)]
    pub(crate) skipped_because: Option<String>,
}

impl From<PipelineResult> for Execution {
    fn from(result: PipelineResult) -> Self {
        Self {
            execution_id: result.execution_id,
            workflow_name: result.workflow_name,
            status: result.status,
            start_time: result.start_time,
            end_time: result.end_time,
            duration_seconds: result.duration.as_ref().map(Duration::as_secs_f64),
            context: result.final_context,
            tasks: result.task_results.into_iter().map(Task::from).collect(),
            error: result.error_message,
        }
    }
}

impl From<TaskResult> for Task {
    fn from(result: TaskResult) -> Self {
        Self {
            task: result.task_id.to_string(),
            status: result.status,
            attempts: result.attempts,
            progress: result.progress,
            output: result.output,
            error: result.error_message,
            skipped_because: result.skip_reason.map(|reason| reason.to_string()),
        }
    }
}

/// Why an execution, and each of its tasks, is not getting on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explanation {
    /// The execution.
    #[schema(value_type = String, format = "uuid")]
    pub(crate) execution_id: ExecutionId,
    /// Its status.
    #[schema(schema_with = status_schema)]
    pub(crate) status: PipelineStatus,
    /// Who drives it, or what keeps it as a whole: a `kind`, and what belongs to it.
    #[schema(value_type = Object, example = json!({"kind": "paused"}))]
    pub(crate) reason: ExecutionReason,
    /// All of it in words.
    pub(crate) text: String,
    /// The tasks that have not ended, in an order in which none comes before what it depends on.
    pub(crate) tasks: Vec<Waiting>,
}

/// A task that has not ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Waiting {
    /// The task.
    pub(crate) task: String,
    /// What it waits for, if it does: a `kind`, and what belongs to it.
    #[schema(value_type = Object, example = json!({"kind": "dependencies", "tasks": ["words"]}))]
    pub(crate) reason: TaskReason,
}

impl From<cloacina_core::Explanation> for Explanation {
    fn from(explanation: cloacina_core::Explanation) -> Self {
        Self {
            execution_id: explanation.execution_id,
            status: explanation.status,
            text: explanation.to_string(),
            reason: explanation.reason,
            tasks: explanation.tasks.into_iter().map(Waiting::from).collect(),
        }
    }
}

impl From<TaskExplanation> for Waiting {
    fn from(explanation: TaskExplanation) -> Self {
        Self { task: explanation.task_id.to_string(), reason: explanation.reason }
    }
}

/// An event of a stream.
#[derive(Debug, ToSchema)]
pub(crate) struct Event {
    /// What it tells.
    #[schema(schema_with = event_schema)]
    pub(crate) event: &'static str,
    /// As JSON: a `Task` of `task`, a `Standing` of `status` and of `end`, a `Problem` of `problem`.
    pub(crate) data: String,
}

fn event_schema() -> Object {
    one_of(["task", "status", "end", "problem"])
}

/// Which executions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those with this status.
    #[param(schema_with = status_schema, required = false)]
    pub(crate) status: Option<PipelineStatus>,
    /// Only those of this workflow.
    pub(crate) workflow: Option<String>,
    /// At most so many; 50 if it is missing.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
    /// Goes on after a page: what that page has as `next`.
    #[param(format = "uuid")]
    pub(crate) cursor: Option<String>,
}

/// A page of a list, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page {
    /// The executions.
    pub(crate) executions: Vec<Summary>,
    /// The `cursor` of the next page; nothing if this is the last.
    #[schema(required = true, value_type = Option<String>, format = "uuid")]
    pub(crate) next: Option<ExecutionId>,
}

/// An execution in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Summary {
    /// The execution.
    #[schema(value_type = String, format = "uuid")]
    pub(crate) execution_id: ExecutionId,
    /// The workflow.
    pub(crate) workflow_name: String,
    /// Its status.
    #[schema(schema_with = status_schema)]
    pub(crate) status: PipelineStatus,
    /// When it was submitted.
    pub(crate) created_at: DateTime<Utc>,
    /// When it was first taken up.
    #[schema(required = true)]
    pub(crate) start_time: Option<DateTime<Utc>>,
    /// When it ended.
    #[schema(required = true)]
    pub(crate) end_time: Option<DateTime<Utc>>,
    /// The execution that it repeats.
    #[schema(required = true, value_type = Option<String>, format = "uuid")]
    pub(crate) retry_of: Option<ExecutionId>,
    /// Why it failed.
    #[schema(required = true)]
    pub(crate) error: Option<String>,
}

impl From<ExecutionSummary> for Summary {
    fn from(summary: ExecutionSummary) -> Self {
        Self {
            execution_id: summary.execution_id,
            workflow_name: summary.workflow_name,
            status: summary.status,
            created_at: summary.created_at,
            start_time: summary.start_time,
            end_time: summary.end_time,
            retry_of: summary.retry_of,
            error: summary.error_message,
        }
    }
}

/// What a tenant has done and does.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Metrics {
    /// Executions in any status.
    pub(crate) total_executions: u64,
    /// Executions that wait to be taken up.
    pub(crate) pending_executions: u64,
    /// Executions that run now.
    pub(crate) active_executions: usize,
    /// Executions on hold.
    pub(crate) paused_executions: u64,
    /// Executions that ended well.
    pub(crate) completed_executions: u64,
    /// Executions that failed.
    pub(crate) failed_executions: u64,
    /// Executions that were cancelled.
    pub(crate) cancelled_executions: u64,
    /// The mean time from start to end.
    pub(crate) avg_execution_seconds: f64,
}

impl From<TenantMetrics> for Metrics {
    fn from(metrics: TenantMetrics) -> Self {
        Self {
            total_executions: metrics.total_executions,
            pending_executions: metrics.pending_executions,
            active_executions: metrics.active_executions,
            paused_executions: metrics.paused_executions,
            completed_executions: metrics.completed_executions,
            failed_executions: metrics.failed_executions,
            cancelled_executions: metrics.cancelled_executions,
            avg_execution_seconds: metrics.avg_execution_time.as_secs_f64(),
        }
    }
}

/// The service answers, and its database does.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`: a service that is not well answers with a problem.
    #[schema(value_type = String, example = "ok")]
    pub(crate) status: &'static str,
}
