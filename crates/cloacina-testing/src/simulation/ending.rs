//! What must hold at the end of an execution: when it came, what it stopped, what was counted against whom.

use std::time::Duration;

use cloacina_core::backend::{AttemptState, EventKind};
use cloacina_core::{PipelineStatus, TaskState};
use tokio::time::Instant;

use super::Promise;
use super::flow::TIMEOUT;
use super::history::{ProcessId, Run};
use super::process::LEASE;
use super::scenario::Fault;
use super::timing::{GRAIN, clock_jumps};
use super::verdict::Case;

/// By then a body has heard that its execution has ended, or a worker that it was declared dead: two beats, and some more.
const SOON: Duration = LEASE;

/// By then a timer has rung, and what it says is committed, where nothing goes wrong with calls.
const AT_ONCE: Duration = Duration::from_millis(250);

impl Case<'_> {
    /// It ended in its time, with a reason if it failed, and then nothing of it ran any more.
    pub(super) fn check_end(&self, in_time: bool) {
        let record = &self.seen.snapshot.record;
        let failed = self.status() == PipelineStatus::Failed;
        self.expect(record.error.is_some() == failed, Promise::Semantics, || {
            format!("it is {}, for the reason {:?}", self.status(), record.error)
        });
        let scenario = &self.world.scenario;
        let took = record.started_at.zip(record.finished_at);
        let took = took.and_then(|(from, to)| (to - from).to_std().ok()).unwrap_or_default();
        if !clock_jumps(scenario) && !in_time {
            let early = scenario.limit.is_none_or(|limit| took + GRAIN < limit);
            self.expect(!early, Promise::Semantics, || format!("it timed out after {took:?}"));
        }
        let Some(ended) = self.seen.ended.filter(|_| scenario.is_quiet()) else { return };
        let late = scenario.limit.is_some_and(|limit| took > limit + AT_ONCE);
        let cancelled = self.status() == PipelineStatus::Cancelled;
        self.expect(!late || !in_time || cancelled, Promise::Semantics, || {
            format!("it took {took:?}, its limit is {:?}", scenario.limit)
        });
        let history = self.world.history();
        let over = |run: &Run| {
            let over = [run.time.over, history.gone.get(&run.process).copied()];
            over.into_iter().flatten().min().unwrap_or_else(Instant::now)
        };
        let late = |run: &&Run| {
            let most = (run.time.began + TIMEOUT).min(ended) + SOON;
            run.execution == self.id && over(run) > most
        };
        let late = history.runs.iter().find(late).map(|run| run.task.clone());
        drop(history);
        self.expect(late.is_none(), Promise::Semantics, || {
            format!("{late:?} goes on after its timeout or the end of its execution")
        });
    }

    /// The attempts that failed before the last one are on record.
    pub(super) fn check_failures(&self, task: &str) {
        let Some(row) = self.rows.get(task) else { return };
        let ran = matches!(row.state, TaskState::Completed | TaskState::Failed);
        if !ran || self.is_kept(row) || self.was_abandoned(&row.task) {
            return;
        }
        let attempts = self.seen.snapshot.attempts.iter().filter(|it| it.task == row.task);
        let failed: Vec<u32> =
            attempts.filter(|it| it.state == AttemptState::Failed).map(|it| it.attempt).collect();
        let missing = (1..row.attempts).find(|attempt| !failed.contains(attempt));
        self.expect(missing.is_none(), Promise::ExactlyOnce, || {
            format!("attempt {missing:?} of {task} failed, on record are {failed:?}")
        });
    }

    /// What has completed was to be done as it is to be done under the version that the execution has.
    pub(super) fn check_version(&self) {
        let last = self.plans.len().checked_sub(1).map(super::flow::task_name);
        let Some(row) = last.and_then(|name| self.rows.get(name.as_str()).copied()) else { return };
        if !self.rewired || row.state != TaskState::Completed {
            return;
        }
        let number = row.output.as_ref().and_then(|text| text.as_str().parse().ok());
        let history = self.world.history();
        let version = number.and_then(|number| history.run(number)).map(|run| run.version);
        drop(history);
        self.expect(version.is_none_or(|it| it == self.version), Promise::Semantics, || {
            let (version, task) = (self.version, &row.task);
            format!("it went on under {version:?}, in which {task} depends on other tasks")
        });
    }

    /// Whoever was declared dead and lives has taken that back.
    pub(super) fn check_acquittals(&self) {
        let scenario = &self.world.scenario;
        let away = |fault: &Fault| matches!(fault, Fault::Away { .. });
        let heard = scenario.noise == scenario.noise.quiet();
        if !heard || scenario.faults.iter().any(|plan| away(&plan.fault)) {
            return;
        }
        let history = self.world.history();
        let ended = self.seen.ended.unwrap_or_else(Instant::now);
        let lives = |process: ProcessId, at: Instant| {
            let since = history.still.get(&process).map_or(at, |still| at.max(*still));
            let until = history.gone.get(&process).map_or(ended, |gone| ended.min(*gone));
            until.saturating_duration_since(since) > SOON
        };
        let deaths = history.deaths.iter().filter(|death| death.execution == self.id);
        let wrong = deaths.filter(|death| lives(death.process, death.at)).count();
        drop(history);
        let events = self.seen.events.iter();
        let taken_back = events.filter(|it| it.event.kind == EventKind::Acquitted).count();
        self.expect(taken_back >= wrong, Promise::Poison, || {
            format!("{wrong} of its workers were declared dead and live, {taken_back} took it back")
        });
    }
}
