//! Compares two back ends: the same random sequence of operations must get the same answers from both.
//!
//! What the contract leaves open is not compared: timestamps but for their presence, the order of attempts that
//! began together, the words of the events that a store writes itself, and how often it tells of one fence.

mod answer;
mod generate;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::WorkerId;
use cloacina_core::backend::{Backend, Burial};
use tokio::time::Instant;

use crate::conformance::Harness;
use generate::{Op, World};

/// How many handles each store has open.
const HANDLES: usize = 2;

/// How often everything is compared, and not only where each execution stands.
const FULL_LOOK: usize = 20;

/// How long a store may take to notice that a process is gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// Does the same `steps` random operations to two empty stores and compares every answer, and what they hold.
///
/// The sequence follows from the seed, but for the ids, which are made anew. Leaves the handles closed.
///
/// # Panics
///
/// When the answers differ: with the seed, the number of the step, both answers, and all operations up to there.
pub async fn same_answers(left: &dyn Harness, right: &dyn Harness, seed: u64, steps: usize) {
    let mut sides = [Side::open(left).await, Side::open(right).await];
    let mut world = World::new(seed);
    let mut log = String::new();
    for step in 0..steps {
        let op = world.next_op(&sides[0].handles[0]).await;
        writeln!(log, "{step}: {op:?}").expect("a string takes any text");
        let expected = world.dead_but(&op);
        let answers = [
            Box::pin(sides[0].apply(&op, &expected)).await,
            Box::pin(sides[1].apply(&op, &expected)).await,
        ];
        compare(&answers, "the operation", seed, step, &log);
        world.note(&op);
        let whole = step % FULL_LOOK == FULL_LOOK - 1 || step + 1 == steps;
        let looks = [
            Box::pin(answer::everything(&sides[0].handles[0], &world.executions, whole)).await,
            Box::pin(answer::everything(&sides[1].handles[0], &world.executions, whole)).await,
        ];
        compare(&looks, "a look at the store after the operation", seed, step, &log);
    }
    for side in sides {
        for handle in side.handles {
            handle.close().await;
        }
    }
}

fn compare(answers: &[String; 2], what: &str, seed: u64, step: usize, log: &str) {
    let [left, right] = answers;
    if left == right {
        return;
    }
    let pairs = left.lines().zip(right.lines());
    let first = pairs.into_iter().find(|(left, right)| left != right);
    panic!(
        "seed {seed}, step {step}: {what} got different answers\nfirst difference: {first:#?}\n\
         left:\n{left}\nright:\n{right}\noperations:\n{log}"
    );
}

/// One of the two stores.
struct Side<'h> {
    harness: &'h dyn Harness,
    handles: Vec<Arc<dyn Backend>>,
}

impl<'h> Side<'h> {
    async fn open(harness: &'h dyn Harness) -> Self {
        let mut handles = Vec::new();
        for _ in 0..HANDLES {
            handles.push(harness.handle().await);
        }
        Self { harness, handles }
    }

    /// Carries out an operation and puts its answer into words. `dead` are the workers that a burial must find.
    async fn apply(&mut self, op: &Op, dead: &BTreeSet<WorkerId>) -> String {
        match op {
            Op::Crash { handle } => {
                self.handles[*handle].close().await;
                self.handles[*handle] = self.harness.handle().await;
                String::new()
            }
            Op::Bury { handle, by } => {
                let burials = bury(&self.handles[*handle], *by, dead).await;
                format!("{burials:#?}")
            }
            other => answer::to(&self.handles[other.handle()], other).await,
        }
    }
}

/// Buries until those that must be found were found: a database may take a moment to notice that a session ended.
async fn bury(handle: &Arc<dyn Backend>, by: WorkerId, dead: &BTreeSet<WorkerId>) -> Vec<Burial> {
    let deadline = Instant::now() + PATIENCE;
    let mut burials = Vec::new();
    loop {
        burials.extend(handle.bury_dead_workers(by).await.expect("bury_dead_workers answers"));
        let found: BTreeSet<_> = burials.iter().map(|burial| burial.worker).collect();
        if found.is_superset(dead) || Instant::now() > deadline {
            burials.sort_by_key(|burial| burial.worker);
            return burials;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
