//! What an executor counts.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::PipelineStatus;
use crate::metrics::Meters;

/// What this executor counts for itself, and for the process.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) meters: Meters,
    completed: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    recovered: AtomicU64,
    fenced: AtomicU64,
    refused_submits: AtomicU64,
}

/// What an executor did since it started, and what it holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ExecutorMetrics {
    /// Executions that this process holds in memory.
    pub held_executions: usize,
    /// Task bodies that run now.
    pub running_tasks: usize,
    /// Submits that wait for their commit, those excluded that are kept waiting before.
    pub waiting_submits: usize,
    /// Slots for task bodies in all.
    pub max_concurrent_tasks: usize,
    /// Executions that completed here.
    pub completed: u64,
    /// Executions that failed here.
    pub failed: u64,
    /// Executions that were cancelled while held here.
    pub cancelled: u64,
    /// Executions taken over from a worker that died.
    pub recovered: u64,
    /// Executions that another worker took over from here.
    pub fenced: u64,
    /// Submits that were refused with [`ExecutorError::Overloaded`](crate::ExecutorError::Overloaded).
    pub refused_submits: u64,
}

impl Counters {
    /// Counts with the recorder that is installed.
    pub(super) fn new() -> Self {
        let meters = Meters::new();
        let [completed, failed, cancelled, recovered, fenced, refused_submits] =
            [const { AtomicU64::new(0) }; 6];
        Self { meters, completed, failed, cancelled, recovered, fenced, refused_submits }
    }

    pub(super) fn ended(&self, status: PipelineStatus) {
        self.meters.ended(status);
        match status {
            PipelineStatus::Completed => &self.completed,
            PipelineStatus::Failed => &self.failed,
            PipelineStatus::Cancelled => &self.cancelled,
            PipelineStatus::Pending | PipelineStatus::Running | PipelineStatus::Paused => return,
        }
        .fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn recovered(&self) {
        self.meters.recoveries.increment(1);
        self.recovered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn fenced(&self) {
        self.meters.executions_lost.increment(1);
        self.fenced.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused_submit(&self) {
        self.meters.submits_refused.increment(1);
        self.refused_submits.fetch_add(1, Ordering::Relaxed);
    }

    /// Fills in what was counted.
    pub(super) fn read(&self) -> ExecutorMetrics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ExecutorMetrics {
            completed: read(&self.completed),
            failed: read(&self.failed),
            cancelled: read(&self.cancelled),
            recovered: read(&self.recovered),
            fenced: read(&self.fenced),
            refused_submits: read(&self.refused_submits),
            ..ExecutorMetrics::default()
        }
    }
}
