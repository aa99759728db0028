//! What is left to chance: every draw comes from one generator, so that a seed decides all of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;

use super::scenario::Noise;

/// The longest wait to register anew, in milliseconds.
const REGISTRATION: u64 = 3_000;

/// The dice of a simulation.
#[derive(Debug)]
pub(super) struct Chance {
    rng: Mutex<Rng>,
    noise: Noise,
    calm: AtomicBool,
}

/// What becomes of a call to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) before: Duration,
    pub(super) outcome: Outcome,
    pub(super) after: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is carried out and answered.
    Heard,
    /// It is not carried out, and fails.
    Lost,
    /// It is carried out, and fails.
    Unheard,
    /// It fails, and is carried out that much later.
    Late(Duration),
    /// It is carried out, once more later, and answered.
    Twice,
}

impl Chance {
    pub(super) fn new(seed: u64, noise: Noise) -> Self {
        // Not the numbers of which the scenario is made.
        let rng = Mutex::new(Rng::with_seed(seed ^ 0x9e37_79b9_7f4a_7c15));
        Self { rng, noise, calm: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, Rng> {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing goes wrong any more.
    pub(super) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    fn happens(&self, rng: &mut Rng, of: u16) -> bool {
        of > 0 && !self.is_calm() && rng.u16(..1_000) < of
    }

    /// Decides whether a task that could go on is put behind the others.
    pub(super) fn postpones(&self) -> bool {
        let of = self.noise.postponed;
        of > 0 && self.lock().u16(..1_000) < of
    }

    /// Decides whether a change wakes nobody.
    pub(super) fn misses(&self) -> bool {
        self.happens(&mut self.lock(), self.noise.missed)
    }

    /// How long it takes until a worker that was declared dead gets to registering anew. Others go on meanwhile, and would find
    /// what it submits under an id that is not registered yet.
    pub(super) fn wait_to_register(&self) -> Duration {
        let mut rng = self.lock();
        let waits = self.happens(&mut rng, 500);
        if waits { Duration::from_millis(rng.u64(..REGISTRATION)) } else { Duration::ZERO }
    }

    pub(super) fn fate(&self) -> Fate {
        let mut rng = self.lock();
        let noise = self.noise;
        let mut wait = || {
            if self.happens(&mut rng, noise.stuck) {
                return Duration::from_millis(rng.u64(1_000..10_000));
            }
            if self.happens(&mut rng, noise.slow) {
                let most = [2, 40, 600][rng.usize(..3)];
                return Duration::from_millis(rng.u64(..most));
            }
            Duration::ZERO
        };
        let (before, after) = (wait(), wait());
        let outcome = if self.happens(&mut rng, noise.lost) {
            Outcome::Lost
        } else if self.happens(&mut rng, noise.unheard) {
            Outcome::Unheard
        } else if self.happens(&mut rng, noise.late) {
            Outcome::Late(Duration::from_millis(rng.u64(..2_000)))
        } else if self.happens(&mut rng, noise.twice) {
            Outcome::Twice
        } else {
            Outcome::Heard
        };
        Fate { before, outcome, after }
    }
}
