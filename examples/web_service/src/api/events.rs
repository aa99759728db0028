//! Following an execution by server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{self, KeepAlive};
use cloacina_core::{
    ExecutorError, PipelineExecution, PipelineResult, PipelineStatus, TenantStore, UnifiedExecutor,
};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::Serialize;

use crate::extract::{Execution, Tenant};
use crate::gate::Place;
use crate::model::{Event, Standing, Task};
use crate::problem::Problem;
use crate::service::Service;

/// Follows an execution until it has ended.
///
/// The events: `task` for each task at first, and whenever one changes; `status` when the execution's status changes; `end`, the last one,
/// with the status that is final; `problem` if it cannot be followed any further. Following again tells how things stand.
#[utoipa::path(
    get,
    path = "/tenants/{tenant}/executions/{execution_id}/events",
    tag = "tenant",
    security(("tenant" = [])),
    params(Tenant, Execution),
    responses(
        (status = 200, description = "The events", body = Event, content_type = "text/event-stream"),
        (
            status = 429,
            description = "Too many requests of the tenant wait",
            body = Problem,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn follow<S: TenantStore>(
    State(service): State<Service<S>>,
    Tenant(tenant): Tenant,
    Execution(id): Execution,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    let place = service.gate.enter(&tenant)?;
    let executor = service.manager.get_executor(tenant.as_str()).await?;
    // Here, so that what does not exist is answered as ever.
    let first = executor.get_execution_result(id).await?;
    let mut follower = Follower {
        execution: executor.execution(id),
        executor,
        service,
        status: None,
        tasks: Vec::new(),
        told: VecDeque::new(),
        is_over: false,
        _place: place,
    };
    follower.compare(first);
    let events = unfold(follower, async |mut follower| {
        let Event { event, data } = follower.next().await?;
        // An event cannot hold a carriage return, and JSON has it escaped.
        Some((Ok(sse::Event::default().event(event).data(data)), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// Somebody who follows an execution, and what they have been told.
struct Follower<S: TenantStore> {
    service: Service<S>,
    executor: UnifiedExecutor<S::Backend>,
    execution: PipelineExecution,
    status: Option<PipelineStatus>,
    tasks: Vec<Task>,
    told: VecDeque<Event>,
    is_over: bool,
    _place: Place,
}

impl<S: TenantStore> Follower<S> {
    async fn next(&mut self) -> Option<Event> {
        while self.told.is_empty() && !self.is_over {
            match self.look().await {
                Ok(result) => self.compare(result),
                Err(error) => self.give_up(error),
            }
        }
        self.told.pop_front()
    }

    /// Waits until something may have changed: the end is told at once, everything else is looked for.
    async fn look(&self) -> Result<PipelineResult, ExecutorError> {
        tokio::select! {
            ended = self.execution.wait() => ended,
            () = tokio::time::sleep(self.service.limits.look_interval) => {
                self.executor.get_execution_result(self.execution.execution_id).await
            }
            () = self.service.stop.cancelled() => Err(ExecutorError::ShuttingDown),
        }
    }

    /// Tells what has changed.
    fn compare(&mut self, result: PipelineResult) {
        let PipelineResult { execution_id, status, task_results, .. } = result;
        let before = std::mem::take(&mut self.tasks);
        for task in task_results.into_iter().map(Task::from) {
            if !before.contains(&task) {
                self.tell("task", &task);
            }
            self.tasks.push(task);
        }
        let standing = Standing { execution_id, status };
        if self.status.replace(status) != Some(status) {
            self.tell("status", &standing);
        }
        if status.is_terminal() {
            self.tell("end", &standing);
            self.is_over = true;
        }
    }

    fn give_up(&mut self, error: ExecutorError) {
        self.tell("problem", &Problem::from(error));
        self.is_over = true;
    }

    fn tell(&mut self, event: &'static str, what: &impl Serialize) {
        // What the service sends always becomes JSON.
        let data = serde_json::to_string(what).unwrap_or_default();
        self.told.push_back(Event { event, data });
    }
}
