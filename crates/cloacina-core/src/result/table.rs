//! A result as a table for people: a line for the execution, and one a task.

use std::fmt::{self, Display};
use std::time::Duration;

use super::{PipelineResult, TaskResult};

/// The longest note, in characters.
const NOTE_MAX: usize = 100;

const HEADINGS: [&str; 5] = ["task", "state", "attempts", "last took", "note"];

impl Display for PipelineResult {
    /// Writes how the execution stands, then a table of its tasks: state, attempts, the duration of the last attempt, and a
    /// note that says why it failed or was skipped, or how far it has come. Durations are rounded, long notes cut in the middle.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workflow_name, execution_id, status, .. } = self;
        write!(f, "workflow {}, execution {execution_id}: {status}", line(workflow_name))?;
        if let Some(duration) = self.duration {
            write!(f, " after {}", rounded(duration))?;
        }
        if let Some(error) = &self.error_message {
            write!(f, "\n{}", one_line(error))?;
        }
        let rows: Vec<_> = self.task_results.iter().map(row).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([HEADINGS[column].len()]).max().unwrap_or_default()
        };
        let [task, state, attempts, duration] = [0, 1, 2, 3].map(width);
        for [a, b, c, d, e] in [HEADINGS.map(str::to_owned)].iter().chain(&rows) {
            let row = format!("{a:task$}  {b:state$}  {c:>attempts$}  {d:>duration$}  {e}");
            write!(f, "\n  {}", row.trim_end())?;
        }
        Ok(())
    }
}

fn row(task: &TaskResult) -> [String; 5] {
    let duration = task.duration.map_or_else(|| "-".to_owned(), rounded);
    let state = task.status.to_string();
    [line(task.task_id.as_str()), state, task.attempts.to_string(), duration, note(task)]
}

fn note(task: &TaskResult) -> String {
    if let Some(reason) = &task.skip_reason {
        return line(&reason.to_string());
    }
    let note = task.progress.as_ref().or(task.error_message.as_ref());
    note.map(|note| line(note)).unwrap_or_default()
}

/// Makes one line of a text, of bounded length. Both ends stay: an error begins with what was tried and ends with the cause.
fn line(text: &str) -> String {
    let line = one_line(text);
    let count = line.chars().count();
    if count <= NOTE_MAX {
        return line;
    }
    let (head, tail) = (NOTE_MAX / 2, NOTE_MAX - NOTE_MAX / 2);
    let kept = line.chars().take(head).chain(['…']);
    kept.chain(line.chars().skip(count - tail)).collect()
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Shows a duration in the unit that suits it.
fn rounded(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration < Duration::from_millis(1) => format!("{} µs", duration.as_micros()),
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{} m {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests;
