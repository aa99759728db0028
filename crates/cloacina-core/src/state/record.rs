//! Which ends are in the store, and who waits for that.

use super::ExecutionState;
use crate::Durability;
use crate::backend::TaskEnd;

/// Whether a task's end is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// It is, or there is no end yet.
    InStore,
    /// It is on its way, and dependents wait for it.
    OnItsWay,
    /// It is on its way, and dependents do not wait for it.
    Pipelined,
}

impl ExecutionState {
    /// Puts a task's end into the next checkpoint.
    pub(super) fn put_on_record(&mut self, end: TaskEnd) {
        self.slot_mut(end.ordinal).record = Record::OnItsWay;
        // Most checkpoints hold the end of one task, and many are on their way.
        if self.next.tasks.is_empty() {
            self.next.tasks.reserve_exact(1);
        }
        self.next.tasks.push(end);
    }

    /// Lets dependents of a task whose body has ended start before that is in the store, if it is such a task.
    pub(super) fn let_dependents_go_on(&mut self, ordinal: u32) {
        if self.workflow.task_at(ordinal).durability == Durability::Pipelined {
            self.slot_mut(ordinal).record = Record::Pipelined;
        }
    }

    /// Reports whether a task that was decided starts only once what it depends on is committed.
    pub(super) fn has_to_wait_for_a_commit(&self, ordinal: u32) -> bool {
        let parents = &self.workflow.dag().dependencies[ordinal as usize];
        let mut pipelined = false;
        for &parent in parents {
            match self.slot(parent).record {
                Record::OnItsWay => return true,
                Record::Pipelined => pipelined = true,
                Record::InStore => {}
            }
        }
        !pipelined
    }
}
