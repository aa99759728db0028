//! From plans to workflows whose bodies do as the plans say, and tell the history what they do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::{
    Backoff, Context, Durability, Jitter, RetryPolicy, Task, TaskContext, TaskError, TriggerRule,
    Workflow,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::history::{Ended, ProcessId, Run, RunTime};
use super::life::Life;
use super::scenario::{
    Act, Change, FlowPlan, Part, ProcessPlan, Rule, Scenario, TaskPlan, Version,
};
use super::world::World;

/// What a body may take before it is timed out.
pub(super) const TIMEOUT: Duration = Duration::from_secs(6);

/// What a scripted panic says: any other is a fault of the engine.
pub(super) const SCRIPTED: &str = "the script says so";

/// Names a workflow.
pub(super) fn flow_name(flow: usize) -> String {
    format!("w{flow}")
}

/// Names a task.
pub(super) fn task_name(task: usize) -> String {
    format!("t{task}")
}

/// The tasks of a workflow in a version.
pub(super) fn tasks_of(plan: &FlowPlan, version: Version) -> Vec<TaskPlan> {
    let mut tasks = plan.tasks.clone();
    match (version, plan.next) {
        (Version::First, _) => {}
        (Version::Next, Change::Added) => tasks.push(TaskPlan {
            dependencies: (0..tasks.len()).collect(),
            rule: Rule::AllDone,
            max_attempts: 1,
            delay: Duration::ZERO,
            script: vec![Act::Succeed],
            crashes: 0,
            takes: Duration::ZERO,
            key: 9,
            removes: false,
            durability: Durability::Strict,
        }),
        (Version::Next, Change::Rewired) => {
            if let Some(last) = tasks.last_mut() {
                last.dependencies.pop();
            }
        }
    }
    tasks
}

/// What the bodies of a process need.
#[derive(Clone)]
struct Stage {
    world: Arc<World>,
    process: ProcessId,
    life: Arc<Life>,
    slots: usize,
    version: Version,
}

/// A run that goes on; over once it is dropped.
struct Going {
    world: Arc<World>,
    number: u64,
}

impl Drop for Going {
    fn drop(&mut self) {
        self.world.history().over(self.number);
    }
}

/// Makes the workflows of a process.
pub(super) fn workflows(
    world: &Arc<World>,
    (process, life): (ProcessId, &Arc<Life>),
    plan: &ProcessPlan,
) -> Vec<Workflow> {
    let slots = match plan.part {
        Part::Worker(slots) => slots,
        Part::Client => 0,
    };
    let (world, version) = (Arc::clone(world), plan.version);
    let tasks = all_tasks(&world.scenario, version);
    let stage = Stage { world, process, life: Arc::clone(life), slots, version };
    tasks
        .into_iter()
        .map(|(name, tasks)| {
            let tasks = tasks.iter().enumerate().map(|(place, plan)| task(&stage, place, plan));
            let built = Workflow::builder(&name).tasks(tasks).build();
            built.expect("a plan is well formed")
        })
        .collect()
}

/// The tasks of all workflows in a version.
pub(super) fn all_tasks(scenario: &Scenario, version: Version) -> Vec<(String, Vec<TaskPlan>)> {
    let flows = scenario.flows.iter().enumerate();
    flows.map(|(place, plan)| (flow_name(place), tasks_of(plan, version))).collect()
}

fn task(stage: &Stage, place: usize, plan: &TaskPlan) -> Task {
    let (stage, script) = (stage.clone(), Arc::new(plan.clone()));
    let policy = RetryPolicy::new(plan.max_attempts)
        .initial_delay(plan.delay)
        .backoff(Backoff::Linear)
        .jitter(Jitter::Equal);
    Task::new(task_name(place), move |context, run| {
        let (stage, script) = (stage.clone(), Arc::clone(&script));
        Box::pin(async move { body(&stage, &script, context, run).await })
    })
    .depends_on(plan.dependencies.iter().map(|&task| task_name(task)))
    .trigger_rules(rule(plan.rule))
    .durability(plan.durability)
    .retry(policy)
}

fn rule(rule: Rule) -> TriggerRule {
    match rule {
        Rule::AllSuccess => TriggerRule::AllSuccess,
        Rule::AllFailed => TriggerRule::AllFailed,
        Rule::AllDone => TriggerRule::AllDone,
        Rule::OneSuccess => TriggerRule::OneSuccess,
        Rule::OneFailed => TriggerRule::OneFailed,
        Rule::NoneFailed => TriggerRule::NoneFailed,
        Rule::NoneSkipped => TriggerRule::NoneSkipped,
        Rule::Always => TriggerRule::Always,
    }
}

async fn body(
    stage: &Stage,
    plan: &TaskPlan,
    context: &mut Context,
    run: &TaskContext,
) -> Result<u64, TaskError> {
    let mut parents = BTreeMap::new();
    for &parent in &plan.dependencies {
        let parent = task_name(parent);
        if let Ok(number) = run.output::<u64>(&parent)? {
            parents.insert(parent, number);
        }
    }
    let saw = context.iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
    let begun = Run {
        process: stage.process,
        execution: run.execution_id,
        flow: run.workflow.to_string(),
        task: run.task.to_string(),
        attempt: run.attempt,
        saw,
        parents,
        began: 0,
        time: RunTime { began: Instant::now(), ended: None, over: None },
        slots: stage.slots,
        version: stage.version,
        ended: None,
        crashed: false,
    };
    let number = stage.world.begin(begun);
    let _going = Going { world: Arc::clone(&stage.world), number };
    if stage.world.crashes_so_far(run.execution_id, run.task.as_str()) < plan.crashes {
        stage.world.history().say(&format!("run {number} takes its process with it"));
        stage.life.die();
        return std::future::pending().await;
    }
    tokio::time::sleep(plan.takes).await;
    let end = |ended| stage.world.history().end(number, ended);
    let place = usize::try_from(run.attempt - 1).unwrap_or(usize::MAX).min(plan.script.len() - 1);
    match plan.script[place] {
        Act::Succeed => {}
        Act::Fail => {
            end(Ended::Failed);
            return Err(TaskError::new("it fails"));
        }
        Act::GiveUp => {
            end(Ended::Failed);
            return Err(TaskError::permanent("it gives up"));
        }
        Act::Panic => {
            end(Ended::Failed);
            panic!("{SCRIPTED}");
        }
        Act::Hang => return std::future::pending().await,
    }
    let (key, value) = write(plan, number);
    match value {
        Some(value) => drop(context.set(key, value)),
        None => drop(context.remove(&key)),
    }
    end(Ended::Completed);
    Ok(number)
}

/// What a run does to the context: a key, and its value unless it is removed.
pub(super) fn write(plan: &TaskPlan, number: u64) -> (String, Option<Value>) {
    let key = format!("k{}", plan.key);
    (key, (!plan.removes).then(|| json!(number)))
}
