//! Checkpoints: sending them, and what their verdicts mean.

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{Driver, End, Order};
use crate::PipelineStatus;
use crate::backend::{Checkpoint, CheckpointVerdict, EventKind, NewEvent, Suspicion};
use crate::engine::committer::{Hearer, Timed};
use crate::metrics::Tally;
use crate::state::{Draft, Event};

impl Driver {
    pub(super) fn send(&mut self, draft: Draft) {
        let Draft { tasks, failures, mut events, finish } = draft;
        let skipped = tasks.iter().filter(|end| end.attempts == 0).map(|end| end.ordinal);
        self.suspects.dismiss(skipped);
        let ended = tasks.iter().filter(|end| end.attempts > 0).map(|end| end.ordinal);
        let workflow = self.state.workflow();
        let failed = failures.iter().filter_map(|one| workflow.ordinal(one.task.as_str()));
        let suspicion = self.suspects.survived(ended.chain(failed));
        if suspicion == Suspicion::Clear {
            events.push(NewEvent {
                kind: EventKind::Cleared,
                task: None,
                detail: "the tasks under suspicion came to their end".to_owned(),
            });
        }
        let tally = Tally::of(tasks.iter().map(|end| end.state), failures.len());
        if let Some(report) = &mut self.report {
            report.keep(&tasks, self.state.workflow());
        }
        self.serial += 1;
        let serial = self.serial;
        let checkpoint =
            Checkpoint { serial, tasks, failures, events, suspicion, finish, ..self.checkpoint() };
        self.committing = true;
        let hearer = Hearer::Driver(self.address.clone(), tally);
        self.engine.lines.of(self.line).checkpoint(checkpoint, hearer);
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint::new(self.id, self.worker, self.epoch)
    }

    pub(in crate::engine) fn committed(
        &mut self,
        verdict: Timed<CheckpointVerdict>,
        tally: Tally,
    ) -> Option<End> {
        self.committing = false;
        match verdict {
            Ok((CheckpointVerdict::Committed { status }, at)) => {
                self.now = at;
                self.engine.metrics.meters.committed(tally);
                // What was ordered while the checkpoint was on its way is newer than what the checkpoint saw.
                let overtaken = std::mem::take(&mut self.overtaken);
                match status {
                    _ if overtaken => {}
                    PipelineStatus::Paused if !self.paused => {
                        let end = self.pause();
                        if end.is_some() {
                            return end;
                        }
                    }
                    PipelineStatus::Running if self.paused && !self.leaving => {
                        let end = self.obey(Order::Resume);
                        if end.is_some() {
                            return end;
                        }
                    }
                    _ => {}
                }
                let end = self.apply(Event::Committed);
                self.let_others_run();
                end
            }
            Ok((CheckpointVerdict::Ended(status), _)) => Some(End::Overtaken(status)),
            Ok((CheckpointVerdict::Fenced, _)) => Some(End::Gone),
            Err(error) => {
                tracing::error!(execution_id = %self.id, %error, "a checkpoint was refused");
                Some(End::Refused)
            }
        }
    }

    /// Puts a moment of this process on the store's clock.
    pub(super) fn stamp(&self, at: Instant) -> DateTime<Utc> {
        stamp(self.anchor, at)
    }

    /// Ends the time alone of an attempt once nothing of it is left to be committed.
    pub(super) fn let_others_run(&mut self) {
        if !self.committing {
            self.exclusive = None;
        }
    }
}

/// Puts a moment of this process on the clock of which `anchor` tells where it stood at another.
fn stamp((time, instant): (DateTime<Utc>, Instant), at: Instant) -> DateTime<Utc> {
    match at.checked_duration_since(instant) {
        Some(after) => time + after,
        None => time - instant.duration_since(at),
    }
}
