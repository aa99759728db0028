//! What `#[task]` makes of a function.

use super::Task;

/// A task that `#[task]` made: the type beside the function of the same name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task",
    label = "not a task",
    note = "`#[task]` on a function makes a type of the function's name, which stands for the task"
)]
pub trait TaskDefinition {
    /// What the function returns when all is well: `T` where it returns `Result<T, E>`.
    type Output;

    /// The task's id.
    const ID: &'static str;

    /// What is known of the task at compile time.
    const META: TaskMeta;

    /// Makes the task.
    fn task() -> Task;
}

/// What is known of a task at compile time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskMeta {
    /// Its id.
    pub id: &'static str,
    /// The ids of the tasks that it depends on.
    pub dependencies: &'static [&'static str],
    /// The ids of the tasks that its trigger rules name.
    pub rule_tasks: &'static [&'static str],
    /// A hash of the function's tokens.
    pub fingerprint: &'static str,
}
