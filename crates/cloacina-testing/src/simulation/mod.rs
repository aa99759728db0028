//! Deterministic simulation: the real engine over [`MemoryBackend`](crate::MemoryBackend), in virtual time, under faults.
//!
//! A seed decides everything: the workflows, who submits what, how many processes there are, when they die, stand still or
//! leave, how each call to the store fares, and in which order the tasks of the processes go on. After every transaction the
//! invariants are checked, and at the end the promises. One seed gives one history; one in which a promise is broken is shrunk
//! to a small scenario that still breaks it.
//!
//! ```
//! use cloacina_testing::simulation::{Scenario, simulate};
//!
//! let report = simulate(&Scenario::new(1));
//! assert!(report.violation.is_none(), "{report}");
//! ```

mod chance;
mod draw;
mod ending;
mod flow;
mod history;
mod life;
mod line;
mod panics;
mod people;
mod process;
mod run;
mod scenario;
mod shrink;
mod timing;
mod verdict;
mod watch;
mod world;

use std::fmt;

use cloacina_core::ExecutionId;

pub use run::simulate;
pub use scenario::{
    Act, Change, Fault, FaultPlan, FlowPlan, Noise, OrderPlan, Part, ProcessPlan, Proof, Rule,
    Scenario, SubmitPlan, TaskPlan, Version,
};
pub use shrink::shrink;

/// What the engine promises, as far as a simulation can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// No acknowledged execution is lost, and one key makes one execution.
    Lost,
    /// Each task's result is committed exactly once, and is that of a run that came to its end.
    ExactlyOnce,
    /// A body runs at least once, and not again once its result is committed.
    AtLeastOnce,
    /// Who lost an execution commits nothing.
    Fenced,
    /// Terminal states are final, and are told as they are.
    Final,
    /// Nothing starts before all that it depends on is committed.
    Order,
    /// After faults all goes on, and soon.
    Recovery,
    /// What crashes its worker is found and stopped, and only that.
    Poison,
    /// One execution has one owner.
    OneOwner,
    /// What runs and what comes of it is what the rules say, whatever went wrong meanwhile.
    Semantics,
    /// Nothing of the engine panics.
    NoPanic,
    /// Nothing is left behind.
    NoLeak,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// Of which execution, if of one.
    about: Option<ExecutionId>,
    /// What was found.
    pub text: String,
}

/// What came of a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The seed of its scenario.
    pub seed: u64,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
    /// What happened, line by line: to the execution in question, or to all.
    pub history: String,
    /// Equal for equal histories.
    pub digest: u64,
    /// How much came about.
    pub tally: Tally,
}

/// How much came about in a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Executions that exist.
    pub executions: usize,
    /// Runs of bodies.
    pub runs: usize,
    /// Runs in vain: their process died or lost the execution.
    pub vain: usize,
    /// Processes that came to be.
    pub processes: usize,
    /// Takeovers on record.
    pub takeovers: usize,
    /// Lines of the history.
    pub lines: usize,
}

impl Tally {
    /// Adds what came about in another simulation.
    pub const fn add(&mut self, other: Self) {
        self.executions += other.executions;
        self.runs += other.runs;
        self.vain += other.vain;
        self.processes += other.processes;
        self.takeovers += other.takeovers;
        self.lines += other.lines;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(violation) = &self.violation else {
            return write!(f, "seed {}: all promises were kept, {:?}", self.seed, self.tally);
        };
        let Violation { promise, text, .. } = violation;
        write!(f, "seed {}: {promise:?} was broken: {text}\n{}", self.seed, self.history)
    }
}
