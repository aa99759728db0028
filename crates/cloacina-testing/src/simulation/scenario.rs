//! What a simulation is about: workflows, submits, processes and faults. Plain data, so that it can
//! be printed, and shrunk.

use std::time::Duration;

use cloacina_core::Durability;

/// Everything that is decided before a simulation begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Decides what is not in the plans: the order of steps, and what becomes of each call to the store.
    pub seed: u64,
    /// The workflows.
    pub flows: Vec<FlowPlan>,
    /// The processes, each with an executor.
    pub processes: Vec<ProcessPlan>,
    /// What users ask for.
    pub submits: Vec<SubmitPlan>,
    /// What goes wrong, in order.
    pub faults: Vec<FaultPlan>,
    /// How long an execution may take, if there is a limit.
    pub limit: Option<Duration>,
    /// How calls to the store fare.
    pub noise: Noise,
}

/// A workflow, its tasks in topological order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowPlan {
    /// Its tasks; the index is the name.
    pub tasks: Vec<TaskPlan>,
    /// What its next version has that this one has not.
    pub next: Change,
}

/// How the next version of a workflow differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It has one task more, which depends on all others: executions can go on under it.
    Added,
    /// Its last task depends on one task less: executions in which that has completed cannot go on under it.
    Rewired,
}

/// A task and what its body does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPlan {
    /// Earlier tasks.
    pub dependencies: Vec<usize>,
    /// When it runs.
    pub rule: Rule,
    /// How often it is tried.
    pub max_attempts: u32,
    /// How long it waits before the second attempt; more before each further one.
    pub delay: Duration,
    /// What each attempt comes to; the last one counts for all that follow.
    pub script: Vec<Act>,
    /// How many of its runs take their process with them before the script begins.
    pub crashes: u32,
    /// How long a run takes.
    pub takes: Duration,
    /// Which key of the context it sets; some tasks share one.
    pub key: u8,
    /// Whether it removes that key instead.
    pub removes: bool,
    /// When those that depend on it may start.
    pub durability: Durability,
}

/// The rules that the checker can recompute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of `TriggerRule`")]
pub enum Rule {
    AllSuccess,
    AllFailed,
    AllDone,
    OneSuccess,
    OneFailed,
    NoneFailed,
    NoneSkipped,
    Always,
}

/// What a run of a body comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It completes.
    Succeed,
    /// It fails, and may be retried.
    Fail,
    /// It fails for good.
    GiveUp,
    /// It panics.
    Panic,
    /// It never returns, until its timeout or a cancel.
    Hang,
}

/// A process, and those that take its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessPlan {
    /// When it starts.
    pub starts: Duration,
    /// What it does.
    pub part: Part,
    /// Which version of the workflows it knows.
    pub version: Version,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It runs so many bodies at once.
    Worker(usize),
    /// It submits only.
    Client,
}

/// The version of all workflows that a process knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// As the plans say.
    First,
    /// With the changes.
    Next,
}

/// A submit, and what its user does afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitPlan {
    /// When.
    pub at: Duration,
    /// Through which process.
    pub process: usize,
    /// Which workflow.
    pub flow: usize,
    /// An idempotency key, which others may share. With one, a submit whose outcome is not known is repeated.
    pub key: Option<u8>,
    /// How long it must not start.
    pub delay: Option<Duration>,
    /// Orders, each so long after the one before.
    pub orders: Vec<(Duration, OrderPlan)>,
}

/// What a user orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderPlan {
    /// It is to end.
    Cancel,
    /// Nothing new is to start.
    Pause,
    /// It is to go on.
    Resume,
    /// Once it has failed, it is to be run again from where it failed.
    Retry,
}

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPlan {
    /// When.
    pub at: Duration,
    /// What.
    pub fault: Fault,
}

/// What may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A process dies after so many more steps of its tasks, and another takes its place.
    Kill {
        /// Which.
        process: usize,
        /// After how many polls.
        polls: u32,
        /// Whether its death can be proved.
        proof: Proof,
        /// When the next one starts.
        back_in: Duration,
        /// What that knows.
        version: Version,
    },
    /// A process stands still for a while, which may be longer than its lease.
    Halt {
        /// Which.
        process: usize,
        /// How long.
        lasts: Duration,
    },
    /// A process shuts down in good order, and another takes its place.
    Leave {
        /// Which.
        process: usize,
        /// When the next one starts.
        back_in: Duration,
        /// What that knows.
        version: Version,
    },
    /// The store cannot be reached.
    Away {
        /// How long.
        lasts: Duration,
    },
    /// The store's clock jumps ahead.
    ClockAhead {
        /// How far.
        by: Duration,
    },
    /// The store's clock jumps back.
    ClockBack {
        /// How far.
        by: Duration,
    },
}

/// Whether others can prove a death, or have to wait for the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The operating system dropped the lock.
    Given,
    /// The connection is still open, as far as the store knows.
    Missing,
}

/// How often something happens to a call or a step, in a thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noise {
    /// A task that could go on is put behind the others.
    pub postponed: u16,
    /// A call takes its time before, after, or both.
    pub slow: u16,
    /// A call fails and has done nothing.
    pub lost: u16,
    /// A call fails and has been carried out.
    pub unheard: u16,
    /// A call fails, and is carried out later.
    pub late: u16,
    /// A call is carried out twice.
    pub twice: u16,
    /// A call takes very long, longer than a lease perhaps.
    pub stuck: u16,
    /// A change wakes nobody.
    pub missed: u16,
}

impl Noise {
    /// Nothing happens to any call.
    pub const NONE: Self =
        Self { postponed: 0, slow: 0, lost: 0, unheard: 0, late: 0, twice: 0, stuck: 0, missed: 0 };

    /// The same, if it left calls and wake-ups alone.
    pub(super) const fn quiet(self) -> Self {
        Self { postponed: self.postponed, ..Self::NONE }
    }
}
