//! From a scenario that breaks a promise to a small one that still does.

use std::time::Duration;

use cloacina_core::Durability;

use super::scenario::{Act, Fault, Noise, Rule, Scenario};
use super::{Promise, simulate};

/// Makes a scenario smaller as long as it breaks that promise, in at most so many simulations.
#[must_use]
pub fn shrink(scenario: &Scenario, promise: Promise, most: usize) -> Scenario {
    let mut best = scenario.clone();
    let mut left = most;
    loop {
        let mut smaller = None;
        for candidate in candidates(&best) {
            if left == 0 {
                return best;
            }
            left -= 1;
            let broken = simulate(&candidate).violation;
            if broken.is_some_and(|violation| violation.promise == promise) {
                smaller = Some(candidate);
                break;
            }
        }
        let Some(smaller) = smaller else { return best };
        best = smaller;
    }
}

/// Lists what is a little less, the greatest steps first.
fn candidates(of: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Scenario)| {
        let mut less = of.clone();
        change(&mut less);
        if less != *of {
            all.push(less);
        }
    };
    with(&|it| it.faults.clear());
    with(&|it| it.limit = None);
    with(&|it| it.noise = Noise { postponed: it.noise.postponed, ..Noise::NONE });
    for place in 0..of.submits.len() {
        with(&|it| drop(it.submits.remove(place)));
    }
    for place in 0..of.faults.len() {
        with(&|it| {
            it.faults.remove(place);
        });
    }
    for place in 0..of.processes.len() {
        with(&|it| drop_process(it, place));
    }
    for place in 0..of.flows.len() {
        with(&|it| drop_flow(it, place));
        for task in 0..of.flows[place].tasks.len() {
            with(&|it| drop_task(it, place, task));
        }
    }
    for calm in CALM {
        with(&|it| calm(&mut it.noise));
    }
    for place in 0..of.submits.len() {
        with(&|it| it.submits[place].orders.clear());
        with(&|it| {
            it.submits[place].orders.pop();
        });
        with(&|it| it.submits[place].delay = None);
        with(&|it| it.submits[place].key = None);
    }
    for place in 0..of.flows.len() {
        for task in 0..of.flows[place].tasks.len() {
            with(&|it| it.flows[place].tasks[task].crashes = 0);
            with(&|it| it.flows[place].tasks[task].rule = Rule::AllSuccess);
            with(&|it| it.flows[place].tasks[task].script = vec![Act::Succeed]);
            with(&|it| it.flows[place].tasks[task].max_attempts = 1);
            with(&|it| it.flows[place].tasks[task].takes = Duration::ZERO);
            with(&|it| it.flows[place].tasks[task].removes = false);
            with(&|it| it.flows[place].tasks[task].durability = Durability::Strict);
        }
    }
    for place in 0..of.processes.len() {
        with(&|it| it.processes[place].starts = Duration::ZERO);
    }
    all
}

/// One kind of noise less each.
const CALM: [fn(&mut Noise); 8] = [
    |noise| noise.postponed = 0,
    |noise| noise.slow = 0,
    |noise| noise.lost = 0,
    |noise| noise.unheard = 0,
    |noise| noise.late = 0,
    |noise| noise.twice = 0,
    |noise| noise.stuck = 0,
    |noise| noise.missed = 0,
];

/// The place that something has once what was at `gone` is away; nothing if it was that itself.
const fn moved(place: usize, gone: usize) -> Option<usize> {
    if place == gone {
        return None;
    }
    Some(if place > gone { place - 1 } else { place })
}

fn drop_process(it: &mut Scenario, gone: usize) {
    if it.processes.len() == 1 {
        return;
    }
    it.processes.remove(gone);
    it.faults.retain_mut(|plan| match &mut plan.fault {
        Fault::Kill { process, .. }
        | Fault::Halt { process, .. }
        | Fault::Leave { process, .. } => {
            let there = moved(*process, gone);
            *process = there.unwrap_or(0);
            there.is_some()
        }
        Fault::Away { .. } | Fault::ClockAhead { .. } | Fault::ClockBack { .. } => true,
    });
    for submit in &mut it.submits {
        submit.process = moved(submit.process, gone).unwrap_or(0);
    }
}

fn drop_flow(it: &mut Scenario, gone: usize) {
    if it.flows.len() == 1 {
        return;
    }
    it.flows.remove(gone);
    it.submits.retain_mut(|submit| {
        let there = moved(submit.flow, gone);
        submit.flow = there.unwrap_or(0);
        there.is_some()
    });
}

fn drop_task(it: &mut Scenario, flow: usize, gone: usize) {
    let tasks = &mut it.flows[flow].tasks;
    if tasks.len() == 1 {
        return;
    }
    tasks.remove(gone);
    for task in tasks {
        task.dependencies = task.dependencies.iter().filter_map(|&on| moved(on, gone)).collect();
    }
}
