//! The shape of a workflow: checks, order, neighbours. Pure and without bodies.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use crate::{TaskId, TriggerRule};

/// What is wrong with a workflow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorkflowError {
    /// It has no tasks.
    #[error("workflow `{workflow}` has no tasks")]
    Empty {
        /// The workflow.
        workflow: String,
    },
    /// Two tasks have one id.
    #[error("task `{task}` is in workflow `{workflow}` twice")]
    DuplicateTask {
        /// The workflow.
        workflow: String,
        /// The id.
        task: TaskId,
    },
    /// A dependency is not among the tasks.
    #[error("task `{task}` depends on `{dependency}`, which is not in workflow `{workflow}`{}", suggest(.nearest.as_ref()))]
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
    #[error("workflow `{workflow}` has a cycle: {}", path(.cycle))]
    Cycle {
        /// The workflow.
        workflow: String,
        /// Each depends on the one before; the last is the first again.
        cycle: Vec<TaskId>,
    },
    /// A trigger rule asks about a task that is not a dependency.
    #[error(
        "the trigger rules of task `{task}` name `{named}`, which is not among its dependencies in workflow `{workflow}`"
    )]
    RuleNamesStranger {
        /// The workflow.
        workflow: String,
        /// The task with the rule.
        task: TaskId,
        /// The task that it names.
        named: TaskId,
    },
    /// A name is empty, too long, or holds a NUL character.
    #[error("{kind} {name:?} is refused: it must have 1 to 255 bytes and no NUL character")]
    InvalidName {
        /// What is named.
        kind: &'static str,
        /// The name, cut to 64 characters.
        name: String,
    },
    /// Two workflows have one name.
    #[error("workflow `{workflow}` is registered twice")]
    DuplicateWorkflow {
        /// The name.
        workflow: String,
    },
}

fn suggest(nearest: Option<&TaskId>) -> String {
    nearest.map_or_else(String::new, |task| format!("; did you mean `{task}`?"))
}

fn path(cycle: &[TaskId]) -> String {
    cycle.iter().map(TaskId::as_str).collect::<Vec<_>>().join(" -> ")
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

/// A node as the checks see it.
pub(crate) struct Node<'a> {
    pub(crate) id: &'a TaskId,
    pub(crate) dependencies: &'a [TaskId],
    pub(crate) rule: &'a TriggerRule,
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
    /// Checks the nodes and orders them topologically, ties by declaration.
    pub(crate) fn new(workflow: &str, nodes: &[Node<'_>]) -> Result<Self, WorkflowError> {
        let name = || workflow.to_owned();
        check_name("workflow name", workflow)?;
        if nodes.is_empty() {
            return Err(WorkflowError::Empty { workflow: name() });
        }
        let mut places = HashMap::with_capacity(nodes.len());
        for (place, node) in nodes.iter().enumerate() {
            check_name("task id", node.id.as_str())?;
            if places.insert(node.id, place).is_some() {
                let task = node.id.clone();
                return Err(WorkflowError::DuplicateTask { workflow: name(), task });
            }
        }
        let parents = nodes
            .iter()
            .map(|node| parents_of(workflow, node, nodes, &places))
            .collect::<Result<Vec<_>, _>>()?;
        let order = topological_order(&parents).map_err(|cycle| WorkflowError::Cycle {
            workflow: name(),
            cycle: cycle.into_iter().map(|place| nodes[place].id.clone()).collect(),
        })?;
        Ok(Self::from_order(order, &parents))
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

fn parents_of(
    workflow: &str,
    node: &Node<'_>,
    nodes: &[Node<'_>],
    places: &HashMap<&TaskId, usize>,
) -> Result<Vec<usize>, WorkflowError> {
    let mut parents = Vec::with_capacity(node.dependencies.len());
    let mut seen = HashSet::with_capacity(node.dependencies.len());
    for dependency in node.dependencies {
        let Some(&place) = places.get(dependency) else {
            return Err(WorkflowError::UnknownDependency {
                workflow: workflow.to_owned(),
                task: node.id.clone(),
                dependency: dependency.clone(),
                nearest: nearest(dependency.as_str(), node.id, nodes),
            });
        };
        if seen.insert(place) {
            parents.push(place);
        }
    }
    for named in node.rule.tasks() {
        if !places.get(named).is_some_and(|place| seen.contains(place)) {
            return Err(WorkflowError::RuleNamesStranger {
                workflow: workflow.to_owned(),
                task: node.id.clone(),
                named: named.clone(),
            });
        }
    }
    Ok(parents)
}

/// Kahn's algorithm with a heap, so that of several tasks that could come next the first declared does
/// (A. B. Kahn, "Topological sorting of large networks", CACM 5(11), 1962).
fn topological_order(parents: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
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
    if order.len() == parents.len() { Ok(order) } else { Err(cycle(parents, &missing)) }
}

/// Walks back along unmet dependencies until a task comes up twice.
fn cycle(parents: &[Vec<usize>], missing: &[usize]) -> Vec<usize> {
    let mut seen_at = HashMap::new();
    let mut walk = Vec::new();
    let mut place = missing.iter().position(|&count| count > 0).unwrap_or_default();
    loop {
        if let Some(&start) = seen_at.get(&place) {
            let mut cycle = walk.split_off(start);
            cycle.reverse();
            // Begin with the first declared task, so that the text does not depend on where the walk began.
            let first = (0..cycle.len()).min_by_key(|&at| cycle[at]).unwrap_or_default();
            cycle.rotate_left(first);
            cycle.extend(cycle.first().copied());
            return cycle;
        }
        seen_at.insert(place, walk.len());
        walk.push(place);
        let unmet = parents[place].iter().copied().find(|&parent| missing[parent] > 0);
        let Some(parent) = unmet else { return walk };
        place = parent;
    }
}

fn nearest(name: &str, task: &TaskId, nodes: &[Node<'_>]) -> Option<TaskId> {
    let allowed = (name.chars().count() / 3).max(1);
    nodes
        .iter()
        .filter(|node| node.id != task)
        .map(|node| (edit_distance(name, node.id.as_str()), node.id))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, id)| id.clone())
}

/// The Levenshtein distance.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests;
