//! What is printed.

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::engine::Run;
use crate::figures::{Spread, megabytes, millis, significant};

/// The figures that workloads have in common; those without meaning for a workload are missing. Of several runs the
/// median, and the range: least and most.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Figures {
    pub(crate) workload: String,
    pub(crate) backend: String,
    /// In a run.
    pub(crate) executions: Option<usize>,
    pub(crate) tasks_per_execution: Option<usize>,
    pub(crate) executions_per_s: Option<f64>,
    pub(crate) executions_per_s_range: Option<[f64; 2]>,
    pub(crate) tasks_per_s: Option<f64>,
    /// Of the bare loop.
    pub(crate) limit_executions_per_s: Option<f64>,
    pub(crate) limit_executions_per_s_range: Option<[f64; 2]>,
    /// Each run over the bare loop beside it.
    pub(crate) ratio_to_limit: Option<f64>,
    pub(crate) ratio_to_limit_range: Option<[f64; 2]>,
    /// From submit to end.
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p90_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    /// Transactions that wrote.
    pub(crate) commits_per_execution: Option<f64>,
    /// Submits and checkpoints, one for each level of the workflow.
    pub(crate) items_per_commit: Option<f64>,
    /// All transactions, those that only read and those of the start and the end of the executors included.
    pub(crate) transactions_per_execution: Option<f64>,
    pub(crate) rows_inserted_per_execution: Option<f64>,
    pub(crate) rows_updated_per_execution: Option<f64>,
    /// On SQLite with what checkpoints copy from the log.
    pub(crate) wal_bytes_per_execution: Option<f64>,
    /// Of this process in a run: the engine, the callers, and on SQLite the database.
    pub(crate) cpu_s: Option<f64>,
    pub(crate) server_cpu_s: Option<f64>,
    /// Of this process.
    pub(crate) peak_rss_mb: Option<f64>,
    pub(crate) runs: Option<usize>,
    /// What only this workload has.
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
    pub(crate) settings: Map<String, Value>,
}

impl Figures {
    /// Fills in what runs of the engine gave.
    pub(crate) fn runs(&mut self, executions: usize, tasks: usize, runs: &[Run]) {
        let count = executions as f64;
        let rate = Spread::of(runs.iter().map(|run| count / run.elapsed.as_secs_f64()));
        self.executions = Some(executions);
        self.tasks_per_execution = Some(tasks);
        self.runs = Some(runs.len());
        (self.executions_per_s, self.executions_per_s_range) = median_and_range(rate);
        self.tasks_per_s = self.executions_per_s.map(|rate| significant(rate * tasks as f64));
        let percentile =
            |percent| median(runs.iter().map(|run| Some(millis(run.waits.percentile(percent)))));
        self.p50_ms = percentile(50);
        self.p90_ms = percentile(90);
        self.p99_ms = percentile(99);
        let each = |value: fn(&Run) -> Option<f64>| {
            median(runs.iter().map(|run| value(run).map(|value| value / count)))
        };
        self.commits_per_execution = each(|run| Some(run.counted.commits as f64));
        self.transactions_per_execution = each(|run| run.settled.transactions.map(|n| n as f64));
        self.rows_inserted_per_execution = each(|run| Some(run.settled.inserted as f64));
        self.rows_updated_per_execution = each(|run| run.settled.updated.map(|n| n as f64));
        self.wal_bytes_per_execution = each(|run| run.counted.log_bytes.map(|n| n as f64));
        let seconds = |value: fn(&Run) -> Option<std::time::Duration>| {
            median(runs.iter().map(|run| value(run).map(|value| value.as_secs_f64())))
        };
        self.cpu_s = seconds(|run| run.counted.cpu);
        self.server_cpu_s = seconds(|run| run.counted.server_cpu);
        self.peak_rss_mb = median(runs.iter().map(|run| run.peak.map(megabytes)));
    }

    /// Fills in what the bare loop gave, and each run's ratio to it.
    pub(crate) fn limit(&mut self, rates: &[f64], ratios: &[f64]) {
        let (rates, ratios) =
            (Spread::of(rates.iter().copied()), Spread::of(ratios.iter().copied()));
        (self.limit_executions_per_s, self.limit_executions_per_s_range) = median_and_range(rates);
        (self.ratio_to_limit, self.ratio_to_limit_range) = median_and_range(ratios);
    }

    /// Adds a figure that only this workload has.
    pub(crate) fn add(&mut self, name: &str, value: impl Into<Value>) {
        self.more.insert(name.to_owned(), value.into());
    }

    /// Prints the figures, one a line, and all of them in one line of JSON if that is wanted.
    pub(crate) fn print(&self, json: bool) -> Result<()> {
        let value = serde_json::to_value(self)?;
        let fields = value.as_object().context("figures are an object")?;
        println!("\n{} on {}", self.workload, self.backend);
        let known = fields.iter().filter(|(name, value)| {
            !value.is_null() && !["workload", "backend", "settings"].contains(&name.as_str())
        });
        for (name, value) in known {
            println!("  {name:28} {value}");
        }
        for (name, value) in &self.settings {
            println!("    {name:26} {value}");
        }
        if json {
            println!("{value}");
        }
        Ok(())
    }
}

/// The median and the range of a spread, as they stand in JSON.
pub(crate) fn median_and_range(spread: Option<Spread>) -> (Option<f64>, Option<[f64; 2]>) {
    let range = spread.map(|spread| [significant(spread.least), significant(spread.most)]);
    (spread.map(|spread| significant(spread.median)), range)
}

/// The median of values that were all measured.
fn median(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    Spread::of_all(values).map(|spread| significant(spread.median))
}
