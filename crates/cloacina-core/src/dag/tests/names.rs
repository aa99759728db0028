//! Tests of names: which are guessed, and how they compare.

use proptest::prelude::*;

use super::{Dag, Node, compiled, error};
use crate::TaskMeta;
use crate::dag::nearest::Pattern;
use crate::dag::text;

/// Every task depends on one that was forgotten: its name is guessed once, and the reports end.
#[test]
fn a_missing_task_on_which_many_depend_is_told_of_a_few() {
    const N: usize = 100;
    let id = |place: usize| -> &'static str { format!("transform_of_region_{place}").leak() };
    let mut ids: [&'static str; N] = std::array::from_fn(id);
    ids[N - 1] = "the_hub_of_all_the_region";
    let tasks = ids.map(|id| TaskMeta {
        id,
        dependencies: &["the_hub_of_all_the_regions"],
        rule_tasks: &[],
        fingerprint: "",
    });
    let said = compiled::<N, N>(tasks);
    let (told, rest) = said.split_at(32);
    let expected = |place| {
        format!(
            "task `{}` depends on `the_hub_of_all_the_regions`, which is not in workflow `w`; did you mean `the_hub_of_all_the_region`?",
            ids[place]
        )
    };
    for (place, said) in told.iter().enumerate() {
        assert_eq!(*said, Some(expected(place)));
    }
    assert!(rest.iter().all(Option::is_none), "{rest:?}");
}

/// The nearest to a name may be the task that names it: then it is the next one, and for other tasks it is that.
#[test]
fn a_task_is_never_told_that_it_means_itself() {
    let tasks: [(&str, &[&str]); 2] = [("load", &["loda2"]), ("loda1", &[])];
    assert!(error(&tasks).ends_with("did you mean `loda1`?"), "{}", error(&tasks));
    let tasks: [(&str, &[&str]); 2] = [("loda1", &["loda2"]), ("load", &[])];
    assert!(error(&tasks).ends_with("is not in workflow `w`"), "{}", error(&tasks));
}

/// rustc interprets the search, so it gives up rather than take minutes.
#[test]
fn a_name_among_very_many_that_resemble_it_gets_no_suggestion() {
    let ids: Vec<String> =
        (0..50_000).map(|place| format!("transform_of_region_{place}")).collect();
    let mut nodes: Vec<Node<'_>> =
        ids.iter().map(|id| Node { id, dependencies: &[], rule_tasks: &[] }).collect();
    nodes.push(Node { id: "last", dependencies: &["transformation_of_region"], rule_tasks: &[] });
    let error = Dag::new("w", &nodes).unwrap_err().to_string();
    assert!(error.ends_with("`transformation_of_region`, which is not in workflow `w`"), "{error}");
}

/// The definition, cell by cell.
fn naive_distance(left: &str, right: &str) -> usize {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut rows = vec![(0..=right.len()).collect::<Vec<_>>()];
    for (i, l) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(l != r);
            row.push(replaced.min(rows[i][j + 1] + 1).min(row[j] + 1));
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

fn distance(left: &str, right: &str, bound: usize) -> usize {
    Pattern::new(left).unwrap().distance(right, bound, &mut 1_000)
}

#[test]
fn distances_between_names() {
    let edit_distance = |left: &str, right: &str| distance(left, right, 1_000);
    let cases = [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3)];
    for (left, right, distance) in cases {
        assert_eq!(edit_distance(left, right), distance, "{left} {right}");
        assert_eq!(edit_distance(right, left), distance, "{right} {left}");
    }
    assert_eq!(edit_distance("größe", "grösse"), 2, "bytes, not characters");
    let longest = "x".repeat(64);
    assert_eq!(edit_distance(&longest, &longest), 0);
    assert_eq!(edit_distance(&longest, ""), 64);
    assert_eq!(edit_distance(&longest, &"y".repeat(255)), 255);
    assert!(Pattern::new(&"x".repeat(65)).is_none());
}

proptest! {
    #[test]
    fn distances_are_exact_below_the_bound(left in "[abc]{0,9}", right in "[abc]{0,9}", bound in 1..11_usize) {
        prop_assert_eq!(distance(&left, &right, bound), naive_distance(&left, &right).min(bound));
    }

    #[test]
    fn texts_compare_as_they_do_elsewhere(left in "[ab]{0,20}", right in "[ab]{0,20}") {
        prop_assert_eq!(text::is_same(&left, &right), left == right);
        prop_assert_eq!(text::is_less(&left, &right), left < right);
        prop_assert_eq!(text::hash(&left) == text::hash(&right), left == right);
        prop_assert!(text::is_same(&left, &left.clone()));
    }
}
