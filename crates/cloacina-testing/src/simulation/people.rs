//! Users: they submit, wait, and order; and whoever makes things go wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::__private::{Turns, in_turn};
use cloacina_core::{
    Context, ExecuteOptions, ExecutionId, ExecutorError, PipelineExecution, PipelineResult,
    PipelineStatus,
};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::Promise;
use super::flow::flow_name;
use super::history::ProcessId;
use super::scenario::{Fault, OrderPlan, Part, Proof, SubmitPlan, Version};
use super::world::{Process, Successor, World};

/// How long a user waits before another try.
const PATIENCE: Duration = Duration::from_millis(300);

/// Does something as a task of a process; nothing comes of it if the process dies.
async fn within<T>(process: &Process, work: impl Future<Output = T> + Send) -> Option<T> {
    let turns: Arc<dyn Turns> = Arc::clone(&process.life) as _;
    tokio::select! {
        biased;
        () = process.life.death() => None,
        done = in_turn(turns, work) => Some(done),
    }
}

/// Finds a process that runs, and waits for one if there is none.
async fn find_process(world: &World, slot: usize) -> Process {
    loop {
        if let Some(process) = world.some_process(slot) {
            return process;
        }
        sleep(PATIENCE / 3).await;
    }
}

/// Submits, orders, and waits for the end.
pub(super) async fn submit(world: Arc<World>, number: usize, start: Instant) {
    let plan = world.scenario.submits[number].clone();
    sleep_until(start + plan.at).await;
    let Some(id) = submit_for_sure(&world, number, &plan).await else { return };
    let mut waits = JoinSet::new();
    waits.spawn(wait_for_end(Arc::clone(&world), id, plan.process));
    for (wait, order) in plan.orders.iter().copied() {
        sleep(wait).await;
        if let Some(again) = give(&world, id, order, &plan).await {
            waits.spawn(wait_for_end(Arc::clone(&world), again, plan.process + 1));
        }
    }
    while waits.join_next().await.is_some() {}
}

/// Submits. With a key it is repeated until somebody acknowledges it; without one a user who hears nothing cannot know.
async fn submit_for_sure(world: &World, number: usize, plan: &SubmitPlan) -> Option<ExecutionId> {
    let mut options = ExecuteOptions::new();
    if let Some(key) = plan.key {
        // Submits of different workflows do not share keys.
        options = options.idempotency_key(format!("w{}-{key}", plan.flow));
    }
    if let Some(delay) = plan.delay {
        options = options.delay(delay);
    }
    for slot in plan.process.. {
        let process = find_process(world, slot % world.scenario.processes.len()).await;
        world.history().say(&format!("submit {number} through p{}", process.id.0));
        let mut input = Context::new();
        drop(input.set("n", json!(number)));
        let name = flow_name(plan.flow);
        let (executor, options) = (process.executor.clone(), options.clone());
        let submitted = async move {
            let handle = executor.execute_with(&name, input, options).await;
            handle.map(|handle: PipelineExecution| handle.execution_id)
        };
        match within(&process, submitted).await {
            Some(Ok(id)) => {
                world.history().acknowledge(number, plan.key, id);
                return Some(id);
            }
            Some(Err(error)) => {
                world.history().say_failed(&format!("submit {number}"), &error);
                // Refused before anything was tried.
                if !matches!(error, ExecutorError::ShuttingDown) && plan.key.is_none() {
                    return None;
                }
            }
            None if plan.key.is_none() => return None,
            None => {}
        }
        sleep(PATIENCE).await;
    }
    None
}

/// Waits for the end of an execution, in one process after the other if they die over it.
async fn wait_for_end(world: Arc<World>, id: ExecutionId, slot: usize) {
    let mut slot = slot;
    loop {
        let process = find_process(&world, slot % world.scenario.processes.len()).await;
        let executor = process.executor.clone();
        let waited = within(&process, async move { executor.execution(id).wait().await }).await;
        if let Some(Ok(result)) = waited {
            world.history().tell(&result);
            return;
        }
        slot += 1;
        sleep(PATIENCE).await;
    }
}

/// Gives an order; the execution that comes of a retry.
async fn give(
    world: &World,
    id: ExecutionId,
    order: OrderPlan,
    plan: &SubmitPlan,
) -> Option<ExecutionId> {
    let process = find_process(world, plan.process).await;
    let executor = process.executor.clone();
    let name = world.history().name(id);
    world.history().say(&format!("{order:?} of {name} through p{}", process.id.0));
    // What comes of it is not known before it is answered.
    world.history().held_back.remove(&id);
    let given = async move {
        match order {
            OrderPlan::Cancel => executor.cancel_execution(id).await.map(Given::Status),
            OrderPlan::Pause => executor.pause_execution(id).await.map(|()| Given::Done),
            OrderPlan::Resume => executor.resume_execution(id).await.map(|()| Given::Done),
            OrderPlan::Retry => {
                let again = executor.retry_execution(id).await;
                again.map(|handle| Given::Again(handle.execution_id))
            }
        }
    };
    match within(&process, given).await? {
        Ok(Given::Status(PipelineStatus::Cancelled)) => {
            world.history().say(&format!("{name} was cancelled, as its user is told"));
            world.history().cancelled.push(id);
            world.history().held_back.insert(id, process.id);
            None
        }
        Ok(Given::Done) if matches!(order, OrderPlan::Pause) => {
            world.history().held_back.insert(id, process.id);
            None
        }
        Ok(Given::Again(again)) => {
            let name = world.history().name(again);
            world.history().say(&format!("the retry is acknowledged as {name}"));
            world.history().retried.push(again);
            Some(again)
        }
        Ok(Given::Status(_) | Given::Done) => None,
        Err(error) => {
            world.history().say_failed(&format!("{order:?} of {name}"), &error);
            None
        }
    }
}

