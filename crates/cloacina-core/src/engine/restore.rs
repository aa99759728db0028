//! From what is on record to a state: how an execution is taken up.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::time::Instant;

use crate::backend::{
    AttemptRecord, AttemptState, Company, ExecutionRecord, ExecutionSnapshot, JsonText, Suspicion,
    TaskRecord,
};
use crate::context::Changes;
use crate::result::{between, read};
use crate::state::{ExecutionState, InputValues, Outcome, Recorded};
use crate::workflow::Structure;
use crate::{
    BackendError, ExecutionId, ExecutorConfig, SkipReason, Task, TaskId, TaskState, Workflow,
};

/// An execution ready to be driven.
pub(super) struct TakenUp {
    pub(super) id: ExecutionId,
    pub(super) epoch: u64,
    pub(super) state: ExecutionState,
    pub(super) suspects: Suspects,
    /// When a worker first owned it.
    pub(super) begun_at: Option<DateTime<Utc>>,
    /// The store's clock when it was read, or written.
    pub(super) now: DateTime<Utc>,
    /// What it does is kept for those who wait: somebody may, and nothing of it is on record but that it exists.
    pub(super) is_reported: bool,
}

impl TakenUp {
    /// Makes one that was submitted at that time, for a worker that owns it from the start.
    pub(super) fn submitted(
        id: ExecutionId,
        workflow: Workflow,
        input: InputValues,
        now: DateTime<Utc>,
    ) -> Self {
        let state = ExecutionState::new(workflow, input, []);
        let suspects = Suspects::default();
        Self { id, epoch: SUBMITTED, state, suspects, begun_at: Some(now), now, is_reported: true }
    }
}

/// The epoch of an execution that its submitter owns.
pub(super) const SUBMITTED: u64 = 1;

/// Whether an execution is suspected of crashing its workers, and for which tasks.
///
/// A crash takes down every execution in flight, so the first one proves nothing: from then on starts are on record, but
/// tasks run beside each other. After further crashes in a row, the execution's tasks run alone on their worker, and
/// a crash names its culprit. A task that ran in enough crashes in a row, and alone in at least one, is given up.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    takeovers: u32,
    /// Tasks that were running in a crash.
    tasks: BTreeSet<u32>,
}

impl Suspects {
    /// Tells whether a start has to be on record, and whether it has to be alone.
    pub(super) fn company(&self, config: &ExecutorConfig) -> Option<Company> {
        match self.takeovers {
            0 => None,
            takeovers if takeovers >= config.max_recovery_attempts.saturating_sub(1).max(1) => {
                Some(Company::Alone)
            }
            _ => Some(Company::Shared),
        }
    }

    /// Notes tasks that ended without a body, and so cannot prove themselves any more.
    pub(super) fn dismiss(&mut self, tasks: impl Iterator<Item = u32>) {
        for ordinal in tasks {
            self.tasks.remove(&ordinal);
        }
    }

    /// Notes tasks whose bodies ended without a crash. Once nobody is suspected any more, the execution is cleared.
    pub(super) fn survived(&mut self, tasks: impl Iterator<Item = u32>) -> Suspicion {
        if self.takeovers == 0 {
            return Suspicion::Keep;
        }
        let mut survivors = 0;
        for ordinal in tasks {
            survivors += 1;
            self.tasks.remove(&ordinal);
        }
        if survivors == 0 || !self.tasks.is_empty() {
            return Suspicion::Keep;
        }
        self.takeovers = 0;
        Suspicion::Clear
    }
}

/// Makes the state of an execution from its records.
pub(super) fn take_up(
    workflow: &Workflow,
    snapshot: &ExecutionSnapshot,
    config: &ExecutorConfig,
) -> Result<TakenUp, BackendError> {
    let input: BTreeMap<String, Value> = read(snapshot.input.as_str(), "the input")?;
    let mut recorded: BTreeMap<u32, Recorded> = BTreeMap::new();
    for task in &snapshot.tasks {
        // A task that the workflow no longer has was found to be harmless; its changes are lost to this version.
        if let Some(ordinal) = workflow.ordinal(task.task.as_str()) {
            recorded.entry(ordinal).or_default().outcome = Some(Box::new(outcome(task)?));
        }
    }
    let mut suspects = Suspects { takeovers: snapshot.record.takeovers, tasks: BTreeSet::new() };
    let by_task = attempts_by_task(workflow, &snapshot.attempts);
    for (ordinal, attempts) in by_task {
        let slot = recorded.entry(ordinal).or_default();
        if slot.outcome.is_some() {
            continue;
        }
        restore_attempts(slot, &attempts, snapshot);
        let crashes = attempts.iter().filter(|attempt| attempt.state == AttemptState::Lost);
        let alone = crashes.clone().any(|attempt| attempt.company == Company::Alone);
        let crashes = u32::try_from(crashes.count()).unwrap_or(u32::MAX);
        let crashes = crashes.min(snapshot.record.takeovers);
        if crashes > 0 {
            suspects.tasks.insert(ordinal);
        }
        if alone && crashes >= config.max_recovery_attempts {
            slot.abandoned =
                Some(format!("abandoned: its worker died {crashes} times while it ran").into());
        }
    }
    let is_reported = snapshot.tasks.is_empty() && snapshot.attempts.is_empty();
    let state = ExecutionState::new(workflow.clone(), input.into(), recorded);
    let ExecutionRecord { id, epoch, started_at: begun_at, .. } = snapshot.record;
    Ok(TakenUp { id, epoch, state, suspects, begun_at, now: snapshot.now, is_reported })
}

