//! What an executor counts through the [`metrics`](https://docs.rs/metrics) facade.
//!
//! Install a recorder, such as that of `metrics-exporter-prometheus`, **before** the first executor is built: an executor
//! looks its metrics up once, when it is built, and counts through the handles from then on. Without a recorder a handle is empty,
//! and counting is one branch.
//!
//! | name | kind | unit | label | what it tells |
//! |---|---|---|---|---|
//! | [`EXECUTIONS`] | counter | executions | `outcome`: `completed`, `failed`, `cancelled` | executions that ended while held here |
//! | [`TASKS`] | counter | tasks | `outcome`: `completed`, `failed`, `skipped`, `cancelled` | tasks whose ends were committed here |
//! | [`TASK_RETRIES`] | counter | attempts | | failed attempts that another one follows, committed here |
//! | [`TASK_QUEUE_SECONDS`] | histogram | seconds | | from the moment at which a task may start to the start of its body |
//! | [`TASK_RUN_SECONDS`] | histogram | seconds | `outcome`: `completed`, `failed` | how long the body of an attempt ran, unless it was stopped |
//! | [`COMMIT_SECONDS`] | histogram | seconds | | how long the store took for a batch |
//! | [`COMMIT_BATCH_ITEMS`] | histogram | items | | submits, checkpoints and releases in a batch that was committed |
//! | [`COMMIT_FAILURES`] | counter | batches | | batches that the store did not take, or not at once |
//! | [`LEASE_LOSSES`] | counter | leases | | times at which this worker was declared dead and lived |
//! | [`EXECUTIONS_LOST`] | counter | executions | | executions that another worker took over from here |
//! | [`RECOVERIES`] | counter | executions | | executions taken over from a worker that died |
//! | [`SUBMITS_REFUSED`] | counter | submits | | submits refused as [`Overloaded`](crate::ExecutorError::Overloaded) |
//! | [`EXECUTIONS_HELD`] | gauge | executions | | executions that are held in memory |
//! | [`TASKS_RUNNING`] | gauge | tasks | | bodies that run |
//!
//! **Labels are bounded.** An outcome is one of a few words, and that is the only label: a process with ten thousand tenants has as
//! many series as one with a single tenant. Tenants, workflows and tasks are no labels, since each value of a label is a series that the recorder and
//! the monitoring keep for ever, and a product of three such labels has no bound. All executors of a process count into the same
//! series. What a single tenant does is told by [`UnifiedExecutor::metrics`](crate::UnifiedExecutor::metrics) and
//! [`TenantManager::get_tenant_metrics`](crate::TenantManager::get_tenant_metrics), what a single task does by the spans `attempt`.
//!
//! An order that ends an execution, such as a cancel, writes the ends of its tasks itself: these are not among the [`TASKS`].

use std::time::Duration;

use ::metrics::{Counter, Gauge, Histogram, Unit};
use ::metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::{PipelineStatus, TaskState};

/// Counts executions that ended while held here, by `outcome`.
pub const EXECUTIONS: &str = "cloacina_executions_total";
/// Counts tasks whose ends were committed here, by `outcome`.
pub const TASKS: &str = "cloacina_tasks_total";
/// Counts failed attempts that another one follows.
pub const TASK_RETRIES: &str = "cloacina_task_retries_total";
/// The time from the moment at which a task may start to the start of its body, in seconds.
pub const TASK_QUEUE_SECONDS: &str = "cloacina_task_queue_seconds";
/// How long the body of an attempt ran, in seconds, by `outcome`. One that was stopped, by a cancel or because the execution was lost,
/// has none.
pub const TASK_RUN_SECONDS: &str = "cloacina_task_run_seconds";
/// How long the store took for a batch, in seconds.
pub const COMMIT_SECONDS: &str = "cloacina_commit_seconds";
/// How many submits, checkpoints and releases a committed batch had.
pub const COMMIT_BATCH_ITEMS: &str = "cloacina_commit_batch_items";
/// Counts batches that the store did not take, or not at once.
pub const COMMIT_FAILURES: &str = "cloacina_commit_failures_total";
/// Counts how often this worker was declared dead and lived.
pub const LEASE_LOSSES: &str = "cloacina_lease_losses_total";
/// Counts executions that another worker took over from here.
pub const EXECUTIONS_LOST: &str = "cloacina_executions_lost_total";
/// Counts executions taken over from a worker that died.
pub const RECOVERIES: &str = "cloacina_recoveries_total";
/// Counts submits that were refused because too many waited.
pub const SUBMITS_REFUSED: &str = "cloacina_submits_refused_total";
/// How many executions are held in memory.
pub const EXECUTIONS_HELD: &str = "cloacina_executions_held";
/// How many bodies run.
pub const TASKS_RUNNING: &str = "cloacina_tasks_running";

/// The label of counters and histograms that tell how something ended.
const OUTCOME: &str = "outcome";

/// The handles of one executor, looked up once. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Meters {
    completed: Counter,
    failed: Counter,
    cancelled: Counter,
    tasks: TaskCounters,
    retries: Counter,
    queue: Histogram,
    run_completed: Histogram,
    run_failed: Histogram,
    commit: Histogram,
    commit_items: Histogram,
    pub(crate) commit_failures: Counter,
    pub(crate) lease_losses: Counter,
    pub(crate) executions_lost: Counter,
    pub(crate) recoveries: Counter,
    pub(crate) submits_refused: Counter,
    pub(crate) executions_held: Gauge,
    tasks_running: Gauge,
}

#[derive(Debug, Clone)]
struct TaskCounters {
    completed: Counter,
    failed: Counter,
    skipped: Counter,
    cancelled: Counter,
}

