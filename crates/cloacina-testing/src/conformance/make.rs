//! Builders for what goes into a store, with defaults that suit most cases.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cloacina_core::backend::{
    Adoption, AttemptFailure, AttemptStart, Checkpoint, ClaimScope, Company, EventKind, Finish,
    JsonText, NewEvent, NewExecution, Suspicion, TaskEnd, WorkflowKey,
};
use cloacina_core::{ExecutionId, PipelineStatus, SkipReason, TaskId, TaskState, WorkerId};
use tokio::time::Instant;

/// Returns the workflow of executions that name none.
#[must_use]
pub fn workflow_key() -> WorkflowKey {
    WorkflowKey { name: "etl".into(), version: "c0ffee".into() }
}

/// Asks for these executions, which nobody has owned yet, under a version of its own.
#[must_use]
pub fn adopt(ids: Vec<ExecutionId>) -> ClaimScope {
    adopt_under(ids.into_iter().map(|id| (id, 0)))
}

/// Asks for these executions, each under an epoch, and a version of its own.
#[must_use]
pub fn adopt_under(ids: impl IntoIterator<Item = (ExecutionId, u64)>) -> ClaimScope {
    let adoption = |(execution, epoch)| Adoption { execution, epoch, version: "adopted".into() };
    ClaimScope::Adopt(ids.into_iter().map(adoption).collect())
}

/// Starts an execution: of the default workflow, with an empty input, owned by nobody.
#[must_use]
pub fn execution() -> ExecutionBuilder {
    ExecutionBuilder(NewExecution {
        id: ExecutionId::new(),
        workflow: workflow_key(),
        input: JsonText::new("{}"),
        idempotency_key: None,
        owner: None,
        delay: None,
        retry_of: None,
    })
}

/// A [`NewExecution`] in the making.
#[derive(Debug, Clone)]
pub struct ExecutionBuilder(NewExecution);

impl ExecutionBuilder {
    /// Returns the id that it will have.
    #[must_use]
    pub fn id(&self) -> ExecutionId {
        self.0.id
    }

    /// Sets the workflow and its version.
    #[must_use]
    pub fn workflow(mut self, name: &str, version: &str) -> Self {
        self.0.workflow = WorkflowKey { name: name.into(), version: version.into() };
        self
    }

    /// Sets the input.
    #[must_use]
    pub fn input(mut self, json: impl Into<Arc<str>>) -> Self {
        self.0.input = JsonText::new(json);
        self
    }

    /// Sets the idempotency key.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.0.idempotency_key = Some(key.into());
        self
    }

    /// Sets the owner.
    #[must_use]
    pub fn owner(mut self, worker: WorkerId) -> Self {
        self.0.owner = Some(worker);
        self
    }

    /// Sets how long it must not start.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.0.delay = Some(delay);
        self
    }

    /// Sets the execution that it repeats.
    #[must_use]
    pub fn retry_of(mut self, id: ExecutionId) -> Self {
        self.0.retry_of = Some(id);
        self
    }
}

impl From<ExecutionBuilder> for NewExecution {
    fn from(builder: ExecutionBuilder) -> Self {
        builder.0
    }
}

/// Starts a checkpoint that holds nothing.
#[must_use]
pub fn checkpoint(execution: ExecutionId, worker: WorkerId, epoch: u64) -> CheckpointBuilder {
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    CheckpointBuilder(Checkpoint { serial, ..Checkpoint::new(execution, worker, epoch) })
}

/// No two checkpoints are the same, but for the clones of one.
static SERIAL: AtomicU64 = AtomicU64::new(1);

/// A [`Checkpoint`] in the making.
#[derive(Debug, Clone)]
pub struct CheckpointBuilder(Checkpoint);

impl CheckpointBuilder {
    /// Adds the end of a task.
    #[must_use]
    pub fn task(mut self, end: impl Into<TaskEnd>) -> Self {
        self.0.tasks.push(end.into());
        self
    }

    /// Adds the beginning of an attempt.
    #[must_use]
    pub fn start(mut self, start: AttemptStart) -> Self {
        self.0.starts.push(start);
        self
    }

    /// Adds a failed attempt.
    #[must_use]
    pub fn failure(mut self, failure: AttemptFailure) -> Self {
        self.0.failures.push(failure);
        self
    }

