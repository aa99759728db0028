//! Workers: their leases and their deaths.

use std::time::Duration;

use crate::WorkerId;

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
    },
    /// The worker was declared dead: it owns nothing any more and must register again under a new id.
    Buried,
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
