//! What a trigger rule decides, given how the dependencies ended.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::TriggerRule;
use crate::{SkipReason, TaskId};

impl TriggerRule {
    /// Names the tasks that the expression asks about.
    pub(crate) fn tasks(&self) -> Vec<&TaskId> {
        match self {
            Self::TaskSuccess(task) | Self::TaskFailed(task) | Self::TaskSkipped(task) => {
                vec![task]
            }
            Self::All(parts) | Self::Any(parts) | Self::None(parts) => {
                parts.iter().flat_map(Self::tasks).collect()
            }
            _ => Vec::new(),
        }
    }

    fn speaks_of_dependencies(&self) -> bool {
        match self {
            Self::ContextValue(_) => false,
            Self::All(parts) | Self::Any(parts) | Self::None(parts) => {
                parts.iter().any(Self::speaks_of_dependencies)
            }
            _ => true,
        }
    }

    /// Decides for dependencies that have all ended.
    pub(crate) fn decide(&self, view: &View<'_>) -> Decision {
        let decision = self.evaluate(view);
        if self.speaks_of_dependencies() {
            return decision;
        }
        let implied = Self::AllSuccess.evaluate(view);
        combine_all([implied, decision])
    }

    fn evaluate(&self, view: &View<'_>) -> Decision {
        match self {
            Self::TaskSuccess(task) => match view.state(task) {
                Some(Dependency::Completed) => Decision::run(),
                Some(Dependency::Skipped) => {
                    Decision::Skip(SkipReason::UpstreamSkipped(task.clone()))
                }
                Some(Dependency::Failed) => {
                    Decision::Skip(SkipReason::UpstreamFailed(task.clone()))
                }
                Some(Dependency::UpstreamFailed(roots)) => upstream_failed(roots),
                None => Decision::Skip(SkipReason::Condition),
            },
            Self::TaskFailed(task) => match view.state(task) {
                Some(Dependency::Failed | Dependency::UpstreamFailed(_)) => {
                    Decision::Run { because_of: view.blame(|id| id == task) }
                }
                _ => Decision::Skip(SkipReason::Condition),
            },
            Self::TaskSkipped(task) => match view.state(task) {
                Some(Dependency::Skipped) => Decision::run(),
                _ => Decision::Skip(SkipReason::Condition),
            },
            Self::ContextValue(condition) => {
                if condition.holds((view.context)(&condition.key).as_ref()) {
                    Decision::run()
                } else {
                    Decision::Skip(SkipReason::Condition)
                }
            }
            Self::All(parts) => combine_all(parts.iter().map(|part| part.evaluate(view))),
            Self::Any(parts) => combine_any(parts.iter().map(|part| part.evaluate(view))),
            Self::None(parts) => {
                if parts.iter().any(|part| matches!(part.evaluate(view), Decision::Run { .. })) {
                    Decision::Skip(SkipReason::Condition)
                } else {
                    Decision::run()
                }
            }
            named => named.evaluate_named(view),
        }
    }

    /// Evaluates a rule about the dependencies as a whole. See the table `airflow.tsv` in the tests.
    fn evaluate_named(&self, view: &View<'_>) -> Decision {
        let total = view.dependencies.len();
        if total == 0 {
            return Decision::run();
        }
        let tally = view.tally();
        let failures = tally.failed + tally.upstream_failed;
        let run_if = |holds: bool| {
            if holds { Decision::run() } else { Decision::Skip(SkipReason::Condition) }
        };
        match self {
            Self::AllSuccess if failures > 0 => view.skip_for_failure(),
            Self::AllSuccess if tally.skipped > 0 => view.skip_for_skip(),
            Self::AllFailed | Self::OneFailed => {
                let needed = if matches!(self, Self::AllFailed) { total } else { 1 };
                if failures >= needed {
                    Decision::Run { because_of: view.blame(|_| true) }
                } else {
                    Decision::Skip(SkipReason::Condition)
                }
            }
            Self::OneSuccess if tally.completed > 0 => Decision::run(),
            Self::OneSuccess if failures > 0 => view.skip_for_failure(),
            Self::OneSuccess => view.skip_for_skip(),
            Self::OneDone if tally.completed + tally.failed > 0 => Decision::run(),
            Self::OneDone if tally.skipped > 0 => view.skip_for_skip(),
            Self::OneDone => Decision::Skip(SkipReason::Condition),
            Self::NoneFailed if failures > 0 => view.skip_for_failure(),
            Self::NoneFailedMinOneSuccess if failures > 0 => view.skip_for_failure(),
            Self::NoneFailedMinOneSuccess if tally.completed == 0 => view.skip_for_skip(),
            Self::NoneSkipped if tally.skipped > 0 => view.skip_for_skip(),
            Self::AllSkipped => run_if(tally.skipped == total),
            Self::AllDoneMinOneSuccess if tally.skipped > 0 => view.skip_for_skip(),
            Self::AllDoneMinOneSuccess if tally.completed == 0 => view.skip_for_failure(),
            _ => Decision::run(),
        }
    }
}

