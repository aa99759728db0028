//! The promises, checked at the end: what ran, what came of it, and what users were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::backend::{EventKind, TaskRecord};
use cloacina_core::{ExecutionId, PipelineStatus, SkipReason, TaskId, TaskState};
use serde_json::Value;

use super::flow::{all_tasks, task_name, tasks_of, workflows, write};
use super::history::ProcessId;
use super::life::Life;
use super::scenario::{Act, Change, Fault, Part, ProcessPlan, Rule, TaskPlan, Version};
use super::watch::Seen;
use super::world::World;
use super::{Promise, people};

/// What an execution was to do, and what became of it.
pub(super) struct Case<'a> {
    pub(super) world: &'a World,
    pub(super) id: ExecutionId,
    pub(super) seen: &'a Seen,
    pub(super) plans: Vec<TaskPlan>,
    pub(super) rows: BTreeMap<&'a str, &'a TaskRecord>,
    pub(super) version: Version,
    /// Its last task may have been decided under another version.
    pub(super) rewired: bool,
}

/// Checks everything.
pub(super) async fn check(world: &Arc<World>) {
    acknowledged(world);
    let plans = plans_by_version(world);
    let ids: Vec<_> = world.watch().executions().map(|(id, _)| *id).collect();
    for id in ids {
        let Some(result) = people::read(world, id).await else {
            world.violate(Promise::Lost, Some(id), "it cannot be read".to_owned());
            continue;
        };
        let context = result.final_context.clone().into_value();
        let watch = world.watch();
        let Some(seen) = watch.execution(id) else { continue };
        let key = &seen.snapshot.record.workflow;
        let Some((flow, version, plans)) =
            plans.get(&(key.name.to_string(), key.version.to_string()))
        else {
            continue;
        };
        let flow = &world.scenario.flows[*flow];
        let deploys = flow.next == Change::Rewired
            && tasks_of(flow, Version::First) != tasks_of(flow, Version::Next);
        let rows = seen.snapshot.tasks.iter().map(|row| (row.task.as_str(), row)).collect();
        let (plans, version) = (plans.clone(), *version);
        let case = Case { world, id, seen, plans, rows, version, rewired: deploys };
        case.check(&context);
        told(world, seen, id, &context);
    }
}

/// The tasks of each version of each workflow, with the place of the workflow.
fn plans_by_version(
    world: &Arc<World>,
) -> BTreeMap<(String, String), (usize, Version, Vec<TaskPlan>)> {
    let mut plans = BTreeMap::new();
    for version in [Version::Next, Version::First] {
        let life = Life::new(Arc::clone(&world.chance));
        let plan = ProcessPlan { starts: Duration::ZERO, part: Part::Client, version };
        let flows = workflows(world, (ProcessId(0), &life), &plan);
        let tasks = all_tasks(&world.scenario, version);
        for (place, (flow, (name, tasks))) in flows.iter().zip(tasks).enumerate() {
            plans.insert((name, flow.version().to_owned()), (place, version, tasks));
        }
    }
    plans
}

/// What was acknowledged exists, and one key made one execution.
pub(super) fn acknowledged(world: &World) {
    let (acknowledged, retried) = {
        let history = world.history();
        (history.acknowledged.clone(), history.retried.clone())
    };
    let mut by_key: BTreeMap<(usize, u8), ExecutionId> = BTreeMap::new();
    for one in &acknowledged {
        if world.watch().execution(one.execution).is_none() {
            let text = format!("submit {} was acknowledged and is not there", one.submit);
            world.violate(Promise::Lost, Some(one.execution), text);
        }
        let Some(key) = one.key else { continue };
        let flow = world.scenario.submits[one.submit].flow;
        let first = *by_key.entry((flow, key)).or_insert(one.execution);
        if first != one.execution {
            let text = format!("key {key} of workflow {flow} made two executions");
            world.violate(Promise::Lost, Some(one.execution), text);
        }
    }
    for again in retried {
        if world.watch().execution(again).is_none() {
            world.violate(Promise::Lost, Some(again), "a retry was acknowledged, not made".into());
        }
    }
}

