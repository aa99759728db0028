//! What the fixtures of old databases hold: one execution for each state in which an upgrade may find one.
//!
//! `make_fixture` plays the first act with the code of a version, and dies; the tests play the second with the code of today.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cloacina_core::{
    Backend, Context, ExecuteOptions, PipelineExecution, RetryPolicy, Task, TaskContext, TaskError,
    UnifiedExecutor, Workflow,
};
use serde_json::json;

/// The workflow of all executions: `fetch`, then `charge`, then `ship`.
pub const WORKFLOW: &str = "order";

/// The executions, each named after what becomes of it in the first act; the name is its idempotency key as well.
pub const CASES: [&str; 8] =
    ["pending", "delayed", "running", "waiting", "paused", "completed", "failed", "cancelled"];

/// Who plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The process that leaves the executions where they are.
    First,
    /// The process that finds them: whatever it runs succeeds.
    Second,
}

/// Which bodies ran, as `case task`. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Ran(Arc<Mutex<Vec<String>>>);

impl Ran {
    fn note(&self, case: &str, task: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{case} {task}"));
    }

    /// Returns what ran, sorted.
    #[must_use]
    pub fn sorted(&self) -> Vec<String> {
        let mut ran = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ran.sort();
        ran
    }
}

/// Makes the workflow. Its version is the same in both acts.
///
/// # Errors
///
/// None, as long as it is well formed.
pub fn workflow(act: Act, ran: &Ran) -> Result<Workflow, Box<dyn Error + Send + Sync>> {
    let task = |id: &'static str| {
        let ran = ran.clone();
        let task = Task::new(id, move |context, run| {
            let case: String = context.get_as("case").unwrap_or_default();
            ran.note(&case, id);
            Box::pin(async move { body(act, &case, id, context, run).await })
        });
        task.fingerprint("1").retry(RetryPolicy::new(3).initial_delay(Duration::from_secs(3_600)))
    };
    let tasks =
        [task("fetch"), task("charge").depends_on(["fetch"]), task("ship").depends_on(["charge"])];
    Ok(Workflow::builder(WORKFLOW).tasks(tasks).build()?)
}

/// What the tasks do. Each sets a key of its name and returns what tells the acts apart.
async fn body(
    act: Act,
    case: &str,
    id: &str,
    context: &mut Context,
    run: &TaskContext,
) -> Result<String, TaskError> {
    if act == Act::First && id == "charge" {
        match case {
            "running" | "paused" | "cancelled" => {
                run.report_progress("half of it");
                std::future::pending().await
            }
            "waiting" => return Err(TaskError::new("the bank did not answer")),
            "failed" => return Err(TaskError::permanent("no such account")),
            _ => {}
        }
    }
    context.set(id, json!({"done": true, "big": 9_007_199_254_740_993_u64, "text": "'ü\"\\"}));
    Ok(format!("{id} of {act:?}"))
}

/// Submits one execution.
///
/// # Errors
///
/// A store that failed.
pub async fn submit<B: Backend>(
    executor: &UnifiedExecutor<B>,
    case: &str,
) -> Result<PipelineExecution, Box<dyn Error + Send + Sync>> {
    let mut input = Context::new();
    input.insert("case", json!(case))?;
    let mut options = ExecuteOptions::new().idempotency_key(case);
    if case == "delayed" {
        options = options.delay(Duration::from_secs(3_600));
    }
    Ok(executor.execute_with(WORKFLOW, input, options).await?)
}

/// Plays the first act, and returns when all executions but the pending one are where they are left. The process has to be killed
/// then, and the pending one submitted by a client.
///
/// # Errors
///
/// A store that failed.
pub async fn play<B: Backend>(
    worker: &UnifiedExecutor<B>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut executions = Vec::new();
    for case in CASES.into_iter().filter(|case| *case != "pending") {
        executions.push((case, submit(worker, case).await?));
    }
    for (case, execution) in &executions {
        match *case {
            "completed" => drop(execution.wait().await?),
            "failed" => {
                execution.wait().await?;
                worker.retry_execution(execution.execution_id).await?.wait().await?;
            }
            _ => {}
        }
    }
    // Until what runs is on record, which happens with the next beat.
    tokio::time::sleep(Duration::from_secs(3)).await;
    for (case, execution) in &executions {
        match *case {
            "paused" => worker.pause_execution(execution.execution_id).await?,
            "cancelled" => drop(execution.cancel().await?),
            _ => {}
        }
    }
    Ok(())
}
