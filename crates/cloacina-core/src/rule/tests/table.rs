//! The named rules against Airflow's own decisions: the reference table `airflow.tsv`.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Decision, Dependency, SkipReason, TriggerRule, decide, upstream_failed};

const TABLE: &str = include_str!("../airflow.tsv");

/// The rule of Airflow that is not offered: there are no set-up tasks here.
const NOT_OFFERED: &str = "all_done_setup_success";

/// Every named rule.
pub(super) const NAMED: [(&str, TriggerRule); 12] = [
    ("all_success", TriggerRule::AllSuccess),
    ("all_failed", TriggerRule::AllFailed),
    ("all_done", TriggerRule::AllDone),
    ("one_success", TriggerRule::OneSuccess),
    ("one_failed", TriggerRule::OneFailed),
    ("one_done", TriggerRule::OneDone),
    ("none_failed", TriggerRule::NoneFailed),
    ("none_failed_min_one_success", TriggerRule::NoneFailedMinOneSuccess),
    ("none_skipped", TriggerRule::NoneSkipped),
    ("all_skipped", TriggerRule::AllSkipped),
    ("all_done_min_one_success", TriggerRule::AllDoneMinOneSuccess),
    ("always", TriggerRule::Always),
];

fn state(name: &str) -> Dependency {
    match name {
        "success" => Dependency::Completed,
        "failed" => Dependency::Failed,
        "skipped" => Dependency::Skipped,
        "upstream_failed" => upstream_failed(&["far"]),
        other => panic!("the table has an unknown state `{other}`"),
    }
}

const fn word(decision: &Decision) -> &'static str {
    match decision {
        Decision::Run { .. } => "RUN",
        Decision::Skip(SkipReason::Condition | SkipReason::UpstreamSkipped(_)) => "SKIPPED",
        Decision::Skip(SkipReason::UpstreamFailed(_)) => "UPSTREAM_FAILED",
    }
}

#[test]
fn every_row_of_airflows_table_is_decided_alike() {
    let rules: BTreeMap<&str, TriggerRule> = NAMED.into_iter().collect();
    let mut rows = TABLE.lines();
    assert_eq!(rows.next(), Some("rule\tn_upstream\tstates\tdecision"));
    let mut tested: BTreeMap<&str, usize> = BTreeMap::new();
    let mut left_out = 0;
    for row in rows {
        let columns: Vec<&str> = row.split('\t').collect();
        let [name, count, states, expected] = columns[..] else { panic!("row `{row}`") };
        if name == NOT_OFFERED {
            left_out += 1;
            continue;
        }
        let rule = rules.get(name).unwrap_or_else(|| panic!("rule `{name}` is unknown"));
        let mut states: Vec<Dependency> = states.split('+').map(state).collect();
        assert_eq!(states.len().to_string(), count, "row `{row}`");
        assert_eq!(word(&decide(rule, &states, &json!({}))), expected, "row `{row}`");
        states.reverse();
        assert_eq!(word(&decide(rule, &states, &json!({}))), expected, "row `{row}`, reversed");
        *tested.entry(name).or_default() += 1;
    }
    assert_eq!(left_out, 14);
    assert_eq!(tested.len(), NAMED.len(), "every rule is in the table");
    assert!(tested.values().all(|&rows| rows == 14), "4 states, 10 pairs of them: {tested:?}");
}
