//! What is true of an execution's state after every event: one set of predicates for debug assertions, property tests and
//! simulation.

use std::collections::BTreeSet;

use super::{ExecutionState, Phase, Record};
use crate::dag::to_ordinal;

/// Checking is linear in the tasks; on large workflows debug builds would become quadratic.
#[cfg(debug_assertions)]
const SMALL: usize = 128;

#[cfg(debug_assertions)]
pub(super) fn assert_small(state: &ExecutionState) {
    if state.slots.len() <= SMALL {
        debug_assert_eq!(violation(state), None, "the state of an execution is inconsistent");
    }
}

/// Names the first invariant that does not hold.
pub(crate) fn violation(state: &ExecutionState) -> Option<String> {
    if state.slots.iter().all(|slot| slot.phase == Phase::Waiting) {
        // Nothing has begun: an order came first.
        return None;
    }
    let settled = |ordinal: u32| matches!(state.slot(ordinal).phase, Phase::Settled(_));
    let count = |is: fn(&Phase) -> bool| state.slots.iter().filter(|slot| is(&slot.phase)).count();
    let unsettled = (0..state.slots.len()).filter(|&i| !settled(to_ordinal(i))).count();
    if unsettled != state.unsettled {
        return Some(format!("{unsettled} tasks are unsettled, {} are counted", state.unsettled));
    }
    if count(|phase| *phase == Phase::Running) != state.running {
        return Some(format!("{} tasks are counted as running", state.running));
    }
    let travelling = state.on_its_way.as_ref().map_or(0, |effects| effects.ready.len());
    let listed = state.startable.len() + state.next_effects.ready.len() + travelling;
    if count(|phase| *phase == Phase::Ready) != listed {
        return Some(format!("{listed} tasks are listed as ready"));
    }
    let uncommitted: BTreeSet<u32> = state
        .next
        .tasks
        .iter()
        .map(|end| end.ordinal)
        .chain(state.on_its_way.iter().flat_map(|effects| effects.ends.iter().copied()))
        .collect();
    for (index, slot) in state.slots.iter().enumerate() {
        let parents = &state.workflow.dag().dependencies[index];
        let all_settled = parents.iter().all(|&parent| settled(parent));
        let id = state.workflow.task_at(to_ordinal(index)).id();
        let begun = matches!(slot.phase, Phase::Ready | Phase::Running | Phase::RetryWait { .. });
        if begun && !all_settled {
            return Some(format!("task `{id}` was decided before its dependencies"));
        }
        if begun && slot.before.is_none() {
            return Some(format!("task `{id}` has no context"));
        }
        let started = slot.phase == Phase::Running || state.startable.contains(&to_ordinal(index));
        let waited_for = |parent: &u32| state.slot(*parent).record == Record::OnItsWay;
        if parents.iter().any(|parent| {
            (state.slot(*parent).record != Record::InStore) != uncommitted.contains(parent)
        }) {
            return Some(format!("what task `{id}` depends on is committed, or is not"));
        }
        if started && parents.iter().any(waited_for) {
            return Some(format!("task `{id}` was started before its dependencies were committed"));
        }
        let missing = to_ordinal(parents.iter().filter(|&&parent| !settled(parent)).count());
        if slot.phase == Phase::Waiting && (slot.missing != missing || missing == 0) {
            return Some(format!("task `{id}` waits for {} of {missing} tasks", slot.missing));
        }
        let on_record = slot.recorded.as_ref().is_some_and(|recorded| recorded.outcome.is_some());
        if on_record && settled(to_ordinal(index)) {
            return Some(format!("task `{id}` was settled twice"));
        }
    }
    if state.next.finish.is_some() && state.unsettled > 0 {
        return Some("the execution ends before its tasks".to_owned());
    }
    if state.on_its_way.is_none() && !state.next.is_empty() {
        return Some("a checkpoint is held back".to_owned());
    }
    if !state.paused && !state.startable.is_empty() {
        return Some("a start is held back".to_owned());
    }
    let sleeping = count(|phase| matches!(phase, Phase::RetryWait { .. })) + state.startable.len();
    if state.unsettled > 0 && state.is_idle() && sleeping == 0 {
        return Some("nothing will ever happen again".to_owned());
    }
    None
}
