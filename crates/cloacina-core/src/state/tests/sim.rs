//! A store and a rim for the property tests: they do what the machine says, in an order that the test chooses, and crash.

use std::collections::BTreeSet;

use super::reference::{Outcome as Expected, Plan, attempt, perform};
use super::*;
use crate::NotCompleted;
use crate::backend::NewEvent;
use crate::task::Upstream;

/// What one step of the world is.
#[derive(Debug, Clone, Copy)]
enum Step {
    Commit,
    /// The checkpoint is in the store, but nobody hears of it.
    CommitAndCrash,
    Crash,
    End(usize),
    NotStarted(usize),
    Due(usize),
    Pause,
    Resume,
    Stale,
    Deadline,
}

const LIMIT: Duration = Duration::from_secs(60);

pub(super) struct World<'a> {
    plans: &'a [Plan],
    expected: &'a Expected,
    workflow: Workflow,
    input: InputValues,
    at: Instant,
    // The store.
    pub(super) rows: BTreeMap<String, TaskEnd>,
    pub(super) failures: BTreeMap<String, u32>,
    pub(super) events: Vec<NewEvent>,
    pub(super) finish: Option<Finish>,
    paused: bool,
    // The worker.
    state: ExecutionState,
    running: Vec<(u32, u32, ContextView)>,
    waits: Vec<u32>,
    draft: Option<Draft>,
    released: bool,
    pub(super) overdue: bool,
    /// This worker was told that the time is over.
    stopped: bool,
    with_deadline: bool,
    ended: bool,
}

impl<'a> World<'a> {
    pub(super) fn new(
        plans: &'a [Plan],
        expected: &'a Expected,
        input: &BTreeMap<String, Value>,
        with_deadline: bool,
    ) -> Self {
        let tasks = plans.iter().map(|plan| {
            let parents = plan.dependencies.iter().map(|&place| plans[place].name.as_str());
            Task::new(plan.name.as_str(), |_context, _run| Box::pin(async {}))
                .depends_on(parents)
                .trigger_rules(plan.rule.clone())
                .retry(RetryPolicy::new(plan.script.max_attempts))
        });
        let workflow = workflow(tasks);
        let input = InputValues::from(input.clone());
        let state = ExecutionState::new(workflow.clone(), input.clone(), Vec::new());
        let mut world = Self {
            plans,
            expected,
            workflow,
            input,
            at: Instant::now(),
            rows: BTreeMap::new(),
            failures: BTreeMap::new(),
            events: Vec::new(),
            finish: None,
            paused: false,
            state,
            running: Vec::new(),
            waits: Vec::new(),
            draft: None,
            released: false,
            overdue: false,
            stopped: false,
            with_deadline,
            ended: false,
        };
        for plan in plans {
            let Some((set, removed)) = &plan.kept else { continue };
            let changes = Changes { set: set.clone(), removed: removed.clone() };
            world.rows.insert(plan.name.clone(), world.kept_row(&plan.name, &changes));
        }
        world.take_up();
        world
    }

    fn kept_row(&self, id: &str, changes: &Changes) -> TaskEnd {
        TaskEnd {
            task: id.into(),
            ordinal: self.workflow.ordinal(id).unwrap(),
            state: TaskState::Completed,
            attempts: 1,
            changes: Some(JsonText::new(serde_json::to_string(changes).unwrap())),
            output: None,
            error: None,
            skip: None,
            started: self.at,
            ended: self.at,
        }
    }

    /// Lets the world go on to the end. Each choice takes one step; when they are used up, it goes on without mishaps.
    pub(super) fn run(&mut self, choices: &[u16]) {
        let mut choices = choices.iter();
        // Each attempt takes an end, a commit and a wait at most, and the choices may each throw one back.
        let most = 20 + choices.len() * 4 + self.plans.len() * 16;
        for _ in 0..most {
            if self.ended {
                return;
            }
            let steps = self.steps(choices.len() > 0);
            let choice = usize::from(choices.next().copied().unwrap_or_default());
            self.step(steps[choice % steps.len()]);
        }
        panic!("no end after {most} steps: {:?}", self.state);
    }

    /// What may happen next; the first is what gets on.
    fn steps(&self, with_mishaps: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.paused {
            steps.push(Step::Resume);
        }
        if self.draft.is_some() {
            steps.push(Step::Commit);
        }
        steps.extend((0..self.running.len()).map(Step::End));
        steps.extend((0..self.waits.len()).map(Step::Due));
        if with_mishaps {
            steps.push(Step::Crash);
            if !self.released {
                steps.push(Step::Stale);
            }
            if self.draft.is_some() {
                steps.push(Step::CommitAndCrash);
            }
            if !self.paused {
                steps.push(Step::Pause);
            } else if !self.running.is_empty() {
                steps.push(Step::NotStarted(self.running.len() - 1));
            }
            if self.with_deadline && !self.overdue && !self.released {
                steps.push(Step::Deadline);
            }
        }
        assert!(!steps.is_empty(), "nothing can happen any more: {:?}", self.state);
        steps
    }