/// What users were told is what is.
fn told(world: &World, seen: &Seen, id: ExecutionId, context: &Value) {
    let status = seen.snapshot.record.status;
    let (told, cancelled) = {
        let history = world.history();
        (history.told.clone(), history.cancelled.contains(&id))
    };
    if cancelled && status != PipelineStatus::Cancelled {
        let text = format!("its user was told that it is cancelled, and it is {status}");
        world.violate(Promise::Final, Some(id), text);
    }
    for (_, said, saw) in told.iter().filter(|(of, ..)| *of == id) {
        if *said != status || saw != context {
            let text = format!("a user was told {said} with {saw}, it is {status} with {context}");
            world.violate(Promise::Final, Some(id), text);
        }
    }
}

impl Case<'_> {
    pub(super) fn expect(&self, holds: bool, promise: Promise, text: impl FnOnce() -> String) {
        if !holds {
            self.world.violate(promise, Some(self.id), text());
        }
    }

    fn check(&self, context: &Value) {
        // What ran when its time was over is a matter of timing.
        let error = self.seen.snapshot.record.error.as_deref();
        let in_time = !error.is_some_and(|text| text.contains("took longer than its timeout"));
        let whole = self.changes_of(|_| true);
        self.expect(context == &Value::Object(whole.clone()), Promise::Semantics, || {
            format!("its final context is {context}, it should be {}", Value::Object(whole))
        });
        for (place, plan) in self.plans.iter().enumerate() {
            let name = task_name(place);
            if let Some(row) = self.rows.get(name.as_str()) {
                let last = place + 1 == self.plans.len();
                // What was taken over from the execution that it repeats was decided there.
                if in_time && !(last && self.rewired || self.is_kept(row)) {
                    self.check_rule(plan, row);
                    self.check_input(place, row);
                }
                if in_time {
                    self.check_attempts(plan, row);
                }
                self.check_crashes(plan, row);
                self.check_failures(&name);
            }
        }
        if in_time {
            self.check_status();
        }
        self.check_end(in_time);
        self.check_version();
        self.check_acquittals();
    }

    pub(super) fn status(&self) -> PipelineStatus {
        self.seen.snapshot.record.status
    }

    /// The input with the changes of the completed tasks among those, in topological order.
    fn changes_of(&self, among: impl Fn(usize) -> bool) -> serde_json::Map<String, Value> {
        let input = self.seen.snapshot.input.as_str();
        let mut context: serde_json::Map<String, Value> =
            serde_json::from_str(input).unwrap_or_default();
        let mut rows: Vec<_> = self.seen.snapshot.tasks.iter().collect();
        rows.sort_by_key(|row| row.ordinal);
        for row in rows.into_iter().filter(|row| row.state == TaskState::Completed) {
            let place = (0..self.plans.len()).find(|place| row.task.as_str() == task_name(*place));
            let number = row.output.as_ref().and_then(|text| text.as_str().parse().ok());
            let (Some(place), Some(number)) = (place.filter(|place| among(*place)), number) else {
                continue;
            };
            match write(&self.plans[place], number) {
                (key, Some(value)) => drop(context.insert(key, value)),
                // What it did not have it could not remove.
                (key, None) if self.saw(number, &key) => drop(context.remove(&key)),
                (_, None) => {}
            }
        }
        context
    }

    pub(super) fn is_kept(&self, row: &TaskRecord) -> bool {
        let number = row.output.as_ref().and_then(|text| text.as_str().parse().ok());
        let history = self.world.history();
        number.and_then(|number| history.run(number)).is_some_and(|run| run.execution != self.id)
    }

    fn saw(&self, number: u64, key: &str) -> bool {
        self.world.history().run(number).is_some_and(|run| run.saw.contains_key(key))
    }

    /// What the run that counts was given is what its ancestors have committed.
    fn check_input(&self, place: usize, row: &TaskRecord) {
        let number = row.output.as_ref().and_then(|text| text.as_str().parse().ok());
        let history = self.world.history();
        let Some(run) = number.and_then(|number| history.run(number)) else { return };
        let saw: serde_json::Map<_, _> = run.saw.clone().into_iter().collect();
        let rests_on = run.parents.clone();
        drop(history);
        for (parent, number) in rests_on {
            let made = self.rows.get(parent.as_str()).and_then(|row| row.output.as_ref());
            let made = made.map(|text| text.as_str());
            self.expect(made == Some(&*number.to_string()), Promise::Order, || {
                format!("{} rests on run {number} of {parent}, committed is {made:?}", row.task)
            });
        }
        let mut ancestors = BTreeSet::new();
        let mut next = self.plans[place].dependencies.clone();
        while let Some(parent) = next.pop() {
            if ancestors.insert(parent) {
                next.extend(&self.plans[parent].dependencies);
            }
        }
        let expected = self.changes_of(|place| ancestors.contains(&place));
        self.expect(saw == expected, Promise::Semantics, || {
            let (saw, expected) = (Value::Object(saw), Value::Object(expected));
            format!("{} was given {saw}, it should be {expected}", row.task)
        });
    }

    fn dependencies(&self, plan: &TaskPlan) -> Vec<&TaskRecord> {
        let names = plan.dependencies.iter().map(|&place| task_name(place));
        names.filter_map(|name| self.rows.get(name.as_str()).copied()).collect()
    }

    /// A task ran exactly when its rule says so.
    fn check_rule(&self, plan: &TaskPlan, row: &TaskRecord) {
        let parents = self.dependencies(plan);
        let cancelled = |row: &TaskRecord| row.state == TaskState::Cancelled;
        if cancelled(row) || parents.iter().any(|row| cancelled(row)) {
            let holds = self.status() == PipelineStatus::Cancelled;
            return self.expect(holds, Promise::Semantics, || {
                format!("{} is cancelled and its execution is not", row.task)
            });
        }
        let ran = row.state != TaskState::Skipped;
        let may = may_run(plan.rule, &parents);
        self.expect(ran == may, Promise::Semantics, || {
            let states: Vec<_> = parents.iter().map(|row| (row.state, &row.skip)).collect();
            format!("{} is {}, {:?} of {states:?} says {may}", row.task, row.state, plan.rule)
        });
    }

    /// As many attempts were made as the script asks for.
    fn check_attempts(&self, plan: &TaskPlan, row: &TaskRecord) {
        let halts = |fault: &Fault| matches!(fault, Fault::Halt { .. });
        // Who stood still too long has timed out, whatever the script says.
        let exact = !self.world.scenario.faults.iter().any(|plan| halts(&plan.fault));
        let act = |attempt: u32| {
            let place = usize::try_from(attempt - 1).unwrap_or(usize::MAX);
            plan.script[place.min(plan.script.len() - 1)]
        };
        self.expect(row.attempts <= plan.max_attempts, Promise::Semantics, || {
            format!("{} was tried {} times of {}", row.task, row.attempts, plan.max_attempts)
        });
        if !exact || row.attempts == 0 || self.was_abandoned(&row.task) {
            return;
        }
        let fails = |act| matches!(act, Act::Fail | Act::Panic | Act::Hang);
        let before = (1..row.attempts).all(|attempt| fails(act(attempt)));
        let last = act(row.attempts);
        let fits = match row.state {
            TaskState::Completed => last == Act::Succeed,
            TaskState::Failed => {
                last == Act::GiveUp || (fails(last) && row.attempts == plan.max_attempts)
            }
            _ => true,
        };
        self.expect(before && fits, Promise::Semantics, || {
            format!("{} is {} after {} attempts: {:?}", row.task, row.state, row.attempts, plan)
        });
    }

    pub(super) fn was_abandoned(&self, task: &TaskId) -> bool {
        let events = self.seen.events.iter().map(|record| &record.event);
        let mut abandoned = events.filter(|event| event.kind == EventKind::Abandoned);
        abandoned.any(|event| event.task.as_ref() == Some(task))
    }

    /// What takes its process with it again and again is given up, and nothing else is.
    fn check_crashes(&self, plan: &TaskPlan, row: &TaskRecord) {
        let history = self.world.history();
        let runs: Vec<_> = history
            .runs
            .iter()
            .filter(|run| run.execution == self.id && row.task == run.task.as_str())
            .collect();
        let crashed = runs.iter().filter(|run| run.crashed).count();
        let begun = runs.len();
        drop(history);
        let stands_still = |fault: &Fault| {
            matches!(fault, Fault::Halt { .. } | Fault::ClockAhead { .. } | Fault::Away { .. })
        };
        let faults_of = &self.world.scenario.faults;
        let exact = !faults_of.iter().any(|plan| stands_still(&plan.fault))
            && self.world.scenario.noise.stuck == 0;
        let killed = faults_of.iter().any(|plan| matches!(plan.fault, Fault::Kill { .. }));
        if self.was_abandoned(&row.task) {
            // Its start may be on record twice for crashes that came before its body.
            let deaths = if exact { crashed } else { begun };
            let guilty = deaths > 0 && (plan.crashes > 0 || killed || !exact);
            self.expect(guilty, Promise::Poison, || {
                format!("{} was abandoned after {crashed} crashes in {begun} runs", row.task)
            });
        }
        self.expect(crashed <= self.world.most_crashes(), Promise::Poison, || {
            format!("{} took {crashed} processes with it", row.task)
        });
        if plan.crashes > 100 && row.state == TaskState::Completed {
            self.expect(false, Promise::Poison, || format!("{} cannot have completed", row.task));
        }
    }

    /// An execution failed exactly when a failure was not handled.
    fn check_status(&self) {
        if self.status() == PipelineStatus::Cancelled {
            return;
        }
        let mut handled: BTreeSet<&str> = BTreeSet::new();
        for (place, plan) in self.plans.iter().enumerate() {
            let name = task_name(place);
            let completed = |row: &&&TaskRecord| row.state == TaskState::Completed;
            if matches!(plan.rule, Rule::OneFailed | Rule::AllFailed)
                && self.rows.get(name.as_str()).filter(completed).is_some()
            {
                handled.extend(self.failed_roots(plan));
            }
        }
        let mut failed = self.rows.values().filter(|row| row.state == TaskState::Failed);
        let unhandled = failed.find(|row| !handled.contains(row.task.as_str()));
        let expected = match unhandled {
            Some(_) => PipelineStatus::Failed,
            None => PipelineStatus::Completed,
        };
        self.expect(self.status() == expected, Promise::Semantics, || {
            format!("it is {}, it should be {expected}: {:?}", self.status(), self.rows.values())
        });
    }

    /// The tasks whose failures let a task run: its dependencies that failed, and those behind dependencies that therefore
    /// did not run.
    fn failed_roots(&self, plan: &TaskPlan) -> BTreeSet<&str> {
        let mut roots = BTreeSet::new();
        for &parent in &plan.dependencies {
            let Some(row) = self.rows.get(task_name(parent).as_str()).copied() else { continue };
            if row.state == TaskState::Failed {
                roots.insert(row.task.as_str());
            } else if let Some(SkipReason::UpstreamFailed(root)) = &row.skip {
                roots.insert(root.as_str());
                roots.extend(self.failed_roots(&self.plans[parent]));
            }
        }
        roots
    }
}

/// Airflow's rules, from the states of the dependencies.
fn may_run(rule: Rule, parents: &[&TaskRecord]) -> bool {
    let failed = |row: &&TaskRecord| {
        row.state == TaskState::Failed || matches!(row.skip, Some(SkipReason::UpstreamFailed(_)))
    };
    let completed = |row: &&TaskRecord| row.state == TaskState::Completed;
    let skipped = |row: &&TaskRecord| row.state == TaskState::Skipped && !failed(row);
    let count = |of: &dyn Fn(&&TaskRecord) -> bool| parents.iter().filter(|row| of(row)).count();
    if parents.is_empty() {
        return true;
    }
    match rule {
        Rule::AllSuccess => count(&completed) == parents.len(),
        Rule::AllFailed => count(&failed) == parents.len(),
        Rule::AllDone | Rule::Always => true,
        Rule::OneSuccess => count(&completed) > 0,
        Rule::OneFailed => count(&failed) > 0,
        Rule::NoneFailed => count(&failed) == 0,
        Rule::NoneSkipped => count(&skipped) == 0,
    }
}
