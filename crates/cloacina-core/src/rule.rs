//! Trigger rules: whether a task runs, once all its dependencies have ended.
//!
//! The named rules are Airflow's, by Airflow's names
//! (<https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/dags.html#trigger-rules>); the reference
//! table of their decisions is part of the tests.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::{SkipReason, TaskId};

/// Decides whether a task runs, from the states of its dependencies and from the context that it would get.
///
/// A rule on a task without dependencies holds. An expression of context conditions alone says nothing about the
/// dependencies, so [`AllSuccess`](Self::AllSuccess) is asked as well.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum TriggerRule {
    /// All dependencies completed. The default.
    #[default]
    AllSuccess,
    /// All dependencies failed.
    AllFailed,
    /// All dependencies ended, however.
    AllDone,
    /// At least one dependency completed.
    OneSuccess,
    /// At least one dependency failed.
    OneFailed,
    /// At least one dependency ran, whether it completed or failed.
    OneDone,
    /// No dependency failed.
    NoneFailed,
    /// No dependency failed and at least one completed.
    NoneFailedMinOneSuccess,
    /// No dependency was skipped.
    NoneSkipped,
    /// All dependencies were skipped.
    AllSkipped,
    /// No dependency was skipped and at least one completed.
    AllDoneMinOneSuccess,
    /// In any case.
    Always,
    /// This dependency completed.
    TaskSuccess(TaskId),
    /// This dependency failed.
    TaskFailed(TaskId),
    /// This dependency was skipped.
    TaskSkipped(TaskId),
    /// A value of the context compares so.
    ContextValue(ContextCondition),
    /// All parts hold.
    All(Vec<TriggerRule>),
    /// At least one part holds.
    Any(Vec<TriggerRule>),
    /// No part holds.
    None(Vec<TriggerRule>),
}

/// A comparison of one value of the context.
#[derive(Debug, Clone, PartialEq)]
pub struct ContextCondition {
    /// The key.
    pub key: String,
    /// How to compare.
    pub operator: ValueOperator,
    /// What to compare with; `Exists` and `NotExists` have none.
    pub literal: Option<Value>,
}

/// How a value of the context is compared.
///
/// A missing key is not equal to anything and contains nothing. Numbers compare by value, so `5` equals `5.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueOperator {
    /// Is equal.
    Equals,
    /// Is not equal, or missing.
    NotEquals,
    /// Two numbers or two strings, the first one greater.
    GreaterThan,
    /// Two numbers or two strings, the first one less.
    LessThan,
    /// A string with that part, an array with that item, or an object with that key.
    Contains,
    /// The opposite of `Contains`.
    NotContains,
    /// The key has a value, also `null`.
    Exists,
    /// The key has no value.
    NotExists,
}

impl TriggerRule {
    /// This dependency completed.
    pub fn task_success(task: impl Into<TaskId>) -> Self {
        Self::TaskSuccess(task.into())
    }

    /// This dependency failed, or was skipped because of a failure.
    pub fn task_failed(task: impl Into<TaskId>) -> Self {
        Self::TaskFailed(task.into())
    }

    /// This dependency was skipped, and not because of a failure.
    pub fn task_skipped(task: impl Into<TaskId>) -> Self {
        Self::TaskSkipped(task.into())
    }

    /// A value of the context compares so.
    pub fn context_value(
        key: impl Into<String>,
        operator: ValueOperator,
        literal: Option<Value>,
    ) -> Self {
        Self::ContextValue(ContextCondition { key: key.into(), operator, literal })
    }

    /// All parts hold.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::All(parts.into_iter().collect())
    }

    /// At least one part holds.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::Any(parts.into_iter().collect())
    }

    /// No part holds.
    pub fn none(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::None(parts.into_iter().collect())
    }

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
    /// Skipped because of failures, of these tasks: a failure to rules.
    UpstreamFailed(BTreeSet<TaskId>),
}

