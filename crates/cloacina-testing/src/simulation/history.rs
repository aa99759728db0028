//! What was seen of a simulation from outside, in order: what bodies did, what users were told, what became of processes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use cloacina_core::backend::EventKind;
use cloacina_core::{ExecutionId, PipelineResult, PipelineStatus, WorkerId};
use serde_json::Value;
use tokio::time::Instant;

use super::scenario::Version;

/// Counts what happens: of two steps the earlier one has the smaller number.
pub(super) type Step = u64;

/// One incarnation of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ProcessId(pub(super) u32);

/// One run of a body.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) process: ProcessId,
    pub(super) execution: ExecutionId,
    /// The name of its workflow.
    pub(super) flow: String,
    pub(super) task: String,
    pub(super) attempt: u32,
    /// The context that it was given.
    pub(super) saw: BTreeMap<String, Value>,
    /// The runs that made the results of its dependencies, of those that completed.
    pub(super) parents: BTreeMap<String, u64>,
    pub(super) began: Step,
    pub(super) time: RunTime,
    /// How many bodies its process may run at once.
    pub(super) slots: usize,
    /// Which version of the workflows its process knows.
    pub(super) version: Version,
    /// What it came to, if it came to its end.
    pub(super) ended: Option<Ended>,
    /// Its process died while it ran.
    pub(super) crashed: bool,
}

/// When it was.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunTime {
    pub(super) began: Instant,
    /// When its body came to its end, if it did.
    pub(super) ended: Option<Instant>,
    /// From when on nothing of it ran, whether it had come to its end, was stopped, or died.
    pub(super) over: Option<Instant>,
}

/// A death that was counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct CountedDeath {
    pub(super) execution: ExecutionId,
    /// Who owned it.
    pub(super) process: ProcessId,
    pub(super) at: Instant,
}

/// What a body came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Completed,
    Failed,
}

/// What a user heard about a submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Acknowledged {
    pub(super) submit: usize,
    pub(super) key: Option<u8>,
    pub(super) execution: ExecutionId,
}

/// Everything that was seen.
#[derive(Debug)]
pub(super) struct History {
    began: Instant,
    step: Step,
    lines: Vec<String>,
    pub(super) runs: Vec<Run>,
    pub(super) acknowledged: Vec<Acknowledged>,
    /// Executions of which a user was told that they are cancelled.
    pub(super) cancelled: Vec<ExecutionId>,
    /// Executions that are not to start anything, as somebody was told in that process.
    pub(super) held_back: BTreeMap<ExecutionId, ProcessId>,
    /// Processes that were asked to shut down, and when.
    pub(super) leaving: BTreeMap<ProcessId, Instant>,
    /// Processes that left in good order.
    pub(super) left: BTreeSet<ProcessId>,
    /// Executions that retries were acknowledged as.
    pub(super) retried: Vec<ExecutionId>,
    /// The results that users got.
    pub(super) told: Vec<(ExecutionId, PipelineStatus, Value)>,
    /// Whose a worker is.
    pub(super) workers: BTreeMap<WorkerId, ProcessId>,
    /// The workers that were registered at some time.
    pub(super) registered: BTreeSet<WorkerId>,
    /// Until when each process knows that it counts as alive.
    pub(super) leases: BTreeMap<ProcessId, Instant>,
    /// Until when each process that stood still did so.
    pub(super) still: BTreeMap<ProcessId, Instant>,
    /// When each process was gone.
    pub(super) gone: BTreeMap<ProcessId, Instant>,
    pub(super) deaths: Vec<CountedDeath>,
    names: BTreeMap<ExecutionId, usize>,
}

