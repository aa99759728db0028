//! What clients were told, held against what is there: nothing acknowledged is missing, nothing was submitted twice, everything has ended
//! as its input wants it.

use std::collections::{BTreeMap, HashMap};

use cloacina_core::ExecutionId;

use super::check::{Findings, Harm, Violation};
use super::database::Known;
use super::evidence::Evidence;
use crate::montage::{self, Order};
use crate::weather::{self, Outcome};

/// A submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The workflow.
    pub workflow: &'static str,
    /// The input.
    pub order: Order,
    /// The execution that was acknowledged. If none was, there may be one or not.
    pub acknowledged: Option<ExecutionId>,
}

impl Promise {
    /// Computes what its tasks come to.
    #[must_use]
    pub fn outcomes(&self) -> BTreeMap<&'static str, Outcome> {
        if self.workflow == weather::NAME {
            return weather::expected(&self.order);
        }
        let values = montage::expected(self.order.n).into_iter();
        let completed = |value| Outcome { state: "completed", value: Some(value), attempts: 1 };
        values.map(|(task, value)| (task, completed(value))).collect()
    }
}

/// Checks what clients were told. All has ended, or had time enough.
#[must_use]
pub fn check_promises(evidence: &Evidence, promises: &[Promise]) -> Vec<Violation> {
    let mut found = Findings::default();
    let by_n: HashMap<u64, &Promise> =
        promises.iter().map(|promise| (promise.order.n, promise)).collect();
    let mut there: HashMap<u64, &Known> = HashMap::new();
    for known in &evidence.executions {
        if let Some(other) = there.insert(known.n, known) {
            let what = format!("input {} was submitted once: {known:?}, {other:?}", known.n);
            found.add(Harm::Duplicated, "I02 (submit once)", &known.execution, what);
        }
        match by_n.get(&known.n) {
            Some(promise) => check_outcome(evidence, known, promise, &mut found),
            None => {
                let what = format!("nobody submitted it: {known:?}");
                found.add(Harm::Wrong, "I02 (submit once)", &known.execution, what);
            }
        }
    }
    for promise in promises {
        let Some(id) = promise.acknowledged.map(|id| id.to_string()) else { continue };
        if there.get(&promise.order.n).is_none_or(|known| known.execution != id) {
            let what = format!("it was acknowledged, and is not there: {promise:?}");
            found.add(Harm::Lost, "G1 (I01 acknowledged is durable)", &id, what);
        }
    }
    found.0
}

fn check_outcome(evidence: &Evidence, known: &Known, promise: &Promise, found: &mut Findings) {
    let id = &known.execution;
    if !["completed", "failed", "cancelled"].contains(&known.status.as_str()) {
        return found.add(Harm::Stuck, "L1 (all done)", id, format!("it has not ended: {known:?}"));
    }
    let outcomes = promise.outcomes();
    let fails = outcomes.get("report").is_some_and(|report| report.state == "failed");
    let status = if fails { "failed" } else { "completed" };
    if known.status != status {
        let what = format!("it is {}, not {status}", known.status);
        found.add(Harm::Lost, "I14 (outcome)", id, what);
    }
    let rows: HashMap<&str, _> =
        evidence.results_of(id).map(|row| (row.task.as_str(), row)).collect();
    for (task, outcome) in &outcomes {
        let Some(row) = rows.get(task) else {
            found.add(Harm::Lost, "G2 (I03 one result)", id, format!("`{task}` has no result"));
            continue;
        };
        let value = row.made.map(|made| made.value);
        if row.state != outcome.state || value != outcome.value || row.attempts < outcome.attempts {
            let what = format!("`{task}` comes to {outcome:?}, and there is {row:?}");
            found.add(Harm::Wrong, "I04 (result match)", id, what);
        }
    }
    if let Some(context) = evidence.finals.get(id) {
        let mut expected = promise.order.to_context();
        for (task, outcome) in outcomes {
            if let Some(value) = outcome.value {
                expected.set(task, value.into());
            }
        }
        if *context != expected {
            let what = format!("a user reads {context:?} instead of {expected:?}");
            found.add(Harm::Wrong, "I18 (context exact)", id, what);
        }
    }
}
