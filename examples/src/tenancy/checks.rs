//! What was waited for, what was checked, and a table of what was counted.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::fmt::{Display, Write as _};
use std::time::Duration;

use cloacina_core::TenantMetrics;

/// What was checked so far.
#[derive(Debug, Default)]
pub struct Checks {
    broken: usize,
}

impl Checks {
    /// Prints whether a statement holds, and remembers it if it does not.
    pub fn check(&mut self, holds: bool, what: impl Display) {
        println!("  {}  {what}", if holds { "ok " } else { "NOT" });
        self.broken += usize::from(!holds);
    }

    /// Prints by what an attempt was refused. It has to be.
    pub fn refused(&mut self, what: impl Display, refusal: Option<impl Display>) {
        match refusal {
            Some(refusal) => self.check(true, format!("{what}: {refusal}")),
            None => self.check(false, format!("{what}: it got through")),
        }
    }

    /// Reports whether all that was checked holds.
    #[must_use]
    pub const fn hold(&self) -> bool {
        self.broken == 0
    }
}

/// Waits until a condition holds, looking every few milliseconds.
pub async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Draws the metrics of tenants, one row each.
#[must_use]
pub fn table(rows: &[(&str, TenantMetrics)]) -> String {
    let mut text = "  tenant       total  active  completed  failed  mean time".to_owned();
    for (tenant, metrics) in rows {
        let TenantMetrics {
            total_executions: total,
            active_executions: active,
            completed_executions: completed,
            failed_executions: failed,
            avg_execution_time: mean,
            ..
        } = metrics;
        let mean = mean.as_millis();
        // Writing to a text does not fail.
        let _ = write!(
            text,
            "\n  {tenant:11}  {total:5}  {active:6}  {completed:9}  {failed:6}  {mean:6} ms"
        );
    }
    text
}