fn attempts_by_task<'a>(
    workflow: &Workflow,
    attempts: &'a [AttemptRecord],
) -> BTreeMap<u32, Vec<&'a AttemptRecord>> {
    let mut by_task: BTreeMap<u32, Vec<&AttemptRecord>> = BTreeMap::new();
    for attempt in attempts {
        if let Some(ordinal) = workflow.ordinal(attempt.task.as_str()) {
            by_task.entry(ordinal).or_default().push(attempt);
        }
    }
    by_task
}

fn restore_attempts(
    slot: &mut Recorded,
    attempts: &[&AttemptRecord],
    snapshot: &ExecutionSnapshot,
) {
    let failed = attempts.iter().filter(|attempt| attempt.state == AttemptState::Failed);
    let Some(last) = failed.clone().max_by_key(|attempt| attempt.attempt) else { return };
    slot.failed_attempts = last.attempt;
    let first = failed.map(|attempt| attempt.started_at).min();
    slot.first_started = first.and_then(|at| Instant::now().checked_sub(between(at, snapshot.now)));
    slot.retry_in =
        last.retry_at.map(|at| between(snapshot.now, at)).filter(|wait| !wait.is_zero());
}

fn outcome(task: &TaskRecord) -> Result<Outcome, BackendError> {
    Ok(match task.state {
        TaskState::Completed => Outcome::Completed {
            changes: match &task.changes {
                Some(text) => read::<Changes>(text.as_str(), "the changes of a task")?,
                None => Changes::default(),
            },
            output: task.output.clone(),
        },
        TaskState::Failed => Outcome::Failed { error: task.error.clone().unwrap_or_default() },
        TaskState::Skipped => Outcome::Skipped(task.skip.clone().unwrap_or(SkipReason::Condition)),
        TaskState::Cancelled => Outcome::Cancelled,
        TaskState::Pending | TaskState::Running => {
            return Err(BackendError::Corrupt {
                reason: format!("task `{}` has a row in state {}", task.task, task.state),
                source: None,
            });
        }
    })
}

/// Tells why an execution of another version cannot go on under this one, if it cannot: every completed task must still
/// exist and depend on the same tasks, and what has not ended must be able to take what is on record. `structure` is that of the
/// other version.
pub(super) fn misfit(
    workflow: &Workflow,
    structure: Option<&JsonText>,
    snapshot: &ExecutionSnapshot,
) -> Result<Option<String>, BackendError> {
    let Some(structure) = structure else {
        return Ok(Some("the structure of its version is not on record".to_owned()));
    };
    let structure = Structure::read(structure)?;
    if let Some(reason) = rewired(workflow, &structure, &snapshot.tasks) {
        return Ok(Some(reason));
    }
    let input: Value = read(snapshot.input.as_str(), "the input")?;
    let outputs: BTreeMap<&TaskId, Option<&JsonText>> =
        completed(&snapshot.tasks).map(|record| (&record.task, record.output.as_ref())).collect();
    let ended: BTreeSet<&TaskId> = snapshot.tasks.iter().map(|record| &record.task).collect();
    let mut waiting = workflow.tasks().iter().filter(|task| !ended.contains(&task.id));
    Ok(waiting.find_map(|task| untakeable(task, &input, &outputs)))
}

fn completed(tasks: &[TaskRecord]) -> impl Iterator<Item = &TaskRecord> {
    tasks.iter().filter(|record| record.state == TaskState::Completed)
}

/// Tells which completed task is gone or rests on others now.
fn rewired(workflow: &Workflow, before: &Structure, tasks: &[TaskRecord]) -> Option<String> {
    let before = before.dependencies();
    completed(tasks).find_map(|record| {
        let id = record.task.as_str();
        let Some(task) = workflow.task(id) else {
            return Some(format!("task `{id}` has completed and is no longer in it"));
        };
        let now: BTreeSet<&TaskId> = task.dependencies.iter().collect();
        let then = before.get(id).map(|ids| ids.iter().collect::<BTreeSet<_>>());
        then.is_none_or(|then| then != now)
            .then(|| format!("task `{id}` has completed and depends on other tasks now"))
    })
}

/// Tells what of the record a task cannot take.
fn untakeable(
    task: &Task,
    input: &Value,
    outputs: &BTreeMap<&TaskId, Option<&JsonText>>,
) -> Option<String> {
    let id = &task.id;
    let of_input = task.inputs.iter().find_map(|need| {
        let error = need.check(input).err()?;
        let ty = need.type_name;
        Some(format!("its input is not what task `{id}` takes as `{ty}`: {error}"))
    });
    of_input.or_else(|| {
        task.outputs.iter().find_map(|need| {
            let error = need.check(*outputs.get(&need.task)?).err()?;
            let (ty, from) = (need.type_name, &need.task);
            Some(format!(
                "what task `{from}` returned is not what task `{id}` takes as `{ty}`: {error}"
            ))
        })
    })
}
