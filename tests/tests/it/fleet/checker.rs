//! The checker itself: evidence of an honest run is believed, and each kind of damage that is done to it is found and named.

use std::collections::BTreeSet;

use cloacina_core::{Context, ExecutionId};
use cloacina_tests::effects::{Kind, Line, RunId};
use cloacina_tests::fleet::{
    Attempted, Committed, Evidence, Harm, Known, Ownership, Promise, Violation, check,
    check_promises, check_vain,
};
use cloacina_tests::montage::{self, EDGES, Made, Order};
use serde_json::Value;

const WORKER: &str = "one";
const PID: u32 = 7;

/// Evidence of one execution of the montage, and what its client was told.
struct Case {
    id: String,
    evidence: Evidence,
    promises: Vec<Promise>,
}

fn run_of(task: &str) -> RunId {
    let serial = EDGES.iter().position(|(id, _)| *id == task).unwrap();
    RunId { pid: PID, serial: serial as u64 }
}

fn line(kind: Kind, execution: &str, task: &str, parents: &[&str]) -> Line {
    let saw = parents.iter().map(|parent| format!("{parent}={}", run_of(parent)));
    let (run, execution, task) = (run_of(task), execution.to_owned(), task.to_owned());
    Line { kind, run, execution, task, attempt: 1, details: saw.collect() }
}

impl Case {
    fn honest() -> Self {
        let (id, order) = (ExecutionId::new(), Order { n: 5, ..Order::default() });
        let acknowledged = Some(id);
        let promise = Promise { workflow: montage::NAME, order: order.clone(), acknowledged };
        let id = id.to_string();
        let step = |owner: Option<&str>, epoch, status: &str| Ownership {
            execution: id.clone(),
            owner: owner.map(str::to_owned),
            epoch,
            status: status.to_owned(),
        };
        let history = vec![
            step(None, 0, "pending"),
            step(Some(WORKER), 1, "running"),
            step(None, 1, "completed"),
        ];
        let known = Known {
            execution: id.clone(),
            workflow: montage::NAME.to_owned(),
            status: "completed".to_owned(),
            n: order.n,
        };
        let mut evidence = Evidence { executions: vec![known], ..Evidence::default() };
        evidence.histories.insert(id.clone(), history);
        evidence.workers.insert(WORKER.to_owned(), PID);
        let values = montage::expected(order.n);
        let mut context: Context = order.to_context();
        for (seq, (task, parents)) in (1..).zip(EDGES) {
            evidence.lines.push(line(Kind::Begin, &id, task, parents));
            evidence.lines.push(line(Kind::End, &id, task, &[]));
            evidence.rows.push(Committed {
                execution: id.clone(),
                task: task.to_owned(),
                state: "completed".to_owned(),
                attempts: 1,
                made: Some(Made { by: run_of(task), value: values[task] }),
                seq,
                owner: WORKER.to_owned(),
                epoch: 1,
                pid: Some(PID),
            });
            context.set(task, Value::from(values[task]));
        }
        evidence.finals.insert(id.clone(), context);
        Self { id, evidence, promises: vec![promise] }
    }

    fn judge(&self) -> Vec<Violation> {
        let mut found = check(&self.evidence);
        found.extend(check_promises(&self.evidence, &self.promises));
        found.extend(check_vain(&self.evidence, &BTreeSet::new()));
        found
    }

    fn row(&mut self, task: &str) -> &mut Committed {
        self.evidence.rows.iter_mut().find(|row| row.task == task).unwrap()
    }

    fn place(&self, kind: Kind, task: &str) -> usize {
        let is_it = |line: &Line| line.kind == kind && line.task == task;
        self.evidence.lines.iter().position(is_it).unwrap()
    }
}

/// Does damage to the evidence, and asks what the checker says to it.
fn found(damage: impl FnOnce(&mut Case)) -> Vec<Violation> {
    let mut case = Case::honest();
    damage(&mut case);
    case.judge()
}

#[track_caller]
fn assert_finds(harm: Harm, promise: &str, damage: impl FnOnce(&mut Case)) {
    let found = found(damage);
    let is_it = |one: &Violation| one.harm == harm && one.promise.starts_with(promise);
    assert!(found.iter().any(is_it), "{harm:?} {promise} is not among {found:#?}");
}

#[test]
fn an_honest_run_is_believed() {
    assert_eq!(found(|_| {}), []);
}

#[test]
fn what_is_lost_is_found() {
    assert_finds(Harm::Lost, "G1", |case| {
        let id = case.id.clone();
        case.evidence = Evidence::default();
        assert!(!id.is_empty());
    });
    assert_finds(Harm::Lost, "G2", |case| drop(case.evidence.rows.pop()));
    assert_finds(Harm::Lost, "I14", |case| {
        case.evidence.executions[0].status = "failed".to_owned()
    });
    assert_finds(Harm::Lost, "I06", |case| case.row("add").attempts = 2);
}

