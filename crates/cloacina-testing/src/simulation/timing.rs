//! What must hold when a body begins: its time has come, there is a slot for it, and its process may still run something.

use std::time::Duration;

use tokio::time::Instant;

use super::Promise;
use super::flow::{all_tasks, task_name};
use super::history::{History, Run};
use super::scenario::{Fault, Scenario};
use super::watch::Seen;

/// Clocks of a store are this fine.
pub(super) const GRAIN: Duration = Duration::from_millis(2);

/// Reports whether the store's clock jumps.
pub(super) fn clock_jumps(scenario: &Scenario) -> bool {
    let jumps = |fault: &Fault| matches!(fault, Fault::ClockAhead { .. } | Fault::ClockBack { .. });
    scenario.faults.iter().any(|plan| jumps(&plan.fault))
}

/// Finds what speaks against it that a body begins now.
pub(super) fn check(
    run: &Run,
    seen: Option<&Seen>,
    scenario: &Scenario,
    history: &History,
) -> Option<(Promise, String)> {
    let task = &run.task;
    let others = history.runs.iter().filter(|it| it.process == run.process);
    let beside = others.filter(|it| it.time.over.is_none()).count();
    if beside >= run.slots {
        let text = format!("{task} begins beside {beside} others, there are {} slots", run.slots);
        return Some((Promise::Semantics, text));
    }
    let lease = history.leases.get(&run.process);
    if lease.is_none_or(|until| *until <= run.time.began) {
        let text = format!("{task} begins though the lease of p{} may be over", run.process.0);
        return Some((Promise::AtLeastOnce, text));
    }
    if clock_jumps(scenario) {
        return None;
    }
    let due = [due_as_submitted(seen?, scenario), due_as_retry(run, scenario, history)];
    let due = due.into_iter().flatten().max()?;
    (run.time.began + GRAIN < due).then(|| {
        let early = due - run.time.began;
        (Promise::Semantics, format!("{task} begins attempt {} {early:?} early", run.attempt))
    })
}

/// When a delayed execution is due.
fn due_as_submitted(seen: &Seen, scenario: &Scenario) -> Option<Instant> {
    if seen.snapshot.record.retry_of.is_some() {
        return None;
    }
    let input: serde_json::Value = serde_json::from_str(seen.snapshot.input.as_str()).ok()?;
    let number = usize::try_from(input.get("n")?.as_u64()?).ok()?;
    Some(seen.began + scenario.submits.get(number)?.delay?)
}

/// When the attempt after a failed one is due at the earliest.
fn due_as_retry(run: &Run, scenario: &Scenario, history: &History) -> Option<Instant> {
    let before = history.runs.iter().filter(|it| {
        it.execution == run.execution && it.task == run.task && it.attempt + 1 == run.attempt
    });
    let ended = before.map(|it| it.time.ended.unwrap_or(it.time.began)).min()?;
    let flows = all_tasks(scenario, run.version);
    let (_, tasks) = flows.into_iter().find(|(name, _)| *name == run.flow)?;
    let plan = (0..).zip(&tasks).find(|(place, _)| task_name(*place) == run.task)?.1;
    // Linear, and at least half of it.
    Some(ended + plan.delay * (run.attempt - 1) / 2)
}