/// What a rule looks at.
pub(crate) struct View<'a> {
    /// The dependencies in the order of their declaration.
    pub(crate) dependencies: &'a [(TaskId, Dependency)],
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
        self.dependencies.iter().find(|(id, _)| id == task).map(|(_, state)| state)
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
                    blamed.insert(id.clone());
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
                    return Decision::Skip(SkipReason::UpstreamFailed(id.clone()));
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
            skipped
                .map_or(SkipReason::Condition, |(id, _)| SkipReason::UpstreamSkipped(id.clone())),
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

impl ContextCondition {
    fn holds(&self, value: Option<&Value>) -> bool {
        let literal = self.literal.as_ref().unwrap_or(&Value::Null);
        match self.operator {
            ValueOperator::Exists => value.is_some(),
            ValueOperator::NotExists => value.is_none(),
            ValueOperator::Equals => value.is_some_and(|value| equal(value, literal)),
            ValueOperator::NotEquals => !value.is_some_and(|value| equal(value, literal)),
            ValueOperator::GreaterThan => {
                value.and_then(|value| compare(value, literal)) == Some(std::cmp::Ordering::Greater)
            }
            ValueOperator::LessThan => {
                value.and_then(|value| compare(value, literal)) == Some(std::cmp::Ordering::Less)
            }
            ValueOperator::Contains => value.is_some_and(|value| contains(value, literal)),
            ValueOperator::NotContains => !value.is_some_and(|value| contains(value, literal)),
        }
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(_), Value::Number(_)) => {
            compare(left, right) == Some(std::cmp::Ordering::Equal)
        }
        _ => left == right,
    }
}

fn compare(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (integer(left), integer(right)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn integer(number: &serde_json::Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Array(items), part) => items.iter().any(|item| equal(item, part)),
        (Value::Object(map), Value::String(key)) => map.contains_key(key),
        _ => false,
    }
}

impl fmt::Display for ValueOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equals => "equals",
            Self::NotEquals => "not_equals",
            Self::GreaterThan => "greater_than",
            Self::LessThan => "less_than",
            Self::Contains => "contains",
            Self::NotContains => "not_contains",
            Self::Exists => "exists",
            Self::NotExists => "not_exists",
        })
    }
}

impl fmt::Display for TriggerRule {
    /// Writes the rule as `#[task(trigger_rules = ..)]` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, name: &str, parts: &[Self]| {
            write!(f, "{name}(")?;
            for (index, part) in parts.iter().enumerate() {
                let comma = if index == 0 { "" } else { ", " };
                write!(f, "{comma}{part}")?;
            }
            f.write_str(")")
        };
        match self {
            Self::AllSuccess => f.write_str("all_success"),
            Self::AllFailed => f.write_str("all_failed"),
            Self::AllDone => f.write_str("all_done"),
            Self::OneSuccess => f.write_str("one_success"),
            Self::OneFailed => f.write_str("one_failed"),
            Self::OneDone => f.write_str("one_done"),
            Self::NoneFailed => f.write_str("none_failed"),
            Self::NoneFailedMinOneSuccess => f.write_str("none_failed_min_one_success"),
            Self::NoneSkipped => f.write_str("none_skipped"),
            Self::AllSkipped => f.write_str("all_skipped"),
            Self::AllDoneMinOneSuccess => f.write_str("all_done_min_one_success"),
            Self::Always => f.write_str("always"),
            Self::TaskSuccess(task) => write!(f, "task_success({:?})", task.as_str()),
            Self::TaskFailed(task) => write!(f, "task_failed({:?})", task.as_str()),
            Self::TaskSkipped(task) => write!(f, "task_skipped({:?})", task.as_str()),
            Self::ContextValue(ContextCondition { key, operator, literal: None }) => {
                write!(f, "context_value({key:?}, {operator})")
            }
            Self::ContextValue(ContextCondition { key, operator, literal: Some(literal) }) => {
                write!(f, "context_value({key:?}, {operator}, {literal})")
            }
            Self::All(parts) => list(f, "all", parts),
            Self::Any(parts) => list(f, "any", parts),
            Self::None(parts) => list(f, "none", parts),
        }
    }
}
