//! The shape of a workflow: checks, order, neighbours. Pure and without bodies.

mod check;
mod index;
mod message;
mod nearest;
pub(crate) mod text;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::fmt;

use crate::TaskId;

pub(crate) use check::Node;
use check::Scratch;
pub use check::{Check, count_dependencies};
use index::Key;
use message::Fault;

/// What is wrong with a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkflowError {
    /// It has no tasks.
    Empty {
        /// The workflow.
        workflow: String,
    },
    /// Two tasks have one id.
    DuplicateTask {
        /// The workflow.
        workflow: String,
        /// The id.
        task: TaskId,
    },
    /// A dependency is not among the tasks.
    UnknownDependency {
        /// The workflow.
        workflow: String,
        /// The task that depends.
        task: TaskId,
        /// What it depends on.
        dependency: TaskId,
        /// The task whose name is nearest to it.
        nearest: Option<TaskId>,
    },
    /// Tasks depend on each other in a circle.
    Cycle {
        /// The workflow.
        workflow: String,
        /// Each depends on the one before; the last is the first again.
        cycle: Vec<TaskId>,
    },
    /// A trigger rule asks about a task that is not a dependency.
    RuleNamesStranger {
        /// The workflow.
        workflow: String,
        /// The task with the rule.
        task: TaskId,
        /// The task that it names.
        named: TaskId,
    },
    /// A name is empty, too long, or holds a NUL character.
    InvalidName {
        /// What is named.
        kind: &'static str,
        /// The name, cut to 64 characters.
        name: String,
    },
    /// Two workflows have one name.
    DuplicateWorkflow {
        /// The name.
        workflow: String,
    },
}

impl std::error::Error for WorkflowError {}

impl fmt::Display for WorkflowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut say = |workflow: &str, fault: &Fault<'_>| {
            f.write_str(message::text(workflow, fault).as_str())
        };
        match self {
            Self::Empty { workflow } => say(workflow, &Fault::Empty),
            Self::DuplicateTask { workflow, task } => {
                say(workflow, &Fault::Duplicate { task: task.as_str() })
            }
            Self::UnknownDependency { workflow, task, dependency, nearest } => {
                let (task, dependency) = (task.as_str(), dependency.as_str());
                let nearest = nearest.as_ref().map(TaskId::as_str);
                say(workflow, &Fault::UnknownDependency { task, dependency, nearest })
            }
            Self::Cycle { workflow, cycle } => {
                say(workflow, &Fault::Cycle { cycle: &names(cycle) })
            }
            Self::RuleNamesStranger { workflow, task, named } => {
                let (task, named) = (task.as_str(), named.as_str());
                say(workflow, &Fault::RuleNamesStranger { task, named })
            }
            Self::InvalidName { kind, name } => write!(
                f,
                "{kind} {name:?} is refused: it must have 1 to 255 bytes and no NUL character"
            ),
            Self::DuplicateWorkflow { workflow } => {
                write!(f, "workflow `{workflow}` is registered twice")
            }
        }
    }
}

/// Returns the names of a cycle without the first one's repetition at the end.
fn names(cycle: &[TaskId]) -> Vec<&str> {
    let names = cycle.iter().map(TaskId::as_str);
    names.take(cycle.len().saturating_sub(1)).collect()
}

/// Checks a name that is stored: 1 to 255 bytes, no NUL.
pub(crate) fn check_name(kind: &'static str, name: &str) -> Result<(), WorkflowError> {
    if is_storable_name(name) {
        return Ok(());
    }
    Err(WorkflowError::InvalidName { kind, name: name.chars().take(64).collect() })
}

pub(crate) fn is_storable_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && !name.contains('\0')
}

/// A checked DAG. Tasks are numbered by their place in the topological order: the *ordinal*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dag {
    /// By ordinal: the place in the declaration.
    pub(crate) order: Vec<usize>,
    /// By ordinal: the ordinals it depends on, in the order of the declaration, each once.
    pub(crate) dependencies: Vec<Vec<u32>>,
    /// By ordinal: the ordinals that depend on it, ascending.
    pub(crate) dependents: Vec<Vec<u32>>,
}

