//! What the tasks of one process share, whatever their tenant.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use cloacina_core::{ExecutionId, TaskContext, TaskId};
use serde::{Deserialize, Serialize};

/// What the tasks of one process share: which of them ran here, and in which of them the process crashes. All clones are one.
#[derive(Debug, Clone, Default)]
pub struct Office {
    ran: Arc<Mutex<Vec<(ExecutionId, TaskId)>>>,
    crashes_in: Option<TaskId>,
}

/// What a process says before it crashes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Crash {
    /// The process.
    pub process: u32,
    /// The execution that it leaves unfinished.
    pub execution: ExecutionId,
    /// The tasks of it that ran there, the one in which it crashes included.
    pub ran: Vec<String>,
}

impl Office {
    /// Makes one for a process that crashes when it comes to that task.
    #[must_use]
    pub fn crashing_in(task: &str) -> Self {
        Self { crashes_in: Some(task.into()), ..Self::default() }
    }

    /// Notes that a task runs here.
    pub fn note(&self, run: &TaskContext) {
        let ran = (run.execution_id, run.task.clone());
        self.ran.lock().unwrap_or_else(PoisonError::into_inner).push(ran);
        if self.crashes_in.as_ref() == Some(&run.task) {
            let (process, execution) = (std::process::id(), run.execution_id);
            Crash { process, execution, ran: self.ran(execution) }.happen();
        }
    }

    /// Lists the tasks of an execution that ran here, in order.
    #[must_use]
    pub fn ran(&self, execution: ExecutionId) -> Vec<String> {
        let ran = self.ran.lock().unwrap_or_else(PoisonError::into_inner);
        ran.iter().filter(|(of, _)| *of == execution).map(|(_, task)| task.to_string()).collect()
    }
}

impl Crash {
    /// Says it on standard output and dies, as by a fault in a C library: nothing is cleaned up.
    fn happen(&self) -> ! {
        let mut output = std::io::stdout().lock();
        // If nobody listens, nobody misses it.
        let _ = serde_json::to_writer(&mut output, self);
        let _ = output.flush();
        std::process::abort()
    }
}
