//! Workflows: tasks that form a checked DAG, under a name and a version.

mod diagram;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::BackendError;
use crate::backend::{JsonText, WorkflowDefinition, WorkflowKey};
use crate::dag::{Dag, Node};
use crate::task::{StateNeed, States};
use crate::{Context, Task, TaskId, WorkflowError};

/// A workflow: a name, a version that follows from its content, and a DAG of tasks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Workflow {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    key: WorkflowKey,
    description: String,
    /// By ordinal.
    tasks: Vec<Task>,
    dag: Dag,
    /// Whether a task takes the input as a type of its own.
    takes_input: bool,
    ordinals: BTreeMap<TaskId, u32>,
}

impl Workflow {
    /// Starts a workflow of that name. See [`Task`] for an example.
    pub fn builder(name: impl Into<String>) -> WorkflowBuilder {
        WorkflowBuilder { name: name.into(), description: String::new(), tasks: Vec::new() }
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.key.name
    }

    /// Returns the version: a hash of the workflow's structure and its tasks' fingerprints, in hexadecimal.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.inner.key.version
    }

    /// Returns the description.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.inner.description
    }

    /// Returns the tasks in topological order, ties in the order of their declaration.
    #[must_use]
    pub fn tasks(&self) -> &[Task] {
        &self.inner.tasks
    }

    /// Returns the task of that id.
    #[must_use]
    pub fn task(&self, id: &str) -> Option<&Task> {
        self.ordinal(id).map(|ordinal| &self.inner.tasks[ordinal as usize])
    }

    pub(crate) fn key(&self) -> &WorkflowKey {
        &self.inner.key
    }

    pub(crate) fn dag(&self) -> &Dag {
        &self.inner.dag
    }

    pub(crate) fn ordinal(&self, id: &str) -> Option<u32> {
        self.inner.ordinals.get(id).copied()
    }

    /// Finds the first task for which an input is not of the type as which it takes it, with that type and the reason.
    pub(crate) fn input_mismatch(
        &self,
        input: &Context,
    ) -> Option<(&Task, &'static str, serde_json::Error)> {
        if !self.inner.takes_input {
            return None;
        }
        let input = input.clone().into_value();
        self.tasks().iter().find_map(|task| {
            task.inputs.iter().find_map(|need| {
                need.check(&input).err().map(|error| (task, need.type_name, error))
            })
        })
    }

    /// Lists the ids of the tasks, by ordinal.
    pub(crate) fn task_ids(&self) -> Vec<TaskId> {
        self.inner.tasks.iter().map(|task| task.id.clone()).collect()
    }

    pub(crate) fn task_at(&self, ordinal: u32) -> &Task {
        &self.inner.tasks[ordinal as usize]
    }
}

/// Collects the tasks of a workflow.
#[derive(Debug)]
pub struct WorkflowBuilder {
    name: String,
    description: String,
    tasks: Vec<Task>,
}

impl WorkflowBuilder {
    /// Says what the workflow is for.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = text.into();
        self
    }

    /// Adds a task. Tasks may be added in any order; it breaks ties in the topological one.
    #[must_use]
    pub fn task(mut self, task: Task) -> Self {
        self.tasks.push(task);
        self
    }

    /// Adds several tasks.
    #[must_use]
    pub fn tasks(mut self, tasks: impl IntoIterator<Item = Task>) -> Self {
        self.tasks.extend(tasks);
        self
    }

    /// Checks the DAG and computes the version.
    ///
    /// # Errors
    ///
    /// A [`WorkflowError`] that names the workflow and the task: no tasks, two tasks with one id, an unknown dependency,
    /// a cycle with its path, a trigger rule about a task that is not a dependency, a name that cannot be stored.
    pub fn build(self) -> Result<Workflow, WorkflowError> {
        let dag = dag(&self.name, &self.tasks)?;
        let mut slots: Vec<Option<Task>> = self.tasks.into_iter().map(Some).collect();
        let tasks: Vec<Task> = dag.order.iter().filter_map(|&place| slots[place].take()).collect();
        let ordinals =
            tasks.iter().enumerate().map(|(i, t)| (t.id.clone(), crate::dag::to_ordinal(i)));
        let ordinals = ordinals.collect();
        let key = WorkflowKey { version: version(&tasks).into(), name: self.name.into() };
        let takes_input = tasks.iter().any(|task| !task.inputs.is_empty());
        let description = self.description;
        let inner = Inner { key, description, tasks, dag, takes_input, ordinals };
        Ok(Workflow { inner: Arc::new(inner) })
    }
}

