//! Torture: worker processes and a client on a real store, on which one fault after the other is inflicted, and the judgement over what
//! they leave.
//!
//! Faults are drawn from the seed, and strike when enough executions have ended since the last one. Who is stopped goes on when others have
//! declared it dead, and who has died is replaced. [`run`] is what the command `torture` and the tests call.

#![expect(clippy::unwrap_used, reason = "a harness fails by panicking, like the tests it serves")]

mod client;
mod cluster;
mod disk;
mod fault;
mod orders;
mod report;
mod storm;
mod strike;
mod submitter;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

pub use client::run_client;
pub use fault::{Fault, Kind, schedule};
pub use report::{Quantiles, Report};

use crate::fleet::{Evidence, Harm, Violation, check, check_promises, check_vain};
use storm::Storm;

/// How many workers there are.
const WORKERS: usize = 4;

/// Without any progress for so long, whatever lasts is ended: who was stopped may hold what all others wait for.
const CALM: Duration = Duration::from_secs(8);

/// How many executions end between two faults: so many and up to twice as many.
const PROGRESS: usize = 10;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The store.
    pub kind: Kind,
    /// How many things go wrong.
    pub faults: usize,
    /// What the schedule and the workload are made from.
    pub seed: u64,
    /// The program that runs [`run_worker`](crate::fleet::run_worker) for `worker ..`, [`run_client`] for `client ..`, and
    /// [`hold_write_lock`](crate::faults::hold_write_lock) for `lock ..`.
    pub program: PathBuf,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The figures.
    pub report: Report,
    /// What was broken.
    pub violations: Vec<Violation>,
    /// What is known of the executions concerned, one thing a line.
    pub histories: Vec<String>,
    /// Where the traces are, if something was broken.
    pub traces: Option<PathBuf>,
}

/// Runs it. `tell` hears how far it is.
///
/// # Panics
///
/// If the harness itself cannot go on.
pub async fn run(plan: &Plan, tell: &(dyn Fn(&str) + Sync)) -> Outcome {
    let began = Instant::now();
    let mut storm = Storm::start(plan).await;
    let is_possible = |fault| fault != Fault::FullDisk || storm.disk.is_some();
    let faults = schedule(plan.kind, plan.faults, is_possible, &mut storm.random);
    for (place, fault) in faults.iter().enumerate() {
        let share = storm.random.usize(PROGRESS..2 * PROGRESS);
        if !storm.goes_on(share).await {
            tell("nothing moves any more");
            let what = format!("after {place} faults nothing moves any more");
            storm.accuse(Harm::Stuck, "L1 (all done)", what);
            break;
        }
        let (number, ended) = (place + 1, storm.ended);
        tell(&format!(
            "{number}/{}: {ended} executions have ended, {}",
            faults.len(),
            fault.name()
        ));
        storm.strike(*fault).await;
    }
    tell("no more faults");
    storm.end().await;
    tell("judging");
    judge(plan, storm, began).await
}

async fn judge(plan: &Plan, mut storm: Storm, began: Instant) -> Outcome {
    let mut evidence = Evidence::gather(&storm.fleet).await;
    let promises = storm.submitter.promises();
    let there: BTreeSet<&str> =
        evidence.executions.iter().map(|known| known.execution.as_str()).collect();
    let mut ids = storm.submitter.ids();
    ids.retain(|id| there.contains(id.to_string().as_str()));
    evidence.finals = storm.fleet.finals(&ids).await.into_iter().collect();
    let mut violations = std::mem::take(&mut storm.found);
    for (n, why) in std::mem::take(&mut storm.submitter.refused) {
        let (promise, what) = ("G1 (acknowledged)", format!("submit {n} was refused: {why}"));
        violations.push(Violation { harm: Harm::Wrong, promise, execution: "-".to_owned(), what });
    }
    violations.extend(check(&evidence));
    violations.extend(check_promises(&evidence, &promises));
    violations.extend(check_vain(&evidence, &storm.struck));
    let concerned: BTreeSet<&str> =
        violations.iter().map(|one| one.execution.as_str()).filter(|one| *one != "-").collect();
    let mut histories = Vec::new();
    for execution in concerned {
        histories.push(format!("execution {execution}"));
        histories.extend(evidence.history(execution).into_iter().map(|line| format!("  {line}")));
    }
    let count = |harm| report::count(&violations, harm);
    let report = Report {
        backend: match plan.kind {
            Kind::Sqlite => "sqlite",
            Kind::Postgres => "postgres",
        },
        seed: plan.seed,
        faults: storm.faults.values().sum(),
        executions: evidence.executions.len(),
        tasks: evidence.rows.len(),
        lost: count(Harm::Lost),
        duplicated: count(Harm::Duplicated),
        out_of_order: count(Harm::OutOfOrder),
        stuck: count(Harm::Stuck),
        wrong: count(Harm::Wrong),
        unanswered: promises.iter().filter(|one| one.acknowledged.is_none()).count(),
        ran_in_vain: evidence.runs_in_vain().len(),
        takeovers: evidence.events.iter().filter(|event| event.kind == "recovered").count(),
        by_kind: storm.faults.clone(),
        recovery_ms: Quantiles::of(&storm.recoveries),
        elapsed_s: began.elapsed().as_secs(),
    };
    let traces = if violations.is_empty() { None } else { storm.keep() };
    Outcome { report, violations, histories, traces }
}