#[test]
fn what_is_done_twice_is_found() {
    assert_finds(Harm::Duplicated, "G2", |case| {
        let row = case.row("model").clone();
        case.evidence.rows.push(row);
    });
    assert_finds(Harm::Duplicated, "G2", |case| {
        case.evidence.changes.push((case.id.clone(), "model".to_owned()));
    });
    assert_finds(Harm::Duplicated, "I02", |case| {
        let known = case.evidence.executions[0].clone();
        case.evidence.executions.push(Known { execution: "other".to_owned(), ..known });
    });
    // The same attempt by the same owner, also before its result was committed.
    assert_finds(Harm::Duplicated, "G3", |case| {
        let place = case.place(Kind::Begin, "add");
        let again =
            Line { run: RunId { pid: PID, serial: 99 }, ..case.evidence.lines[place].clone() };
        case.evidence.lines.insert(place, again);
    });
    // By a later owner, though `model` had seen the result.
    assert_finds(Harm::Duplicated, "G3 (runs again)", |case| {
        let place = case.place(Kind::Begin, "concat");
        let again =
            Line { run: RunId { pid: PID, serial: 99 }, ..case.evidence.lines[place].clone() };
        case.evidence.lines.push(again);
    });
    // In vain, in a process to which nothing happened.
    assert_finds(Harm::Duplicated, "G3", |case| {
        let again = Line { run: RunId { pid: 8, serial: 0 }, ..case.evidence.lines[0].clone() };
        case.evidence.lines.insert(0, again);
    });
}

#[test]
fn what_a_worker_gave_back_unfinished_may_run_again_once() {
    let vain = |runs: u64, released: usize| {
        let mut case = Case::honest();
        for serial in 0..runs {
            let run = RunId { pid: 8, serial };
            let line = Line { run, ..case.evidence.lines[0].clone() };
            case.evidence.lines.insert(0, line);
        }
        let attempt = Attempted {
            execution: case.id.clone(),
            task: case.evidence.lines[0].task.clone(),
            attempt: 1,
            state: "released".to_owned(),
        };
        case.evidence.attempts.extend(vec![attempt; released]);
        check_vain(&case.evidence, &BTreeSet::from([8]))
    };
    assert_eq!(vain(2, 2), []);
    assert_eq!(vain(2, 1).len(), 1);
}

#[test]
fn two_owners_and_a_zombie_are_found() {
    assert_finds(Harm::Duplicated, "G10", |case| {
        let history = case.evidence.histories.get_mut(&case.id).unwrap();
        let stolen = Ownership { owner: Some("two".to_owned()), epoch: 2, ..history[1].clone() };
        history.insert(2, stolen);
    });
    assert_finds(Harm::Duplicated, "G4", |case| case.row("model").pid = Some(8));
    assert_finds(Harm::Duplicated, "G4", |case| {
        case.row("model").made.as_mut().unwrap().by.pid = 8;
    });
    assert_finds(Harm::Duplicated, "G5", |case| {
        let history = case.evidence.histories.get_mut(&case.id).unwrap();
        let again = Ownership { status: "running".to_owned(), ..history[2].clone() };
        history.push(again);
    });
}

#[test]
fn a_body_that_began_too_early_is_found() {
    assert_finds(Harm::OutOfOrder, "G6", |case| {
        let (begin, end) = (case.place(Kind::Begin, "model"), case.place(Kind::End, "concat"));
        case.evidence.lines.swap(begin, end);
    });
    // It saw a result that never was committed.
    assert_finds(Harm::OutOfOrder, "G6", |case| {
        case.row("concat").made.as_mut().unwrap().by.serial = 99;
    });
    assert_finds(Harm::OutOfOrder, "G6", |case| {
        let place = case.place(Kind::Begin, "model");
        case.evidence.lines[place].details.clear();
    });
    assert_finds(Harm::OutOfOrder, "G6", |case| case.row("concat").seq = 99);
    assert_finds(Harm::OutOfOrder, "G6", |case| {
        let id = case.id.clone();
        case.evidence.lines.push(line(Kind::Witness, &id, "model", &[]));
    });
}

#[test]
fn what_does_not_end_is_found() {
    assert_finds(Harm::Stuck, "L1", |case| {
        case.evidence.executions[0].status = "running".to_owned();
    });
}

#[test]
fn wrong_values_and_strangers_are_found() {
    assert_finds(Harm::Wrong, "I04", |case| case.row("add").made.as_mut().unwrap().value = 1);
    assert_finds(Harm::Wrong, "I18", |case| {
        case.evidence.finals.get_mut(&case.id).unwrap().set("add", 1.into());
    });
    assert_finds(Harm::Wrong, "I02", |case| case.promises.clear());
    assert_finds(Harm::Wrong, "G3", |case| {
        let end = case.place(Kind::End, "add");
        case.evidence.lines.remove(end);
    });
    assert_finds(Harm::Wrong, "I15", |case| {
        let place = case.place(Kind::Begin, "add");
        case.evidence.lines[place].attempt = 2;
    });
}

#[test]
fn a_history_tells_all_records_of_an_execution() {
    let mut case = Case::honest();
    let (execution, task) = (case.id.clone(), "add".to_owned());
    let state = "failed".to_owned();
    case.evidence.attempts.push(Attempted { execution, task, attempt: 1, state });
    let history = case.evidence.history(&case.id);
    for record in ["row ", "owner ", "body ", "attempt ", "result "] {
        assert!(history.iter().any(|line| line.starts_with(record)), "{record}: {history:#?}");
    }
}
