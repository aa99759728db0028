//! Tests of the admission of submits.

use std::sync::Arc;

use futures_util::FutureExt as _;

use super::{Admission, Door, Ticket};
use crate::ExecutorConfig;

fn admission(submits: usize, bytes: usize) -> Arc<Admission> {
    Admission::new(&ExecutorConfig {
        max_waiting_submits: submits,
        max_waiting_submit_bytes: bytes,
        ..ExecutorConfig::default()
    })
}

fn enter(door: &Door, bytes: usize) -> Ticket {
    door.try_enter(bytes).unwrap()
}

fn refusal(door: &Door, bytes: usize) -> (&'static str, usize, usize) {
    let excess = door.try_enter(bytes).unwrap_err();
    (excess.setting, excess.limit, excess.waiting)
}

#[test]
fn each_limit_is_told_by_its_name() {
    let door = admission(2, 100).door();
    let first = enter(&door, 60);
    assert_eq!(refusal(&door, 41), ("max_waiting_submit_bytes", 100, 60));
    let _second = enter(&door, 40);
    assert_eq!(refusal(&door, 0), ("max_waiting_submits", 2, 2));
    drop(first);
    enter(&door, 60);
}

#[test]
fn one_that_is_larger_than_the_limit_goes_alone() {
    let door = admission(10, 100).door();
    let large = enter(&door, 101);
    assert_eq!(refusal(&door, 1), ("max_waiting_submit_bytes", 100, 101));
    drop(large);
    let _small = enter(&door, 1);
    assert!(door.try_enter(101).is_err());
}

#[test]
fn those_who_wait_enter_in_their_order_and_those_who_left_are_passed_over() {
    let door = admission(1, 100).door();
    let ticket = enter(&door, 1);
    let mut lines: Vec<_> = (0..3).map(|_| Some(Box::pin(door.enter(1)))).collect();
    for line in lines.iter_mut().flatten() {
        assert!(line.now_or_never().is_none());
    }
    lines[0] = None;
    drop(ticket);
    assert!(lines[2].as_mut().unwrap().now_or_never().is_none(), "it is not its turn");
    let ticket = lines[1].as_mut().unwrap().now_or_never().unwrap();
    assert!(lines[2].as_mut().unwrap().now_or_never().is_none());
    drop(ticket);
    // Its turn came, but it left before it looked.
    lines[2] = None;
    enter(&door, 1);
}

#[test]
fn nobody_overtakes_those_who_wait() {
    let admission = admission(10, 100);
    let door = admission.door();
    let _small = enter(&door, 10);
    let ticket = enter(&door, 80);
    let mut large = Box::pin(door.enter(50));
    assert!((&mut large).now_or_never().is_none());
    assert!(door.try_enter(1).is_err(), "there is room for it, but it came later");
    drop(ticket);
    assert!(large.now_or_never().is_some());
}

#[test]
fn each_executor_has_its_share_however_much_another_submits() {
    let admission = admission(8, 800);
    let (busy, quiet) = (admission.door(), admission.door());
    let _flood: Vec<_> = (0..8).map(|_| enter(&busy, 100)).collect();
    assert_eq!(refusal(&busy, 0), ("max_waiting_submits", 8, 8));
    let mut more = Box::pin(busy.enter(1));
    assert!((&mut more).now_or_never().is_none());
    let tickets: Vec<_> = (0..4).map(|_| enter(&quiet, 100)).collect();
    assert!(quiet.try_enter(1).is_err(), "that is its share");
    assert_eq!((busy.waiting(), quiet.waiting()), (8, 4));
    drop(tickets);
    assert!((&mut more).now_or_never().is_none(), "eight is still the limit");
}

#[test]
fn what_becomes_free_goes_round() {
    let admission = admission(4, 800);
    let (one, two) = (admission.door(), admission.door());
    let mut tickets: Vec<_> = (0..4).map(|_| enter(&one, 1)).collect();
    tickets.extend((0..2).map(|_| enter(&two, 1)));
    let mut lines: Vec<_> = [&one, &one, &one, &two, &two, &two]
        .into_iter()
        .map(|door| Box::pin(door.enter(1)))
        .collect();
    let mut entered = || -> Vec<_> { lines.iter_mut().map(|line| line.now_or_never()).collect() };
    assert!(entered().iter().all(Option::is_none));
    drop(tickets);
    let entered: Vec<_> = entered();
    let places: Vec<_> = entered.iter().map(Option::is_some).collect();
    assert_eq!(places, [true, true, false, true, true, false], "two of each");
}

#[test]
fn a_door_that_goes_leaves_nothing_behind() {
    let admission = admission(2, 100);
    let (one, two) = (admission.door(), admission.door());
    let ticket = enter(&one, 50);
    drop(one);
    drop(ticket);
    let _both = [enter(&two, 50), enter(&two, 50)];
    let inner = admission.lock();
    assert_eq!((inner.used.submits, inner.used.bytes, inner.doors.len()), (2, 100, 1));
}
