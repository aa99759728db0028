//! What `#[task]` makes of a function.

use super::Task;

/// A task that `#[task]` made: the type beside the function of the same name.
pub trait TaskDefinition {
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
