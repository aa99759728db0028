//! Workers: their leases and their deaths.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::{ExecutionId, WorkerId};

/// A worker that is about to take work.
#[derive(Debug, Clone)]
pub struct NewWorker {
    /// Its id, made for this start.
    pub id: WorkerId,
    /// How long its leases hold without a heartbeat.
    pub lease_ttl: Duration,
}

/// A sign of life.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// Who is alive.
    pub worker: WorkerId,
    /// How long its leases hold from now.
    pub lease_ttl: Duration,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// The lease is renewed.
    Alive {
        /// How many other workers are registered, dead ones that nobody buried yet included.
        peers: u32,
        /// What there is to look after.
        outlook: Outlook,
    },
    /// The worker was declared dead: it owns nothing any more and must register again under a new id.
    Buried,
}

/// What there is to look after in a store. What is not there a worker need not look for: a store that says too much costs a
/// look, one that says too little leaves something where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// The worker owns unfinished executions.
    pub own: bool,
    /// Others do, be they alive, dead or not registered.
    pub of_others: bool,
    /// There are unfinished executions that nobody owns. Those that are paused or due later may count as well.
    pub unowned: bool,
    /// The lease of another worker has run out.
    pub expired: bool,
}

impl Outlook {
    /// All that there may be.
    pub const UNKNOWN: Self = Self { own: true, of_others: true, unowned: true, expired: true };
}

/// How a worker's death was established.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProofOfDeath {
    /// What the operating system or the database drops with the process was free.
    Lock,
    /// Its lease had run out.
    Lease,
}

/// A dead worker whose executions are free again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burial {
    /// The dead worker.
    pub worker: WorkerId,
    /// How its death was established.
    pub proof: ProofOfDeath,
    /// How many unfinished executions it owned.
    pub executions: u64,
}

/// An epoch of an execution that its owner outlived, as only the owner itself can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Survival {
    /// The execution.
    pub execution: ExecutionId,
    /// The epoch under which the owner held it.
    pub epoch: u64,
}

impl Survival {
    /// Sorts into lots that name no execution twice, earlier epochs first: a statement changes a row once.
    #[must_use]
    pub fn lots(survivals: &[Self]) -> Vec<Vec<Self>> {
        let mut epochs: BTreeMap<ExecutionId, BTreeSet<u64>> = BTreeMap::new();
        for survival in survivals {
            epochs.entry(survival.execution).or_default().insert(survival.epoch);
        }
        let mut lots: Vec<Vec<Self>> = Vec::new();
        for (execution, epochs) in epochs {
            for (place, epoch) in epochs.into_iter().enumerate() {
                if place == lots.len() {
                    lots.push(Vec::new());
                }
                lots[place].push(Self { execution, epoch });
            }
        }
        lots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lot_names_no_execution_twice() {
        let (first, second) = (ExecutionId::new(), ExecutionId::new());
        let survival = |execution, epoch| Survival { execution, epoch };
        let lots = Survival::lots(&[
            survival(first, 3),
            survival(second, 2),
            survival(first, 1),
            survival(first, 3),
        ]);
        assert_eq!(lots.len(), 2, "{lots:?}");
        assert_eq!(lots[1], [survival(first, 3)]);
        let mut earlier = lots[0].clone();
        earlier.sort_unstable();
        let mut expected = [survival(first, 1), survival(second, 2)];
        expected.sort_unstable();
        assert_eq!(earlier, expected);
        assert!(Survival::lots(&[]).is_empty());
    }
}
