//! A limit on how many requests of one tenant may wait at once: for the end of an execution, or following one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloacina_core::TenantId;

use crate::problem::{Kind, Problem};

type Counts = HashMap<TenantId, usize>;

/// Counts the requests that wait, by tenant. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    limit: usize,
    counts: Arc<Mutex<Counts>>,
}

/// The place of a request that waits.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Gate,
    tenant: TenantId,
}

impl Gate {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, counts: Arc::default() }
    }

    /// Lets a request in that will take its time.
    pub(crate) fn enter(&self, tenant: &TenantId) -> Result<Place, Problem> {
        let mut counts = self.lock();
        let count = counts.entry(tenant.clone()).or_default();
        if *count >= self.limit {
            let detail = format!("{count} requests wait for executions, more are not let in");
            return Err(Problem::new(Kind::TooManyRequests, detail));
        }
        *count += 1;
        Ok(Place { gate: self.clone(), tenant: tenant.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.gate.lock();
        if let Some(count) = counts.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.tenant);
            }
        }
    }
}
