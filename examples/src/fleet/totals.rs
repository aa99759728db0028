//! The accounts at the end: what the workers said they did, against what the database has on record.

use std::collections::{HashMap, HashSet};
use std::fmt;

use cloacina_core::{ExecutionId, PipelineResult, TaskId, TaskState};
use serde::Deserialize as _;

use super::{Body, Fate, Log, Receipt};

/// The accounts.
#[derive(Debug)]
pub struct Totals {
    rows: Vec<Row>,
    checks: Vec<Check>,
}

/// A statement that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Whether it holds.
    pub holds: bool,
    /// What was checked, with the numbers.
    pub what: String,
}

/// What one worker did.
#[derive(Debug, Default)]
struct Row {
    process: u32,
    fate: String,
    /// Bodies that began.
    bodies: usize,
    /// Those whose result is on record.
    committed: usize,
    /// Executions whose last result is its own.
    finished: usize,
    recovered: Option<u64>,
}

/// What is on record.
#[derive(Debug, Default)]
struct Record {
    /// The body whose result is on record, for each task.
    results: HashMap<(ExecutionId, TaskId), Body>,
    /// Results that no body of ours returned for that task.
    strange: usize,
    /// The body that returned each execution's last result.
    last: Vec<Body>,
}

impl Record {
    fn read(log: &Log, results: &[PipelineResult]) -> Self {
        let mut record = Self::default();
        for result in results {
            let id = result.execution_id;
            let mut last = None;
            for task in
                result.task_results.iter().filter(|task| task.status == TaskState::Completed)
            {
                let place = (id, task.task_id.clone());
                let receipt = task.output.as_ref().and_then(|one| Receipt::deserialize(one).ok());
                let body = receipt.map(|receipt| receipt.by);
                match body.filter(|body| log.bodies.get(body) == Some(&place)) {
                    Some(body) => {
                        // A second result of one task would be strange too.
                        record.strange += usize::from(record.results.insert(place, body).is_some());
                        last = Some(body);
                    }
                    None => record.strange += 1,
                }
            }
            record.last.extend(last);
        }
        record
    }
}

impl Totals {
    /// Draws up the accounts of these executions. There should be so many, with so many tasks in all.
    #[must_use]
    pub fn new(log: &Log, results: &[PipelineResult], executions: usize, tasks: usize) -> Self {
        let record = Record::read(log, results);
        let ours: HashSet<ExecutionId> = results.iter().map(|result| result.execution_id).collect();
        let rows = rows(log, &ours, &record);

        let completed = results.iter().filter(|result| result.is_success()).count();
        let (committed, strange) = (record.results.len(), record.strange);
        let bodies: usize = rows.iter().map(|row| row.bodies).sum();
        let lost = bodies.saturating_sub(committed);
        let lost_elsewhere: usize = rows
            .iter()
            .zip(1..)
            .filter(|(_, worker)| !may_lose(log.fate(*worker)))
            .map(|(row, _)| row.bodies.saturating_sub(row.committed))
            .sum();
        let again = log.bodies.iter().filter(|(body, place)| {
            record.results.get(place).is_some_and(|result| ran_after(log, **body, *result))
        });
        let again = again.count();
        let check = |holds, what| Check { holds, what };
        let checks = vec![
            check(
                completed == executions && ours.len() == executions,
                format!("{completed} of {executions} executions completed"),
            ),
            check(
                committed == tasks && strange == 0,
                format!(
                    "{committed} of {tasks} tasks have their one result, {strange} have one of an unknown body"
                ),
            ),
            check(
                bodies == committed + lost && lost_elsewhere == 0,
                format!(
                    "{bodies} tasks run = {committed} committed + {lost} lost, which their worker had begun and could \
                     not commit: they ran again elsewhere"
                ),
            ),
            check(again == 0, format!("{again} tasks ran again after their result was committed")),
        ];
        Self { rows, checks }
    }

    /// Checks the sum of a number in the final contexts.
    pub fn check_sum(&mut self, results: &[PipelineResult], key: &str, expected: u64) {
        let values = results.iter().filter_map(|result| result.final_context.get(key)?.as_u64());
        let sum: u64 = values.sum();
        let what = format!("`{key}` adds up to {sum}, {expected} was expected");
        self.checks.push(Check { holds: sum == expected, what });
    }

    /// Returns what was checked.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Reports whether all that was checked holds.
    #[must_use]
    pub fn agree(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }
}

fn rows(log: &Log, ours: &HashSet<ExecutionId>, record: &Record) -> Vec<Row> {
    let mut rows: Vec<Row> = log
        .workers
        .iter()
        .map(|entry| {
            let (fate, recovered) = match entry.fate {
                Fate::Killed(at) => (format!("killed at {:.1} s", at.as_secs_f64()), None),
                Fate::Stopped { recovered, .. } => ("stopped".to_owned(), Some(recovered)),
                fate => (fate.word().to_owned(), None),
            };
            Row { process: entry.process, fate, recovered, ..Row::default() }
        })
        .collect();
    let mut count = |body: &Body, counter: fn(&mut Row) -> &mut usize| {
        if let Some(row) = rows.get_mut(body.worker.wrapping_sub(1)) {
            *counter(row) += 1;
        }
    };
    for (body, (execution, _)) in &log.bodies {
        if ours.contains(execution) {
            count(body, |row| &mut row.bodies);
        }
    }
    record.results.values().for_each(|body| count(body, |row| &mut row.committed));
    record.last.iter().for_each(|body| count(body, |row| &mut row.finished));
    rows
}

/// Tells whether a worker like that may have run bodies in vain: it was killed, or lost executions because it was slow to renew
/// its lease.
fn may_lose(fate: Option<Fate>) -> bool {
    match fate {
        Some(Fate::Killed(_)) => true,
        Some(Fate::Stopped { fenced, .. }) => fenced > 0,
        _ => false,
    }
}

/// Tells whether a body surely began after another one, whose result is on record, of the same task.
fn ran_after(log: &Log, body: Body, committed: Body) -> bool {
    if body.worker == committed.worker {
        return body.number > committed.number;
    }
    // Others take up what it had only when it is dead.
    matches!(log.fate(committed.worker), Some(Fate::Killed(_)))
}

impl fmt::Display for Totals {
    /// Writes a row a worker, their sum, and what was checked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let row = |f: &mut fmt::Formatter<'_>, worker: &str, row: &Row| {
            let Row { process, fate, bodies, committed, finished, recovered } = row;
            let process = if *process == 0 { String::new() } else { process.to_string() };
            let lost = bodies.saturating_sub(*committed);
            let recovered = count(*recovered);
            writeln!(
                f,
                "{worker:6}  {process:>7}  {fate:15}  {bodies:>9}  {committed:>9}  {lost:>4}  {finished:>19}  {recovered:>9}"
            )
        };
        writeln!(
            f,
            "worker      pid  fate             tasks run  committed  lost  executions finished  recovered"
        )?;
        let mut total = Row::default();
        for (one, worker) in self.rows.iter().zip(1..) {
            row(f, &format!("{worker}"), one)?;
            total.bodies += one.bodies;
            total.committed += one.committed;
            total.finished += one.finished;
            total.recovered = Some(total.recovered.unwrap_or(0) + one.recovered.unwrap_or(0));
        }
        row(f, "total", &total)?;
        for check in &self.checks {
            write!(f, "\n{}  {}", if check.holds { "ok " } else { "NOT" }, check.what)?;
        }
        let verdict = if self.agree() { "the totals agree" } else { "the totals do not agree" };
        write!(f, "\n{verdict}")
    }
}
