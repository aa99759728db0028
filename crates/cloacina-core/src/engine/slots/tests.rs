//! Slots and whose turn it is.

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

const ONE: NonZeroU32 = NonZeroU32::MIN;

fn weight(weight: u32) -> NonZeroU32 {
    NonZeroU32::new(weight).unwrap()
}

/// Who waits for a slot, with the name of its lane.
type Waiting<'l> = (&'static str, std::pin::Pin<Box<dyn Future<Output = Slot> + 'l>>);

fn wait<'l>(name: &'static str, lane: &'l Lane) -> Waiting<'l> {
    let mut waiting: Waiting<'l> = (name, Box::pin(lane.acquire()));
    assert!(poll(&mut waiting).is_none(), "{name} did not have to wait");
    waiting
}

fn poll(waiting: &mut Waiting<'_>) -> Option<Slot> {
    match waiting.1.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(slot) => Some(slot),
        Poll::Pending => None,
    }
}

fn at_once(lane: &Lane) -> Slot {
    let mut slot = pin!(lane.acquire());
    match slot.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(slot) => slot,
        Poll::Pending => panic!("no slot at once"),
    }
}

/// Frees one slot again and again, and tells who gets it.
fn order(mut slot: Slot, mut waiting: Vec<Waiting<'_>>) -> Vec<&'static str> {
    let mut order = Vec::new();
    while !waiting.is_empty() {
        drop(slot);
        let next =
            waiting.iter_mut().enumerate().find_map(|(place, one)| Some((place, poll(one)?)));
        let Some((place, got)) = next else { panic!("a slot is free and nobody got it") };
        order.push(waiting.remove(place).0);
        slot = got;
    }
    order
}

#[test]
fn a_newcomer_waits_for_one_turn_however_long_another_queue_is() {
    let slots = Slots::new(1);
    let (busy, quiet) = (slots.lane(9, ONE), slots.lane(9, ONE));
    let slot = at_once(&busy);
    let mut waiting: Vec<_> = (0..1_000).map(|_| wait("busy", &busy)).collect();
    waiting.push(wait("quiet", &quiet));
    let order = order(slot, waiting);
    assert_eq!(order.iter().position(|name| *name == "quiet"), Some(1));
}

#[test]
fn lanes_get_slots_by_their_weights() {
    let slots = Slots::new(1);
    let lanes = [("one", slots.lane(9, ONE)), ("three", slots.lane(9, weight(3)))];
    let other = slots.lane(9, ONE);
    let slot = at_once(&other);
    let mut waiting = Vec::new();
    for (name, lane) in &lanes {
        waiting.extend((0..60).map(|_| wait(name, lane)));
    }
    let mut counts = BTreeMap::new();
    for name in order(slot, waiting).into_iter().take(40) {
        *counts.entry(name).or_insert(0) += 1;
    }
    assert_eq!(counts, BTreeMap::from([("one", 10), ("three", 30)]));
}

#[test]
fn no_lane_has_more_slots_than_its_limit_and_the_others_get_them() {
    let slots = Slots::new(3);
    let (narrow, wide) = (slots.lane(1, ONE), slots.lane(9, ONE));
    let first = at_once(&narrow);
    let mut second = wait("narrow", &narrow);
    let _wide = [at_once(&wide), at_once(&wide)];
    assert_eq!((narrow.running(), wide.running()), (1, 2));
    drop(first);
    let _second = poll(&mut second).expect("its own slot has become free");
}

#[test]
fn who_stops_waiting_gets_no_slot_and_keeps_none_from_others() {
    let slots = Slots::new(1);
    let (left, right) = (slots.lane(9, ONE), slots.lane(9, ONE));
    let slot = at_once(&left);
    let (gone, mut stays) = (wait("left", &left), wait("right", &right));
    drop(gone);
    drop(slot);
    let slot = poll(&mut stays).expect("the one who still waits");
    // One that was given and never taken.
    let given = wait("left", &left);
    drop(slot);
    drop(given);
    drop(at_once(&right));
}

#[test]
fn a_lane_that_is_gone_leaves_its_slots_to_the_others() {
    let slots = Slots::new(2);
    let (gone, stays) = (slots.lane(9, ONE), slots.lane(9, ONE));
    let held = [at_once(&gone), at_once(&gone)];
    let mut waiting = wait("stays", &stays);
    drop(wait("gone", &gone));
    drop(gone);
    drop(held);
    let _slots = [poll(&mut waiting).expect("a slot of the lane that is gone"), at_once(&stays)];
}
