//! What the three records say together: the tables, the audit of their changes, and the log of the bodies.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::OnceLock;

use cloacina_core::{Backend, Context, ExecutionId, PipelineStatus, UnifiedExecutor};
use serde_json::Value;
use tokio::task::JoinSet;

use super::Fleet;
use super::check::check;
use super::database::{Attempted, Committed, Event, Known, Ownership};
use crate::effects::{Kind, Line, RunId};
use crate::montage::{self, Order};
use crate::weather;

/// How many results are read at once.
const READERS: usize = 4;

/// All there is to judge by.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// What the bodies told, in the order in which they did.
    pub lines: Vec<Line>,
    /// The rows of all executions.
    pub executions: Vec<Known>,
    /// The rows of all tasks, by execution.
    pub rows: Vec<Committed>,
    /// How the row of each execution changed.
    pub histories: BTreeMap<String, Vec<Ownership>>,
    /// The attempts on record.
    pub attempts: Vec<Attempted>,
    /// The events.
    pub events: Vec<Event>,
    /// The process of each worker.
    pub workers: HashMap<String, u32>,
    /// Results that changed, as execution and task.
    pub changes: Vec<(String, String)>,
    /// The final contexts, as users read them; of those that were asked for.
    pub finals: HashMap<String, Context>,
}

impl Evidence {
    /// Reads all records.
    pub async fn gather(fleet: &Fleet) -> Self {
        let database = &fleet.database;
        let rows = database.committed().await;
        let mut workers: HashMap<String, u32> = database.workers().await.into_iter().collect();
        // Where sessions cannot be told apart, a worker is the process that made what it committed first.
        for row in &rows {
            if let Some(made) = row.made {
                workers.entry(row.owner.clone()).or_insert(made.by.pid);
            }
        }
        Self {
            lines: fleet.log(),
            executions: database.executions().await,
            rows,
            histories: database.histories().await,
            attempts: database.attempts().await,
            events: database.all_events().await,
            workers,
            changes: database.changes().await,
            finals: HashMap::new(),
        }
    }

    /// Checks all that holds whatever went wrong.
    ///
    /// # Panics
    ///
    /// If something does not hold.
    pub fn check(&self) {
        let violations = check(self);
        assert!(violations.is_empty(), "{violations:#?}");
    }

    /// Checks that these executions of the montage completed, with one result a task.
    ///
    /// # Panics
    ///
    /// If one did not.
    pub fn check_complete(&self, ids: &[ExecutionId]) {
        let mut tasks: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        for row in self.rows.iter().filter(|row| row.state == "completed") {
            assert_eq!(row.attempts, 1, "nothing failed, so nothing was retried: {row:?}");
            tasks.entry(&row.execution).or_default().insert(&row.task);
        }
        let all: BTreeSet<&str> = montage::EDGES.iter().map(|(task, _)| *task).collect();
        for id in ids {
            let id = id.to_string();
            let last = self.histories[&id].last().unwrap();
            assert_eq!(last.status, "completed", "execution {id}");
            assert_eq!(tasks.get(id.as_str()), Some(&all), "the results of execution {id}");
        }
    }

