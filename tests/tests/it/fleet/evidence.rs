//! What the three records say together: the tables, the audit of their changes, and the log of the bodies.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cloacina_core::{ExecutionId, PipelineStatus};
use cloacina_postgres::UnifiedExecutor;
use cloacina_tests::effects::{Kind, Line, RunId};
use cloacina_tests::montage::{self, EDGES, Order};
use serde_json::Value;

use super::database::{Committed, Event, Ownership};
use super::support::Fleet;

/// How many tasks of an execution run at once: a task begins only when those before it are committed.
const WIDTH: usize = 3;

/// How many results are read at once.
const READERS: usize = 4;

pub(crate) struct Evidence {
    lines: Vec<Line>,
    rows: Vec<Committed>,
    histories: HashMap<String, Vec<Ownership>>,
    /// The process of each worker.
    workers: HashMap<String, u32>,
    changes: usize,
}

impl Evidence {
    pub(crate) async fn gather(fleet: &Fleet) -> Self {
        Self {
            lines: fleet.log(),
            rows: fleet.database.committed().await,
            histories: fleet.database.histories().await,
            workers: fleet.database.workers().await.into_iter().collect(),
            changes: fleet.database.changes().await,
        }
    }

    /// Checks all that holds whatever went wrong.
    pub(crate) fn check(&self) {
        assert_eq!(self.changes, 0, "a committed result changed");
        self.check_results();
        self.check_histories();
        self.check_fence();
        self.check_order();
        self.check_witnesses();
        self.check_runs();
    }

    /// Checks that these executions completed, with one result a task.
    pub(crate) fn check_complete(&self, ids: &[ExecutionId]) {
        let mut tasks: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        for row in self.rows.iter().filter(|row| row.state == "completed") {
            assert_eq!(row.attempts, 1, "nothing failed, so nothing was retried: {row:?}");
            tasks.entry(&row.execution).or_default().insert(&row.task);
        }
        let all: BTreeSet<&str> = EDGES.iter().map(|(task, _)| *task).collect();
        for id in ids {
            let id = id.to_string();
            let last = self.histories[&id].last().unwrap();
            assert_eq!(last.status, "completed", "execution {id}");
            assert_eq!(tasks.get(id.as_str()), Some(&all), "the results of execution {id}");
        }
    }

    /// Each task has one result, written once.
    fn check_results(&self) {
        let mut seen = HashSet::new();
        for row in &self.rows {
            assert!(seen.insert((&row.execution, &row.task)), "committed twice: {row:?}");
        }
    }

    /// Epochs grow by one with each owner, nobody takes what is owned, and what has ended stays as it is.
    fn check_histories(&self) {
        for history in self.histories.values() {
            for step in history.windows(2) {
                let (before, after) = (&step[0], &step[1]);
                let ended = ["completed", "failed", "cancelled"].contains(&before.status.as_str());
                assert!(!ended, "changed after its end: {before:?}, {after:?}");
                let is_claim = after.epoch == before.epoch + 1
                    && before.owner.is_none()
                    && after.owner.is_some();
                let keeps = after.epoch == before.epoch
                    && (after.owner == before.owner || after.owner.is_none());
                assert!(is_claim || keeps, "no legal step: {before:?}, {after:?}");
            }
        }
    }

    /// What is committed was made by the process that owned the execution when it committed it, and by nobody else.
    fn check_fence(&self) {
        let ended: HashSet<RunId> = self.runs(Kind::End).map(|line| line.run).collect();
        for row in &self.rows {
            let owner = self.workers.get(&row.owner);
            assert_eq!(owner, Some(&row.pid), "committed by somebody else than the owner: {row:?}");
            let Some(made) = row.made else { continue };
            assert_eq!(made.by.pid, row.pid, "made by somebody else than the owner: {row:?}");
            assert!(ended.contains(&made.by), "the body did not end: {row:?}");
        }
    }

    /// No body began before all it depends on had ended and was committed: what it saw is what is there.
    fn check_order(&self) {
        let committed = self.made();
        let mut ended: HashSet<RunId> = HashSet::new();
        for line in &self.lines {
            match line.kind {
                Kind::End => drop(ended.insert(line.run)),
                Kind::Witness => {}
                Kind::Begin => {
                    let mut saw = BTreeSet::new();
                    for detail in &line.details {
                        let (parent, run) = detail.split_once('=').unwrap();
                        let run: RunId = run.parse().unwrap();
                        assert!(ended.contains(&run), "began before `{parent}` ended: {line:?}");
                        let made = committed.get(&(line.execution.as_str(), parent));
                        assert_eq!(
                            made,
                            Some(&run),
                            "saw of `{parent}` what is not there: {line:?}"
                        );
                        saw.insert(parent);
                    }
                    assert_eq!(saw, parents(&line.task), "{line:?}");
                }
            }
        }
    }

