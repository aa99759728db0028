//! A workflow with the shape of Montage, which makes a mosaic of images of the sky: its bodies tell what they do, and a test
//! can hold them, slow them down, and let them take their process with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::{
    Backend, Context, NotCompleted, Task, TaskContext, TaskError, Workflow, WorkflowError,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::effects::{Effects, Kind, RunId};

/// The name of the workflow.
pub const NAME: &str = "montage";

/// Each task with what it depends on, in topological order.
pub const EDGES: [(&str, &[&str]); 11] = [
    ("project_1", &[]),
    ("project_2", &[]),
    ("project_3", &[]),
    ("diff_12", &["project_1", "project_2"]),
    ("diff_23", &["project_2", "project_3"]),
    ("concat", &["diff_12", "diff_23"]),
    ("model", &["concat"]),
    ("background_1", &["project_1", "model"]),
    ("background_2", &["project_2", "model"]),
    ("background_3", &["project_3", "model"]),
    ("add", &["background_1", "background_2", "background_3"]),
];

/// How often a held body looks for its gate.
const LOOK: Duration = Duration::from_millis(5);

/// The input of an execution.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Order {
    /// Tells the executions apart: every value depends on it.
    pub n: u64,
    /// How long each body works, in milliseconds.
    pub pace: u64,
    /// The task that is held until its gate is open.
    pub hold: Option<String>,
    /// The gate: open to all once that file exists, open to one process once a file exists that has its id as extension.
    pub gate: PathBuf,
    /// The task that aborts its process.
    pub abort: Option<String>,
    /// Whether each body looks at its own execution through a connection of its own.
    pub witness: bool,
    /// Whether the task `extra` of the other workflow is wanted.
    pub wants_extra: bool,
}

impl Order {
    /// Makes the input of an execution.
    #[must_use]
    pub fn to_context(&self) -> Context {
        let value = serde_json::to_value(self).unwrap_or_default();
        Context::from_value(value).unwrap_or_default()
    }
}

/// What a task returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The run of the body that made it.
    pub by: RunId,
    /// The value.
    pub value: u64,
}

/// What becomes of a run that nothing from outside disturbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It returns its value.
    Fine,
    /// It fails, and may be tried again.
    Fails,
    /// It fails for good.
    FailsForGood,
    /// It never returns.
    Hangs,
}

/// What the bodies of a process need.
#[derive(Debug)]
pub struct Studio {
    /// The log.
    pub effects: Effects,
    /// Looks into the database, past the executor.
    pub witness: Option<Arc<dyn Backend>>,
}

/// Computes the value of a task from those of its parents, in the order of the edges.
#[must_use]
pub fn value(n: u64, task: &str, parents: &[u64]) -> u64 {
    let words = task.bytes().map(u64::from).chain(parents.iter().copied());
    words.fold(n ^ 0xcbf2_9ce4_8422_2325, |hash, word| {
        (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
    })
}

/// Computes what all tasks of an execution come to.
///
/// # Panics
///
/// Never: the edges are in topological order.
#[must_use]
pub fn expected(n: u64) -> BTreeMap<&'static str, u64> {
    let mut values: BTreeMap<&str, u64> = BTreeMap::new();
    for (task, parents) in EDGES {
        let parents: Vec<u64> = parents.iter().map(|parent| values[parent]).collect();
        values.insert(task, value(n, task, &parents));
    }
    values
}

/// Makes the workflow. One that is only submitted needs no studio: its bodies fail.
///
/// # Errors
///
/// None: the edges form a DAG.
pub fn workflow(studio: Option<&Arc<Studio>>) -> Result<Workflow, WorkflowError> {
    let tasks = EDGES.map(|edge| task(edge, studio, |_, _, _| Mood::Fine));
    Workflow::builder(NAME).tasks(tasks).build()
}

/// Makes the task of an edge; its mood depends on the order's number, the task and the attempt.
pub(crate) fn task(
    (id, parents): (&'static str, &'static [&'static str]),
    studio: Option<&Arc<Studio>>,
    mood: fn(u64, &str, u32) -> Mood,
) -> Task {
    let studio = studio.cloned();
    let task = Task::new(id, move |context, run| {
        let studio = studio.clone();
        Box::pin(async move {
            let studio = studio.ok_or("this process only submits")?;
            let order: Order = run.input()?;
            work(&studio, parents, context, run, mood(order.n, id, run.attempt)).await
        })
    });
    task.depends_on(parents.iter().copied())
}

/// Runs a body: it reads what came before it, tells the log, and returns its value.
///
/// # Errors
///
/// A mood to fail; a log that cannot be written.
async fn work(
    studio: &Studio,
    parents: &[&str],
    context: &mut Context,
    run: &TaskContext,
    mood: Mood,
) -> Result<Made, TaskError> {
    let order: Order = run.input()?;
    let by = studio.effects.number();
    let (mut values, mut saw) = (Vec::new(), Vec::new());
    for parent in parents {
        match run.output::<Made>(parent)? {
            Ok(made) => {
                values.push(made.value);
                saw.push(format!("{parent}={}", made.by));
            }
            Err(NotCompleted::Failed { .. }) => saw.push(format!("{parent}=failed")),
            Err(_) => saw.push(format!("{parent}=skipped")),
        }
    }
    studio.effects.say(Kind::Begin, by, run, &saw)?;
    if order.witness
        && let Some(witness) = &studio.witness
    {
        studio.effects.say(Kind::Witness, by, run, &committed(&**witness, run).await)?;
    }
    if order.abort.as_deref() == Some(run.task.as_str()) {
        std::process::abort();
    }
    if order.hold.as_deref() == Some(run.task.as_str()) {
        pass(&order.gate).await;
    }
    tokio::time::sleep(Duration::from_millis(order.pace)).await;
    match mood {
        Mood::Fine => {}
        Mood::Fails => return Err(TaskError::new("not this time")),
        Mood::FailsForGood => return Err(TaskError::permanent("never")),
        Mood::Hangs => std::future::pending().await,
    }
    let value = value(order.n, run.task.as_str(), &values);
    context.insert(run.task.as_str(), json!(value))?;
    studio.effects.say(Kind::End, by, run, &[])?;
    Ok(Made { by, value })
}

/// Waits until the gate is open.
async fn pass(gate: &Path) {
    let own = gate.with_extension(std::process::id().to_string());
    while !gate.exists() && !own.exists() {
        tokio::time::sleep(LOOK).await;
    }
}

/// Reads which tasks of the execution are committed. A store that is away is asked again.
async fn committed(witness: &dyn Backend, run: &TaskContext) -> Vec<String> {
    loop {
        if let Ok(Some(snapshot)) = witness.load(run.execution_id).await {
            return snapshot.tasks.iter().map(|task| task.task.to_string()).collect();
        }
        tokio::time::sleep(LOOK).await;
    }
}
