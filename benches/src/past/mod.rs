//! What has happened in a place before anything is measured, put there by plain SQL.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use serde_json::json;

use crate::limit::{TaskRow, Template};

/// How many executions are inserted by a statement.
const AT_ONCE: i64 = 50_000;

/// Splits numbers from 1 into ranges, both ends included, as the stores take them.
fn ranges(count: i64) -> impl Iterator<Item = (i64, i64)> {
    let starts = (1..=count).step_by(usize::try_from(AT_ONCE).unwrap_or(usize::MAX));
    starts.map(move |start| (start, count.min(start + AT_ONCE - 1)))
}

/// The tasks of a template as an array of arrays.
fn tasks<'t>(tasks: impl Iterator<Item = &'t TaskRow>) -> String {
    let row = |row: &TaskRow| json!([row.task, row.ordinal, row.changes, row.output]);
    serde_json::Value::Array(tasks.map(row).collect()).to_string()
}

/// All tasks of a template.
fn all_tasks(template: &Template) -> String {
    tasks(template.levels.iter().flatten())
}

/// The first task of a template.
fn first_task(template: &Template) -> String {
    tasks(template.levels.iter().flatten().take(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_every_number_once() {
        assert_eq!(ranges(0).count(), 0);
        let some: Vec<_> = ranges(2 * AT_ONCE + 1).collect();
        let (one, two) = (AT_ONCE, 2 * AT_ONCE);
        assert_eq!(some, [(1, one), (one + 1, two), (two + 1, two + 1)]);
    }
}
