//! Taking up executions that nobody owns.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use cloacina_core::backend::{
    Adoption, ClaimRequest, ClaimScope, Claims, ExecutionRecord, WorkflowKey,
};
use cloacina_core::{ExecutionId, PipelineStatus, WorkerId};

use super::store::{Execution, State};

/// What is in the scope of a claim.
struct InScope {
    /// What may be given now, by id.
    due: BTreeSet<ExecutionId>,
    /// When the next of the others falls due.
    next: Option<DateTime<Utc>>,
}

impl State {
    pub(super) fn claim(&mut self, request: &ClaimRequest) -> Claims {
        let now = self.now();
        let registered = self.workers.contains_key(&request.worker);
        let limit =
            if registered { usize::try_from(request.limit).unwrap_or(usize::MAX) } else { 0 };
        let found = match &request.scope {
            ClaimScope::Workflows(keys) => self.of_workflows(keys, limit, now),
            ClaimScope::Adopt(wanted) => self.of_these(wanted, now),
        };
        let given: Vec<_> = found.due.into_iter().take(limit).collect();
        for id in &given {
            self.change(*id, |execution| execution.take_up(request.worker, now));
        }
        if let ClaimScope::Adopt(wanted) = &request.scope {
            for it in wanted.iter().filter(|it| given.contains(&it.execution)) {
                self.change(it.execution, |execution| {
                    execution.record.workflow.version = Arc::clone(&it.version);
                });
            }
        }
        Claims {
            executions: given.into_iter().filter_map(|id| self.snapshot(id)).collect(),
            next_due: found.next.map(|due| (due - now).to_std().unwrap_or(Duration::ZERO)),
            peers: self.peers(request.worker),
        }
    }

    /// Finds the `limit` oldest of each workflow: enough to hold the oldest of all of them.
    fn of_workflows(&self, keys: &[WorkflowKey], limit: usize, now: DateTime<Utc>) -> InScope {
        let mut found = InScope { due: BTreeSet::new(), next: None };
        for claimable in keys.iter().filter_map(|key| self.index.claimable.get(key)) {
            found.due.extend(claimable.undelayed.iter().take(limit));
            for (due, id) in &claimable.delayed {
                if *due > now {
                    found.note_next(*due);
                    break;
                }
                found.due.insert(*id);
            }
        }
        found
    }

    fn of_these(&self, wanted: &[Adoption], now: DateTime<Utc>) -> InScope {
        let mut found = InScope { due: BTreeSet::new(), next: None };
        let rows = wanted.iter().filter_map(|it| {
            let record = &self.executions().get(&it.execution)?.record;
            (record.epoch == it.epoch).then_some(record)
        });
        for record in rows.filter(|record| is_claimable(record)) {
            match record.due_at.filter(|due| *due > now) {
                Some(due) => found.note_next(due),
                None => {
                    found.due.insert(record.id);
                }
            }
        }
        found
    }
}

impl InScope {
    fn note_next(&mut self, due: DateTime<Utc>) {
        self.next = Some(self.next.map_or(due, |next| next.min(due)));
    }
}

fn is_claimable(record: &ExecutionRecord) -> bool {
    record.owner.is_none()
        && matches!(record.status, PipelineStatus::Pending | PipelineStatus::Running)
}

impl Execution {
    fn take_up(&mut self, worker: WorkerId, now: DateTime<Utc>) {
        self.record.status = PipelineStatus::Running;
        self.record.owner = Some(worker);
        self.record.epoch += 1;
        self.record.started_at.get_or_insert(now);
    }
}
