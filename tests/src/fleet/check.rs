//! The judge: what the records must say if the engine keeps its promises. Reads evidence, touches nothing.
//!
//! Promises are named as in the design (`G1` to `G10`); the invariants that a checker can verify have numbers of their own (`I01` to
//! `I18`, `L1`).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use super::database::{Committed, Ownership};
use super::evidence::{Evidence, edges, parents};
use crate::effects::{Kind, Line, RunId};

/// What kind of damage was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Harm {
    /// Something acknowledged or committed is missing.
    Lost,
    /// Something happened twice, or two did what one may do.
    Duplicated,
    /// A body began before what it depends on was committed.
    OutOfOrder,
    /// It has not ended though nothing goes wrong any more.
    Stuck,
    /// It is not what it has to be.
    Wrong,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The damage.
    pub harm: Harm,
    /// The promise.
    pub promise: &'static str,
    /// The execution.
    pub execution: String,
    /// What was found.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}: {} broken by execution {}: {}",
            self.harm, self.promise, self.execution, self.what
        )
    }
}

/// How many tasks of an execution run at once: a task begins only when those before it are committed.
const WIDTH: usize = 3;

/// Collects violations.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Violation>);

impl Findings {
    pub(super) fn add(
        &mut self,
        harm: Harm,
        promise: &'static str,
        execution: &str,
        what: impl Into<String>,
    ) {
        let (execution, what) = (execution.to_owned(), what.into());
        self.0.push(Violation { harm, promise, execution, what });
    }
}

/// Checks all that holds whatever went wrong.
#[must_use]
pub fn check(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Findings::default();
    for (execution, task) in &evidence.changes {
        let what = format!("the committed result of `{task}` changed");
        found.add(Harm::Duplicated, "G2 (I03 one result)", execution, what);
    }
    check_results(evidence, &mut found);
    for history in evidence.histories.values() {
        for step in history.windows(2) {
            check_step(&step[0], &step[1], &mut found);
        }
    }
    check_fence(evidence, &mut found);
    check_order(evidence, &mut found);
    check_witnesses(evidence, &mut found);
    check_runs(evidence, &mut found);
    check_attempts(evidence, &mut found);
    found.0
}

/// Each task has one result, written once, after those before it.
fn check_results(evidence: &Evidence, found: &mut Findings) {
    let mut seen: HashMap<(&str, &str), i64> = HashMap::new();
    for row in &evidence.rows {
        if seen.insert((&row.execution, &row.task), row.seq).is_some() {
            let what = format!("committed twice: {row:?}");
            found.add(Harm::Duplicated, "G2 (I03 one result)", &row.execution, what);
        }
    }
    for row in &evidence.rows {
        for parent in parents(&row.task) {
            let before = seen.get(&(row.execution.as_str(), parent));
            if before.is_none_or(|before| *before >= row.seq) {
                let what = format!("`{}` was committed before its dependency `{parent}`", row.task);
                found.add(Harm::OutOfOrder, "G6 (I11 dependency order)", &row.execution, what);
            }
        }
    }
    for known in evidence.executions.iter().filter(|known| known.status == "completed") {
        for (task, _) in edges(&known.workflow) {
            if !seen.contains_key(&(known.execution.as_str(), *task)) {
                let what = format!("it is completed, and `{task}` has no result");
                found.add(Harm::Lost, "G2 (I14 closed)", &known.execution, what);
            }
        }
    }
}

/// Epochs grow by one with each owner, nobody takes what is owned, and what has ended stays as it is.
fn check_step(before: &Ownership, after: &Ownership, found: &mut Findings) {
    let step = format!("{before:?}, {after:?}");
    if ["completed", "failed", "cancelled"].contains(&before.status.as_str()) {
        let what = format!("changed after its end: {step}");
        found.add(Harm::Duplicated, "G5 (I13 monotone)", &before.execution, what);
    }
    let is_claim =
        after.epoch == before.epoch + 1 && before.owner.is_none() && after.owner.is_some();
    let keeps =
        after.epoch == before.epoch && (after.owner == before.owner || after.owner.is_none());
    if !is_claim && !keeps {
        let what = format!("taken while it was owned: {step}");
        found.add(Harm::Duplicated, "G10 (I07 exclusive lease)", &before.execution, what);
    }
}

