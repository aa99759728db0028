//! What must hold after each transaction, and at the beginning of each body.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use cloacina_core::backend::{
    AttemptState, EventKind, EventRecord, ExecutionRecord, ExecutionSnapshot, TaskRecord,
};
use cloacina_core::{Durability, ExecutionId, PipelineStatus, TaskId, TaskState};
use tokio::time::Instant;

use super::flow::{all_tasks, task_name};
use super::history::{CountedDeath, Ended, History, ProcessId, Run, Step};
use super::scenario::{Scenario, Version};
use super::{Promise, Violation};
use crate::MemoryBackend;

/// The store as the last transaction left it.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: BTreeMap<ExecutionId, Seen>,
}

/// An execution as the last transaction left it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) snapshot: ExecutionSnapshot,
    pub(super) events: Vec<EventRecord>,
    /// When each task was committed.
    pub(super) committed: BTreeMap<TaskId, Step>,
    /// The version that it was submitted with.
    submitted_with: Arc<str>,
    /// When it came to be.
    pub(super) began: Instant,
    /// When it had ended.
    pub(super) ended: Option<Instant>,
}

/// Collects what is wrong with one execution.
struct Findings<'a> {
    about: ExecutionId,
    found: &'a mut Vec<Violation>,
}

impl Findings<'_> {
    fn expect(&mut self, holds: bool, promise: Promise, text: impl FnOnce() -> String) {
        if !holds {
            self.found.push(Violation { promise, about: Some(self.about), text: text() });
        }
    }
}

impl Watch {
    pub(super) fn execution(&self, id: ExecutionId) -> Option<&Seen> {
        self.seen.get(&id)
    }

    /// Counts the takeovers on record.
    pub(super) fn takeovers(&self) -> usize {
        let events = self.seen.values().flat_map(|seen| &seen.events);
        events.filter(|record| record.event.kind == EventKind::Recovered).count()
    }

    pub(super) fn executions(&self) -> impl Iterator<Item = (&ExecutionId, &Seen)> {
        self.seen.iter()
    }

    /// Lists the executions that any worker of the version that they were submitted with could take up: one of another
    /// version may have completed what does not fit any more.
    pub(super) fn claimable(&self, now: DateTime<Utc>) -> BTreeSet<ExecutionId> {
        let free = self.seen.iter().filter(|(_, seen)| {
            let record = &seen.snapshot.record;
            let open = matches!(record.status, PipelineStatus::Pending | PipelineStatus::Running);
            let same = record.workflow.version == seen.submitted_with;
            open && same && record.owner.is_none() && record.due_at.is_none_or(|due| due <= now)
        });
        free.map(|(id, _)| *id).collect()
    }

    /// Finds an unfinished execution that a worker of that process owns.
    pub(super) fn owned_by(&self, process: ProcessId, history: &History) -> Option<ExecutionId> {
        let owned = self.seen.iter().find(|(_, seen)| {
            let record = &seen.snapshot.record;
            let owner = record.owner.and_then(|owner| history.workers.get(&owner));
            owner == Some(&process) && !record.status.is_terminal()
        });
        owned.map(|(id, _)| *id)
    }

    /// Compares the store with how it was before the last transaction.
    pub(super) fn look(
        &mut self,
        store: &MemoryBackend,
        scenario: &Scenario,
        history: &mut History,
    ) -> Vec<Violation> {
        history.registered.extend(store.registered());
        let mut found = Vec::new();
        let mut missing: BTreeSet<ExecutionId> = self.seen.keys().copied().collect();
        for (snapshot, events) in store.everything() {
            let id = snapshot.record.id;
            missing.remove(&id);
            let mut findings = Findings { about: id, found: &mut found };
            let committed = match self.seen.get(&id) {
                Some(before) => {
                    if before.snapshot.record == snapshot.record
                        && before.snapshot.tasks.len() == snapshot.tasks.len()
                        && before.events.len() == events.len()
                        && before.snapshot.tasks == snapshot.tasks
                    {
                        continue;
                    }
                    changed(before, &snapshot, history, &mut findings);
                    before.committed.clone()
                }
                None => {
                    let repeated = snapshot.record.retry_of;
                    if let Some(source) = repeated.and_then(|id| self.seen.get(&id)) {
                        kept(source, &snapshot, &mut findings);
                    }
                    let owner = snapshot.record.owner;
                    let known = owner.is_none_or(|owner| history.registered.contains(&owner));
                    findings.expect(known, Promise::OneOwner, || {
                        "it belongs to a worker that is not registered yet: anybody may free it"
                            .to_owned()
                    });
                    BTreeMap::new()
                }
            };
            let before = self.seen.get(&id);
            tell(before, &snapshot, &events, history);
            let committed = note_commits(committed, &snapshot, history);
            finished(&snapshot, scenario, &mut findings);
            let now = Instant::now();
            let began = before.map_or(now, |seen| seen.began);
            let submitted_with =
                before.map_or(&snapshot.record.workflow.version, |seen| &seen.submitted_with);
            let submitted_with = Arc::clone(submitted_with);
            let ended = before.and_then(|seen| seen.ended);
            let over = snapshot.record.status.is_terminal();
            let ended = ended.or_else(|| over.then_some(now));
            self.seen
                .insert(id, Seen { snapshot, events, committed, submitted_with, began, ended });
        }
        for about in missing {
            let text = "an execution is gone".to_owned();
            found.push(Violation { promise: Promise::Lost, about: Some(about), text });
        }
        found
    }