    /// Adds an event.
    #[must_use]
    pub fn event(mut self, event: NewEvent) -> Self {
        self.0.events.push(event);
        self
    }

    /// Lifts the suspicion.
    #[must_use]
    pub fn clear(mut self) -> Self {
        self.0.suspicion = Suspicion::Clear;
        self
    }

    /// Ends the execution.
    #[must_use]
    pub fn finish(mut self, status: PipelineStatus) -> Self {
        self.0.finish = Some(Finish { status, error: None });
        self
    }

    /// Ends the execution as failed.
    #[must_use]
    pub fn fail(mut self, error: &str) -> Self {
        self.0.finish =
            Some(Finish { status: PipelineStatus::Failed, error: Some(error.to_owned()) });
        self
    }
}

impl From<CheckpointBuilder> for Checkpoint {
    fn from(builder: CheckpointBuilder) -> Self {
        builder.0
    }
}

/// Starts the end of a task: completed just now, at the first attempt, with nothing changed and nothing returned.
#[must_use]
pub fn task_end(task: impl Into<TaskId>) -> TaskEndBuilder {
    let now = Instant::now();
    TaskEndBuilder(TaskEnd {
        task: task.into(),
        ordinal: 0,
        state: TaskState::Completed,
        attempts: 1,
        changes: None,
        output: None,
        error: None,
        skip: None,
        started: now,
        ended: now,
    })
}

/// A [`TaskEnd`] in the making.
#[derive(Debug, Clone)]
pub struct TaskEndBuilder(TaskEnd);

impl TaskEndBuilder {
    /// Sets its place in the topological order.
    #[must_use]
    pub fn ordinal(mut self, ordinal: u32) -> Self {
        self.0.ordinal = ordinal;
        self
    }

    /// Sets the number of attempts.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// Makes it completed, as it is from the start.
    #[must_use]
    pub fn completed(self) -> Self {
        self.state(TaskState::Completed)
    }

    /// Makes it failed.
    #[must_use]
    pub fn failed(mut self, error: &str) -> Self {
        self.0.error = Some(error.to_owned());
        self.state(TaskState::Failed)
    }

    /// Makes it skipped, with no attempt.
    #[must_use]
    pub fn skipped(mut self, reason: SkipReason) -> Self {
        self.0.skip = Some(reason);
        self.attempts(0).state(TaskState::Skipped)
    }

    /// Sets the state.
    #[must_use]
    pub fn state(mut self, state: TaskState) -> Self {
        self.0.state = state;
        self
    }

    /// Sets what it did to the context.
    #[must_use]
    pub fn changes(mut self, json: impl Into<Arc<str>>) -> Self {
        self.0.changes = Some(JsonText::new(json));
        self
    }

    /// Sets what it returned.
    #[must_use]
    pub fn output(mut self, json: impl Into<Arc<str>>) -> Self {
        self.0.output = Some(JsonText::new(json));
        self
    }

    /// Sets when it began and ended.
    #[must_use]
    pub fn ran(mut self, started: Instant, ended: Instant) -> Self {
        (self.0.started, self.0.ended) = (started, ended);
        self
    }
}

impl From<TaskEndBuilder> for TaskEnd {
    fn from(builder: TaskEndBuilder) -> Self {
        builder.0
    }
}

/// Makes the beginning of an attempt that has others for company.
#[must_use]
pub fn attempt_start(task: impl Into<TaskId>, attempt: u32) -> AttemptStart {
    let company = Company::Shared;
    AttemptStart { task: task.into(), attempt, started: Instant::now(), company, progress: None }
}

/// Makes a failed attempt that is followed by another one minute later.
#[must_use]
pub fn attempt_failure(task: impl Into<TaskId>, attempt: u32, error: &str) -> AttemptFailure {
    let now = Instant::now();
    AttemptFailure {
        task: task.into(),
        attempt,
        error: error.to_owned(),
        started: now,
        ended: now,
        retry_in: Duration::from_secs(60),
    }
}

/// Makes an event that belongs to no task.
#[must_use]
pub fn event(kind: EventKind, detail: &str) -> NewEvent {
    NewEvent { kind, task: None, detail: detail.to_owned() }
}
