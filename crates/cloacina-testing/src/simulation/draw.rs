//! How a scenario is drawn from its seed.

use std::time::Duration;

use cloacina_core::Durability;
use fastrand::Rng;

use super::scenario::{
    Act, Change, Fault, FaultPlan, FlowPlan, Noise, OrderPlan, Part, ProcessPlan, Proof, Rule,
    Scenario, SubmitPlan, TaskPlan, Version,
};

const RULES: [Rule; 8] = [
    Rule::AllSuccess,
    Rule::AllFailed,
    Rule::AllDone,
    Rule::OneSuccess,
    Rule::OneFailed,
    Rule::NoneFailed,
    Rule::NoneSkipped,
    Rule::Always,
];

/// Within this time users submit and things go wrong.
const RAGE: u64 = 12_000;

impl Scenario {
    /// Draws a scenario.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut flows: Vec<_> = (0..rng.usize(1..=2)).map(|_| flow(&mut rng)).collect();
        pipeline(&mut Rng::with_seed(!seed), &mut flows);
        let processes = processes(&mut rng);
        let mut submits: Vec<_> =
            (0..rng.usize(1..=6)).map(|_| submit(&mut rng, flows.len(), processes.len())).collect();
        submits.sort_by_key(|submit| submit.at);
        let most = [0, 1, 3, 6][rng.usize(..4)];
        let mut faults: Vec<_> = (0..most).map(|_| fault(&mut rng, processes.len())).collect();
        faults.sort_by_key(|fault| fault.at);
        let noise = noise(&mut rng);
        let limit = percent(&mut rng, 8).then(|| Duration::from_millis(rng.u64(100..6_000)));
        Self { seed, flows, processes, submits, faults, limit, noise }
    }

    /// Reports whether what waits is found in time: there is one version, and calls and clocks are as they should be.
    pub(super) fn is_steady(&self) -> bool {
        let calls = Noise { missed: self.noise.missed, ..self.noise.quiet() };
        let one_version =
            |plan: &FaultPlan| matches!(plan.fault, Fault::Kill { version: Version::First, .. });
        self.noise == calls
            && self.processes.iter().all(|plan| plan.version == Version::First)
            && self.faults.iter().all(one_version)
    }

    /// Reports whether nothing goes wrong but that processes die: then recovery is soon.
    pub(super) fn is_quiet(&self) -> bool {
        let kill = |plan: &FaultPlan| matches!(plan.fault, Fault::Kill { .. });
        self.noise == self.noise.quiet() && self.faults.iter().all(kill)
    }
}

fn millis(rng: &mut Rng, below: u64) -> Duration {
    Duration::from_millis(rng.u64(..below.max(1)))
}

/// Reports true so often in a hundred.
fn percent(rng: &mut Rng, of: u32) -> bool {
    rng.u32(..100) < of
}

fn flow(rng: &mut Rng) -> FlowPlan {
    let count = rng.usize(1..=7);
    let wild = percent(rng, 50);
    let tasks = (0..count).map(|place| task(rng, place, wild)).collect();
    FlowPlan { tasks, next: if percent(rng, 70) { Change::Added } else { Change::Rewired } }
}

/// Lets dependents go on before the commit, in some scenarios.
fn pipeline(rng: &mut Rng, flows: &mut [FlowPlan]) {
    if percent(rng, 50) {
        return;
    }
    for task in flows.iter_mut().flat_map(|flow| &mut flow.tasks) {
        if percent(rng, 60) {
            task.durability = Durability::Pipelined;
        }
    }
}

