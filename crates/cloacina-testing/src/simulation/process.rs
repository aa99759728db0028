//! Processes: they start, die or leave, and others take their place.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::__private::{Turns, in_turn};
use cloacina_core::{Backend as _, UnifiedExecutor};

use tokio::time::Instant;

use super::Promise;
use super::flow::{TIMEOUT, workflows};
use super::history::ProcessId;
use super::life::Life;
use super::line::{Line, outside};
use super::scenario::{Part, ProcessPlan};
use super::world::{Process, World};

/// How long a worker counts as alive.
pub(super) const LEASE: Duration = Duration::from_secs(3);

/// How often executors look for what others did.
pub(super) const POLL: Duration = Duration::from_millis(200);

/// When the next process starts, if nothing else is said.
const BACK_IN: Duration = Duration::from_millis(500);

/// How many crashes in a row a task may cause.
pub(super) const CRASHES: u32 = 3;

/// Sees to it that there is a process in a slot, until everything is over.
pub(super) async fn keep(world: Arc<World>, slot: usize, mut plan: ProcessPlan) {
    tokio::time::sleep(plan.starts).await;
    // The locks of processes whose death cannot be proved.
    let mut kept = Vec::new();
    while !world.over.is_cancelled() {
        let id = world.number_process();
        let life = Life::new(Arc::clone(&world.chance));
        let line = Line::new(Arc::clone(&world), id);
        let version = plan.version;
        world
            .history()
            .say(&format!("p{} starts in slot {slot}: {:?}, {version:?}", id.0, plan.part));
        let started = {
            let (world, life, line) = (Arc::clone(&world), Arc::clone(&life), line.clone());
            let flows = workflows(&world, (id, &life), &plan);
            let turns: Arc<dyn Turns> = Arc::clone(&life) as _;
            let builder = UnifiedExecutor::<Line>::builder()
                .lease_ttl(LEASE)
                .poll_interval(POLL)
                .cancel_grace(Duration::from_millis(100))
                .shutdown_grace(Duration::from_secs(2))
                .task_timeout(TIMEOUT)
                .max_recovery_attempts(CRASHES)
                .workflows(flows)
                .turns(Arc::clone(&turns));
            let builder = match world.scenario.limit {
                Some(limit) => builder.pipeline_timeout(limit),
                None => builder,
            };
            let builder = match plan.part {
                Part::Worker(slots) => builder.max_concurrent_tasks(slots),
                Part::Client => builder.client_only(),
            };
            tokio::select! {
                biased;
                () = life.death() => None,
                built = in_turn(turns, builder.build_on(line)) => built.ok(),
            }
        };
        if let Some(executor) = started {
            let leave = world.over.child_token();
            let (life, part) = (Arc::clone(&life), plan.part);
            let leaves = leave.clone();
            let process = Process { id, life, part, version, executor, leave: leaves };
            world.settle_in(slot, process.clone());
            tokio::select! {
                biased;
                () = process.life.death() => {}
                () = leave.cancelled() => shut_down(&world, process).await,
            }
        }
        world.move_out(slot);
        world.history().say(&format!("p{} is gone", id.0));
        world.history().note_gone(id);
        life.die();
        let successor = world.successor(slot);
        if successor.is_some_and(|next| next.keep_lock) {
            kept.push(line);
            outside(check_recovery(Arc::clone(&world), id, LEASE + LEASE / 3 + POLL));
        } else {
            line.close().await;
            outside(check_recovery(Arc::clone(&world), id, Duration::from_secs(1)));
        }
        let (back_in, version) =
            successor.map_or((BACK_IN, plan.version), |next| (next.back_in, next.version));
        plan.version = version;
        tokio::time::sleep(back_in).await;
    }
}

/// Checks that soon nothing belongs to the dead any more, if there is somebody who lives, and nothing else goes wrong.
async fn check_recovery(world: Arc<World>, dead: ProcessId, soon: Duration) {
    if !world.scenario.is_quiet() {
        return;
    }
    let workers = || -> BTreeSet<ProcessId> {
        let workers = world.processes().into_iter();
        workers.filter(|one| matches!(one.part, Part::Worker(_))).map(|one| one.id).collect()
    };
    let before = workers();
    tokio::time::sleep(soon).await;
    if before.intersection(&workers()).next().is_none() || world.over.is_cancelled() {
        return;
    }
    let left = world.watch().owned_by(dead, &world.history());
    if let Some(id) = left {
        let text = format!("p{} has been dead for {soon:?} and still owns it", dead.0);
        world.violate(Promise::Recovery, Some(id), text);
    }
}

/// Leaves in good order, unless it dies over it.
async fn shut_down(world: &World, process: Process) {
    let Process { id, life, executor, .. } = process;
    world.history().say(&format!("p{} shuts down", id.0));
    let turns: Arc<dyn Turns> = Arc::clone(&life) as _;
    tokio::select! {
        biased;
        () = life.death() => {}
        left = in_turn(turns, async {
            world.history().leaving.insert(id, Instant::now());
            executor.shutdown().await
        }) => {
            // A store that is away may keep it from retiring.
            if left.is_ok() {
                world.history().left.insert(id);
            }
        }
    }
}
