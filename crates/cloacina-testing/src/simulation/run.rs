//! A simulation from its beginning to its end.

use std::sync::Arc;
use std::time::Duration;

use cloacina_core::ExecutionId;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::history::Ended;
use super::scenario::{Part, ProcessPlan, Scenario, Version};
use super::world::World;
use super::{Promise, Report, Tally, panics, people, process, verdict};

/// After this time nothing goes wrong any more.
const RAGE: Duration = Duration::from_secs(15);

/// By then everything has come to its end.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs a scenario to its end, and checks that every promise was kept.
///
/// Takes some milliseconds, and as many virtual seconds as it needs. Deterministic: equal scenarios have equal histories.
///
/// # Panics
///
/// If no runtime can be made.
#[must_use]
pub fn simulate(scenario: &Scenario) -> Report {
    fastrand::seed(scenario.seed);
    panics::listen();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without drivers for I/O needs nothing");
    let world = runtime.block_on(live(scenario.clone()));
    world.forget_processes();
    drop(runtime);
    for text in panics::heard() {
        world.violate(Promise::NoPanic, None, text);
    }
    report(&world)
}

async fn live(scenario: Scenario) -> Arc<World> {
    let start = Instant::now();
    let world = World::new(scenario);
    let mut keepers = JoinSet::new();
    for (slot, plan) in world.scenario.processes.iter().enumerate() {
        keepers.spawn(process::keep(Arc::clone(&world), slot, *plan));
    }
    keepers.spawn(people::look_for_idlers(Arc::clone(&world)));
    let mut users = JoinSet::new();
    for number in 0..world.scenario.submits.len() {
        users.spawn(people::submit(Arc::clone(&world), number, start));
    }
    let mut faults = JoinSet::new();
    faults.spawn(people::strike(Arc::clone(&world), start));
    sleep_until(start + RAGE).await;
    world.chance.calm_down();
    world.history().say("nothing goes wrong any more");
    add_workers(&world, &mut keepers);
    keepers.spawn(people::resume_all(Arc::clone(&world)));
    let all_told = async {
        while faults.join_next().await.is_some() {}
        while users.join_next().await.is_some() {}
        while unfinished(&world).is_some() {
            sleep(process::POLL).await;
        }
    };
    let told = tokio::select! {
        biased;
        told = timeout(PATIENCE, all_told) => told,
        // What follows from it would be found as well, or go on for ever.
        () = violated(&world) => return world,
    };
    if told.is_err() {
        verdict::acknowledged(&world);
        let about = unfinished(&world);
        let text = match about {
            Some(_) => "an execution has not come to its end long after the last fault",
            None => "a user has not been told of an end long after the last fault",
        };
        world.violate(Promise::Recovery, about, text.to_owned());
    } else if !world.is_violated() {
        verdict::check(&world).await;
        leave(&world).await;
    }
    world
}

/// Whoever knows the first and whoever knows the next version will be there in the end.
fn add_workers(world: &Arc<World>, keepers: &mut JoinSet<()>) {
    for (place, version) in [Version::First, Version::Next].into_iter().enumerate() {
        let slot = world.scenario.processes.len() + place;
        let plan = ProcessPlan { starts: Duration::ZERO, part: Part::Worker(2), version };
        keepers.spawn(process::keep(Arc::clone(world), slot, plan));
    }
}

async fn violated(world: &World) {
    while !world.is_violated() {
        sleep(process::POLL).await;
    }
}

fn unfinished(world: &World) -> Option<ExecutionId> {
    let watch = world.watch();
    let open = watch.executions().find(|(_, seen)| !seen.snapshot.record.status.is_terminal());
    open.map(|(id, _)| *id)
}

/// Shuts everything down in good order; nothing must be left.
async fn leave(world: &World) {
    world.over.cancel();
    let gone = async {
        while !world.processes().is_empty() {
            sleep(process::POLL).await;
        }
    };
    if timeout(PATIENCE, gone).await.is_err() {
        world.violate(Promise::NoLeak, None, "a process does not shut down".to_owned());
    }
    if world.scenario.noise.late + world.scenario.noise.twice > 0 {
        // A registration that arrives late stays until its lease is over.
        return;
    }
    for worker in world.store.registered() {
        let process = world.history().workers.get(&worker).copied();
        if let Some(process) = process.filter(|process| world.history().left.contains(process)) {
            let text = format!("p{} has left, and is still registered", process.0);
            world.violate(Promise::NoLeak, None, text);
        }
    }
}

fn report(world: &World) -> Report {
    let violations = world.take_violations();
    // A panic explains whatever else is wrong; then the first counts, for the others may follow from it.
    let panic = violations.iter().position(|violation| violation.promise == Promise::NoPanic);
    let violation = violations.into_iter().nth(panic.unwrap_or(0));
    let mut history = world.history();
    let about = violation.as_ref().and_then(|violation| violation.about);
    let takeovers = world.watch().takeovers();
    let tally = Tally {
        executions: history.executions().len(),
        runs: history.runs.len(),
        vain: history.runs.iter().filter(|run| run.ended != Some(Ended::Completed)).count(),
        processes: usize::try_from(world.number_process().0 - 1).unwrap_or(usize::MAX),
        takeovers,
        lines: history.len(),
    };
    let text = history.text(about);
    Report { seed: world.scenario.seed, violation, history: text, digest: history.digest(), tally }
}