impl Dag {
    /// Checks the nodes and orders them topologically, ties by declaration. Of several problems the first node's is told.
    pub(crate) fn new(workflow: &str, nodes: &[Node<'_>]) -> Result<Self, WorkflowError> {
        check_name("workflow name", workflow)?;
        if nodes.is_empty() {
            return Err(WorkflowError::Empty { workflow: workflow.to_owned() });
        }
        for node in nodes {
            check_name("task id", node.id)?;
        }
        let parents = sound(workflow, nodes)?;
        Ok(Self::from_order(topological_order(&parents), &parents))
    }

    fn from_order(order: Vec<usize>, parents: &[Vec<usize>]) -> Self {
        let mut ordinals = vec![0_u32; order.len()];
        for (ordinal, &place) in order.iter().enumerate() {
            ordinals[place] = to_ordinal(ordinal);
        }
        let dependencies: Vec<Vec<u32>> = order
            .iter()
            .map(|&place| parents[place].iter().map(|&parent| ordinals[parent]).collect())
            .collect();
        let mut dependents = vec![Vec::new(); order.len()];
        for (ordinal, parents) in dependencies.iter().enumerate() {
            for &parent in parents {
                dependents[parent as usize].push(to_ordinal(ordinal));
            }
        }
        Self { order, dependencies, dependents }
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Collects the ancestors of a task whose ordinal is at least `least`.
    pub(crate) fn ancestors(&self, of: u32, least: u32) -> HashSet<u32> {
        let mut ancestors = HashSet::new();
        let mut stack = vec![of];
        while let Some(ordinal) = stack.pop() {
            for &parent in &self.dependencies[ordinal as usize] {
                // Ordinals grow along edges: what lies before the least cannot lead back to it.
                if parent >= least && ancestors.insert(parent) {
                    stack.push(parent);
                }
            }
        }
        ancestors
    }
}

/// Turns an index into an ordinal. A workflow of more than 2^32 tasks does not fit into memory.
pub(crate) fn to_ordinal(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Checks the nodes, and returns the places of the tasks on which each depends, in the order of the declaration, each once.
fn sound(workflow: &str, nodes: &[Node<'_>]) -> Result<Vec<Vec<usize>>, WorkflowError> {
    let room = || vec![0; nodes.len()];
    let (mut begin, mut next, mut path) = (room(), room(), room());
    let mut keys = vec![Key::NONE; nodes.len()];
    let mut found = vec![0; nodes.iter().map(|node| node.dependencies.len()).sum()];
    let mut problems = vec![None; nodes.len()];
    let mut scratch = Scratch {
        keys: &mut keys,
        begin: &mut begin,
        found: &mut found,
        next: &mut next,
        path: &mut path,
    };
    let cycle_len = check::find_problems(nodes, &mut problems, &mut scratch);
    let Some((node, problem)) =
        nodes.iter().zip(problems).find_map(|(node, problem)| Some((node, problem?)))
    else {
        return Ok(parents(nodes, &found));
    };
    let cycle: Vec<&str> = path[..cycle_len].iter().map(|&at| nodes[at as usize].id).collect();
    Err(error(workflow.to_owned(), check::fault(problem, node, nodes, &cycle)))
}

/// Splits the places of all dependencies by task, each once.
fn parents(nodes: &[Node<'_>], mut found: &[u32]) -> Vec<Vec<usize>> {
    let parents = nodes.iter().map(|node| {
        let (own, rest) = found.split_at(node.dependencies.len());
        found = rest;
        let mut seen = HashSet::with_capacity(own.len());
        own.iter().map(|&place| place as usize).filter(|&place| seen.insert(place)).collect()
    });
    parents.collect()
}

fn error(workflow: String, fault: Fault<'_>) -> WorkflowError {
    match fault {
        Fault::Empty => WorkflowError::Empty { workflow },
        Fault::Duplicate { task } => WorkflowError::DuplicateTask { workflow, task: task.into() },
        Fault::UnknownDependency { task, dependency, nearest } => {
            WorkflowError::UnknownDependency {
                workflow,
                task: task.into(),
                dependency: dependency.into(),
                nearest: nearest.map(Into::into),
            }
        }
        Fault::RuleNamesStranger { task, named } => {
            WorkflowError::RuleNamesStranger { workflow, task: task.into(), named: named.into() }
        }
        Fault::Cycle { cycle } => {
            let cycle = cycle.iter().chain(cycle.first()).map(|&id| id.into()).collect();
            WorkflowError::Cycle { workflow, cycle }
        }
    }
}

/// Orders a graph without cycles: Kahn's algorithm with a heap, so that of several tasks that could come next the first declared does
/// (A. B. Kahn, "Topological sorting of large networks", CACM 5(11), 1962).
fn topological_order(parents: &[Vec<usize>]) -> Vec<usize> {
    let mut children = vec![Vec::new(); parents.len()];
    let mut missing: Vec<usize> = parents.iter().map(Vec::len).collect();
    for (place, parents) in parents.iter().enumerate() {
        for &parent in parents {
            children[parent].push(place);
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..parents.len()).filter(|&place| missing[place] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(parents.len());
    while let Some(Reverse(place)) = ready.pop() {
        order.push(place);
        for &child in &children[place] {
            missing[child] -= 1;
            if missing[child] == 0 {
                ready.push(Reverse(child));
            }
        }
    }
    order
}

#[cfg(test)]
mod tests;
