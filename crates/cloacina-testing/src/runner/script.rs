//! What a test wants to happen in place of a task's body.

use cloacina_core::{Context, TaskContext, TaskError, TaskOutput};

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

    /// Returns how an attempt ends, if that is not left to the body.
    pub(super) fn play(&self, context: &mut Context, run: &TaskContext) -> Option<TaskOutput> {
        match &self.failures {
            Some((last, error)) if run.attempt <= *last => Some(Err(error.clone())),
            _ => self.stub.as_ref().map(|stub| stub(context, run)),
        }
    }
}
