//! The rules that a DAG keeps, in constant functions: `workflow!` asks them while it is compiled, `Workflow::builder` when
//! it is called.
//!
//! Constant functions have no heap, so whatever is written goes into slices of the caller's. rustc interprets them, so each
//! step counts: `crates/cloacina-macros/tests/cost.sh` measures what a workflow costs.

use super::index::{self, Key, find, is_same_id};
use super::message::{self, Fault, Text};
use super::nearest::{Guesses, MOST_NAMES};
use crate::TaskMeta;

/// A task as the checks see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'a> {
    pub(crate) id: &'a str,
    pub(crate) dependencies: &'a [&'a str],
    /// The tasks that its trigger rules name.
    pub(crate) rule_tasks: &'a [&'a str],
}

/// What is wrong with a task: the first thing, since others may follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// A task before it has its id.
    Duplicate,
    /// This one of its dependencies is not among the tasks; the place of the task whose id is nearest.
    UnknownDependency { dependency: usize, nearest: Option<usize> },
    /// This one of the tasks that its trigger rules name is not among its dependencies.
    RuleNamesStranger { named: usize },
    /// It is the first of the tasks of a cycle.
    Cycle,
}

/// Room for the checks.
pub(crate) struct Scratch<'a> {
    /// For each task its key.
    pub(crate) keys: &'a mut [Key],
    /// For each task where its dependencies begin in `found`.
    pub(crate) begin: &'a mut [u32],
    /// For each dependency of each task, in the order of the declaration, the place of that task.
    pub(crate) found: &'a mut [u32],
    /// For each task which of its dependencies comes next, counted from 1; 0 before it is visited.
    pub(crate) next: &'a mut [u32],
    /// For each task the last one found to depend on it, counted from 1. Later the way from the task where the search
    /// for a cycle began to where it is; then the cycle.
    pub(crate) path: &'a mut [u32],
}

/// A task all of whose dependencies have been visited.
const DONE: u32 = u32::MAX;

/// Notes for each task what is wrong with it, and returns how many of the tasks in `path` form a cycle.
///
/// Of very many unknown dependencies only the first are noted. A cycle is looked for once all else is well: a depth-first
/// search along the dependencies, with a stack of its own.
pub(crate) const fn find_problems<'a>(
    nodes: &[Node<'a>],
    problems: &mut [Option<Problem>],
    scratch: &mut Scratch<'_>,
) -> usize {
    index::fill(nodes, scratch.keys);
    let mut sound = !find_duplicates(nodes, scratch.keys, problems);
    let mut guesses = Guesses::new();
    let (mut place, mut end, mut unknown) = (0, 0, 0);
    while place < nodes.len() {
        scratch.begin[place] = end;
        #[allow(clippy::cast_possible_truncation, reason = "there are fewer than 2^32 edges")]
        let len = nodes[place].dependencies.len() as u32;
        end += len;
        if problems[place].is_none()
            && let Some(problem) = problem(nodes, scratch, place)
        {
            sound = false;
            problems[place] = match problem {
                Problem::UnknownDependency { .. } if unknown == MOST_NAMES => None,
                Problem::UnknownDependency { dependency, .. } => {
                    unknown += 1;
                    let name = nodes[place].dependencies[dependency];
                    let nearest = guesses.guess(name, place, nodes);
                    Some(Problem::UnknownDependency { dependency, nearest })
                }
                other => Some(other),
            };
        }
        place += 1;
    }
    let mut root = 0;
    while sound && root < nodes.len() {
        if scratch.next[root] == 0 {
            let len = cycle_from(root, nodes, scratch);
            if len > 0 {
                problems[scratch.path[0] as usize] = Some(Problem::Cycle);
                return len;
            }
        }
        root += 1;
    }
    0
}

