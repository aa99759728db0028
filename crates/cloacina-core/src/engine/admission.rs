//! How many submits of this process may wait for their commit, and how many bytes they may have together.
//!
//! The executors of one process share both limits; each has a door. A submit gets a ticket at its door and keeps it until it
//! is committed or refused, whatever becomes of its caller: the ticket stands for the memory that the submit takes. Whoever comes when
//! nothing is left waits in line at its door, and the doors take turns. However much one executor submits, each other
//! still has its equal share: so twice the limits may be taken, if many want much.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::ExecutorConfig;

/// What the submits of a process take, and what they may.
#[derive(Debug)]
pub(crate) struct Admission {
    limit: Usage,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    used: Usage,
    doors: BTreeMap<u64, DoorState>,
    /// The doors at which somebody waits, in the order of their turns.
    turns: VecDeque<u64>,
    next_door: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Usage {
    submits: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct DoorState {
    used: Usage,
    line: VecDeque<Waiting>,
    /// Whether it is among the turns.
    waits: bool,
}

#[derive(Debug)]
struct Waiting {
    bytes: usize,
    since: Instant,
    answer: oneshot::Sender<Ticket>,
}

/// One executor's way to tickets.
#[derive(Debug)]
pub(crate) struct Door {
    admission: Arc<Admission>,
    id: u64,
}

/// Stands for a submit that waits for its commit; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// None for one that was never given.
    admission: Option<Arc<Admission>>,
    door: u64,
    bytes: usize,
    /// When it was asked for.
    since: Instant,
}

/// What there is too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) setting: &'static str,
    pub(crate) limit: usize,
    pub(crate) waiting: usize,
}

impl Usage {
    fn add(&mut self, bytes: usize) {
        self.submits += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.submits -= 1;
        self.bytes -= bytes;
    }

    const fn has_room(self, limit: Self, bytes: usize) -> bool {
        self.submits < limit.submits && self.bytes.saturating_add(bytes) <= limit.bytes
    }
}

impl Admission {
    pub(crate) fn new(config: &ExecutorConfig) -> Arc<Self> {
        let (submits, bytes) = (config.max_waiting_submits, config.max_waiting_submit_bytes);
        Arc::new(Self { limit: Usage { submits, bytes }, inner: Mutex::default() })
    }

    pub(crate) fn door(self: &Arc<Self>) -> Door {
        let mut inner = self.lock();
        let id = inner.next_door;
        inner.next_door += 1;
        inner.doors.insert(id, DoorState::default());
        drop(inner);
        Door { admission: Arc::clone(self), id }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Consistent between any two statements, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives what has become free to those whose turn it is.
    fn distribute(self: &Arc<Self>, inner: &mut Inner) {
        let mut in_vain = 0;
        while in_vain < inner.turns.len() {
            let Some(id) = inner.turns.pop_front() else { return };
            in_vain = if self.serve(inner, id) { 0 } else { in_vain + 1 };
            if let Some(door) = inner.doors.get_mut(&id) {
                door.waits = !door.line.is_empty();
                if door.waits {
                    inner.turns.push_back(id);
                }
            }
        }
    }

    /// Gives a ticket to the first at a door, if there is room for it.
    fn serve(self: &Arc<Self>, inner: &mut Inner, id: u64) -> bool {
        while let Some(bytes) = inner.first_in_line(id) {
            if !self.is_room(inner, id, bytes) {
                return false;
            }
            let Some(waiting) = inner.doors.get_mut(&id).and_then(|door| door.line.pop_front())
            else {
                return false;
            };
            match waiting.answer.send(self.ticket(id, bytes, waiting.since)) {
                Ok(()) => {
                    inner.take(id, bytes);
                    return true;
                }
                // It was never given.
                Err(mut ticket) => ticket.admission = None,
            }
        }
        false
    }

    fn ticket(self: &Arc<Self>, door: u64, bytes: usize, since: Instant) -> Ticket {
        Ticket { admission: Some(Arc::clone(self)), door, bytes, since }
    }

    fn is_room(&self, inner: &Inner, id: u64, bytes: usize) -> bool {
        inner.used.has_room(self.limit, bytes) || self.is_room_in_share(inner, id, bytes)
    }

    /// Reports whether a submit fits into the equal share of its executor. One alone always does, whatever its size.
    fn is_room_in_share(&self, inner: &Inner, id: u64, bytes: usize) -> bool {
        let used = inner.doors.get(&id).map(|door| door.used).unwrap_or_default();
        let doors = inner.doors.len().max(1);
        let share = Usage { submits: self.limit.submits / doors, bytes: self.limit.bytes / doors };
        used.submits == 0 || used.has_room(share, bytes)
    }

    fn excess(&self, inner: &Inner) -> Excess {
        if inner.used.submits >= self.limit.submits {
            let (limit, waiting) = (self.limit.submits, inner.used.submits);
            return Excess { setting: "max_waiting_submits", limit, waiting };
        }
        let (limit, waiting) = (self.limit.bytes, inner.used.bytes);
        Excess { setting: "max_waiting_submit_bytes", limit, waiting }
    }
}

impl Inner {
    /// How much the first asks for who still waits at a door.
    fn first_in_line(&mut self, id: u64) -> Option<usize> {
        let line = &mut self.doors.get_mut(&id)?.line;
        while line.front().is_some_and(|waiting| waiting.answer.is_closed()) {
            line.pop_front();
        }
        line.front().map(|waiting| waiting.bytes)
    }