    fn step(&mut self, step: Step) {
        self.at += Duration::from_millis(1);
        match step {
            Step::Commit => {
                self.store();
                self.apply(Event::Committed);
            }
            Step::CommitAndCrash => {
                self.store();
                self.take_up();
            }
            Step::Crash => self.take_up(),
            Step::End(index) => {
                let (ordinal, number, context) = self.running.remove(index);
                let result = self.body(ordinal, number, &context);
                self.apply(Event::AttemptEnded {
                    ordinal,
                    started: self.at,
                    ended: self.at,
                    result,
                });
            }
            Step::NotStarted(index) => {
                let (ordinal, ..) = self.running.remove(index);
                self.apply(Event::NotStarted { ordinal });
            }
            Step::Due(index) => {
                let ordinal = self.waits.remove(index);
                self.apply(Event::RetryDue { ordinal });
            }
            Step::Pause => {
                self.paused = true;
                self.apply(Event::Paused);
            }
            Step::Resume => {
                self.paused = false;
                if self.released { self.take_up() } else { self.apply(Event::Resumed) }
            }
            Step::Stale => self.stale(),
            Step::Deadline => {
                self.overdue = true;
                self.tell_the_deadline();
            }
        }
    }

    /// Sends what comes too late, or twice.
    fn stale(&mut self) {
        for ordinal in 0..u32::try_from(self.plans.len()).unwrap() {
            let runs = self.running.iter().any(|(one, ..)| *one == ordinal);
            if runs || self.rows.contains_key(&self.plan(ordinal).name) {
                self.apply(Event::RetryDue { ordinal });
            }
            if !runs {
                let error = TaskError::permanent("too late");
                let result = AttemptResult::Failure { error, random: 0.0 };
                let (started, ended) = (self.at, self.at);
                self.apply(Event::AttemptEnded { ordinal, started, ended, result });
                self.apply(Event::NotStarted { ordinal });
            }
        }
    }

    fn body(&self, ordinal: u32, number: u32, context: &ContextView) -> AttemptResult {
        let plan = self.plan(ordinal);
        if let Some((text, permanent)) = attempt(&plan.name, &plan.script, number) {
            let error = if permanent { TaskError::permanent(text) } else { TaskError::new(text) };
            return AttemptResult::Failure { error, random: 0.5 };
        }
        let mut values = context.to_context();
        perform(&plan.name, &plan.script.deeds, &mut values);
        let changes = values.into_changes(context);
        let text = serde_json::to_string(&changes).unwrap();
        let changes_json = (!changes.is_empty()).then(|| JsonText::new(text));
        // Every second task returns something.
        let output = ordinal.is_multiple_of(2).then(|| JsonText::new(ordinal.to_string()));
        AttemptResult::Success { changes, changes_json, output }
    }

