//! Shows a result as text.

use std::fmt::{self, Write as _};
use std::time::Duration;

use cloacina_core::{PipelineResult, TaskResult};

/// Returns how an execution ended, task by task, as text for people.
///
/// # Errors
///
/// None: writing to a text does not fail.
pub fn result(result: &PipelineResult) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let duration = result.duration.map_or_else(|| "not ended".to_owned(), time);
    writeln!(text, "workflow {}: {} after {duration}", result.workflow_name, result.status)?;
    if let Some(error) = &result.error_message {
        writeln!(text, "why: {error}")?;
    }
    let ids = result.task_results.iter().map(|task| task.task_id.as_str().len());
    let width = ids.max().unwrap_or(0).max("task".len());
    writeln!(text)?;
    let (task, state, tries, took) = ("task", "state", "attempts", "took");
    writeln!(text, "  {task:width$}  {state:9}  {tries:>8}  {took:>8}  why")?;
    for task in &result.task_results {
        let TaskResult { task_id, status, attempts, .. } = task;
        let took = task.duration.map_or_else(|| "-".to_owned(), time);
        let id = task_id.as_str();
        let line = format!("  {id:width$}  {status:9}  {attempts:>8}  {took:>8}  {}", why(task));
        writeln!(text, "{}", line.trim_end())?;
    }
    writeln!(text, "\nfinal context:")?;
    for (key, value) in result.final_context.iter() {
        writeln!(text, "  {key} = {value}")?;
    }
    Ok(text)
}

/// Says why a task was skipped, or what went wrong in it.
fn why(task: &TaskResult) -> String {
    match (&task.skip_reason, &task.error_message) {
        (Some(reason), _) => format!("skipped: {reason}"),
        (None, Some(error)) => error.clone(),
        (None, None) => String::new(),
    }
}

fn time(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}
