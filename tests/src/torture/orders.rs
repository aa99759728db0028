//! What is submitted: the same for a seed, whoever asks.

use fastrand::Rng;

use crate::montage::{self, Order};
use crate::weather;

/// A submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    /// The workflow.
    pub(super) workflow: &'static str,
    /// The input.
    pub(super) order: Order,
    /// The idempotency key, with which it may be repeated.
    pub(super) key: Option<String>,
}

/// Makes the submit of a number. The numbers of a run begin anywhere and never repeat.
#[must_use]
pub(super) fn assignment(seed: u64, n: u64) -> Assignment {
    let mut random = Rng::with_seed(seed ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let workflow = if random.u8(..3) == 0 { weather::NAME } else { montage::NAME };
    let order = Order {
        n,
        pace: [0, 0, 0, 5, 20][random.usize(..5)],
        // One in so many looks at itself through a connection of its own.
        witness: random.u8(..10) == 0,
        wants_extra: random.bool(),
        ..Order::default()
    };
    let key = random.bool().then(|| format!("torture-{n}"));
    Assignment { workflow, order, key }
}
