//! What is told about a tenant.

use std::time::Duration;

use crate::backend::Counts;

/// What a tenant has done and does, as its store counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TenantMetrics {
    /// Executions that run now.
    pub active_executions: usize,
    /// Executions in any state, those that were pruned left out.
    pub total_executions: u64,
    /// The mean time from start to end of those that ended after a start; zero if there are none.
    pub avg_execution_time: Duration,
    /// Executions that wait to be taken up.
    pub pending_executions: u64,
    /// Executions on hold.
    pub paused_executions: u64,
    /// Executions that ended well.
    pub completed_executions: u64,
    /// Executions that ended with an unhandled failure.
    pub failed_executions: u64,
    /// Executions that were cancelled.
    pub cancelled_executions: u64,
}

impl From<Counts> for TenantMetrics {
    fn from(counts: Counts) -> Self {
        let Counts { pending, running, paused, completed, failed, cancelled, mean_duration } =
            counts;
        Self {
            active_executions: usize::try_from(running).unwrap_or(usize::MAX),
            total_executions: pending + running + paused + completed + failed + cancelled,
            avg_execution_time: mean_duration.unwrap_or_default(),
            pending_executions: pending,
            paused_executions: paused,
            completed_executions: completed,
            failed_executions: failed,
            cancelled_executions: cancelled,
        }
    }
}
