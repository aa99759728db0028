//! Large workflows of a regular shape, whose tasks do nothing.

use cloacina_core::{Task, Workflow, WorkflowError};

/// A shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Each task depends on the one before.
    Chain,
    /// A task, many that depend on it, and one that depends on all of these.
    Fan,
    /// Layers of ten tasks, each of which depends on all of the layer before.
    Layers,
}

/// How many tasks a layer has.
const WIDTH: usize = 10;

impl Shape {
    /// All shapes.
    pub const ALL: [Self; 3] = [Self::Chain, Self::Fan, Self::Layers];

    /// Finds a shape by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shape| shape.name() == name)
    }

    /// Returns the name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Fan => "fan",
            Self::Layers => "layers",
        }
    }

    /// Makes the workflow `shape` of so many tasks.
    ///
    /// # Errors
    ///
    /// None but for a workflow without tasks.
    pub fn workflow(self, tasks: usize) -> Result<Workflow, WorkflowError> {
        let task = |at: usize| {
            let task = Task::new(id(at), |_context, _run| Box::pin(async {}));
            task.depends_on(self.above(at, tasks).map(id))
        };
        Workflow::builder("shape").tasks((0..tasks).map(task)).build()
    }

    /// The tasks on which a task depends.
    fn above(self, at: usize, tasks: usize) -> std::ops::Range<usize> {
        match self {
            Self::Chain => at.saturating_sub(1)..at,
            Self::Fan if at + 1 == tasks => 1.min(at)..at,
            Self::Fan => 0..at.min(1),
            Self::Layers => {
                let layer = at / WIDTH;
                layer.saturating_sub(1) * WIDTH..layer * WIDTH
            }
        }
    }
}

fn id(at: usize) -> String {
    format!("t{at}")
}