    fn plan(&self, ordinal: u32) -> &'a Plan {
        let id = self.workflow.task_at(ordinal).id();
        self.plans.iter().find(|plan| *id == plan.name.as_str()).unwrap()
    }

    fn apply(&mut self, event: Event) {
        let commands = self.state.apply(event);
        assert_eq!(invariants::violation(&self.state), None);
        for command in commands {
            match command {
                Command::Start { ordinal } => {
                    let Given { attempt, context, upstream } = self.state.given(ordinal);
                    self.check_upstream(ordinal, upstream.as_deref().unwrap_or_default());
                    self.start(ordinal, attempt, context);
                }
                Command::WaitForRetry { ordinal, .. } => {
                    let id = &self.plan(ordinal).name;
                    assert!(self.failures[id] > 0, "the failure of {id} is not committed");
                    self.waits.push(ordinal);
                }
                Command::Commit(draft) => {
                    assert!(self.draft.replace(draft).is_none(), "two checkpoints on their way");
                }
                Command::StopAttempts => self.running.clear(),
                Command::Release => {
                    assert!(self.paused && self.running.is_empty() && self.draft.is_none());
                    self.released = true;
                    self.waits.clear();
                }
                Command::Ended(finish) => {
                    assert_eq!(self.finish.as_ref(), Some(&finish), "the end is not committed");
                    self.ended = true;
                }
            }
        }
    }

    /// Checks that a body is told what is on record of its dependencies.
    fn check_upstream(&self, ordinal: u32, upstream: &[Upstream]) {
        let dependencies = self.workflow.task_at(ordinal).dependencies();
        let told: Vec<_> = upstream.iter().map(|one| one.task.clone()).collect();
        assert_eq!(told, dependencies, "the dependencies of {ordinal}");
        for Upstream { task, ended } in upstream {
            let row = &self.rows[task.as_str()];
            let expected = match row.state {
                TaskState::Completed => Ok(row.output.clone()),
                TaskState::Skipped => {
                    let reason = row.skip.clone().unwrap();
                    Err(NotCompleted::Skipped { task: task.clone(), reason })
                }
                _ => {
                    let error = row.error.clone().unwrap();
                    Err(NotCompleted::Failed { task: task.clone(), error })
                }
            };
            assert_eq!(*ended, expected, "what {ordinal} is told of {task}");
        }
    }

    fn start(&mut self, ordinal: u32, number: u32, context: ContextView) {
        let plan = self.plan(ordinal);
        let id = &plan.name;
        let place = self.plans.iter().position(|one| one.name == *id).unwrap();
        assert!(!self.paused && !self.stopped, "{id} starts though nothing may");
        assert!(!self.rows.contains_key(id), "{id} runs again though its result is committed");
        assert!(self.running.iter().all(|(one, ..)| *one != ordinal), "{id} runs twice");
        for &ancestor in &self.expected.ancestors[place] {
            let ancestor = &self.plans[ancestor].name;
            assert!(self.rows.contains_key(ancestor), "{id} starts before {ancestor} is committed");
        }
        let failed = self.failures.get(id).copied().unwrap_or_default();
        assert_eq!(number, failed + 1, "the attempts of {id}");
        assert!(number <= plan.script.max_attempts, "the attempts of {id}");
        let fate = &self.expected.fates[place];
        let values: BTreeMap<String, Value> =
            context.to_context().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        assert_eq!(values, fate.context, "what {id} sees");
        self.running.push((ordinal, number, context));
    }

    /// Puts the checkpoint on its way into the store.
    fn store(&mut self) {
        let draft = self.draft.take().unwrap();
        assert_eq!(self.finish, None, "a checkpoint after the end");
        for failure in draft.failures {
            let count = self.failures.entry(failure.task.to_string()).or_default();
            assert_eq!(failure.attempt, *count + 1, "an attempt of {} is missing", failure.task);
            assert!(!self.rows.contains_key(failure.task.as_str()));
            *count += 1;
        }
        for end in draft.tasks {
            let id = end.task.to_string();
            assert_eq!(self.workflow.ordinal(&id), Some(end.ordinal));
            assert!(self.rows.insert(id, end.clone()).is_none(), "{} has two rows", end.task);
        }
        self.events.extend(draft.events);
        if draft.finish.is_some() {
            let missing: BTreeSet<_> = self.plans.iter().map(|plan| plan.name.clone()).collect();
            assert!(missing.iter().all(|id| self.rows.contains_key(id)), "the end before a task");
            self.finish = draft.finish;
        }
    }

    /// Lets a new worker begin with what is in the store.
    fn take_up(&mut self) {
        self.running.clear();
        self.waits.clear();
        self.draft = None;
        self.released = false;
        self.stopped = false;
        if self.finish.is_some() {
            self.ended = true;
            return;
        }
        let recorded = self.workflow.tasks().iter().map(|task| self.record(task.id().as_str()));
        let input = self.input.clone();
        self.state = ExecutionState::new(self.workflow.clone(), input, (0..).zip(recorded));
        if self.paused {
            // Nobody is given an execution that is paused.
            self.released = true;
            return;
        }
        self.apply(Event::Begun { at: self.at });
        if self.overdue {
            self.tell_the_deadline();
        }
    }

    fn tell_the_deadline(&mut self) {
        self.apply(Event::DeadlinePassed { at: self.at, limit: LIMIT });
        self.stopped = true;
    }

    fn record(&self, id: &str) -> Recorded {
        let Some(row) = self.rows.get(id) else {
            let failed_attempts = self.failures.get(id).copied().unwrap_or_default();
            // Of those that wait, the wait of every second one is over.
            let retry_in = (failed_attempts > 0 && id.len().is_multiple_of(2)).then_some(LIMIT);
            return Recorded { failed_attempts, retry_in, ..Recorded::default() };
        };
        let text = row.changes.as_ref().map_or("{}", JsonText::as_str);
        let outcome = match row.state {
            TaskState::Completed => {
                let changes = serde_json::from_str(text).unwrap();
                Outcome::Completed { changes, output: row.output.clone() }
            }
            TaskState::Failed => Outcome::Failed { error: row.error.clone().unwrap() },
            TaskState::Skipped => Outcome::Skipped(row.skip.clone().unwrap()),
            TaskState::Cancelled => Outcome::Cancelled,
            TaskState::Pending | TaskState::Running => unreachable!("no row has this state"),
        };
        Recorded { outcome: Some(Box::new(outcome)), ..Recorded::default() }
    }
}