    fn take(&mut self, id: u64, bytes: usize) {
        self.used.add(bytes);
        if let Some(door) = self.doors.get_mut(&id) {
            door.used.add(bytes);
        }
    }
}

impl Door {
    /// Takes a ticket for a submit of so many bytes, if there is room and nobody was here before.
    pub(crate) fn try_enter(&self, bytes: usize) -> Result<Ticket, Excess> {
        self.enter_at(bytes, Instant::now())
    }

    fn enter_at(&self, bytes: usize, since: Instant) -> Result<Ticket, Excess> {
        let mut inner = self.admission.lock();
        let is_first = inner.first_in_line(self.id).is_none();
        let is_room = match inner.turns.is_empty() {
            true => self.admission.is_room(&inner, self.id, bytes),
            // What is left over belongs to those who wait.
            false => is_first && self.admission.is_room_in_share(&inner, self.id, bytes),
        };
        if !is_room {
            return Err(self.admission.excess(&inner));
        }
        inner.take(self.id, bytes);
        Ok(self.admission.ticket(self.id, bytes, since))
    }

    /// Waits for a ticket. Cancel safe: who stops waiting gets none.
    pub(crate) async fn enter(&self, bytes: usize) -> Ticket {
        let since = Instant::now();
        if let Ok(ticket) = self.enter_at(bytes, since) {
            return ticket;
        }
        let (answer, ticket) = oneshot::channel();
        {
            let mut inner = self.admission.lock();
            // Those who have gone make way.
            inner.first_in_line(self.id);
            if let Some(door) = inner.doors.get_mut(&self.id) {
                door.line.push_back(Waiting { bytes, since, answer });
                if !std::mem::replace(&mut door.waits, true) {
                    inner.turns.push_back(self.id);
                }
            }
            self.admission.distribute(&mut inner);
        }
        match ticket.await {
            Ok(ticket) => ticket,
            // The door goes with its last user, and so would this call.
            Err(_) => std::future::pending().await,
        }
    }

    /// How many tickets of this door are out.
    pub(crate) fn waiting(&self) -> usize {
        self.admission.lock().doors.get(&self.id).map_or(0, |door| door.used.submits)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // Its turn, should it have one, is passed over.
        self.admission.lock().doors.remove(&self.id);
    }
}

impl Ticket {
    /// How long ago it was asked for.
    pub(crate) fn age(&self) -> std::time::Duration {
        self.since.elapsed()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(admission) = self.admission.take() else { return };
        let mut inner = admission.lock();
        inner.used.remove(self.bytes);
        if let Some(door) = inner.doors.get_mut(&self.door) {
            door.used.remove(self.bytes);
        }
        admission.distribute(&mut inner);
    }
}

#[cfg(test)]
mod tests;