    /// A connection of the body's own found all committed that it depends on.
    fn check_witnesses(&self) {
        for line in self.runs(Kind::Witness) {
            let found: BTreeSet<&str> = line.details.iter().map(String::as_str).collect();
            let parents = parents(&line.task);
            assert!(
                found.is_superset(&parents),
                "began before its dependencies were there: {line:?}"
            );
            assert!(!found.contains(line.task.as_str()), "ran again though committed: {line:?}");
        }
    }

    /// An owner runs each body at most once.
    fn check_runs(&self) {
        let mut runs: HashMap<(&str, &str), i64> = HashMap::new();
        for line in self.runs(Kind::Begin) {
            assert_eq!(line.attempt, 1, "a takeover uses no attempt up: {line:?}");
            *runs.entry((&line.execution, &line.task)).or_default() += 1;
        }
        for ((execution, task), runs) in runs {
            let owners = self.histories[execution].iter().map(|step| step.epoch).max();
            let owners = owners.unwrap_or_default();
            assert!(runs <= owners, "`{task}` of {execution} ran {runs} times for {owners} owners");
        }
    }

    fn runs(&self, kind: Kind) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.kind == kind)
    }

    /// The run that made each result.
    fn made(&self) -> HashMap<(&str, &str), RunId> {
        let made = |row: &&Committed| row.made.map(|made| made.by);
        let rows = self.rows.iter();
        rows.filter_map(|row| Some(((&*row.execution, &*row.task), made(&row)?))).collect()
    }

    pub(crate) fn witnesses(&self) -> usize {
        self.runs(Kind::Witness).count()
    }

    /// The runs of bodies whose results are not committed, in the order in which they began.
    pub(crate) fn lost_runs(&self) -> Vec<&Line> {
        let made: HashSet<RunId> = self.made().into_values().collect();
        self.runs(Kind::Begin).filter(|line| !made.contains(&line.run)).collect()
    }

    /// Checks that whatever ran in vain did so in one of these processes, and that each takeover cost no more than what an
    /// execution runs at once.
    pub(crate) fn check_lost_runs(&self, struck: &BTreeSet<u32>, takeovers: &[Event]) -> usize {
        let lost = self.lost_runs();
        let mut allowed: HashMap<&str, usize> = HashMap::new();
        for takeover in takeovers {
            *allowed.entry(&takeover.execution).or_default() += WIDTH;
        }
        for line in &lost {
            assert!(
                struck.contains(&line.run.pid),
                "ran in vain though nothing happened: {line:?}"
            );
            let left = allowed.get(line.execution.as_str()).and_then(|left| left.checked_sub(1));
            let left = left.unwrap_or_else(|| panic!("no takeover explains that it ran: {line:?}"));
            allowed.insert(&line.execution, left);
        }
        lost.len()
    }

    /// How often each task began in an execution.
    pub(crate) fn begins(&self, id: ExecutionId) -> BTreeMap<&str, usize> {
        let id = id.to_string();
        let mut begins = BTreeMap::new();
        for line in self.runs(Kind::Begin).filter(|line| line.execution == id) {
            *begins.entry(line.task.as_str()).or_default() += 1;
        }
        begins
    }

    /// Who made the result of a task.
    pub(crate) fn maker(&self, id: ExecutionId, task: &str) -> Option<u32> {
        let id = id.to_string();
        self.made().get(&(id.as_str(), task)).map(|run| run.pid)
    }
}

fn parents(task: &str) -> BTreeSet<&str> {
    let edge = EDGES.iter().find(|(id, _)| *id == task);
    edge.unwrap().1.iter().copied().collect()
}

/// Checks that executions completed and that all values are right, as users read them.
pub(crate) async fn check_values(client: &UnifiedExecutor, ids: &[ExecutionId], orders: &[Order]) {
    let pairs: Vec<_> = ids.iter().copied().zip(orders.iter().cloned()).collect();
    let mut readers = tokio::task::JoinSet::new();
    for pairs in pairs.chunks(pairs.len().div_ceil(READERS).max(1)) {
        let (client, pairs) = (client.clone(), pairs.to_vec());
        readers.spawn(async move {
            for (id, order) in pairs {
                check_value(&client, id, &order).await;
            }
        });
    }
    readers.join_all().await;
}

async fn check_value(client: &UnifiedExecutor, id: ExecutionId, order: &Order) {
    let result = client.get_execution_result(id).await.unwrap();
    assert_eq!(result.status, PipelineStatus::Completed, "{result}");
    let mut context = order.to_context();
    for (task, value) in montage::expected(order.n) {
        context.set(task, Value::from(value));
    }
    assert_eq!(result.final_context, context, "execution {id}");
}
