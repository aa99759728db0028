//! A naive interpreter of DESIGN section 3: what an execution must come to, whatever the timing.
//!
//! It shares no code with the machine: it walks the tasks once in topological order and works out everything from
//! the definitions, without counters, merged maps or shortcuts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{SkipReason, TaskState, TriggerRule, ValueOperator};

/// One thing that a body does to its context.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    Set(&'static str, i64),
    /// Adds its own name to the text under the key: shows what it saw.
    Append(&'static str),
    Remove(&'static str),
}

/// How the attempts of a body end.
#[derive(Debug, Clone)]
pub(super) struct Script {
    /// So many attempts fail before one succeeds.
    pub(super) failures: u32,
    /// The failure of this attempt is permanent.
    pub(super) permanent: Option<u32>,
    pub(super) max_attempts: u32,
    pub(super) deeds: Vec<Deed>,
}

/// A task of a made-up workflow.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) name: String,
    /// Places in the declaration.
    pub(super) dependencies: Vec<usize>,
    pub(super) rule: TriggerRule,
    pub(super) script: Script,
    /// What it changed in an execution that this one retries.
    pub(super) kept: Option<(BTreeMap<String, Value>, BTreeSet<String>)>,
}

/// What becomes of a task.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fate {
    pub(super) state: TaskState,
    pub(super) attempts: u32,
    pub(super) skip: Option<SkipReason>,
    pub(super) error: Option<String>,
    pub(super) set: BTreeMap<String, Value>,
    pub(super) removed: BTreeSet<String>,
    /// What it saw, or would have seen.
    pub(super) context: BTreeMap<String, Value>,
    because_of: BTreeSet<String>,
    behind: BTreeSet<String>,
}

/// What becomes of an execution.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// By place in the declaration.
    pub(super) fates: Vec<Fate>,
    /// The places in topological order.
    pub(super) order: Vec<usize>,
    /// By place: the places of the ancestors.
    pub(super) ancestors: Vec<BTreeSet<usize>>,
    pub(super) error: Option<String>,
    pub(super) context: BTreeMap<String, Value>,
}

/// Does to a context what a body does.
pub(super) fn perform(name: &str, deeds: &[Deed], context: &mut crate::Context) {
    for deed in deeds {
        match deed {
            Deed::Set(key, value) => drop(context.set(*key, json!(value))),
            Deed::Remove(key) => drop(context.remove(key)),
            Deed::Append(key) => {
                let text = context.get(key).map(Value::to_string).unwrap_or_default();
                context.set(*key, json!(format!("{text}+{name}")));
            }
        }
    }
}

/// Tells the error of a body's attempt, and whether it is permanent.
pub(super) fn attempt(name: &str, script: &Script, attempt: u32) -> Option<(String, bool)> {
    let fails = attempt <= script.failures || script.permanent == Some(attempt);
    fails.then(|| (format!("{name} #{attempt}"), script.permanent == Some(attempt)))
}

pub(super) fn interpret(plans: &[Plan], input: &BTreeMap<String, Value>) -> Outcome {
    let mut order: Vec<usize> = Vec::new();
    while order.len() < plans.len() {
        let is_next = |place: &usize| {
            !order.contains(place)
                && plans[*place].dependencies.iter().all(|one| order.contains(one))
        };
        let next = (0..plans.len()).find(is_next).unwrap();
        order.push(next);
    }
    let mut ancestors = vec![BTreeSet::new(); plans.len()];
    let mut fates: Vec<Option<Fate>> = vec![None; plans.len()];
    for &place in &order {
        for &parent in &plans[place].dependencies {
            let further: BTreeSet<usize> = ancestors[parent].clone();
            ancestors[place].extend(further);
            ancestors[place].insert(parent);
        }
        let mut context = input.clone();
        for earlier in order.iter().filter(|earlier| ancestors[place].contains(earlier)) {
            apply(fates[*earlier].as_ref().unwrap(), &mut context);
        }
        let parents: Vec<(&str, &Fate)> = plans[place]
            .dependencies
            .iter()
            .map(|&parent| (plans[parent].name.as_str(), fates[parent].as_ref().unwrap()))
            .collect();
        fates[place] = Some(fate(&plans[place], &parents, context));
    }
    let fates: Vec<Fate> = fates.into_iter().map(Option::unwrap).collect();
    let mut context = input.clone();
    order.iter().for_each(|&place| apply(&fates[place], &mut context));
    let is_handled = |name: &str| {
        fates
            .iter()
            .any(|fate| fate.state == TaskState::Completed && fate.because_of.contains(name))
    };
    let unhandled = order
        .iter()
        .find(|&&place| fates[place].state == TaskState::Failed && !is_handled(&plans[place].name));
    let error = unhandled.map(|&place| {
        let error = fates[place].error.as_ref().unwrap();
        format!("task `{}` failed: {error}", plans[place].name)
    });
    Outcome { fates, order, ancestors, error, context }
}