/// The ends of tasks in a checkpoint, to be counted once it is committed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    completed: u32,
    failed: u32,
    skipped: u32,
    cancelled: u32,
    retries: u32,
}

/// Counts one for as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

impl Meters {
    /// Looks the handles up with the recorder that is installed.
    pub(crate) fn new() -> Self {
        describe();
        Self {
            completed: counter!(EXECUTIONS, OUTCOME => "completed"),
            failed: counter!(EXECUTIONS, OUTCOME => "failed"),
            cancelled: counter!(EXECUTIONS, OUTCOME => "cancelled"),
            tasks: TaskCounters {
                completed: counter!(TASKS, OUTCOME => "completed"),
                failed: counter!(TASKS, OUTCOME => "failed"),
                skipped: counter!(TASKS, OUTCOME => "skipped"),
                cancelled: counter!(TASKS, OUTCOME => "cancelled"),
            },
            retries: counter!(TASK_RETRIES),
            queue: histogram!(TASK_QUEUE_SECONDS),
            run_completed: histogram!(TASK_RUN_SECONDS, OUTCOME => "completed"),
            run_failed: histogram!(TASK_RUN_SECONDS, OUTCOME => "failed"),
            commit: histogram!(COMMIT_SECONDS),
            commit_items: histogram!(COMMIT_BATCH_ITEMS),
            commit_failures: counter!(COMMIT_FAILURES),
            lease_losses: counter!(LEASE_LOSSES),
            executions_lost: counter!(EXECUTIONS_LOST),
            recoveries: counter!(RECOVERIES),
            submits_refused: counter!(SUBMITS_REFUSED),
            executions_held: gauge!(EXECUTIONS_HELD),
            tasks_running: gauge!(TASKS_RUNNING),
        }
    }

    /// Counts an execution that ended.
    pub(crate) fn ended(&self, status: PipelineStatus) {
        match status {
            PipelineStatus::Completed => self.completed.increment(1),
            PipelineStatus::Failed => self.failed.increment(1),
            PipelineStatus::Cancelled => self.cancelled.increment(1),
            PipelineStatus::Pending | PipelineStatus::Running | PipelineStatus::Paused => {}
        }
    }

    /// Counts what a committed checkpoint held.
    pub(crate) fn committed(&self, tally: Tally) {
        let Tally { completed, failed, skipped, cancelled, retries } = tally;
        let tasks = &self.tasks;
        for (counter, count) in [
            (&tasks.completed, completed),
            (&tasks.failed, failed),
            (&tasks.skipped, skipped),
            (&tasks.cancelled, cancelled),
            (&self.retries, retries),
        ] {
            if count > 0 {
                counter.increment(count.into());
            }
        }
    }

    /// Notes that a body starts after such a wait, and that it runs while the result lives.
    pub(crate) fn started(&self, waited: Duration) -> Counted {
        self.queue.record(waited);
        self.tasks_running.increment(1);
        Counted(self.tasks_running.clone())
    }

    /// Notes how long a body ran.
    pub(crate) fn ran(&self, time: Duration, outcome: TaskState) {
        match outcome {
            TaskState::Completed => self.run_completed.record(time),
            _ => self.run_failed.record(time),
        }
    }

    /// Notes a batch that was committed.
    pub(crate) fn batch(&self, items: usize, time: Duration) {
        self.commit.record(time);
        self.commit_items.record(u32::try_from(items).unwrap_or(u32::MAX));
    }
}

impl Tally {
    /// Counts the ends of a checkpoint, and so many attempts that are repeated.
    pub(crate) fn of(ends: impl Iterator<Item = TaskState>, retries: usize) -> Self {
        let mut tally =
            Self { retries: u32::try_from(retries).unwrap_or(u32::MAX), ..Self::default() };
        for state in ends {
            match state {
                TaskState::Completed => tally.completed += 1,
                TaskState::Failed => tally.failed += 1,
                TaskState::Skipped => tally.skipped += 1,
                TaskState::Cancelled => tally.cancelled += 1,
                TaskState::Pending | TaskState::Running => {}
            }
        }
        tally
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// Tells the recorder what each metric means.
fn describe() {
    let counters = [
        (EXECUTIONS, "Executions that ended while held here, by outcome."),
        (TASKS, "Tasks whose ends were committed here, by outcome."),
        (TASK_RETRIES, "Failed attempts that another one follows."),
        (COMMIT_FAILURES, "Batches that the store did not take, or not at once."),
        (LEASE_LOSSES, "Times at which this worker was declared dead and lived."),
        (EXECUTIONS_LOST, "Executions that another worker took over from here."),
        (RECOVERIES, "Executions taken over from a worker that died."),
        (SUBMITS_REFUSED, "Submits that were refused because too many waited."),
    ];
    for (name, what) in counters {
        describe_counter!(name, Unit::Count, what);
    }
    let times = [
        (
            TASK_QUEUE_SECONDS,
            "Time from the moment at which a task may start to the start of its body.",
        ),
        (TASK_RUN_SECONDS, "Time that the body of an attempt ran, by outcome."),
        (COMMIT_SECONDS, "Time that the store took for a batch."),
    ];
    for (name, what) in times {
        describe_histogram!(name, Unit::Seconds, what);
    }
    let items = "Submits, checkpoints and releases in a batch that was committed.";
    describe_histogram!(COMMIT_BATCH_ITEMS, Unit::Count, items);
    describe_gauge!(EXECUTIONS_HELD, Unit::Count, "Executions that are held in memory.");
    describe_gauge!(TASKS_RUNNING, Unit::Count, "Bodies of tasks that run.");
}
