//! The rules that a DAG keeps, in constant functions: `workflow!` asks them while it is compiled, `Workflow::builder` when
//! it is called.
//!
//! Constant functions have neither a heap nor hash maps. So tasks are found by a binary search among their sorted
//! places, and whatever is written goes into slices of the caller's.

use super::message::{self, Fault, Text};
use super::nearest::nearest;
use super::text;
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

/// Room for the search: one number a task in each.
pub(crate) struct Scratch<'a> {
    /// The places of the tasks, sorted by id.
    pub(crate) sorted: &'a mut [u32],
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
/// A cycle is looked for once all else is well: a depth-first search along the dependencies, with a stack of its own.
#[allow(clippy::cast_possible_truncation, reason = "there are fewer than 2^32 tasks")]
pub(crate) const fn find_problems(
    nodes: &[Node<'_>],
    problems: &mut [Option<Problem>],
    scratch: &mut Scratch<'_>,
) -> usize {
    sort(nodes, scratch.sorted);
    let mut sound = true;
    let mut place = 0;
    while place < nodes.len() {
        problems[place] = problem(nodes, scratch.sorted, scratch.path, place);
        sound = sound && problems[place].is_none();
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

#[allow(clippy::cast_possible_truncation, reason = "there are fewer than 2^32 tasks")]
const fn problem(
    nodes: &[Node<'_>],
    sorted: &[u32],
    dependents: &mut [u32],
    place: usize,
) -> Option<Problem> {
    let Node { id, dependencies, rule_tasks } = nodes[place];
    if let Some(first) = find(nodes, sorted, id)
        && first < place
    {
        return Some(Problem::Duplicate);
    }
    let mut at = 0;
    while at < dependencies.len() {
        let Some(dependency) = find(nodes, sorted, dependencies[at]) else {
            let nearest = nearest(dependencies[at], place, nodes);
            return Some(Problem::UnknownDependency { dependency: at, nearest });
        };
        dependents[dependency] = place as u32 + 1;
        at += 1;
    }
    at = 0;
    while at < rule_tasks.len() {
        match find(nodes, sorted, rule_tasks[at]) {
            Some(named) if dependents[named] == place as u32 + 1 => at += 1,
            _ => return Some(Problem::RuleNamesStranger { named: at }),
        }
    }
    None
}

/// Finds the place of the first task of that id.
pub(crate) const fn find(nodes: &[Node<'_>], sorted: &[u32], id: &str) -> Option<usize> {
    let (mut low, mut high) = (0, sorted.len());
    while low < high {
        let middle = low.midpoint(high);
        if text::is_less(nodes[sorted[middle] as usize].id, id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if low == sorted.len() {
        return None;
    }
    let place = sorted[low] as usize;
    if text::is_same(nodes[place].id, id) { Some(place) } else { None }
}

/// Sorts the places of the tasks by id, those of one id by place: heapsort
/// (J. W. J. Williams, "Algorithm 232: Heapsort", CACM 7(6), 1964).
#[allow(clippy::cast_possible_truncation, reason = "there are fewer than 2^32 tasks")]
const fn sort(nodes: &[Node<'_>], places: &mut [u32]) {
    let mut place = 0;
    while place < places.len() {
        places[place] = place as u32;
        place += 1;
    }
    let mut root = places.len() / 2;
    while root > 0 {
        root -= 1;
        sift_down(nodes, places, root, places.len());
    }
    let mut end = places.len();
    while end > 1 {
        end -= 1;
        places.swap(0, end);
        sift_down(nodes, places, 0, end);
    }
}

const fn sift_down(nodes: &[Node<'_>], places: &mut [u32], mut root: usize, end: usize) {
    loop {
        let mut child = 2 * root + 1;
        if child >= end {
            return;
        }
        if child + 1 < end && goes_before(nodes, places[child], places[child + 1]) {
            child += 1;
        }
        if !goes_before(nodes, places[root], places[child]) {
            return;
        }
        places.swap(root, child);
        root = child;
    }
}

const fn goes_before(nodes: &[Node<'_>], left: u32, right: u32) -> bool {
    let (one, other) = (nodes[left as usize].id, nodes[right as usize].id);
    text::is_less(one, other) || (left < right && text::is_same(one, other))
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
        let Some(parent) = find(nodes, scratch.sorted, nodes[place].dependencies[at]) else {
            continue;
        };
        if scratch.next[parent] == 0 {
            scratch.next[parent] = 1;
            scratch.path[depth] = parent as u32;
            depth += 1;
        } else if scratch.next[parent] != DONE {
            return arrange(scratch.path, depth, parent as u32);
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

/// What `workflow!` makes of its tasks while it is compiled.
#[derive(Debug)]
pub struct Check<const N: usize> {
    workflow: &'static str,
    nodes: [Node<'static>; N],
    problems: [Option<Problem>; N],
    /// The ids of the cycle, if there is one: so many of them.
    cycle: [&'static str; N],
    cycle_len: usize,
}

impl<const N: usize> Check<N> {
    /// Checks the tasks of a workflow.
    #[must_use]
    pub const fn new(workflow: &'static str, tasks: [TaskMeta; N]) -> Self {
        let mut nodes = [Node { id: "", dependencies: &[], rule_tasks: &[] }; N];
        let mut place = 0;
        while place < N {
            let TaskMeta { id, dependencies, rule_tasks, .. } = tasks[place];
            nodes[place] = Node { id, dependencies, rule_tasks };
            place += 1;
        }
        let (mut sorted, mut next, mut path) = ([0; N], [0; N], [0; N]);
        let mut problems = [None; N];
        let mut scratch = Scratch { sorted: &mut sorted, next: &mut next, path: &mut path };
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