    /// Checks that a body may begin.
    pub(super) fn check_begin(
        &self,
        run: &Run,
        scenario: &Scenario,
        history: &History,
    ) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut findings = Findings { about: run.execution, found: &mut found };
        let Some(seen) = self.seen.get(&run.execution) else {
            findings.expect(false, Promise::Order, || {
                format!("{} begins before its execution is committed", run.task)
            });
            return found;
        };
        let row = |task: &str| seen.snapshot.tasks.iter().find(|row| row.task == task);
        let record = &seen.snapshot.record;
        let owner = record.owner.and_then(|owner| history.workers.get(&owner));
        let owns = owner == Some(&run.process);
        for (parent, number) in &run.parents {
            let made = row(parent).and_then(|row| row.output.as_ref()).map(|text| text.as_str());
            // Whoever lost the execution hears of it with the answer to its commit, which is not waited for here.
            let on_its_way = (made.is_none() || !owns) && is_pipelined(scenario, run, parent);
            let holds = made == Some(&*number.to_string()) || on_its_way;
            findings.expect(holds, Promise::Order, || {
                format!("{} begins with run {number} of {parent}, committed is {made:?}", run.task)
            });
        }
        if owns && !record.status.is_terminal() {
            findings.expect(row(&run.task).is_none(), Promise::AtLeastOnce, || {
                format!("{} begins again though its result is committed", run.task)
            });
            let attempts = seen.snapshot.attempts.iter().filter(|it| run.task == it.task.as_str());
            let mut failed = attempts.filter(|it| it.state == AttemptState::Failed);
            findings.expect(
                failed.all(|it| it.attempt < run.attempt),
                Promise::AtLeastOnce,
                || format!("{} makes attempt {} again, which has failed", run.task, run.attempt),
            );
        }
        let told = history.held_back.get(&run.execution) == Some(&run.process);
        let stands = matches!(record.status, PipelineStatus::Paused | PipelineStatus::Cancelled);
        let held_back = told && stands;
        findings.expect(!held_back, Promise::Semantics, || {
            format!("{} begins though its user was told that nothing does", run.task)
        });
        found
    }
}

/// Reports whether what depends on a task need not wait for its commit.
fn is_pipelined(scenario: &Scenario, run: &Run, task: &str) -> bool {
    let flows = all_tasks(scenario, run.version);
    let plans = flows.iter().find(|(name, _)| *name == run.flow).map(|(_, plans)| plans);
    let plan = plans.and_then(|plans| (0..plans.len()).find(|&place| task_name(place) == task));
    plan.zip(plans).is_some_and(|(place, plans)| plans[place].durability == Durability::Pipelined)
}

/// Notes in the history what a transaction changed.
fn tell(
    before: Option<&Seen>,
    now: &ExecutionSnapshot,
    events: &[EventRecord],
    history: &mut History,
) {
    let name = history.name(now.record.id);
    let status = |record: &ExecutionRecord| (record.status, record.owner, record.epoch);
    let was = before.map(|seen| status(&seen.snapshot.record));
    if was != Some(status(&now.record)) {
        let owner = now.record.owner.and_then(|owner| history.workers.get(&owner));
        let owner = owner.map_or_else(|| "nobody".to_owned(), |owner| format!("p{}", owner.0));
        let (status, epoch, took) = (now.record.status, now.record.epoch, now.record.takeovers);
        history
            .say(&format!("{name} is {status}, owned by {owner}, epoch {epoch}, takeovers {took}"));
    }
    let told = before.map_or(0, |seen| seen.events.len());
    for event in events.iter().skip(told) {
        let owner = before.and_then(|seen| seen.snapshot.record.owner);
        let owner = owner.and_then(|owner| history.workers.get(&owner).copied());
        if let Some(process) = owner.filter(|_| event.event.kind == EventKind::Recovered) {
            let (execution, at) = (now.record.id, Instant::now());
            history.deaths.push(CountedDeath { execution, process, at });
        }
        history.event(now.record.id, event.event.kind, &event.event.detail);
    }
}

fn note_commits(
    mut committed: BTreeMap<TaskId, Step>,
    now: &ExecutionSnapshot,
    history: &mut History,
) -> BTreeMap<TaskId, Step> {
    let name = history.name(now.record.id);
    for row in &now.tasks {
        if !committed.contains_key(&row.task) {
            let output = row.output.as_ref().map_or("", |text| text.as_str());
            let (task, state) = (&row.task, row.state);
            let step = history.say(&format!("{name} {task} is committed: {state} {output}"));
            committed.insert(row.task.clone(), step);
        }
    }
    committed
}

