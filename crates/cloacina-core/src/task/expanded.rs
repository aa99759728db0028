//! What the code calls that `#[task]` generates. No part of the public interface.

use std::marker::PhantomData;

use serde::Serialize;

use super::output::to_output;
use super::{Body, Task, TaskContext, TaskDefinition, TaskError, TaskFuture, TaskOutput};
use crate::Context;
use crate::dag::text::{contains, is_same};

/// Makes a task of an asynchronous function.
pub fn asynchronous<F>(id: &str, body: F) -> Task
where
    F: for<'a> Fn(&'a mut Context, &'a TaskContext) -> TaskFuture<'a, TaskOutput>
        + Send
        + Sync
        + 'static,
{
    Task::from_body(id.into(), Body::Async(std::sync::Arc::new(body)))
}

/// Makes a task of a function that blocks its thread.
pub fn blocking<F>(id: &str, body: F) -> Task
where
    F: Fn(&mut Context, &TaskContext) -> TaskOutput + Send + Sync + 'static,
{
    Task::from_body(id.into(), Body::Blocking(std::sync::Arc::new(body)))
}

/// Turns what a task's function returned into what is stored.
///
/// # Errors
///
/// That the value is not JSON.
pub fn value<D: TaskDefinition<Output: Serialize>>(returned: D::Output) -> TaskOutput {
    to_output(&returned)
}

/// As [`value`], for a function that may fail.
///
/// # Errors
///
/// The function's own error, or that the value is not JSON.
pub fn result<D, E>(returned: Result<D::Output, E>) -> TaskOutput
where
    D: TaskDefinition<Output: Serialize>,
    E: IntoTaskError,
{
    to_output(&Fallible::<true>::into_result(returned)?)
}

/// As [`value`] or [`result`], for a type that may be a `Result` under another name.
///
/// # Errors
///
/// As those.
pub fn returned<D, R, const IS_RESULT: bool>(returned: R) -> TaskOutput
where
    D: TaskDefinition<Output: Serialize>,
    R: Fallible<IS_RESULT, Value = D::Output>,
{
    to_output(&returned.into_result()?)
}

/// What a function returned, seen as a `Result` if it is one. The constant says which of the two: that a type is both a `Result`
/// and any type would be a conflict.
pub trait Returns<const IS_RESULT: bool> {
    /// What it returned when all is well.
    type Value;
}

impl<T, E> Returns<true> for Result<T, E> {
    type Value = T;
}

impl<T> Returns<false> for T {
    type Value = T;
}

/// What a function may return.
pub trait Fallible<const IS_RESULT: bool>: Returns<IS_RESULT> {
    /// Makes a `Result` of it.
    ///
    /// # Errors
    ///
    /// The function's own.
    fn into_result(self) -> Result<Self::Value, TaskError>;
}

impl<T, E: IntoTaskError> Fallible<true> for Result<T, E> {
    fn into_result(self) -> Result<T, TaskError> {
        self.map_err(E::into_task_error)
    }
}

impl<T> Fallible<false> for T {
    fn into_result(self) -> Result<T, TaskError> {
        Ok(self)
    }
}

/// What may be the error of a task: all that turns into a [`TaskError`], under a name for which rustc has a sentence.
#[diagnostic::on_unimplemented(
    message = "a task cannot fail with `{Self}`",
    label = "not an error of a task",
    note = "the error is `TaskError`, or any `std::error::Error + Send + Sync + 'static`, a text, an `anyhow::Error`; in a box it is \
            `Box<dyn std::error::Error + Send + Sync>`"
)]
pub trait IntoTaskError {
    /// Turns it into one.
    fn into_task_error(self) -> TaskError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<TaskError>> IntoTaskError for E {
    fn into_task_error(self) -> TaskError {
        self.into()
    }
}

/// What function `By` may take by reference.
#[diagnostic::on_unimplemented(
    message = "task `{By}` cannot take an argument of type `{Self}`",
    label = "not an argument of a task",
    note = "a task takes `&mut Context`, and by value `TaskContext`, `State<T>`, `Input<T>` and `Output<task>`"
)]
pub trait ContextArgument<'a, By> {
    /// Makes the argument of the context.
    fn borrow(context: &'a mut Context) -> Self;
}

impl<'a, By> ContextArgument<'a, By> for &'a mut Context {
    fn borrow(context: &'a mut Context) -> Self {
        context
    }
}

impl<'a, By> ContextArgument<'a, By> for &'a Context {
    fn borrow(context: &'a mut Context) -> Self {
        context
    }
}

/// Tells at compile time whether a type is a `Result`: the constant of its own goes before the trait's.
#[derive(Debug)]
pub struct Returned<T>(PhantomData<T>);

impl<T, E> Returned<Result<T, E>> {
    /// It is.
    pub const IS_RESULT: bool = true;
}

/// Answers for all other types.
pub trait IsNoResult {
    /// It is not.
    const IS_RESULT: bool = false;
}

impl<T> IsNoResult for Returned<T> {}

/// Joins the ids that were given with those that arguments imply, each once; the length is [`joined_len`].
#[must_use]
pub const fn joined<const N: usize>(
    given: &[&'static str],
    taken: &[Option<&'static str>],
) -> [&'static str; N] {
    let mut ids = [""; N];
    let mut len = 0;
    while len < given.len() {
        ids[len] = given[len];
        len += 1;
    }
    let mut at = 0;
    while at < taken.len() {
        if let Some(id) = taken[at]
            && is_new(given, taken, at)
        {
            ids[len] = id;
            len += 1;
        }
        at += 1;
    }
    ids
}

/// Counts the ids that [`joined`] returns.
#[must_use]
pub const fn joined_len(given: &[&str], taken: &[Option<&str>]) -> usize {
    let mut len = given.len();
    let mut at = 0;
    while at < taken.len() {
        if is_new(given, taken, at) {
            len += 1;
        }
        at += 1;
    }
    len
}

/// Tells whether the argument at that place implies a dependency that was neither given nor implied before.
const fn is_new(given: &[&str], taken: &[Option<&str>], at: usize) -> bool {
    let Some(id) = taken[at] else { return false };
    let mut other = 0;
    while other < at {
        if let Some(before) = taken[other]
            && is_same(before, id)
        {
            return false;
        }
        other += 1;
    }
    !contains(given, id)
}
