//! What the processes of many tenants run: three tasks in a row, which tell the log for whom they run.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::{
    Task, TaskError, TenantManager, TenantStore, UnifiedExecutor, Workflow, WorkflowError,
};

/// The name of the workflow.
pub const NAME: &str = "steps";

/// Its tasks, each of which depends on the one before.
pub const STEPS: [&str; 3] = ["first", "second", "third"];

/// How long a body takes.
const BODY: Duration = Duration::from_millis(15);

/// Opens the log for appending: one write a line, so that the lines of several processes do not mix.
///
/// # Errors
///
/// The file cannot be opened.
pub fn open_log(path: &Path) -> std::io::Result<Arc<File>> {
    Ok(Arc::new(File::options().create(true).append(true).open(path)?))
}

/// Makes the workflow. Each body writes `begin TENANT EXECUTION TASK` and, at its end, `end TENANT EXECUTION TASK`.
///
/// # Errors
///
/// None in truth: the workflow is well formed.
pub fn workflow(log: &Arc<File>) -> Result<Workflow, WorkflowError> {
    let mut tasks: Vec<Task> = Vec::new();
    for step in STEPS {
        let log = Arc::clone(log);
        let task = Task::new(step, move |_, run| {
            let log = Arc::clone(&log);
            let tenant = run.tenant.as_ref().map(ToString::to_string).unwrap_or_default();
            let execution = run.execution_id;
            Box::pin(async move {
                let line = |what: &str| format!("{what} {tenant} {execution} {step}\n");
                (&*log).write_all(line("begin").as_bytes())?;
                tokio::time::sleep(BODY).await;
                (&*log).write_all(line("end").as_bytes())?;
                Ok::<_, TaskError>(())
            })
        });
        let before = tasks.last().map(|task| task.id().clone());
        tasks.push(task.depends_on(before));
    }
    Workflow::builder(NAME).tasks(tasks).build()
}

/// Starts a manager that rests soon, so that tenants come and go all the time.
///
/// # Errors
///
/// None in truth: the settings are allowed.
pub fn manager<S: TenantStore>(
    store: S,
    workflow: Workflow,
) -> Result<TenantManager<S>, cloacina_core::ExecutorError> {
    let executor = UnifiedExecutor::builder()
        .workflows([workflow])
        .max_recovery_attempts(1_000)
        .max_concurrent_tasks(4);
    let manager = TenantManager::builder(store).executor(executor).max_concurrent_tasks(6);
    manager.idle_timeout(Duration::from_millis(300)).build()
}
