//! What a test wants to happen in place of a task's body.

use cloacina_core::{Context, Task, TaskContext, TaskError, TaskOutput};

type Stub = dyn Fn(&mut Context, &TaskContext) -> TaskOutput + Send + Sync;

/// The script for one task.
#[derive(Default)]
pub(super) struct Script {
    /// The last attempt that fails, and how it does.
    failures: Option<(u32, TaskError)>,
    stub: Option<Box<Stub>>,
}

impl Script {
    pub(super) fn fail_first(&mut self, attempts: u32, error: TaskError) {
        self.failures = Some((attempts, error));
    }

    pub(super) fn stub(
        &mut self,
        body: impl Fn(&mut Context, &TaskContext) -> TaskOutput + Send + Sync + 'static,
    ) {
        self.stub = Some(Box::new(body));
    }

    /// Gives a task the body that the script wants for it. One that has a stub needs nothing else.
    pub(super) fn cast(&mut self, task: Task) -> Task {
        match self.stub.take() {
            Some(stub) => task.replace_body(stub),
            None => task,
        }
    }

    /// Returns how an attempt fails, if it does.
    pub(super) fn play(&self, run: &TaskContext) -> Option<TaskOutput> {
        let (last, error) = self.failures.as_ref()?;
        (run.attempt <= *last).then(|| Err(error.clone()))
    }
}
