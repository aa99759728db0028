//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::tenants;

/// Measures what the engine does with the machine.
///
/// Everything is durable: commits wait for the disk. What each workload gets done stands beside its limit: the same rows, written in
/// batches of the same size by a bare loop without the engine. The bodies of the tasks do next to nothing.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// What is measured.
    #[arg(value_enum)]
    pub(crate) workload: Name,
    /// The WfFormat file of `dag`; of which workload `limit` writes the rows, `chain` if not given.
    pub(crate) what: Option<String>,
    /// `sqlite`, `postgres` (a throw-away server) or an address of PostgreSQL; both stores if not given. On a server
    /// that is there already a database is made and dropped, and its role has to be allowed that.
    #[arg(long)]
    pub(crate) backend: Option<String>,
    /// How many executions a run has; each workload has a number of its own if not given.
    #[arg(long)]
    pub(crate) executions: Option<usize>,
    /// How many executors work on the one store, all in this process, each over connections of its own.
    #[arg(long, default_value_t = 1)]
    pub(crate) workers: usize,
    /// How many executions are submitted and waited for at once.
    #[arg(long, default_value_t = 4096)]
    pub(crate) in_flight: usize,
    /// How many runs are measured, after one to warm up: 5 if not given, 3 for `resume`, `history` and `metg`.
    #[arg(long)]
    pub(crate) runs: Option<usize>,
    /// Prints the figures of each store as one line of JSON as well, the last line.
    #[arg(long)]
    pub(crate) json: bool,
    /// In which folder SQLite's files are made; the one for temporary files if not given.
    #[arg(long)]
    pub(crate) folder: Option<PathBuf>,
    /// How many executions have ended before those of `history`.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) history: usize,
    /// How many tasks `wide` has side by side, and `deep` in a row.
    #[arg(long, default_value_t = 1000)]
    pub(crate) tasks: usize,
    /// How many steps the patterns of `metg` have; each is 32 tasks wide.
    #[arg(long, default_value_t = 50)]
    pub(crate) steps: usize,
    #[command(flatten)]
    pub(crate) tenants: tenants::Arguments,
}

/// A workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// One task.
    Single,
    /// Three tasks in a row.
    Chain,
    /// One task, then ten, then one.
    Fan,
    /// One task, then a thousand, then one.
    Wide,
    /// A thousand tasks in a row.
    Deep,
    /// A chain alone, one after another.
    Latency,
    /// A workflow from a WfFormat file, without its run times.
    Dag,
    /// Executors start where executions are unfinished.
    Resume,
    /// The chain after a million executions that have ended.
    History,
    /// Many tenants of which few are active: what idle ones cost, and how long a quiet one waits beside busy ones.
    Tenants,
    /// Task Bench's measure: how long tasks have to be for half of the slots to be busy.
    Metg,
    /// The bare loop alone, in batches of several sizes.
    Limit,
}

impl Name {
    /// How many executions of so many tasks a run has, if nobody says.
    fn executions(self, tasks: usize) -> usize {
        match self {
            // Long enough that the first and the last ones, which have the machine to themselves, do not count.
            Self::Single | Self::Chain | Self::History => 100_000,
            Self::Fan | Self::Limit => 30_000,
            Self::Resume => 10_000,
            Self::Latency => 300,
            Self::Wide | Self::Deep | Self::Dag => (20_000 / tasks.max(1)).clamp(1, 5_000),
            Self::Tenants | Self::Metg => 1,
        }
    }

    const fn runs(self) -> usize {
        match self {
            Self::Resume | Self::History | Self::Metg => 3,
            _ => 5,
        }
    }
}

impl Arguments {
    /// How many executions of so many tasks a run has.
    pub(crate) fn executions(&self, tasks: usize) -> usize {
        self.executions.unwrap_or_else(|| self.workload.executions(tasks)).max(1)
    }

    pub(crate) fn runs(&self) -> usize {
        self.runs.unwrap_or(self.workload.runs()).max(1)
    }

    pub(crate) fn workers(&self) -> usize {
        self.workers.max(1)
    }

    /// The name of the workload, as it is given.
    pub(crate) fn name(&self) -> String {
        self.workload
            .to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_may_stand_before_and_after_the_workload() {
        let before = ["bench", "--backend", "sqlite", "--runs", "2", "chain"];
        let after = ["bench", "chain", "--backend", "sqlite", "--runs", "2"];
        for line in [before, after] {
            let arguments = Arguments::try_parse_from(line).unwrap();
            assert_eq!(arguments.backend.as_deref(), Some("sqlite"));
            assert_eq!((arguments.workload, arguments.runs()), (Name::Chain, 2));
            assert_eq!(arguments.executions(3), 100_000);
            assert_eq!(Name::Deep.executions(1000), 20);
        }
    }
}