fn apply(fate: &Fate, context: &mut BTreeMap<String, Value>) {
    context.extend(fate.set.clone());
    context.retain(|key, _| !fate.removed.contains(key));
}

fn fate(plan: &Plan, parents: &[(&str, &Fate)], context: BTreeMap<String, Value>) -> Fate {
    let verdict = judge(&plan.rule, parents, &context);
    let mut fate = Fate {
        state: TaskState::Skipped,
        attempts: 0,
        skip: None,
        error: None,
        set: BTreeMap::new(),
        removed: BTreeSet::new(),
        context,
        because_of: BTreeSet::new(),
        behind: BTreeSet::new(),
    };
    if let Ok(because_of) = &verdict {
        fate.because_of.clone_from(because_of);
    }
    if let Some((set, removed)) = &plan.kept {
        (fate.state, fate.attempts) = (TaskState::Completed, 1);
        (fate.set, fate.removed) = (set.clone(), removed.clone());
        return fate;
    }
    if let Err(reason) = verdict {
        if let SkipReason::UpstreamFailed(task) = &reason {
            fate.behind = parents.iter().flat_map(|(name, parent)| causes(name, parent)).collect();
            fate.behind.insert(task.to_string());
        }
        fate.skip = Some(reason);
        return fate;
    }
    for number in 1.. {
        fate.attempts = number;
        let Some((error, permanent)) = attempt(&plan.name, &plan.script, number) else { break };
        if permanent || number >= plan.script.max_attempts {
            fate.state = TaskState::Failed;
            fate.error = Some(error);
            return fate;
        }
    }
    fate.state = TaskState::Completed;
    let before: crate::Context = fate.context.clone().into_iter().collect();
    let mut after = before.clone();
    perform(&plan.name, &plan.script.deeds, &mut after);
    for deed in &plan.script.deeds {
        let (Deed::Set(key, _) | Deed::Append(key) | Deed::Remove(key)) = deed;
        match after.get(key) {
            Some(value) => drop(fate.set.insert((*key).to_owned(), value.clone())),
            None if before.contains_key(key) => drop(fate.removed.insert((*key).to_owned())),
            None => {}
        }
    }
    fate
}

fn is_failure(fate: &Fate) -> bool {
    fate.state == TaskState::Failed || matches!(fate.skip, Some(SkipReason::UpstreamFailed(_)))
}

/// The failed tasks behind a dependency.
fn causes(name: &str, fate: &Fate) -> BTreeSet<String> {
    if fate.state == TaskState::Failed { [name.to_owned()].into() } else { fate.behind.clone() }
}

type Verdict = Result<BTreeSet<String>, SkipReason>;

/// An expression of conditions alone asks for success as well.
fn judge(
    rule: &TriggerRule,
    parents: &[(&str, &Fate)],
    context: &BTreeMap<String, Value>,
) -> Verdict {
    fn only_conditions(rule: &TriggerRule) -> bool {
        match rule {
            TriggerRule::ContextValue(_) => true,
            TriggerRule::All(parts) | TriggerRule::Any(parts) | TriggerRule::None(parts) => {
                parts.iter().all(only_conditions)
            }
            _ => false,
        }
    }
    if only_conditions(rule) {
        let both = [TriggerRule::AllSuccess, rule.clone()];
        return evaluate(&TriggerRule::All(both.to_vec()), parents, context);
    }
    evaluate(rule, parents, context)
}

fn evaluate(
    rule: &TriggerRule,
    parents: &[(&str, &Fate)],
    context: &BTreeMap<String, Value>,
) -> Verdict {
    let each = |parts: &[TriggerRule]| -> Vec<Verdict> {
        parts.iter().map(|part| evaluate(part, parents, context)).collect()
    };
    let blame = |verdicts: &[Verdict]| -> BTreeSet<String> {
        verdicts.iter().flatten().flatten().cloned().collect()
    };
    let named = |task: &crate::TaskId| -> &Fate {
        parents.iter().find(|(name, _)| *task == *name).unwrap().1
    };
    let holds = |yes: bool| if yes { Ok(BTreeSet::new()) } else { Err(SkipReason::Condition) };
    match rule {
        TriggerRule::All(parts) => {
            let verdicts = each(parts);
            gravest(&verdicts).map_or_else(|| Ok(blame(&verdicts)), Err)
        }
        TriggerRule::Any(parts) => {
            let verdicts = each(parts);
            if verdicts.iter().any(Result::is_ok) {
                return Ok(blame(&verdicts));
            }
            Err(gravest(&verdicts).unwrap_or(SkipReason::Condition))
        }
        TriggerRule::None(parts) => holds(each(parts).iter().all(Result::is_err)),
        TriggerRule::TaskSuccess(task) => {
            let fate = named(task);
            match &fate.skip {
                Some(SkipReason::UpstreamFailed(_)) => {
                    Err(SkipReason::UpstreamFailed(fate.behind.first().unwrap().into()))
                }
                Some(_) => Err(SkipReason::UpstreamSkipped(task.clone())),
                None if is_failure(fate) => Err(SkipReason::UpstreamFailed(task.clone())),
                None => Ok(BTreeSet::new()),
            }
        }
        TriggerRule::TaskFailed(task) if is_failure(named(task)) => {
            Ok(causes(task.as_str(), named(task)))
        }
        TriggerRule::TaskFailed(_) => Err(SkipReason::Condition),
        TriggerRule::TaskSkipped(task) => {
            holds(named(task).skip.is_some() && !is_failure(named(task)))
        }
        TriggerRule::ContextValue(condition) => {
            let literal = condition.literal.clone().unwrap_or_default();
            holds(compares(context.get(&condition.key), condition.operator, &literal))
        }
        _ if parents.is_empty() => Ok(BTreeSet::new()),
        _ => evaluate_named(rule, parents),
    }
}

