//! What was counted between two moments.

use std::time::Duration;

/// Counts at a moment while executors are running.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counters {
    /// Transactions that wrote.
    pub(crate) commits: u64,
    /// Bytes that were written: to the log on PostgreSQL; on SQLite also what checkpoints copied from it.
    pub(crate) log_bytes: Option<u64>,
    /// How long this process has kept processors busy.
    pub(crate) cpu: Option<Duration>,
    /// The same of the server, if it runs here.
    pub(crate) server_cpu: Option<Duration>,
}

impl Counters {
    /// What was counted since.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let both = |after: Option<Duration>, before| after.zip(before).map(|(a, b)| a - b);
        Self {
            commits: self.commits.saturating_sub(before.commits),
            log_bytes: self.log_bytes.zip(before.log_bytes).map(|(a, b)| a.saturating_sub(b)),
            cpu: both(self.cpu, before.cpu),
            server_cpu: both(self.server_cpu, before.server_cpu),
        }
    }
}

/// Counts at a moment when no executor is connected: servers add up what sessions did when these end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settled {
    /// Rows that were inserted.
    pub(crate) inserted: u64,
    /// Rows that were updated, where that is counted.
    pub(crate) updated: Option<u64>,
    /// Transactions in all, those that only read and those of the start and the end of executors included, where they are counted.
    pub(crate) transactions: Option<u64>,
}

impl Settled {
    /// What was counted since.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let both = |after: Option<u64>, before| after.zip(before).map(|(a, b)| a - b);
        Self {
            inserted: self.inserted.saturating_sub(before.inserted),
            updated: both(self.updated, before.updated),
            transactions: both(self.transactions, before.transactions),
        }
    }
}
