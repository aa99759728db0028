//! Reading.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use cloacina_core::backend::{
    Counts, EventRecord, ExecutionQuery, ExecutionRecord, ExecutionSnapshot, Standing,
};
use cloacina_core::{ExecutionId, PipelineStatus};

use super::store::State;

/// The unfinished work of a store that is not on hold.
pub(super) struct Work {
    /// Whether workers own some of it.
    pub(super) owned: bool,
    /// How long until the first that nobody owns falls due.
    pub(super) next_due: Option<Duration>,
}

impl State {
    pub(super) fn standing(&self, id: ExecutionId) -> Option<Standing> {
        let record = &self.executions().get(&id)?.record;
        Some(Standing { status: record.status, owner: record.owner, epoch: record.epoch })
    }

    pub(super) fn snapshot(&self, id: ExecutionId) -> Option<ExecutionSnapshot> {
        let execution = self.executions().get(&id)?;
        let mut tasks: Vec<_> = execution.tasks.values().cloned().collect();
        tasks.sort_by_key(|task| task.ordinal);
        let mut attempts: Vec<_> = execution.attempts.values().cloned().collect();
        attempts.sort_by_key(|attempt| attempt.started_at);
        Some(ExecutionSnapshot {
            record: execution.record.clone(),
            input: execution.input.clone(),
            tasks,
            attempts,
            now: self.now(),
        })
    }

    pub(super) fn list(&self, query: &ExecutionQuery) -> Vec<ExecutionRecord> {
        let newest_first: Box<dyn Iterator<Item = &ExecutionRecord>> = if query.unowned.is_some() {
            let ids = self.index.unowned.iter().rev();
            Box::new(ids.filter_map(|id| self.executions().get(id)).map(|it| &it.record))
        } else {
            Box::new(self.executions().values().rev().map(|it| &it.record))
        };
        newest_first
            .filter(|record| query.before.is_none_or(|before| record.id < before))
            .filter(|record| query.statuses.is_empty() || query.statuses.contains(&record.status))
            .filter(|record| {
                query.workflow.as_deref().is_none_or(|it| it == &*record.workflow.name)
            })
            .filter(|record| {
                let owned = record.owner == query.owner && !record.status.is_terminal();
                query.owner.is_none() || owned
            })
            .filter(|record| !query.excluding.contains(&record.workflow))
            .take(query.limit.map_or(usize::MAX, |it| usize::try_from(it).unwrap_or(usize::MAX)))
            .cloned()
            .collect()
    }

    pub(super) fn events(&self, id: ExecutionId) -> Vec<EventRecord> {
        self.executions().get(&id).map(|it| it.events.clone()).unwrap_or_default()
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        let mut total = TimeDelta::zero();
        let mut measured = 0;
        for record in self.executions().values().map(|it| &it.record) {
            match record.status {
                PipelineStatus::Pending => counts.pending += 1,
                PipelineStatus::Running => counts.running += 1,
                PipelineStatus::Paused => counts.paused += 1,
                PipelineStatus::Completed => counts.completed += 1,
                PipelineStatus::Failed => counts.failed += 1,
                PipelineStatus::Cancelled => counts.cancelled += 1,
            }
            if let (Some(started), Some(finished)) = (record.started_at, record.finished_at) {
                total += finished - started;
                measured += 1;
            }
        }
        counts.mean_duration =
            total.checked_div(measured).map(|mean| mean.to_std().unwrap_or(Duration::ZERO));
        counts
    }

    pub(super) fn work(&self) -> Work {
        let now = self.now();
        let is_on_hold = |id: &ExecutionId| {
            self.standing(*id).is_none_or(|standing| standing.status == PipelineStatus::Paused)
        };
        let wait = |due: DateTime<Utc>| (due - now).to_std().unwrap_or(Duration::ZERO);
        let waits = self.index.claimable.values().filter_map(|claimable| {
            let delayed = claimable.delayed.first().map(|(due, _)| wait(*due));
            if claimable.undelayed.is_empty() { delayed } else { Some(Duration::ZERO) }
        });
        Work {
            owned: self.index.owned.values().flatten().any(|id| !is_on_hold(id)),
            next_due: waits.min(),
        }
    }
}