/// Notes the tasks whose id a task before them has: among the sorted keys, each such group has its first task in front.
const fn find_duplicates(
    nodes: &[Node<'_>],
    keys: &[Key],
    problems: &mut [Option<Problem>],
) -> bool {
    let (mut found, mut at) = (false, 1);
    while at < keys.len() {
        if is_same_id(nodes, keys[at - 1], keys[at]) {
            problems[keys[at].place()] = Some(Problem::Duplicate);
            found = true;
        }
        at += 1;
    }
    found
}

/// Looks up what a task names.
#[allow(clippy::cast_possible_truncation, reason = "there are fewer than 2^32 tasks")]
const fn problem(nodes: &[Node<'_>], scratch: &mut Scratch<'_>, place: usize) -> Option<Problem> {
    let Node { dependencies, rule_tasks, .. } = nodes[place];
    let begin = scratch.begin[place] as usize;
    let mut at = 0;
    while at < dependencies.len() {
        let Some(dependency) = find(nodes, scratch.keys, dependencies[at]) else {
            return Some(Problem::UnknownDependency { dependency: at, nearest: None });
        };
        scratch.found[begin + at] = dependency as u32;
        scratch.path[dependency] = place as u32 + 1;
        at += 1;
    }
    at = 0;
    while at < rule_tasks.len() {
        match find(nodes, scratch.keys, rule_tasks[at]) {
            Some(named) if scratch.path[named] == place as u32 + 1 => at += 1,
            _ => return Some(Problem::RuleNamesStranger { named: at }),
        }
    }
    None
}

/// Searches what a task depends on, and returns the length of the cycle that is found first; it is in `path` then.
#[allow(clippy::cast_possible_truncation, reason = "there are fewer than 2^32 tasks")]
const fn cycle_from(root: usize, nodes: &[Node<'_>], scratch: &mut Scratch<'_>) -> usize {
    scratch.path[0] = root as u32;
    scratch.next[root] = 1;
    let mut depth = 1;
    while depth > 0 {
        let place = scratch.path[depth - 1] as usize;
        let at = scratch.next[place] as usize - 1;
        if at == nodes[place].dependencies.len() {
            scratch.next[place] = DONE;
            depth -= 1;
            continue;
        }
        scratch.next[place] += 1;
        let parent = scratch.found[scratch.begin[place] as usize + at];
        if scratch.next[parent as usize] == 0 {
            scratch.next[parent as usize] = 1;
            scratch.path[depth] = parent;
            depth += 1;
        } else if scratch.next[parent as usize] != DONE {
            return arrange(scratch.path, depth, parent);
        }
    }
    0
}

/// Puts the cycle that closes at `parent` to the front of the way: each task after one that it depends on, and the first
/// declared in front, so that the text does not depend on where the search began. Returns its length.
const fn arrange(path: &mut [u32], depth: usize, parent: u32) -> usize {
    reverse(path, 0, depth);
    let (mut len, mut first) = (1, 0);
    while path[len - 1] != parent {
        len += 1;
    }
    let mut at = 1;
    while at < len {
        if path[at] < path[first] {
            first = at;
        }
        at += 1;
    }
    reverse(path, 0, first);
    reverse(path, first, len);
    reverse(path, 0, len);
    len
}

const fn reverse(numbers: &mut [u32], mut from: usize, mut to: usize) {
    while from + 1 < to {
        to -= 1;
        numbers.swap(from, to);
        from += 1;
    }
}

/// Puts names to a problem.
pub(crate) const fn fault<'a>(
    problem: Problem,
    node: &Node<'a>,
    nodes: &[Node<'a>],
    cycle: &'a [&'a str],
) -> Fault<'a> {
    let task = node.id;
    match problem {
        Problem::Duplicate => Fault::Duplicate { task },
        Problem::UnknownDependency { dependency, nearest } => Fault::UnknownDependency {
            task,
            dependency: node.dependencies[dependency],
            nearest: match nearest {
                Some(place) => Some(nodes[place].id),
                None => None,
            },
        },
        Problem::RuleNamesStranger { named } => {
            Fault::RuleNamesStranger { task, named: node.rule_tasks[named] }
        }
        Problem::Cycle => Fault::Cycle { cycle },
    }
}

/// Counts the dependencies of all tasks, for [`Check`].
#[must_use]
pub const fn count_dependencies(tasks: &[TaskMeta]) -> usize {
    let (mut count, mut place) = (0, 0);
    while place < tasks.len() {
        count += tasks[place].dependencies.len();
        place += 1;
    }
    count
}

/// What `workflow!` makes of its `N` tasks and their `E` dependencies while it is compiled.
#[derive(Debug)]
pub struct Check<const N: usize, const E: usize> {
    workflow: &'static str,
    nodes: [Node<'static>; N],
    problems: [Option<Problem>; N],
    /// The ids of the cycle, if there is one: so many of them.
    cycle: [&'static str; N],
    cycle_len: usize,
}

impl<const N: usize, const E: usize> Check<N, E> {
    /// Checks the tasks of a workflow.
    #[must_use]
    pub const fn new(workflow: &'static str, tasks: &[TaskMeta; N]) -> Self {
        let mut nodes = [Node { id: "", dependencies: &[], rule_tasks: &[] }; N];
        let mut place = 0;
        while place < N {
            let TaskMeta { id, dependencies, rule_tasks, .. } = tasks[place];
            nodes[place] = Node { id, dependencies, rule_tasks };
            place += 1;
        }
        let (mut begin, mut next, mut path) = ([0; N], [0; N], [0; N]);
        let mut problems = [None; N];
        let mut scratch = Scratch {
            keys: &mut [Key::NONE; N],
            begin: &mut begin,
            found: &mut [0; E],
            next: &mut next,
            path: &mut path,
        };
        let cycle_len = find_problems(&nodes, &mut problems, &mut scratch);
        let mut cycle = [""; N];
        let mut at = 0;
        while at < cycle_len {
            cycle[at] = nodes[path[at] as usize].id;
            at += 1;
        }
        Self { workflow, nodes, problems, cycle, cycle_len }
    }

    /// Does nothing if the task at that place is in order.
    ///
    /// # Panics
    ///
    /// With a sentence that tells what is wrong with it: the error of rustc, where this is called.
    #[track_caller]
    pub const fn report(&'static self, place: usize) {
        if let Some(problem) = self.problems[place] {
            let (cycle, _) = self.cycle.split_at(self.cycle_len);
            let fault = fault(problem, &self.nodes[place], &self.nodes, cycle);
            let text: Text = message::text(self.workflow, &fault);
            panic!("{}", text.as_str());
        }
    }
}
