//! The settings of an executor.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::retry::LONGEST_WAIT;

/// The settings of an executor. Durations are in seconds and nanoseconds when serialised.
///
/// ```
/// use cloacina_core::ExecutorConfig;
///
/// let mut config = ExecutorConfig::default();
/// config.max_concurrent_tasks = 0;
/// let error = config.validate().unwrap_err();
/// assert_eq!(error.to_string(), "`max_concurrent_tasks` is 0, it must be from 1 to 1000000");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ExecutorConfig {
    /// How many task bodies run at once in this process. Default 16.
    pub max_concurrent_tasks: usize,
    /// How long one attempt of a task may take, unless the task says otherwise. Default 5 minutes.
    pub task_timeout: Duration,
    /// How long an execution may take from its start, waits included. Default: no limit.
    pub pipeline_timeout: Option<Duration>,
    /// How many database connections may be open at once. Default 10.
    pub db_pool_size: u32,
    /// Whether work that other workers left behind is taken up. Default: it is.
    pub enable_recovery: bool,
    /// How many crashes in a row a task may cause before it is abandoned. Default 3.
    pub max_recovery_attempts: u32,
    /// How long a worker counts as alive after its last sign of life, where its death cannot be proved. Default 15 s.
    pub lease_ttl: Duration,
    /// How often to look for what other processes did, where nothing tells. Default 500 ms.
    pub poll_interval: Duration,
    /// How long a cancelled task has to react to its token before it is dropped. Default 1 s.
    pub cancel_grace: Duration,
    /// How long `shutdown` lets running tasks finish. Default 10 s.
    pub shutdown_grace: Duration,
    /// The largest context, as JSON in bytes. Default 4 MiB.
    pub max_context_bytes: usize,
    /// How many executions this process holds at once. Default 8192; more wait in the database.
    pub max_held_executions: usize,
    /// How many submits of this process may wait for their commit at once. Default 8192. What happens with more is said by
    /// `overload`.
    pub max_waiting_submits: usize,
    /// How many bytes the inputs of these submits may have together, as JSON. Default 64 MiB. A submit that is larger goes alone.
    pub max_waiting_submit_bytes: usize,
    /// What becomes of a submit when one of these limits is reached. Default: it waits.
    pub overload: OverloadPolicy,
}

/// What becomes of a submit when too many wait for their commit.
///
/// Neither loses anything: what was acknowledged is in the database, and a submit that is kept waiting or refused has written
/// nothing. How much waits *in the database* is not bounded: it costs disk space, not memory, and to count it with
/// each submit would cost more than the submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OverloadPolicy {
    /// It waits, in the order of the calls, until others are committed: back-pressure. For how long is the caller's affair, who may
    /// drop the call at any time.
    #[default]
    Wait,
    /// It is refused at once, with [`ExecutorError::Overloaded`](crate::ExecutorError::Overloaded).
    Refuse,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        Self {
            max_concurrent_tasks: 16,
            task_timeout: Duration::from_secs(300),
            pipeline_timeout: None,
            db_pool_size: 10,
            enable_recovery: true,
            max_recovery_attempts: 3,
            lease_ttl: Duration::from_secs(15),
            poll_interval: Duration::from_millis(500),
            cancel_grace: Duration::from_secs(1),
            shutdown_grace: Duration::from_secs(10),
            max_context_bytes: 4 * 1024 * 1024,
            max_held_executions: 8192,
            max_waiting_submits: 8192,
            max_waiting_submit_bytes: 64 * 1024 * 1024,
            overload: OverloadPolicy::Wait,
        }
    }
}

/// A setting is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is {value}, it must be {allowed}")]
pub struct ConfigError {
    /// The setting.
    pub field: &'static str,
    /// What it held.
    pub value: String,
    /// What is allowed.
    pub allowed: &'static str,
}

impl ExecutorConfig {
    /// Checks every setting.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names the first setting that is not allowed, what it held, and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let number = |field, value: usize, allowed, range: std::ops::RangeInclusive<usize>| {
            if range.contains(&value) {
                return Ok(());
            }
            Err(ConfigError { field, value: value.to_string(), allowed })
        };
        number(
            "max_concurrent_tasks",
            self.max_concurrent_tasks,
            "from 1 to 1000000",
            1..=1_000_000,
        )?;
        number("db_pool_size", self.db_pool_size as usize, "from 1 to 1000", 1..=1000)?;
        number(
            "max_recovery_attempts",
            self.max_recovery_attempts as usize,
            "from 1 to 1000000",
            1..=1_000_000,
        )?;
        // Twice that, for what a task changed and what it returned, is to fit into one message to a store.
        let most = 1 << 28;
        number("max_context_bytes", self.max_context_bytes, "from 2 to 268435456", 2..=most)?;
        number(
            "max_held_executions",
            self.max_held_executions,
            "from 1 to 1000000",
            1..=1_000_000,
        )?;
        number(
            "max_waiting_submits",
            self.max_waiting_submits,
            "from 1 to 1000000",
            1..=1_000_000,
        )?;
        number(
            "max_waiting_submit_bytes",
            self.max_waiting_submit_bytes,
            "at least 1",
            1..=usize::MAX,
        )?;
        let least = Duration::from_millis(1);
        let usual = "from 1 ms to 100 years";
        duration("task_timeout", self.task_timeout, least, usual)?;
        duration("pipeline_timeout", self.pipeline_timeout.unwrap_or(least), least, usual)?;
        let short = Duration::from_millis(50);
        duration("lease_ttl", self.lease_ttl, short, "from 50 ms to 100 years")?;
        duration("poll_interval", self.poll_interval, least, usual)?;
        duration("cancel_grace", self.cancel_grace, Duration::ZERO, "at most 100 years")?;
        duration("shutdown_grace", self.shutdown_grace, Duration::ZERO, "at most 100 years")
    }
}

/// Checks a duration. There is an upper limit so that it can be added to any instant.
pub(crate) fn duration(
    field: &'static str,
    value: Duration,
    least: Duration,
    allowed: &'static str,
) -> Result<(), ConfigError> {
    if (least..=LONGEST_WAIT).contains(&value) {
        return Ok(());
    }
    Err(ConfigError { field, value: format!("{value:?}"), allowed })
}

#[cfg(test)]
mod tests;