fn dag(name: &str, tasks: &[Task]) -> Result<Dag, WorkflowError> {
    let names: Vec<(Vec<&str>, Vec<&str>)> = tasks
        .iter()
        .map(|task| {
            let dependencies = task.dependencies.iter().map(TaskId::as_str).collect();
            (dependencies, task.rule.tasks().into_iter().map(TaskId::as_str).collect())
        })
        .collect();
    let nodes = tasks.iter().zip(&names).map(|(task, (dependencies, rule_tasks))| {
        let id = task.id.as_str();
        Node { id, dependencies, rule_tasks }
    });
    Dag::new(name, &nodes.collect::<Vec<_>>())
}

/// Hashes what an execution in flight depends on. Every part is preceded by its length, so that no two workflows
/// give one text.
fn version(tasks: &[Task]) -> String {
    let mut hash = Sha256::new();
    let mut feed = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    for task in tasks {
        feed(task.id.as_str());
        feed(&task.dependencies.len().to_string());
        task.dependencies.iter().for_each(|dependency| feed(dependency.as_str()));
        feed(&task.rule.to_string());
        feed(&task.fingerprint);
    }
    hash.finalize().iter().take(16).fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A workflow that `workflow!` registered.
#[derive(Debug)]
pub struct Registration {
    name: &'static str,
    build: fn() -> Result<Workflow, WorkflowError>,
}

impl Registration {
    /// Pairs a name with what builds the workflow. Called by generated code.
    #[must_use]
    pub const fn new(name: &'static str, build: fn() -> Result<Workflow, WorkflowError>) -> Self {
        Self { name, build }
    }
}

inventory::collect!(Registration);

/// Returns every workflow of the program that `workflow!` registered, by name.
///
/// # Errors
///
/// A [`WorkflowError`] for one that is not well formed, or for two of one name.
pub fn registered_workflows() -> Result<Vec<Workflow>, WorkflowError> {
    let mut registrations: Vec<_> = inventory::iter::<Registration>().collect();
    registrations.sort_by_key(|registration| registration.name);
    registrations.into_iter().map(|registration| (registration.build)()).collect()
}

/// The workflows that an executor knows, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Workflows {
    by_name: BTreeMap<String, Workflow>,
}

impl Workflows {
    pub(crate) fn new(
        workflows: impl IntoIterator<Item = Workflow>,
    ) -> Result<Self, WorkflowError> {
        let mut by_name = BTreeMap::new();
        for workflow in workflows {
            let name = workflow.name().to_owned();
            if by_name.insert(name.clone(), workflow).is_some() {
                return Err(WorkflowError::DuplicateWorkflow { workflow: name });
            }
        }
        Ok(Self { by_name })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Workflow> {
        self.by_name.get(name)
    }

    /// Finds the first task that needs state that is not there.
    pub(crate) fn missing_state(&self, states: &States) -> Option<(&Workflow, &Task, &StateNeed)> {
        self.by_name.values().find_map(|workflow| {
            workflow.tasks().iter().find_map(|task| {
                let missing = task.states.iter().find(|need| !states.has(need));
                missing.map(|need| (workflow, task, need))
            })
        })
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.by_name.keys().cloned().collect()
    }

    pub(crate) fn definitions(&self) -> Vec<WorkflowDefinition> {
        let define = |workflow: &Workflow| {
            // Ids are strings, and strings become JSON.
            let structure = serde_json::to_string(&Structure::of(workflow)).unwrap_or_default();
            let key = workflow.key().clone();
            WorkflowDefinition { key, structure: JsonText::new(structure) }
        };
        self.by_name.values().map(define).collect()
    }

    pub(crate) fn keys(&self) -> Vec<WorkflowKey> {
        self.by_name.values().map(|workflow| workflow.key().clone()).collect()
    }
}

/// The structure of a workflow as it is put on record: its tasks in topological order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Structure {
    tasks: Vec<TaskStructure>,
}

#[derive(Debug, Serialize, Deserialize)]
struct TaskStructure {
    id: TaskId,
    dependencies: Vec<TaskId>,
}

impl Structure {
    fn of(workflow: &Workflow) -> Self {
        let tasks = workflow.tasks().iter().map(|task| TaskStructure {
            id: task.id.clone(),
            dependencies: task.dependencies.clone(),
        });
        Self { tasks: tasks.collect() }
    }

    pub(crate) fn read(text: &JsonText) -> Result<Self, BackendError> {
        crate::result::read(text.as_str(), "the structure of a workflow")
    }

    /// Returns the dependencies of each task.
    pub(crate) fn dependencies(&self) -> BTreeMap<&str, &[TaskId]> {
        self.tasks.iter().map(|task| (task.id.as_str(), &*task.dependencies)).collect()
    }

    /// Returns the tasks in topological order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &TaskId> {
        self.tasks.iter().map(|task| &task.id)
    }
}