/// How a dependency ended, as rules see it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Dependency {
    Completed,
    Failed,
    /// Skipped, and not because of a failure.
    Skipped,
    /// Skipped because of failures, of these tasks: a failure to rules. Shared, as one failure may skip thousands.
    UpstreamFailed(Arc<BTreeSet<TaskId>>),
}

/// What a rule looks at.
pub(crate) struct View<'a> {
    /// The dependencies in the order of their declaration.
    pub(crate) dependencies: &'a [(&'a TaskId, Dependency)],
    /// Reads the context that the task would get.
    pub(crate) context: &'a dyn Fn(&str) -> Option<Value>,
}

/// What a rule decides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decision {
    /// The task runs.
    Run {
        /// The failed tasks whose failure is the reason: it handles them if it completes.
        because_of: BTreeSet<TaskId>,
    },
    /// The task does not run.
    Skip(SkipReason),
}

impl Decision {
    const fn run() -> Self {
        Self::Run { because_of: BTreeSet::new() }
    }
}

#[derive(Default)]
struct Tally {
    completed: usize,
    failed: usize,
    skipped: usize,
    upstream_failed: usize,
}

impl View<'_> {
    fn state(&self, task: &TaskId) -> Option<&Dependency> {
        self.dependencies.iter().find(|(id, _)| *id == task).map(|(_, state)| state)
    }

    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for (_, state) in self.dependencies {
            match state {
                Dependency::Completed => tally.completed += 1,
                Dependency::Failed => tally.failed += 1,
                Dependency::Skipped => tally.skipped += 1,
                Dependency::UpstreamFailed(_) => tally.upstream_failed += 1,
            }
        }
        tally
    }

    /// Collects the failed tasks behind the dependencies that `wanted` selects.
    fn blame(&self, wanted: impl Fn(&TaskId) -> bool) -> BTreeSet<TaskId> {
        let mut blamed = BTreeSet::new();
        for (id, state) in self.dependencies.iter().filter(|(id, _)| wanted(id)) {
            match state {
                Dependency::Failed => {
                    blamed.insert((*id).clone());
                }
                Dependency::UpstreamFailed(roots) => blamed.extend(roots.iter().cloned()),
                Dependency::Completed | Dependency::Skipped => {}
            }
        }
        blamed
    }

    fn skip_for_failure(&self) -> Decision {
        for (id, state) in self.dependencies {
            match state {
                Dependency::Failed => {
                    return Decision::Skip(SkipReason::UpstreamFailed((*id).clone()));
                }
                Dependency::UpstreamFailed(roots) => return upstream_failed(roots),
                Dependency::Completed | Dependency::Skipped => {}
            }
        }
        Decision::Skip(SkipReason::Condition)
    }

    fn skip_for_skip(&self) -> Decision {
        let skipped = self.dependencies.iter().find(|(_, state)| *state == Dependency::Skipped);
        Decision::Skip(
            skipped.map_or(SkipReason::Condition, |(id, _)| {
                SkipReason::UpstreamSkipped((*id).clone())
            }),
        )
    }
}

fn upstream_failed(roots: &BTreeSet<TaskId>) -> Decision {
    Decision::Skip(
        roots.first().map_or(SkipReason::Condition, |id| SkipReason::UpstreamFailed(id.clone())),
    )
}

/// All must run; otherwise the gravest reason to skip counts, so that a failure is not hidden by a condition.
fn combine_all(parts: impl IntoIterator<Item = Decision>) -> Decision {
    let mut blamed = BTreeSet::new();
    let mut skip: Option<SkipReason> = None;
    for part in parts {
        match part {
            Decision::Run { because_of } => blamed.extend(because_of),
            Decision::Skip(reason) => skip = Some(graver(skip, reason)),
        }
    }
    skip.map_or(Decision::Run { because_of: blamed }, Decision::Skip)
}

fn combine_any(parts: impl IntoIterator<Item = Decision>) -> Decision {
    let mut blamed = BTreeSet::new();
    let mut runs = false;
    let mut skip: Option<SkipReason> = None;
    for part in parts {
        match part {
            Decision::Run { because_of } => {
                runs = true;
                blamed.extend(because_of);
            }
            Decision::Skip(reason) => skip = Some(graver(skip, reason)),
        }
    }
    if runs {
        Decision::Run { because_of: blamed }
    } else {
        Decision::Skip(skip.unwrap_or(SkipReason::Condition))
    }
}

fn graver(known: Option<SkipReason>, other: SkipReason) -> SkipReason {
    const fn weight(reason: &SkipReason) -> u8 {
        match reason {
            SkipReason::Condition => 0,
            SkipReason::UpstreamSkipped(_) => 1,
            SkipReason::UpstreamFailed(_) => 2,
        }
    }
    match known {
        Some(known) if weight(&known) >= weight(&other) => known,
        _ => other,
    }
}