    pub(super) fn runs(&self, kind: Kind) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.kind == kind)
    }

    /// Lists the results of an execution.
    pub fn results_of(&self, execution: &str) -> impl Iterator<Item = &Committed> {
        let start = self.rows.partition_point(|row| row.execution.as_str() < execution);
        self.rows[start..].iter().take_while(move |row| row.execution == execution)
    }

    /// The run that made each result.
    fn made(&self) -> HashMap<(&str, &str), RunId> {
        let made = |row: &&Committed| row.made.map(|made| made.by);
        let rows = self.rows.iter();
        rows.filter_map(|row| Some(((&*row.execution, &*row.task), made(&row)?))).collect()
    }

    /// The runs of bodies whose results are not committed, in the order in which they began.
    #[must_use]
    pub fn lost_runs(&self) -> Vec<&Line> {
        let made: HashSet<RunId> = self.made().into_values().collect();
        self.runs(Kind::Begin).filter(|line| !made.contains(&line.run)).collect()
    }

    /// The runs that were in vain: no result came of them, and no attempt that failed on record either.
    #[must_use]
    pub fn runs_in_vain(&self) -> Vec<&Line> {
        let failed = self.attempts.iter().filter(|one| one.state == "failed");
        let failed = failed.map(|one| (&*one.execution, &*one.task, one.attempt));
        let last = self.rows.iter().filter(|row| row.state == "failed");
        let last = last.map(|row| (&*row.execution, &*row.task, row.attempts));
        let known: HashSet<(&str, &str, i64)> = failed.chain(last).collect();
        let mut lost = self.lost_runs();
        lost.retain(|line| {
            !known.contains(&(&line.execution, &line.task, i64::from(line.attempt)))
        });
        lost
    }

    /// How often each task began in an execution.
    #[must_use]
    pub fn begins(&self, id: ExecutionId) -> BTreeMap<&str, usize> {
        let id = id.to_string();
        let mut begins = BTreeMap::new();
        for line in self.runs(Kind::Begin).filter(|line| line.execution == id) {
            *begins.entry(line.task.as_str()).or_default() += 1;
        }
        begins
    }

    /// Who made the result of a task.
    #[must_use]
    pub fn maker(&self, id: ExecutionId, task: &str) -> Option<u32> {
        let id = id.to_string();
        self.made().get(&(id.as_str(), task)).map(|run| run.pid)
    }

    /// Tells all that is known of an execution, one thing a line.
    #[must_use]
    pub fn history(&self, execution: &str) -> Vec<String> {
        let mut told = Vec::new();
        let known = self.executions.iter().filter(|known| known.execution == execution);
        told.extend(known.map(|known| format!("row      {known:?}")));
        let steps = self.histories.get(execution).into_iter().flatten();
        told.extend(steps.map(|step| {
            let pid = step.owner.as_ref().and_then(|owner| self.workers.get(owner));
            let Ownership { owner, epoch, status, .. } = step;
            format!("owner    {owner:?} (process {pid:?}), epoch {epoch}, {status}")
        }));
        let lines = self.lines.iter().filter(|line| line.execution == execution);
        told.extend(lines.map(|line| format!("body     {line:?}")));
        let attempts = self.attempts.iter().filter(|one| one.execution == execution);
        told.extend(attempts.map(|one| format!("attempt  {one:?}")));
        let mut results: Vec<_> = self.results_of(execution).collect();
        results.sort_unstable_by_key(|row| row.seq);
        told.extend(results.iter().map(|row| format!("result   {row:?}")));
        let events = self.events.iter().filter(|event| event.execution == execution);
        told.extend(events.map(|event| format!("event    {event:?}")));
        told
    }
}

type Edges = [(&'static str, &'static [&'static str])];

/// Returns the tasks of a workflow with what each depends on.
pub(super) fn edges(workflow: &str) -> &'static Edges {
    match workflow {
        weather::NAME => &weather::EDGES,
        _ => &montage::EDGES,
    }
}

/// Returns what a task depends on, in whichever workflow it is.
pub(super) fn parents(task: &str) -> BTreeSet<&'static str> {
    static ALL: OnceLock<HashMap<&str, BTreeSet<&str>>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let edges = montage::EDGES.iter().chain(&weather::EDGES);
        edges.map(|(task, parents)| (*task, parents.iter().copied().collect())).collect()
    });
    all.get(task).cloned().unwrap_or_default()
}

/// Checks that executions completed and that all values are right, as users read them.
///
/// # Panics
///
/// If one did not, or a value is wrong.
pub async fn check_values<B: Backend>(
    client: &UnifiedExecutor<B>,
    ids: &[ExecutionId],
    orders: &[Order],
) {
    let pairs: HashMap<ExecutionId, &Order> = ids.iter().copied().zip(orders).collect();
    for (id, status, found) in read_results(client, ids).await {
        assert_eq!(status, PipelineStatus::Completed, "execution {id}");
        let order = pairs[&id];
        let mut context = order.to_context();
        for (task, value) in montage::expected(order.n) {
            context.set(task, Value::from(value));
        }
        assert_eq!(found, context, "execution {id}");
    }
}

/// Reads how executions stand and what is in their contexts, as users do.
///
/// # Panics
///
/// If the store refuses.
pub async fn read_results<B: Backend>(
    client: &UnifiedExecutor<B>,
    ids: &[ExecutionId],
) -> Vec<(ExecutionId, PipelineStatus, Context)> {
    let mut readers = JoinSet::new();
    for ids in ids.chunks(ids.len().div_ceil(READERS).max(1)) {
        let (client, ids) = (client.clone(), ids.to_vec());
        readers.spawn(async move {
            let mut read = Vec::new();
            for id in ids {
                let result = client.get_execution_result(id).await.unwrap();
                read.push((id, result.status, result.final_context));
            }
            read
        });
    }
    readers.join_all().await.into_iter().flatten().collect()
}