/// What is committed was made by the process that owned the execution when it committed it, and by nobody else.
fn check_fence(evidence: &Evidence, found: &mut Findings) {
    let ended: HashSet<RunId> = evidence.runs(Kind::End).map(|line| line.run).collect();
    for row in &evidence.rows {
        let promise = "G4 (I05 fence)";
        let owner = evidence.workers.get(&row.owner);
        if row.pid.is_some() && owner != row.pid.as_ref() {
            let what = format!("committed by somebody else than the owner: {row:?}");
            found.add(Harm::Duplicated, promise, &row.execution, what);
        }
        let Some(made) = row.made else { continue };
        if owner != Some(&made.by.pid) {
            let what = format!("made by somebody else than the owner {owner:?}: {row:?}");
            found.add(Harm::Duplicated, promise, &row.execution, what);
        }
        if !ended.contains(&made.by) {
            let what = format!("a result of a body that did not end: {row:?}");
            found.add(Harm::Wrong, "G3 (I09 at least once)", &row.execution, what);
        }
    }
}

/// No body began before all it depends on had ended and was committed: what it saw is what is there.
fn check_order(evidence: &Evidence, found: &mut Findings) {
    let rows: HashMap<(&str, &str), &Committed> =
        evidence.rows.iter().map(|row| ((&*row.execution, &*row.task), row)).collect();
    let mut ended: HashSet<RunId> = HashSet::new();
    for line in &evidence.lines {
        match line.kind {
            Kind::End => drop(ended.insert(line.run)),
            Kind::Witness => {}
            Kind::Begin => {
                for what in wrong_begin(line, &rows, &ended) {
                    found.add(Harm::OutOfOrder, "G6 (I11 dependency order)", &line.execution, what);
                }
            }
        }
    }
}

fn wrong_begin(
    line: &Line,
    rows: &HashMap<(&str, &str), &Committed>,
    ended: &HashSet<RunId>,
) -> Vec<String> {
    let (mut wrong, mut saw) = (Vec::new(), BTreeSet::new());
    for (parent, seen) in line.details.iter().filter_map(|detail| detail.split_once('=')) {
        saw.insert(parent);
        let row = rows.get(&(line.execution.as_str(), parent));
        let is_there = match (seen.parse::<RunId>(), row) {
            (Ok(run), Some(row)) if !ended.contains(&run) => {
                wrong.push(format!("began before `{parent}` ended: {line:?}, {row:?}"));
                continue;
            }
            (Ok(run), Some(row)) => row.made.is_some_and(|made| made.by == run),
            (Err(_), Some(row)) => row.state == seen,
            (_, None) => false,
        };
        if !is_there {
            wrong.push(format!("saw of `{parent}` what is not committed: {line:?}, {row:?}"));
        }
    }
    if saw != parents(&line.task) {
        wrong.push(format!("did not see all that it depends on: {line:?}"));
    }
    wrong
}

/// A connection of the body's own found all committed that it depends on.
fn check_witnesses(evidence: &Evidence, found: &mut Findings) {
    for line in evidence.runs(Kind::Witness) {
        let seen: BTreeSet<&str> = line.details.iter().map(String::as_str).collect();
        if !seen.is_superset(&parents(&line.task)) {
            let what = format!("began before its dependencies were there: {line:?}");
            found.add(Harm::OutOfOrder, "G6 (I11 dependency order)", &line.execution, what);
        }
        if seen.contains(line.task.as_str()) && owned_at_commit(evidence, line) {
            let what = format!("ran again though committed: {line:?}");
            found.add(Harm::Duplicated, "G3 (runs again)", &line.execution, what);
        }
    }
}

