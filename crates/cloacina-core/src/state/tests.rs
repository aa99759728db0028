//! Tests of the state machine.

mod data;
mod durability;
mod explain;
mod failures;
mod flow;
mod property;
mod recovery;
mod reference;
mod scale;
mod sim;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    AttemptResult, Command, ContextView, Draft, Event, ExecutionState, Given, InputValues, Outcome,
    Recorded, invariants,
};
use crate::backend::{EventKind, Finish, JsonText, TaskEnd};
use crate::context::Changes;
use crate::{
    PipelineStatus, RetryPolicy, SkipReason, Task, TaskError, TaskState, TriggerRule, Workflow,
};

/// Makes a task that nobody calls: here only its shape counts.
fn task(id: &str, dependencies: &[&str]) -> Task {
    Task::new(id, |_context, _run| Box::pin(async {})).depends_on(dependencies.iter().copied())
}

fn ruled(id: &str, dependencies: &[&str], rule: TriggerRule) -> Task {
    task(id, dependencies).trigger_rules(rule)
}

fn workflow(tasks: impl IntoIterator<Item = Task>) -> Workflow {
    Workflow::builder("w").tasks(tasks).build().unwrap()
}

/// Writes changes as `set` and `removed`.
fn changed(set: Value, removed: &[&str]) -> Changes {
    Changes {
        set: serde_json::from_value(set).unwrap(),
        removed: removed.iter().map(|&key| key.to_owned()).collect(),
    }
}

/// A machine with what it told to do and not done yet.
struct Machine {
    state: ExecutionState,
    at: Instant,
    running: BTreeMap<String, (u32, ContextView)>,
    waits: Vec<(String, Duration)>,
    /// The checkpoint on its way.
    draft: Option<Draft>,
    /// All rows that were committed, in order.
    rows: Vec<TaskEnd>,
    events: Vec<(EventKind, String)>,
    failures: Vec<(String, u32)>,
    stopped: bool,
    released: bool,
    ended: Option<Finish>,
}

impl Machine {
    fn begin(tasks: impl IntoIterator<Item = Task>) -> Self {
        Self::take_up(&workflow(tasks), json!({}), Vec::new())
    }

    fn take_up(workflow: &Workflow, input: Value, recorded: Vec<Recorded>) -> Self {
        let input: BTreeMap<String, Value> = serde_json::from_value(input).unwrap();
        let state = ExecutionState::new(workflow.clone(), input.into(), (0..).zip(recorded));
        let mut machine = Self {
            state,
            at: Instant::now(),
            running: BTreeMap::new(),
            waits: Vec::new(),
            draft: None,
            rows: Vec::new(),
            events: Vec::new(),
            failures: Vec::new(),
            stopped: false,
            released: false,
            ended: None,
        };
        machine.apply(Event::Begun { at: machine.at });
        machine
    }

    fn apply(&mut self, event: Event) {
        for command in self.state.apply(event) {
            match command {
                Command::Start { ordinal } => {
                    let Given { attempt, context, .. } = self.state.given(ordinal);
                    let id = self.state.workflow().task_at(ordinal).id().to_string();
                    let twice = self.running.insert(id, (attempt, context));
                    assert!(twice.is_none(), "a task runs twice at once");
                }
                Command::WaitForRetry { ordinal, since, delay } => {
                    assert!(since >= self.at);
                    let id = self.state.workflow().task_at(ordinal).id().to_string();
                    self.waits.push((id, delay));
                }
                Command::Commit(draft) => {
                    assert!(self.draft.replace(draft).is_none(), "two checkpoints at once");
                }
                Command::StopAttempts => {
                    self.running.clear();
                    self.stopped = true;
                }
                Command::Release => self.released = true,
                Command::Ended(finish) => self.ended = Some(finish),
            }
        }
        assert_eq!(invariants::violation(&self.state), None);
    }

    fn ordinal(&self, id: &str) -> u32 {
        self.state.workflow().ordinal(id).unwrap()
    }

    /// What an unfinished task waits for.
    fn why(&self, id: &str) -> Option<super::Why> {
        let ordinal = self.ordinal(id);
        self.state.unfinished().into_iter().find(|(one, _)| *one == ordinal).map(|(_, why)| why)
    }

    /// Names what runs.
    fn running(&self) -> Vec<&str> {
        self.running.keys().map(String::as_str).collect()
    }

    /// What a running task sees.
    fn sees(&self, id: &str) -> Value {
        self.running[id].1.to_context().into_value()
    }

    fn end(&mut self, id: &str, result: AttemptResult) {
        self.running.remove(id).unwrap_or_else(|| panic!("{id} does not run"));
        let ordinal = self.ordinal(id);
        let (started, ended) = (self.at, self.at + Duration::from_secs(1));
        self.apply(Event::AttemptEnded { ordinal, started, ended, result });
    }

    /// Lets a body succeed. Its row waits for the next checkpoint.
    fn succeed(&mut self, id: &str, changes: Changes) {
        let text = serde_json::to_string(&changes).unwrap();
        let changes_json = (!changes.is_empty()).then(|| JsonText::new(text));
        self.end(id, AttemptResult::Success { changes, changes_json, output: None });
    }

    fn fail(&mut self, id: &str) {
        let error = TaskError::new(format!("{id} broke"));
        self.end(id, AttemptResult::Failure { error, random: 0.5 });
    }

    /// Commits what is on its way, and names its rows.
    fn commit(&mut self) -> Vec<String> {
        let draft = self.draft.take().expect("a checkpoint is on its way");
        let names = draft.tasks.iter().map(|end| end.task.to_string()).collect();
        self.rows.extend(draft.tasks);
        self.events.extend(draft.events.into_iter().map(|event| (event.kind, event.detail)));
        let failures = draft.failures.into_iter();
        self.failures.extend(failures.map(|one| (one.task.to_string(), one.attempt)));
        self.apply(Event::Committed);
        names
    }

    /// Lets a body succeed and commits.
    fn complete(&mut self, id: &str) {
        self.succeed(id, Changes::default());
        self.commit();
    }

    /// Lets a body fail and commits.
    fn break_down(&mut self, id: &str) {
        self.fail(id);
        self.commit();
    }

    fn row(&self, id: &str) -> &TaskEnd {
        self.rows.iter().find(|row| row.task == id).unwrap_or_else(|| panic!("{id} has no row"))
    }

    fn skip(&self, id: &str) -> &SkipReason {
        self.row(id).skip.as_ref().expect("it was skipped")
    }

    /// Tells how the execution ended.
    fn end_of(&self) -> (PipelineStatus, Option<&str>) {
        let finish = self.ended.as_ref().expect("it has ended");
        (finish.status, finish.error.as_deref())
    }
}

/// What is on record of a completed task.
fn completed(changes: Changes) -> Recorded {
    let outcome = Outcome::Completed { changes, output: None };
    Recorded { outcome: Some(Box::new(outcome)), ..Recorded::default() }
}
