//! When a failed task is tried again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::TaskError;

/// How often and after which waits a failed task is tried again.
///
/// The wait before retry *k* (from 1) is, by backoff, `initial_delay`, `k * initial_delay`, or
/// `initial_delay * factor^(k-1)`; then the cap `max_delay`, then the jitter, which only shortens.
///
/// ```
/// use std::time::Duration;
/// use cloacina_core::{Backoff, RetryPolicy};
///
/// let policy = RetryPolicy::new(5)
///     .initial_delay(Duration::from_millis(200))
///     .backoff(Backoff::Exponential { factor: 2.0 })
///     .max_delay(Duration::from_secs(1));
/// let waits: Vec<_> = (1..5).map(|retry| policy.delay(retry, 0.0).as_millis()).collect();
/// assert_eq!(waits, [200, 400, 800, 1000]);
/// ```
#[derive(Clone)]
pub struct RetryPolicy {
    max_attempts: u32,
    initial_delay: Duration,
    /// What was set.
    max_delay: Option<Duration>,
    backoff: Backoff,
    jitter: Jitter,
    max_elapsed: Option<Duration>,
    retry_on: Option<RetryPredicate>,
}

/// The longest wait and the longest limit, a hundred years: clocks and databases can add it to any instant.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

const DEFAULT_MAX_DELAY: Duration = Duration::from_secs(60);

type RetryPredicate = Arc<dyn Fn(&TaskError) -> bool + Send + Sync>;

/// How the waits between attempts grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Backoff {
    /// All waits are `initial_delay`.
    Fixed,
    /// Each wait is `initial_delay` longer than the one before.
    Linear,
    /// Each wait is `factor` times the one before.
    Exponential {
        /// At least 1.
        factor: f64,
    },
}

/// How waits are spread, so that many tasks that failed together do not come back together.
///
/// Source: "Exponential Backoff And Jitter", AWS Architecture Blog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jitter {
    /// The wait as computed.
    None,
    /// Anything from nothing to the wait.
    Full,
    /// Anything from half the wait to the wait.
    Equal,
}

impl Default for RetryPolicy {
    /// One attempt: a task is tried again only when that was asked for.
    fn default() -> Self {
        Self::new(1)
    }
}

impl RetryPolicy {
    /// Allows so many attempts in all, the first one counted; 0 counts as 1.
    ///
    /// The waits are 1 s, 2 s, 4 s and so on, up to 60 s, without jitter, unless set otherwise.
    #[must_use]
    pub fn new(max_attempts: u32) -> Self {
        Self {
            max_attempts: max_attempts.max(1),
            initial_delay: Duration::from_secs(1),
            max_delay: None,
            backoff: Backoff::Exponential { factor: 2.0 },
            jitter: Jitter::None,
            max_elapsed: None,
            retry_on: None,
        }
    }

    /// Sets the first wait. Default 1 s.
    #[must_use]
    pub fn initial_delay(mut self, delay: Duration) -> Self {
        self.initial_delay = delay;
        self
    }

    /// Sets the longest wait; also the first one is cut to it. Default 60 s, or the initial delay if that is longer.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = Some(delay);
        self
    }

    /// Sets how the waits grow. Default: each twice the one before.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets how waits are spread. Default: not at all.
    #[must_use]
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Stops retrying when the next attempt would begin this long after the first one began. Default: never.
    #[must_use]
    pub fn max_elapsed(mut self, elapsed: Duration) -> Self {
        self.max_elapsed = Some(elapsed);
        self
    }

    /// Retries only errors for which this is true. A permanent error is never retried, nor is anything if this panics.
    #[must_use]
    pub fn retry_on(
        mut self,
        predicate: impl Fn(&TaskError) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.retry_on = Some(Arc::new(predicate));
        self
    }

    /// Returns how many attempts are allowed in all.
    #[must_use]
    pub const fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// Computes the wait before retry `retry`, counted from 1. `random` is drawn evenly from 0 to 1.
    #[must_use]
    pub fn delay(&self, retry: u32, random: f64) -> Duration {
        let wait = self.grown(retry.max(1)).min(self.longest());
        match self.jitter {
            Jitter::None => wait,
            Jitter::Full => part(wait, random),
            Jitter::Equal => (wait / 2).saturating_add(part(wait / 2, random)),
        }
    }

    fn longest(&self) -> Duration {
        self.max_delay.unwrap_or_else(|| DEFAULT_MAX_DELAY.max(self.initial_delay))
    }

    /// The wait before cap and jitter; what does not fit a `Duration` is the longest one.
    fn grown(&self, retry: u32) -> Duration {
        match self.backoff {
            Backoff::Fixed => self.initial_delay,
            Backoff::Linear => self.initial_delay.saturating_mul(retry),
            // In floating point nothing times infinity is not a number, and the first wait would lose nanoseconds.
            Backoff::Exponential { .. } if retry == 1 || self.initial_delay.is_zero() => {
                self.initial_delay
            }
            Backoff::Exponential { factor } => {
                let growth = factor.max(1.0).powf(f64::from(retry - 1));
                let grown = self.initial_delay.as_secs_f64() * growth;
                Duration::try_from_secs_f64(grown).unwrap_or(Duration::MAX)
            }
        }
    }

    /// Decides what follows a failed attempt: the wait before the next one, or `None`.
    ///
    /// `attempt` counts from 1; `elapsed` is the time since the first attempt began. A wait is a hundred years at most.
    #[must_use]
    pub fn next_delay(
        &self,
        attempt: u32,
        error: &TaskError,
        elapsed: Duration,
        random: f64,
    ) -> Option<Duration> {
        if !self.wants(error) {
            return None;
        }
        self.next_delay_if_wanted(attempt, error, elapsed, random)
    }

    /// Reports whether the predicate, if there is one, is for a retry. It is the user's code: it may panic.
    pub(crate) fn wants(&self, error: &TaskError) -> bool {
        self.retry_on.as_ref().is_none_or(|predicate| predicate(error))
    }

    /// Decides the same for an error of which the predicate has been asked.
    pub(crate) fn next_delay_if_wanted(
        &self,
        attempt: u32,
        error: &TaskError,
        elapsed: Duration,
        random: f64,
    ) -> Option<Duration> {
        if error.is_permanent() || attempt >= self.max_attempts {
            return None;
        }
        let delay = error.delay().unwrap_or_else(|| self.delay(attempt, random)).min(LONGEST_WAIT);
        match self.max_elapsed {
            Some(limit) if elapsed.saturating_add(delay) > limit => None,
            _ => Some(delay),
        }
    }
}

/// Returns a part of a wait, never more than the whole; what is out of range counts as the nearest number in it.
fn part(whole: Duration, random: f64) -> Duration {
    let random = if random.is_nan() { 1.0 } else { random.clamp(0.0, 1.0) };
    let part = whole.as_secs_f64() * random;
    Duration::try_from_secs_f64(part).unwrap_or(whole).min(whole)
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy")
            .field("max_attempts", &self.max_attempts)
            .field("initial_delay", &self.initial_delay)
            .field("max_delay", &self.longest())
            .field("backoff", &self.backoff)
            .field("jitter", &self.jitter)
            .field("max_elapsed", &self.max_elapsed)
            .field("retry_on", &self.retry_on.as_ref().map(|_| "predicate"))
            .finish()
    }
}

#[cfg(test)]
mod tests;
