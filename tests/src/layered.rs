//! A workflow whose tasks tell the outside what they do.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use cloacina_core::{Task, TaskId, Workflow, WorkflowError};

/// The name of the workflow.
pub const NAME: &str = "layered";

const LAYERS: usize = 12;
const WIDTH: usize = 6;

/// Lists the tasks with what each depends on: 12 layers of 6, each task on two of the layer before.
#[must_use]
pub fn edges() -> Vec<(TaskId, Vec<TaskId>)> {
    let id = |layer: usize, place: usize| TaskId::new(format!("t{layer}_{}", place % WIDTH));
    let places = (0..LAYERS).flat_map(|layer| (0..WIDTH).map(move |place| (layer, place)));
    places
        .map(|(layer, place)| {
            let before = layer.checked_sub(1);
            let parents = before.map(|before| vec![id(before, place), id(before, place + 1)]);
            (id(layer, place), parents.unwrap_or_default())
        })
        .collect()
}

/// Makes the workflow. Each body appends `begin <task>` and `end <task>` to the log, and prints the first on standard
/// output.
///
/// # Errors
///
/// None: the edges form a DAG.
pub fn workflow(log: &Arc<File>) -> Result<Workflow, WorkflowError> {
    let tasks = edges().into_iter().map(|(id, dependencies)| {
        let log = Arc::clone(log);
        Task::new(id, move |_, run| {
            let log = Arc::clone(&log);
            let task = run.task.clone();
            Box::pin(async move {
                say(&log, &format!("begin {task}\n"))?;
                announce(&task);
                tokio::time::sleep(std::time::Duration::from_millis(4)).await;
                say(&log, &format!("end {task}\n"))
            })
        })
        .depends_on(dependencies)
    });
    Workflow::builder(NAME).tasks(tasks).build()
}

#[expect(clippy::print_stdout, reason = "this is how the parent process follows")]
fn announce(task: &TaskId) {
    println!("begin {task}");
}

/// One write call a line: lines of several processes do not mix, and none is lost by a kill.
fn say(mut log: &File, line: &str) -> std::io::Result<()> {
    log.write_all(line.as_bytes())
}

/// Opens the log for appending.
///
/// # Errors
///
/// What the file system says.
pub fn open_log(path: &Path) -> std::io::Result<Arc<File>> {
    OpenOptions::new().append(true).create(true).open(path).map(Arc::new)
}
