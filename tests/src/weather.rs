//! A workflow in which much goes wrong by design: attempts that fail and hang, a task that fails for good and another that makes up for it, tasks
//! that are skipped. What it comes to depends on its input alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::{Backoff, RetryPolicy, TriggerRule, ValueOperator, Workflow, WorkflowError};
use serde_json::json;

use crate::montage::{Mood, Order, Studio, task, value};

/// The name of the workflow.
pub const NAME: &str = "weather";

/// Each task with what it depends on, in topological order.
pub const EDGES: [(&str, &[&str]); 7] = [
    ("fetch", &[]),
    ("stall", &[]),
    ("check", &["fetch"]),
    ("repair", &["check"]),
    ("extra", &["fetch"]),
    ("tidy", &["check", "stall"]),
    ("report", &["tidy", "extra", "repair"]),
];

/// How long an attempt at `stall` may take.
const STALL: Duration = Duration::from_millis(500);

/// More attempts than a busy machine can use up.
const ATTEMPTS: u32 = 50;

/// Tells what an attempt comes to.
fn mood(n: u64, task: &str, attempt: u32) -> Mood {
    match task {
        "fetch" if u64::from(attempt) <= n % 3 => Mood::Fails,
        "stall" if attempt == 1 && n.is_multiple_of(16) => Mood::Hangs,
        "check" if n % 5 == 2 => Mood::FailsForGood,
        "report" if n % 7 == 3 => Mood::FailsForGood,
        _ => Mood::Fine,
    }
}

/// What a task comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Its state, by the name that the stores know.
    pub state: &'static str,
    /// Its value, if it completed.
    pub value: Option<u64>,
    /// How many attempts it takes at least.
    pub attempts: i64,
}

/// Computes what all tasks of an execution come to. It fails if `report` does.
///
/// # Panics
///
/// Never: the edges are in topological order.
#[must_use]
pub fn expected(order: &Order) -> BTreeMap<&'static str, Outcome> {
    let mut outcomes: BTreeMap<&str, Outcome> = BTreeMap::new();
    for (task, parents) in EDGES {
        let failed = outcomes.get("check").is_some_and(|check| check.state == "failed");
        let is_skipped = (task == "repair" && !failed) || (task == "extra" && !order.wants_extra);
        let failures = (1..).take_while(|attempt| mood(order.n, task, *attempt) != Mood::Fine);
        let failures = i64::try_from(failures.take(3).count()).unwrap_or_default();
        let values: Vec<u64> = parents.iter().filter_map(|parent| outcomes[parent].value).collect();
        let outcome = if is_skipped {
            Outcome { state: "skipped", value: None, attempts: 0 }
        } else if mood(order.n, task, 1) == Mood::FailsForGood {
            Outcome { state: "failed", value: None, attempts: 1 }
        } else {
            let value = Some(value(order.n, task, &values));
            Outcome { state: "completed", value, attempts: failures + 1 }
        };
        outcomes.insert(task, outcome);
    }
    outcomes
}

/// Makes the workflow. One that is only submitted needs no studio: its bodies fail.
///
/// # Errors
///
/// None: the edges form a DAG.
pub fn workflow(studio: Option<&Arc<Studio>>) -> Result<Workflow, WorkflowError> {
    let tasks = EDGES.map(|edge| {
        let (id, _) = edge;
        let retry = RetryPolicy::new(ATTEMPTS)
            .backoff(Backoff::Fixed)
            .initial_delay(Duration::from_millis(5));
        let task = task(edge, studio, mood).trigger_rules(rule(id)).retry(retry);
        if id == "stall" { task.timeout(STALL) } else { task }
    });
    Workflow::builder(NAME).tasks(tasks).build()
}

fn rule(task: &str) -> TriggerRule {
    match task {
        "repair" => TriggerRule::task_failed("check"),
        "extra" => {
            TriggerRule::context_value("wants_extra", ValueOperator::Equals, Some(json!(true)))
        }
        "tidy" => TriggerRule::AllDone,
        "report" => TriggerRule::NoneFailed,
        _ => TriggerRule::AllSuccess,
    }
}
