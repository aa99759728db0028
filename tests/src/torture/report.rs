//! What a run comes to.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::fleet::{Harm, Violation};

/// What a run comes to: one line of JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The store.
    pub backend: &'static str,
    /// What the schedule and the workload are made from.
    pub seed: u64,
    /// How many things went wrong.
    pub faults: usize,
    /// How many executions there are.
    pub executions: usize,
    /// How many tasks have results.
    pub tasks: usize,
    /// How often something acknowledged or committed was missing.
    pub lost: usize,
    /// How often something happened twice, or two did what one may do.
    pub duplicated: usize,
    /// How often a body began before what it depends on was committed.
    pub out_of_order: usize,
    /// How many executions did not end.
    pub stuck: usize,
    /// How often something else was not as it has to be.
    pub wrong: usize,
    /// Submits that nobody answered, and that could not be repeated.
    pub unanswered: usize,
    /// Bodies that ran in vain.
    pub ran_in_vain: usize,
    /// Of these, bodies in processes to which nothing happened but that they were asked to leave.
    pub in_vain_by_leaving: usize,
    /// Executions taken over from dead workers.
    pub takeovers: usize,
    /// How often each thing went wrong.
    pub by_kind: BTreeMap<&'static str, usize>,
    /// From `kill -9` until all that the worker held was free.
    pub recovery_ms: Quantiles,
    /// How long it took, in seconds.
    pub elapsed_s: u64,
}

/// Of durations, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    /// The middle.
    pub p50: u64,
    /// All but one in a hundred.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

impl Quantiles {
    pub(super) fn of(durations: &[Duration]) -> Self {
        let mut millis: Vec<u64> = durations
            .iter()
            .map(|one| u64::try_from(one.as_millis()).unwrap_or(u64::MAX))
            .collect();
        millis.sort_unstable();
        let at = |percent: usize| {
            let place = (millis.len() * percent).div_ceil(100).saturating_sub(1);
            millis.get(place).copied().unwrap_or_default()
        };
        Self { p50: at(50), p99: at(99), max: at(100) }
    }
}

/// Counts the violations of a harm.
pub(super) fn count(violations: &[Violation], harm: Harm) -> usize {
    violations.iter().filter(|one| one.harm == harm).count()
}
