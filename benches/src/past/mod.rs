//! What has happened in a place before anything is measured, put there by plain SQL.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use serde_json::json;

use crate::limit::{TaskRow, Template};

/// How many executions are inserted by a statement.
const AT_ONCE: usize = 50_000;

/// Splits numbers from 1 into ranges, both ends included.
fn ranges(count: usize) -> impl Iterator<Item = (usize, usize)> {
    let starts = (1..=count).step_by(AT_ONCE);
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
        let (two, three) = (2 * AT_ONCE, 2 * AT_ONCE + 1);
        assert_eq!(some, [(1, AT_ONCE), (AT_ONCE + 1, two), (three, three)]);
    }
}