impl History {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            step: 0,
            lines: Vec::new(),
            runs: Vec::new(),
            acknowledged: Vec::new(),
            cancelled: Vec::new(),
            held_back: BTreeMap::new(),
            leaving: BTreeMap::new(),
            left: BTreeSet::new(),
            retried: Vec::new(),
            told: Vec::new(),
            workers: BTreeMap::new(),
            registered: BTreeSet::new(),
            leases: BTreeMap::new(),
            still: BTreeMap::new(),
            gone: BTreeMap::new(),
            deaths: Vec::new(),
            names: BTreeMap::new(),
        }
    }

    /// Counts a step.
    pub(super) const fn tick(&mut self) -> Step {
        self.step += 1;
        self.step
    }

    /// Notes an error, with the names of executions in place of their ids.
    pub(super) fn say_failed(&mut self, what: &str, error: &dyn std::error::Error) {
        let mut text = format!("{what} failed: {error}");
        for (id, place) in &self.names {
            text = text.replace(&id.to_string(), &format!("e{place}"));
        }
        self.say(&text);
    }

    /// Notes something, with the time.
    pub(super) fn say(&mut self, text: &str) -> Step {
        let step = self.tick();
        let at = self.began.elapsed().as_millis();
        self.lines.push(format!("{at:>7} ms  {text}"));
        step
    }

    /// Names an execution by its place, since its id differs from run to run.
    pub(super) fn name(&mut self, id: ExecutionId) -> String {
        let next = self.names.len();
        format!("e{}", self.names.entry(id).or_insert(next))
    }

    /// Lists all executions that were seen.
    pub(super) fn executions(&self) -> Vec<ExecutionId> {
        self.names.keys().copied().collect()
    }

    pub(super) fn begin(&mut self, mut run: Run) -> u64 {
        let number = self.runs.len() as u64;
        let name = self.name(run.execution);
        let (process, task, attempt) = (run.process.0, &run.task, run.attempt);
        let text = format!("p{process} {name} {task} begins run {number}, attempt {attempt}");
        run.began = self.say(&text);
        self.runs.push(run);
        number
    }

    pub(super) fn end(&mut self, number: u64, ended: Ended) {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(run) = self.runs.get_mut(place) else { return };
        run.ended = Some(ended);
        run.time.ended = Some(Instant::now());
        let (process, task, execution) = (run.process.0, run.task.clone(), run.execution);
        let name = self.name(execution);
        self.say(&format!("p{process} {name} {task} ends run {number}: {ended:?}"));
    }

    /// Notes that nothing of a run goes on any more.
    pub(super) fn over(&mut self, number: u64) {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(run) = self.runs.get_mut(place) {
            run.time.over.get_or_insert(Instant::now());
        }
    }

    /// Notes until when the store counts a process as alive, as that has been told.
    pub(super) fn renew(&mut self, process: ProcessId, until: Instant) {
        let lease = self.leases.entry(process).or_insert(until);
        *lease = until.max(*lease);
    }

    /// Notes that a process stands still.
    pub(super) fn stand_still(&mut self, process: ProcessId, until: Instant) {
        let still = self.still.entry(process).or_insert(until);
        *still = until.max(*still);
    }

    /// Notes that a process is gone, with all that ran in it.
    pub(super) fn note_gone(&mut self, process: ProcessId) {
        self.gone.insert(process, Instant::now());
        for run in &mut self.runs {
            if run.process == process && run.ended.is_none() {
                run.crashed = true;
            }
        }
    }

    pub(super) fn acknowledge(&mut self, submit: usize, key: Option<u8>, execution: ExecutionId) {
        let name = self.name(execution);
        self.say(&format!("submit {submit} is acknowledged as {name}"));
        self.acknowledged.push(Acknowledged { submit, key, execution });
    }

    pub(super) fn tell(&mut self, result: &PipelineResult) {
        let name = self.name(result.execution_id);
        self.say(&format!("a user is told that {name} is {}", result.status));
        let context = result.final_context.clone().into_value();
        self.told.push((result.execution_id, result.status, context));
    }

    pub(super) fn run(&self, number: u64) -> Option<&Run> {
        usize::try_from(number).ok().and_then(|place| self.runs.get(place))
    }

    pub(super) fn event(&mut self, id: ExecutionId, kind: EventKind, detail: &str) {
        let name = self.name(id);
        // Words about a worker hold its id.
        let named = matches!(kind, EventKind::Recovered | EventKind::Fenced);
        let detail = if named { "" } else { detail };
        self.say(&format!("{name} event {} {detail}", kind.as_str()));
    }

    /// Writes down what concerns an execution, or everything.
    pub(super) fn text(&mut self, about: Option<ExecutionId>) -> String {
        let name = about.map(|id| format!(" {} ", self.name(id)));
        let mut text = String::new();
        for line in &self.lines {
            let padded = format!("{line} ");
            if name.as_ref().is_none_or(|name| padded.contains(name) || !padded.contains(" e")) {
                let _ = writeln!(text, "{line}");
            }
        }
        text
    }

    /// Sums up all that happened: equal for equal histories.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.lines.hash(&mut hasher);
        hasher.finish()
    }

    pub(super) const fn len(&self) -> usize {
        self.lines.len()
    }
}
