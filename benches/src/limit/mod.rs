//! The limit: a bare loop that writes what the engine writes, without the engine.
//!
//! It writes the same rows into tables that the engine has made, in transactions of the same number of items, in the order that
//! durability asks for: the execution, then level by level the tasks, with the last of them the end of the execution. It checks nothing,
//! and knows beforehand what it will write.

pub(crate) mod alone;
mod postgres;
mod sqlite;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use cloacina_core::{ExecutionId, Workflow};
use sqlx::{FromRow, Row};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use crate::figures::Samples;
use crate::place::{Place, Store};
use crate::workloads;

pub(crate) use postgres::PostgresWriter;
pub(crate) use sqlite::SqliteWriter;

/// How rows get into a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// Arrays that become rows, over so many connections at once.
    Connections(usize),
    /// One document that becomes rows, over one connection.
    Json,
    /// A value for each column of each row, over one connection.
    Values,
}

impl Method {
    pub(crate) const fn connections(self) -> usize {
        match self {
            Self::Connections(count) => count,
            Self::Json | Self::Values => 1,
        }
    }

    /// Names it.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Connections(1) => "arrays, over one connection".to_owned(),
            Self::Connections(count) => format!("arrays, over {count} connections"),
            Self::Json => "one document, over one connection".to_owned(),
            Self::Values => "values, over one connection".to_owned(),
        }
    }
}

/// What the engine writes of a task.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TaskRow {
    pub(crate) task: String,
    pub(crate) ordinal: i64,
    pub(crate) changes: Option<String>,
    pub(crate) output: Option<String>,
}

/// The columns of a task, in this order.
type Columns = (String, i64, Option<String>, Option<String>);

impl<'r, R: Row> FromRow<'r, R> for TaskRow
where
    Columns: FromRow<'r, R>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        let (task, ordinal, changes, output) = Columns::from_row(row)?;
        Ok(Self { task, ordinal, changes, output })
    }
}

/// What the engine writes of an execution.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) workflow: String,
    pub(crate) version: String,
    pub(crate) input: String,
    /// The tasks by level.
    pub(crate) levels: Vec<Vec<TaskRow>>,
    /// Who owns the executions.
    pub(crate) owner: Uuid,
}

impl Template {
    /// Makes one of the rows that were found.
    pub(crate) fn new(workflow: &Workflow, input: String, tasks: Vec<TaskRow>) -> Result<Self> {
        let mut tasks: HashMap<_, _> =
            tasks.into_iter().map(|row| (row.task.clone(), row)).collect();
        let mut rows = |level: Vec<&cloacina_core::Task>| {
            let row = |task: &cloacina_core::Task| {
                let id = task.id().as_str();
                tasks.remove(id).with_context(|| format!("task `{id}` has no row"))
            };
            level.into_iter().map(row).collect::<Result<Vec<_>>>()
        };
        Ok(Self {
            workflow: workflow.name().to_owned(),
            version: workflow.version().to_owned(),
            input,
            levels: workloads::levels(workflow)
                .into_iter()
                .map(&mut rows)
                .collect::<Result<_>>()?,
            owner: *ExecutionId::new().as_uuid(),
        })
    }

    /// How many items the engine commits for an execution at least: its submit, and a checkpoint for each level.
    pub(crate) fn items(&self) -> usize {
        1 + self.levels.len()
    }
}

/// Writes rows of a template. Each call is a transaction.
pub(crate) trait Writer: Send + 'static {
    /// Writes executions.
    fn submit(&mut self, ids: &[Uuid]) -> impl Future<Output = Result<()>> + Send;

    /// Writes the tasks of a level of these executions, and after the last level their end.
    fn level(&mut self, ids: &[Uuid], level: usize) -> impl Future<Output = Result<()>> + Send;
}

/// What a run of the bare loop gave.
pub(crate) struct LimitRun {
    pub(crate) elapsed: Duration,
    /// How long each batch of executions took from its first transaction to its last.
    pub(crate) batches: Samples,
}

/// Writes that many executions into an empty place.
pub(crate) async fn run<S: Store>(
    store: &S,
    template: &Arc<Template>,
    method: Method,
    executions: usize,
    batch: usize,
) -> Result<LimitRun> {
    let place = store.place().await?;
    let writers = place.writers(template, method).await?;
    let left = Arc::new(AtomicUsize::new(executions));
    let share = Share { batch: batch.max(1), writers: writers.len() };
    let mut running = JoinSet::new();
    let begun = Instant::now();
    for writer in writers {
        running.spawn(write(writer, Arc::clone(&left), template.levels.len(), share));
    }
    let mut batches = Samples::default();
    while let Some(written) = running.join_next().await {
        batches.merge(written??);
    }
    let elapsed = begun.elapsed();
    place.remove().await?;
    Ok(LimitRun { elapsed, batches })
}

/// How much a writer takes at once.
#[derive(Debug, Clone, Copy)]
struct Share {
    batch: usize,
    writers: usize,
}

impl Share {
    /// Of the last ones less, so that no writer works while the others have nothing left.
    fn next(self, left: usize) -> usize {
        let fair = left.div_ceil(self.writers).max(self.batch.div_ceil(4));
        fair.min(self.batch).min(left)
    }
}

/// Takes batches until none is left.
async fn write<W: Writer>(
    mut writer: W,
    left: Arc<AtomicUsize>,
    levels: usize,
    share: Share,
) -> Result<Samples> {
    let mut batches = Samples::default();
    let take = |left: usize| (left > 0).then(|| left - share.next(left));
    while let Ok(before) = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
        let ids = (0..share.next(before)).map(|_| *ExecutionId::new().as_uuid());
        let ids: Vec<Uuid> = ids.collect();
        let begun = Instant::now();
        writer.submit(&ids).await?;
        for level in 0..levels {
            writer.level(&ids, level).await?;
        }
        batches.add(begun.elapsed());
    }
    Ok(batches)
}

/// Tries all methods of a store, and returns the fastest.
pub(crate) async fn fastest<S: Store>(
    store: &S,
    template: &Arc<Template>,
    executions: usize,
    batch: usize,
) -> Result<Method> {
    let mut tried = Vec::new();
    for &method in store.methods() {
        let elapsed = run(store, template, method, executions, batch).await?.elapsed;
        tried.push((elapsed, method));
    }
    let fastest = tried.into_iter().min_by_key(|(elapsed, _)| *elapsed);
    fastest.map(|(_, method)| method).context("a store has a method")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_batches_are_smaller_and_all_is_taken() {
        let share = Share { batch: 100, writers: 4 };
        let mut left: usize = 1000;
        let mut taken = Vec::new();
        while left > 0 {
            taken.push(share.next(left));
            left -= share.next(left);
        }
        assert_eq!(taken, [100, 100, 100, 100, 100, 100, 100, 75, 57, 42, 32, 25, 25, 25, 19]);
        let alone = Share { batch: 1, writers: 1 };
        assert_eq!((alone.next(3), alone.next(1)), (1, 1));
    }
}