/// An owner runs each attempt at most once, and nothing that was committed before it became the owner.
fn check_runs(evidence: &Evidence, found: &mut Findings) {
    let mut runs: BTreeMap<(&str, &str, u32), i64> = BTreeMap::new();
    // What somebody has seen committed.
    let mut committed: HashSet<(&str, &str)> = HashSet::new();
    for line in evidence.runs(Kind::Begin) {
        let (execution, task) = (line.execution.as_str(), line.task.as_str());
        *runs.entry((execution, task, line.attempt)).or_default() += 1;
        if committed.contains(&(execution, task)) && owned_at_commit(evidence, line) {
            let what = format!("began again after its result was committed: {line:?}");
            found.add(Harm::Duplicated, "G3 (runs again)", execution, what);
        }
        let seen = line.details.iter().filter_map(|detail| detail.split_once('='));
        committed.extend(seen.map(|(parent, _)| (execution, parent)));
    }
    for ((execution, task, attempt), runs) in runs {
        let history = evidence.histories.get(execution);
        let owners = history.into_iter().flatten().map(|step| step.epoch).max();
        let owners = owners.unwrap_or_default();
        if runs > owners {
            let what = format!("attempt {attempt} at `{task}` ran {runs} times, owners: {owners}");
            found.add(Harm::Duplicated, "G3 (runs again)", execution, what);
        }
    }
}

/// Tells whether the process of a line owned the execution not before the result of its task was committed. One that did may not know
/// yet that it does so no more: its body begins in vain.
fn owned_at_commit(evidence: &Evidence, line: &Line) -> bool {
    let mut results = evidence.results_of(&line.execution);
    let Some(row) = results.find(|row| row.task == line.task) else { return true };
    let history = evidence.histories.get(&line.execution);
    let owned = history.into_iter().flatten().filter(|step| {
        let owner = step.owner.as_ref().and_then(|owner| evidence.workers.get(owner));
        owner == Some(&line.run.pid)
    });
    owned.map(|step| step.epoch).min().is_none_or(|first| first >= row.epoch)
}

/// The attempts before the last one are on record as failed. In a workflow where nothing fails there is one only: a takeover uses
/// none up.
fn check_attempts(evidence: &Evidence, found: &mut Findings) {
    let failed: HashSet<(&str, &str, i64)> = evidence
        .attempts
        .iter()
        .filter(|one| one.state == "failed")
        .map(|one| (&*one.execution, &*one.task, one.attempt))
        .collect();
    for row in &evidence.rows {
        for attempt in 1..row.attempts {
            if !failed.contains(&(&row.execution, &row.task, attempt)) {
                let what = format!("attempt {attempt} at `{}` is not on record", row.task);
                found.add(Harm::Lost, "I06 (attempts without gaps)", &row.execution, what);
            }
        }
    }
    let montage: HashSet<&str> = edges(crate::montage::NAME).iter().map(|(id, _)| *id).collect();
    for line in evidence.runs(Kind::Begin) {
        if line.attempt != 1 && montage.contains(line.task.as_str()) {
            let what = format!("nothing failed, and it was tried again: {line:?}");
            found.add(Harm::Wrong, "I15 (bounded)", &line.execution, what);
        }
    }
}

/// Checks that whatever ran in vain did so in one of these processes, and that each takeover cost no more than what an execution runs at
/// once. What a worker stopped and gave back, because the time of its shutdown was over, is on record as such.
#[must_use]
pub fn check_vain(evidence: &Evidence, struck: &BTreeSet<u32>) -> Vec<Violation> {
    let mut found = Findings::default();
    let mut allowed: HashMap<&str, usize> = HashMap::new();
    for event in evidence.events.iter().filter(|event| event.kind == "recovered") {
        *allowed.entry(&event.execution).or_default() += WIDTH;
    }
    let mut given_back: HashMap<(&str, &str), usize> = HashMap::new();
    for one in evidence.attempts.iter().filter(|attempt| attempt.state == "released") {
        *given_back.entry((&one.execution, &one.task)).or_default() += 1;
    }
    for line in evidence.runs_in_vain() {
        let promise = "G3 (runs again)";
        let left = allowed.get(line.execution.as_str()).and_then(|left| left.checked_sub(1));
        if !struck.contains(&line.run.pid) {
            let what = format!("ran in vain though nothing happened: {line:?}");
            found.add(Harm::Duplicated, promise, &line.execution, what);
        } else if let Some(one) =
            given_back.get_mut(&(&*line.execution, &*line.task)).filter(|count| **count > 0)
        {
            *one -= 1;
            continue;
        } else if left.is_none() {
            let what = format!("no takeover explains that it ran in vain: {line:?}");
            found.add(Harm::Duplicated, promise, &line.execution, what);
        }
        allowed.insert(&line.execution, left.unwrap_or_default());
    }
    found.0
}