/// What may change in one transaction, and what may not.
fn changed(before: &Seen, now: &ExecutionSnapshot, history: &History, findings: &mut Findings<'_>) {
    let (was, is) = (&before.snapshot.record, &now.record);
    if was.status.is_terminal() {
        let same =
            (was.status, &was.error, was.finished_at) == (is.status, &is.error, is.finished_at);
        findings.expect(same, Promise::Final, || format!("{} became {}", was.status, is.status));
        findings.expect(before.snapshot.tasks == now.tasks, Promise::Final, || {
            "a task was changed after the end".to_owned()
        });
    }
    for row in &before.snapshot.tasks {
        let same = now.tasks.iter().any(|other| other == row);
        findings.expect(same, Promise::ExactlyOnce, || {
            format!("the committed result of {} was changed", row.task)
        });
    }
    findings.expect(is.epoch >= was.epoch, Promise::Fenced, || {
        format!("the epoch fell from {} to {}", was.epoch, is.epoch)
    });
    if let Some(owner) = is.owner.filter(|owner| was.owner != Some(*owner)) {
        let free = was.owner.is_none() && is.epoch == was.epoch + 1;
        findings.expect(free, Promise::OneOwner, || {
            format!("{owner} owns it at once with another, under epoch {}", is.epoch)
        });
    }
    let fresh = now.tasks.iter().filter(|row| !before.committed.contains_key(&row.task));
    for row in fresh.filter(|_| is.status != PipelineStatus::Cancelled) {
        let owner = was.owner.and_then(|owner| history.workers.get(&owner));
        findings.expect(owner.is_some() && was.epoch == is.epoch, Promise::Fenced, || {
            format!("{} was committed by nobody's leave", row.task)
        });
        made_by_owner(row, owner.copied(), is.id, history, findings);
    }
}

/// An execution that repeats another begins with what that has completed.
fn kept(source: &Seen, now: &ExecutionSnapshot, findings: &mut Findings<'_>) {
    let completed = source.snapshot.tasks.iter().filter(|row| row.state == TaskState::Completed);
    for row in completed {
        let kept =
            now.tasks.iter().any(|other| (&other.task, &other.output) == (&row.task, &row.output));
        findings.expect(kept, Promise::ExactlyOnce, || {
            format!("it begins without the result of {} in the execution that it repeats", row.task)
        });
    }
    findings.expect(
        now.tasks.iter().all(|row| row.state == TaskState::Completed),
        Promise::ExactlyOnce,
        || "it begins with what has failed in the execution that it repeats".to_owned(),
    );
}

/// A committed result is that of a run of its owner, which came to its end.
fn made_by_owner(
    row: &TaskRecord,
    owner: Option<ProcessId>,
    execution: ExecutionId,
    history: &History,
    findings: &mut Findings<'_>,
) {
    if row.state != TaskState::Completed {
        return;
    }
    let number = row.output.as_ref().and_then(|text| text.as_str().parse().ok());
    let Some(run) = number.and_then(|number| history.run(number)) else {
        return findings.expect(false, Promise::ExactlyOnce, || {
            format!("{} completed without a run that made its result", row.task)
        });
    };
    let its = run.execution == execution && row.task == run.task.as_str();
    findings.expect(its && run.attempt == row.attempts, Promise::ExactlyOnce, || {
        format!("{} has the result of attempt {} of {}", row.task, run.attempt, run.task)
    });
    findings.expect(run.ended == Some(Ended::Completed), Promise::ExactlyOnce, || {
        format!("{} is committed before its body ended", row.task)
    });
    findings.expect(owner == Some(run.process), Promise::Fenced, || {
        format!("{} was made by p{}, which does not own it", row.task, run.process.0)
    });
}

/// An execution has ended exactly when all its tasks have.
fn finished(now: &ExecutionSnapshot, scenario: &Scenario, findings: &mut Findings<'_>) {
    let ended: BTreeSet<&str> = now.tasks.iter().map(|row| row.task.as_str()).collect();
    let lacks = |version| {
        let all = all_tasks(scenario, version);
        let tasks = all.into_iter().find(|(name, _)| **name == *now.record.workflow.name);
        let count = tasks.map_or(0, |(_, tasks)| tasks.len());
        (0..count).map(task_name).filter(|task| !ended.contains(task.as_str())).count()
    };
    if now.record.status.is_terminal() {
        let whole = lacks(Version::First) == 0 || lacks(Version::Next) == 0;
        findings.expect(whole, Promise::Final, || {
            format!("it is {} and not all of its tasks have ended: {ended:?}", now.record.status)
        });
        let at = now.record.finished_at;
        findings.expect(at.is_some(), Promise::Final, || "it ended at no time".to_owned());
    }
}
