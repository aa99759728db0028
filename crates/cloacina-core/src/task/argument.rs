//! What a task function may take beside its context.

use std::any::type_name;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::{NotCompleted, Task, TaskContext, TaskDefinition, TaskError};

/// What the function of task `By` may take by value, in any order and number: [`State`], [`Input`], [`Output`],
/// [`TaskContext`]. `#[task]` calls this; a type of one's own may be made of these.
#[diagnostic::on_unimplemented(
    message = "task `{By}` cannot take an argument of type `{Self}`",
    label = "not an argument of a task",
    note = "a task takes `&mut Context`, `TaskContext`, `State<T>`, `Input<T>` and `Output<task>`; what may be missing \
            is `Option<Output<task>>` or `Result<Output<task>, NotCompleted>`"
)]
pub trait TaskArgument<By>: Sized {
    /// The id of the task that it comes from, which thereby is a dependency.
    const DEPENDENCY: Option<&'static str> = None;

    /// Declares what the task needs, so that it can be checked before it runs.
    #[must_use]
    fn declare(task: Task) -> Task {
        task
    }

    /// Makes the argument for one attempt.
    ///
    /// # Errors
    ///
    /// With an error the attempt fails, and the function is not called.
    fn take(run: &TaskContext) -> Result<Self, TaskError>;
}

impl<By> TaskArgument<By> for TaskContext {
    fn take(run: &TaskContext) -> Result<Self, TaskError> {
        Ok(run.clone())
    }
}

/// Something of the application that tasks use, such as a pool of connections: what `builder().state(..)` was given.
///
/// There is one value a type. An executor whose tasks ask for a type that it was not given is not built.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use cloacina_core::{State, task};
///
/// #[task]
/// async fn count(State(calls): State<AtomicU32>) -> u32 {
///     calls.fetch_add(1, Ordering::Relaxed)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// assert_eq!(count(State::new(AtomicU32::new(7))).await, 7);
/// # }
/// ```
pub struct State<T>(pub Arc<T>);

impl<T> State<T> {
    /// Wraps a value, for calling a task function in a test.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for State<T> {
    /// Shows the type only: states hold passwords and the like.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State<{}>", type_name::<T>())
    }
}

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Send + Sync + 'static, By> TaskArgument<By> for State<T> {
    fn declare(task: Task) -> Task {
        task.needs_state::<T>()
    }

    fn take(run: &TaskContext) -> Result<Self, TaskError> {
        run.state().map(Self).ok_or_else(|| {
            TaskError::permanent(format!("the executor has no state `{}`", type_name::<T>()))
        })
    }
}

/// The input of the execution as a type of one's own. A submit whose input is not of that type is refused.
///
/// ```
/// use cloacina_core::{Input, task};
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     items: Vec<String>,
/// }
///
/// #[task]
/// async fn count(Input(order): Input<Order>) -> usize {
///     order.items.len()
/// }
/// # fn main() {}
/// ```
#[derive(Debug, Clone)]
pub struct Input<T>(pub T);

impl<T> Deref for Input<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned, By> TaskArgument<By> for Input<T> {
    fn declare(task: Task) -> Task {
        task.takes_input::<T>()
    }

    fn take(run: &TaskContext) -> Result<Self, TaskError> {
        run.input().map(Self)
    }
}

/// What task `D` returned. `D` thereby is a dependency.
///
/// If the task may run though `D` failed or was skipped, which its trigger rules say, it takes
/// `Option<Output<D>>`, or `Result<Output<D>, NotCompleted>` to know why.
///
/// ```
/// use cloacina_core::{Output, task};
///
/// #[task]
/// async fn extract() -> Vec<u32> {
///     vec![1, 2, 3]
/// }
///
/// #[task]
/// async fn sum(rows: Output<extract>) -> u32 {
///     rows.iter().sum()
/// }
///
/// #[task(trigger_rules = all_done)]
/// async fn report(sum: Option<Output<sum>>) -> String {
///     sum.map_or_else(|| "no sum".to_owned(), |sum| format!("the sum is {}", *sum))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// assert_eq!(sum(Output(vec![4, 5])).await, 9);
/// assert_eq!(report(None).await, "no sum");
/// # }
/// ```
pub struct Output<D: TaskDefinition>(pub D::Output);

impl<D: TaskDefinition> Deref for Output<D> {
    type Target = D::Output;

    fn deref(&self) -> &D::Output {
        &self.0
    }
}

impl<D: TaskDefinition<Output: Clone>> Clone for Output<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D: TaskDefinition<Output: fmt::Debug>> fmt::Debug for Output<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Output").field(&self.0).finish()
    }
}

impl<D: TaskDefinition<Output: DeserializeOwned>, By> TaskArgument<By> for Output<D> {
    const DEPENDENCY: Option<&'static str> = Some(D::ID);

    fn declare(task: Task) -> Task {
        task.takes_output::<D::Output>(D::ID)
    }

    fn take(run: &TaskContext) -> Result<Self, TaskError> {
        run.output(D::ID)?.map(Self).map_err(TaskError::permanent)
    }
}

impl<D: TaskDefinition<Output: DeserializeOwned>, By> TaskArgument<By> for Option<Output<D>> {
    const DEPENDENCY: Option<&'static str> = Some(D::ID);

    fn declare(task: Task) -> Task {
        task.takes_output::<D::Output>(D::ID)
    }

    fn take(run: &TaskContext) -> Result<Self, TaskError> {
        Ok(run.output(D::ID)?.ok().map(Output))
    }
}

impl<D: TaskDefinition<Output: DeserializeOwned>, By> TaskArgument<By>
    for Result<Output<D>, NotCompleted>
{
    const DEPENDENCY: Option<&'static str> = Some(D::ID);

    fn declare(task: Task) -> Task {
        task.takes_output::<D::Output>(D::ID)
    }

    fn take(run: &TaskContext) -> Result<Self, TaskError> {
        Ok(run.output(D::ID)?.map(Output))
    }
}
