//! Trigger rules: whether a task runs, once all its dependencies have ended.
//!
//! The named rules are Airflow's, by Airflow's names
//! (<https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/dags.html#trigger-rules>); the reference
//! table of their decisions is part of the tests.

mod decide;
mod value;

use std::fmt;

use serde_json::Value;

use crate::TaskId;

pub(crate) use decide::{Decision, Dependency, View};

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
            // As Rust writes texts: JSON has escapes of its own.
            Self::ContextValue(ContextCondition {
                key,
                operator,
                literal: Some(Value::String(text)),
            }) => write!(f, "context_value({key:?}, {operator}, {text:?})"),
            Self::ContextValue(ContextCondition { key, operator, literal: Some(literal) }) => {
                write!(f, "context_value({key:?}, {operator}, {literal})")
            }
            Self::All(parts) => list(f, "all", parts),
            Self::Any(parts) => list(f, "any", parts),
            Self::None(parts) => list(f, "none", parts),
        }
    }
}

#[cfg(test)]
mod tests;
