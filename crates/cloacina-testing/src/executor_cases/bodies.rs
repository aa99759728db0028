//! What bodies of the cases are made of: they tell the case where they are, and wait for its leave.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cloacina_core::{RetryPolicy, Task, TaskError};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::conformance::soon;

/// Where bodies report and wait. Clones are one gate.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    arrivals: Arc<Semaphore>,
    leaves: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let (arrivals, leaves) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        Self { arrivals, leaves, inside: Arc::default() }
    }

    /// Called by a body: reports, and waits for leave.
    pub(crate) async fn pass(&self) {
        let _inside = Inside::enter(self);
        self.arrivals.add_permits(1);
        if let Ok(leave) = self.leaves.acquire().await {
            leave.forget();
        }
    }

    /// Called by a body that never gets leave: reports, and waits until it is dropped.
    pub(crate) async fn stay(&self) {
        let _inside = Inside::enter(self);
        self.arrivals.add_permits(1);
        std::future::pending::<()>().await;
    }

    /// Called by a body that must not wait: reports.
    pub(crate) fn report(&self) {
        self.arrivals.add_permits(1);
    }

    /// Waits until so many more bodies have reported.
    pub(crate) async fn arrived(&self, bodies: u32) {
        let arrived = soon("the start of a body", self.arrivals.acquire_many(bodies)).await;
        arrived.expect("a gate is never closed").forget();
    }

    /// Tells how many bodies wait; those of a dead process do until they are dropped.
    pub(crate) fn waiting(&self) -> usize {
        self.inside.load(Ordering::SeqCst)
    }

    /// Gives leave to so many bodies.
    pub(crate) fn open(&self, bodies: usize) {
        self.leaves.add_permits(bodies);
    }
}

/// A body that waits, until it gets leave or is dropped.
struct Inside(Arc<AtomicUsize>);

impl Inside {
    fn enter(gate: &Gate) -> Self {
        gate.inside.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&gate.inside))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What happened, in order. Clones are one journal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }

    pub(crate) fn entries(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.entries().iter().filter(|entry| *entry == what).count()
    }

    pub(crate) fn place(&self, what: &str) -> usize {
        let place = self.entries().iter().position(|entry| entry == what);
        place.unwrap_or_else(|| panic!("`{what}` did not happen: {:?}", self.entries()))
    }
}

/// A task that does nothing.
pub(crate) fn idle(id: &str) -> Task {
    Task::new(id, |_, _| Box::pin(async {}))
}

/// A task that notes its id.
pub(crate) fn noting(id: &str, journal: &Journal) -> Task {
    let (journal, name) = (journal.clone(), id.to_owned());
    Task::new(id, move |_, _| {
        journal.note(name.clone());
        Box::pin(async {})
    })
}

/// A task that notes `id+` when it begins and `id-` when it ends, and yields in between.
pub(crate) fn spanning(id: &str, journal: &Journal) -> Task {
    let (journal, name) = (journal.clone(), id.to_owned());
    Task::new(id, move |_, _| {
        let (journal, name) = (journal.clone(), name.clone());
        Box::pin(async move {
            journal.note(format!("{name}+"));
            tokio::task::yield_now().await;
            journal.note(format!("{name}-"));
        })
    })
}

/// A task that notes its id, reports at a gate, and waits there for leave.
pub(crate) fn gated(id: &str, gate: &Gate, journal: &Journal) -> Task {
    let (gate, journal, name) = (gate.clone(), journal.clone(), id.to_owned());
    Task::new(id, move |_, _| {
        journal.note(name.clone());
        let gate = gate.clone();
        Box::pin(async move { gate.pass().await })
    })
}

/// A task that notes its id and waits until it is dropped.
pub(crate) fn endless(id: &str, gate: &Gate, journal: &Journal) -> Task {
    let (gate, journal, name) = (gate.clone(), journal.clone(), id.to_owned());
    Task::new(id, move |_, _| {
        journal.note(name.clone());
        let gate = gate.clone();
        Box::pin(async move { gate.stay().await })
    })
}

/// A task that fails with `ID went wrong, attempt N`.
pub(crate) fn failing(id: &str, journal: &Journal) -> Task {
    let (journal, name) = (journal.clone(), id.to_owned());
    Task::new(id, move |_, run| {
        journal.note(name.clone());
        let error = TaskError::new(format!("{name} went wrong, attempt {}", run.attempt));
        Box::pin(async move { Err::<(), _>(error) })
    })
}

/// A task that fails until the attempt of that number.
pub(crate) fn failing_until(attempt: u32, id: &str, journal: &Journal) -> Task {
    let (journal, name) = (journal.clone(), id.to_owned());
    Task::new(id, move |_, run| {
        journal.note(name.clone());
        let failed = run.attempt < attempt;
        let error = TaskError::new(format!("{name} went wrong, attempt {}", run.attempt));
        Box::pin(async move { if failed { Err(error) } else { Ok(()) } })
    })
}

/// A task that sets a key.
pub(crate) fn setting(id: &str, key: &'static str, value: Value) -> Task {
    Task::new(id, move |context, _| {
        let value = value.clone();
        Box::pin(async move { drop(context.set(key, value)) })
    })
}

/// A task that appends its id to the list under `path`.
pub(crate) fn tracing(id: &str) -> Task {
    let name = id.to_owned();
    Task::new(id, move |context, _| {
        let name = name.clone();
        Box::pin(async move {
            let mut path: Vec<String> = context.get_as("path").unwrap_or_default();
            path.push(name);
            context.set("path", json!(path));
        })
    })
}

/// A policy of so many attempts with hardly a wait between them.
pub(crate) fn attempts(count: u32) -> RetryPolicy {
    RetryPolicy::new(count).initial_delay(std::time::Duration::from_millis(1))
}