fn evaluate_named(rule: &TriggerRule, parents: &[(&str, &Fate)]) -> Verdict {
    let completed = parents.iter().filter(|(_, one)| one.state == TaskState::Completed).count();
    let failed = parents.iter().filter(|(_, one)| one.state == TaskState::Failed).count();
    let failures: Vec<_> = parents.iter().filter(|(_, one)| is_failure(one)).collect();
    let skips: Vec<_> =
        parents.iter().filter(|(_, one)| one.skip.is_some() && !is_failure(one)).collect();
    let all_causes = || parents.iter().flat_map(|(name, one)| causes(name, one)).collect();
    let for_failure = || {
        let (name, one) = failures.first()?;
        Some(SkipReason::UpstreamFailed(causes(name, one).first()?.as_str().into()))
    };
    let for_skip = || skips.first().map(|(name, _)| SkipReason::UpstreamSkipped((*name).into()));
    let run = || Ok(BTreeSet::new());
    let refuse = |reason: Option<SkipReason>| Err(reason.unwrap_or(SkipReason::Condition));
    match rule {
        TriggerRule::AllSuccess if completed == parents.len() => run(),
        TriggerRule::OneSuccess if completed > 0 => run(),
        TriggerRule::AllSuccess | TriggerRule::OneSuccess => {
            refuse(for_failure().or_else(for_skip))
        }
        TriggerRule::AllFailed if failures.len() == parents.len() => Ok(all_causes()),
        TriggerRule::OneFailed if !failures.is_empty() => Ok(all_causes()),
        TriggerRule::AllDone | TriggerRule::Always => run(),
        TriggerRule::OneDone if completed + failed > 0 => run(),
        TriggerRule::OneDone => refuse(for_skip()),
        TriggerRule::NoneFailed if failures.is_empty() => run(),
        TriggerRule::NoneFailed => refuse(for_failure()),
        TriggerRule::NoneFailedMinOneSuccess if failures.is_empty() && completed > 0 => run(),
        TriggerRule::NoneFailedMinOneSuccess => refuse(for_failure().or_else(for_skip)),
        TriggerRule::NoneSkipped if skips.is_empty() => run(),
        TriggerRule::NoneSkipped => refuse(for_skip()),
        TriggerRule::AllSkipped if skips.len() == parents.len() => run(),
        TriggerRule::AllDoneMinOneSuccess if skips.is_empty() && completed > 0 => run(),
        TriggerRule::AllDoneMinOneSuccess => refuse(for_skip().or_else(for_failure)),
        _ => refuse(None),
    }
}

fn gravest(verdicts: &[Verdict]) -> Option<SkipReason> {
    let reasons = || verdicts.iter().filter_map(|verdict| verdict.as_ref().err());
    let failed = reasons().find(|reason| matches!(reason, SkipReason::UpstreamFailed(_)));
    let skipped = || reasons().find(|reason| matches!(reason, SkipReason::UpstreamSkipped(_)));
    failed.or_else(skipped).or_else(|| reasons().next()).cloned()
}

/// The values here are small integers and texts.
fn compares(value: Option<&Value>, operator: ValueOperator, literal: &Value) -> bool {
    let number = || value.and_then(Value::as_i64).zip(literal.as_i64());
    let text = || value.and_then(Value::as_str).zip(literal.as_str());
    match operator {
        ValueOperator::Exists => value.is_some(),
        ValueOperator::NotExists => value.is_none(),
        ValueOperator::Equals => value == Some(literal),
        ValueOperator::NotEquals => value != Some(literal),
        ValueOperator::GreaterThan => {
            number().is_some_and(|(a, b)| a > b) || text().is_some_and(|(a, b)| a > b)
        }
        ValueOperator::LessThan => {
            number().is_some_and(|(a, b)| a < b) || text().is_some_and(|(a, b)| a < b)
        }
        ValueOperator::Contains => text().is_some_and(|(a, b)| a.contains(b)),
        ValueOperator::NotContains => !text().is_some_and(|(a, b)| a.contains(b)),
    }
}