fn task(rng: &mut Rng, place: usize, wild: bool) -> TaskPlan {
    let density = rng.u32(20..80);
    let dependencies: Vec<_> = (0..place).filter(|_| percent(rng, density)).collect();
    let rule = if !dependencies.is_empty() && percent(rng, if wild { 50 } else { 10 }) {
        RULES[rng.usize(..RULES.len())]
    } else {
        Rule::AllSuccess
    };
    let script = (0..rng.usize(1..=3)).map(|_| act(rng, if wild { 40 } else { 12 })).collect();
    TaskPlan {
        dependencies,
        rule,
        max_attempts: rng.u32(1..=3),
        delay: millis(rng, 1_500),
        script,
        crashes: if percent(rng, 4) { [1, 2, 3, 1_000][rng.usize(..4)] } else { 0 },
        takes: if percent(rng, 15) { millis(rng, 4_000) } else { millis(rng, 60) },
        key: rng.u8(..4),
        removes: percent(rng, 15),
        durability: Durability::Strict,
    }
}

fn act(rng: &mut Rng, failures: u32) -> Act {
    if !percent(rng, failures) {
        return Act::Succeed;
    }
    [Act::Fail, Act::Fail, Act::GiveUp, Act::Panic, Act::Hang][rng.usize(..5)]
}

fn version(rng: &mut Rng, next: u32) -> Version {
    if percent(rng, next) { Version::Next } else { Version::First }
}

fn processes(rng: &mut Rng) -> Vec<ProcessPlan> {
    let deploys = percent(rng, 20);
    let mut processes: Vec<_> = (0..rng.usize(1..=4))
        .map(|_| ProcessPlan {
            starts: if percent(rng, 60) { Duration::ZERO } else { millis(rng, RAGE / 2) },
            part: if percent(rng, 20) { Part::Client } else { Part::Worker(rng.usize(1..=4)) },
            version: version(rng, if deploys { 40 } else { 0 }),
        })
        .collect();
    // Somebody has to do the work.
    processes[0].part = Part::Worker(rng.usize(1..=4));
    processes
}

fn submit(rng: &mut Rng, flows: usize, processes: usize) -> SubmitPlan {
    let mut orders = Vec::new();
    if percent(rng, 30) {
        for _ in 0..rng.usize(1..=3) {
            let order = [OrderPlan::Cancel, OrderPlan::Pause, OrderPlan::Resume, OrderPlan::Retry];
            orders.push((millis(rng, 3_000), order[rng.usize(..order.len())]));
        }
    }
    SubmitPlan {
        at: millis(rng, RAGE),
        process: rng.usize(..processes),
        flow: rng.usize(..flows),
        key: percent(rng, 40).then(|| rng.u8(..3)),
        delay: percent(rng, 15).then(|| millis(rng, 4_000)),
        orders,
    }
}

fn fault(rng: &mut Rng, processes: usize) -> FaultPlan {
    let process = rng.usize(..processes);
    let back_in = millis(rng, 3_000);
    let fault = match rng.u32(..10) {
        0..4 => Fault::Kill {
            process,
            polls: rng.u32(..60),
            proof: if percent(rng, 60) { Proof::Given } else { Proof::Missing },
            back_in,
            version: version(rng, 15),
        },
        4..7 => Fault::Halt { process, lasts: millis(rng, 8_000) },
        7 => Fault::Leave { process, back_in, version: version(rng, 30) },
        8 => Fault::Away { lasts: millis(rng, 4_000) },
        _ if rng.bool() => Fault::ClockAhead { by: millis(rng, 8_000) },
        _ => Fault::ClockBack { by: millis(rng, 8_000) },
    };
    FaultPlan { at: millis(rng, RAGE), fault }
}

/// Many seeds leave the calls alone, so that what is exact there can be checked.
fn noise(rng: &mut Rng) -> Noise {
    let postponed = if rng.bool() { rng.u16(..400) } else { 0 };
    if percent(rng, 40) {
        let missed = if rng.bool() { rng.u16(..1_000) } else { 0 };
        return Noise { postponed, missed, ..Noise::NONE };
    }
    let mut level = |most: u16| if rng.bool() { rng.u16(..most) } else { 0 };
    Noise {
        postponed,
        slow: level(500),
        lost: level(60),
        unheard: level(60),
        late: level(60),
        twice: level(60),
        stuck: level(10),
        missed: level(500),
    }
}