enum Given {
    Status(PipelineStatus),
    Again(ExecutionId),
    Done,
}

/// Lets things go wrong, each at its time.
pub(super) async fn strike(world: Arc<World>, start: Instant) {
    let mut halts = JoinSet::new();
    for plan in world.scenario.faults.clone() {
        sleep_until(start + plan.at).await;
        world.history().say(&format!("{:?}", plan.fault));
        match plan.fault {
            Fault::Kill { process: slot, polls, proof, back_in, version } => {
                let Some(process) = world.process(slot) else { continue };
                let keep_lock = proof == Proof::Missing;
                world.decide_successor(slot, Successor { back_in, version, keep_lock });
                process.life.die_after(polls);
            }
            Fault::Halt { process, lasts } => {
                let Some(process) = world.process(process) else { continue };
                process.life.halt();
                world.history().stand_still(process.id, Instant::now() + lasts);
                halts.spawn(async move {
                    sleep(lasts).await;
                    process.life.go_on();
                });
            }
            Fault::Leave { process: slot, back_in, version } => {
                let Some(process) = world.process(slot) else { continue };
                world.decide_successor(slot, Successor { back_in, version, keep_lock: false });
                process.leave.cancel();
            }
            Fault::Away { lasts } => world.go_away(lasts),
            Fault::ClockAhead { by } => world.store.put_clock_ahead(by),
            Fault::ClockBack { by } => world.store.put_clock_back(by),
        }
    }
    while halts.join_next().await.is_some() {}
}

/// Resumes what was left on hold, until everything is over.
pub(super) async fn resume_all(world: Arc<World>) {
    while !world.over.is_cancelled() {
        let paused: Vec<ExecutionId> = {
            let watch = world.watch();
            let paused = watch
                .executions()
                .filter(|(_, seen)| seen.snapshot.record.status == PipelineStatus::Paused);
            paused.map(|(id, _)| *id).collect()
        };
        for id in paused {
            let process = find_process(&world, 0).await;
            let executor = process.executor.clone();
            world.history().held_back.remove(&id);
            // If it fails, the next round tries again.
            drop(within(&process, async move { executor.resume_execution(id).await }).await);
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// How long an execution may wait for a worker that has nothing to do: two beats, and what looking takes.
const IDLE: Duration = Duration::from_secs(3);

/// Looks for executions that wait while a worker has nothing to do.
pub(super) async fn look_for_idlers(world: Arc<World>) {
    if !world.scenario.is_steady() {
        return;
    }
    let mut waiting: BTreeMap<ExecutionId, Instant> = BTreeMap::new();
    let mut idle: BTreeMap<ProcessId, Instant> = BTreeMap::new();
    while !world.over.is_cancelled() {
        sleep(Duration::from_millis(500)).await;
        let now = Instant::now();
        let claimable = world.watch().claimable(world.store.now());
        waiting.retain(|id, _| claimable.contains(id));
        for id in claimable {
            waiting.entry(id).or_insert(now);
        }
        let has_nothing = |process: &Process| {
            process.version == Version::First
                && process.part != Part::Client
                && process.executor.metrics().held_executions == 0
        };
        let idlers: BTreeSet<_> =
            world.processes().iter().filter(|one| has_nothing(one)).map(|one| one.id).collect();
        idle.retain(|id, _| idlers.contains(id));
        for id in idlers {
            idle.entry(id).or_insert(now);
        }
        let long = |since: &Instant| now - *since >= IDLE;
        let waits = waiting.iter().find(|(_, since)| long(since));
        if let (Some((id, _)), Some((process, _))) = (waits, idle.iter().find(|(_, it)| long(it))) {
            let text = format!("it waits, and p{} has nothing to do", process.0);
            return world.violate(Promise::Recovery, Some(*id), text);
        }
    }
}

/// Reads an execution as users see it, once nothing goes wrong any more.
pub(super) async fn read(world: &World, id: ExecutionId) -> Option<PipelineResult> {
    // The process may die over it.
    for slot in 0..10 {
        let process = find_process(world, slot).await;
        let executor = process.executor.clone();
        let read = within(&process, async move { executor.get_execution_result(id).await }).await;
        if let Some(read) = read {
            return read.ok();
        }
    }
    None
}
