//! Statements that take many rows: a `VALUES` list with a group of parameters for each.
//!
//! Bound one by one, values cost SQLite less than JSON that it takes apart. A statement is prepared for a few numbers of
//! rows, and a batch is cut into those.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use cloacina_core::{BackendError, ExecutionId, WorkerId};
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe};

use crate::error::Context as _;

/// For how many rows statements are prepared: few for any number, since a busy runtime is slow to come back from each.
const SIZES: [usize; 10] = [512, 256, 128, 64, 32, 16, 8, 4, 2, 1];

/// A statement over any number of rows.
pub(crate) struct RowStatement {
    /// As it is for one row.
    text: &'static str,
    /// As it is for the numbers of `SIZES`.
    repeated: [OnceLock<Arc<str>>; SIZES.len()],
}

/// A row of parameters, in the order of a statement's question marks.
pub(crate) trait Row {
    /// How many values it has.
    const WIDTH: usize;

    fn bind(&self, values: &mut SqliteArguments) -> Result<(), sqlx::Error>;
}

/// What can be bound.
pub(crate) trait Value {
    fn bind(&self, values: &mut SqliteArguments) -> Result<(), sqlx::Error>;
}

impl RowStatement {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, repeated: [const { OnceLock::new() }; SIZES.len()] }
    }

    /// Executes it over the rows.
    pub(crate) async fn execute<R: Row + Sync>(
        &self,
        connection: &mut SqliteConnection,
        what: &str,
        rows: &[R],
    ) -> Result<(), BackendError> {
        for (text, rows) in self.cut(rows) {
            let query = sqlx::query_with(AssertSqlSafe(text), bound(rows).during(what)?);
            query.execute(&mut *connection).await.during(what)?;
        }
        Ok(())
    }

    /// Executes it over the rows; of each part of them comes one row.
    pub(crate) async fn fetch<R: Row + Sync>(
        &self,
        connection: &mut SqliteConnection,
        what: &str,
        rows: &[R],
    ) -> Result<Vec<SqliteRow>, BackendError> {
        let mut fetched = Vec::new();
        for (text, rows) in self.cut(rows) {
            let query = sqlx::query_with(AssertSqlSafe(text), bound(rows).during(what)?);
            fetched.push(query.fetch_one(&mut *connection).await.during(what)?);
        }
        Ok(fetched)
    }

    /// Cuts rows into parts, each with the statement that takes so many.
    fn cut<'r, R>(&self, mut rows: &'r [R]) -> impl Iterator<Item = (Arc<str>, &'r [R])> {
        std::iter::from_fn(move || {
            let fits = |(size, _): &(usize, _)| *size <= rows.len();
            let (size, repeated) = SIZES.into_iter().zip(&self.repeated).find(fits)?;
            let (part, rest) = rows.split_at(size);
            rows = rest;
            let text = repeated.get_or_init(|| repeat(self.text, size).into());
            Some((Arc::clone(text), part))
        })
    }
}

/// Writes a statement for that many rows: the group of parameters after `VALUES` is repeated.
fn repeat(text: &str, rows: usize) -> String {
    let group = text.split_once("VALUES ").and_then(|(_, rest)| rest.split_inclusive(')').next());
    let group = group.expect("a statement over rows has a group of parameters after `VALUES`");
    text.replacen(group, &vec![group; rows].join(", "), 1)
}

fn bound<R: Row>(rows: &[R]) -> Result<SqliteArguments, sqlx::Error> {
    let mut values = SqliteArguments::default();
    values.reserve(rows.len() * R::WIDTH, 0);
    for row in rows {
        row.bind(&mut values)?;
    }
    Ok(values)
}

fn add<'v, T>(values: &mut SqliteArguments, value: T) -> Result<(), sqlx::Error>
where
    T: sqlx::Encode<'v, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + 'v,
{
    values.add(value).map_err(sqlx::Error::Encode)
}

impl Value for &str {
    fn bind(&self, values: &mut SqliteArguments) -> Result<(), sqlx::Error> {
        add(values, Arc::<str>::from(*self))
    }
}

impl Value for String {
    fn bind(&self, values: &mut SqliteArguments) -> Result<(), sqlx::Error> {
        self.as_str().bind(values)
    }
}

impl Value for Cow<'_, str> {
    fn bind(&self, values: &mut SqliteArguments) -> Result<(), sqlx::Error> {
        (&**self).bind(values)
    }
}

impl Value for i64 {
    fn bind(&self, values: &mut SqliteArguments) -> Result<(), sqlx::Error> {
        add(values, *self)
    }
}

impl Value for u32 {
    fn bind(&self, values: &mut SqliteArguments) -> Result<(), sqlx::Error> {
        add(values, *self)
    }
}

impl Value for bool {
    fn bind(&self, values: &mut SqliteArguments) -> Result<(), sqlx::Error> {
        add(values, *self)
    }
}

impl Value for ExecutionId {
    fn bind(&self, values: &mut SqliteArguments) -> Result<(), sqlx::Error> {
        add(values, self.as_uuid().as_bytes().as_slice())
    }
}

impl Value for WorkerId {
    fn bind(&self, values: &mut SqliteArguments) -> Result<(), sqlx::Error> {
        add(values, self.as_uuid().as_bytes().as_slice())
    }
}

impl<T: Value> Value for Option<T> {
    fn bind(&self, values: &mut SqliteArguments) -> Result<(), sqlx::Error> {
        match self {
            Some(value) => value.bind(values),
            None => add(values, None::<i64>),
        }
    }
}

macro_rules! rows {
    ($($($column:tt: $type:ident),+;)+) => {$(
        impl<$($type: Value),+> Row for ($($type,)+) {
            const WIDTH: usize = [$($column),+].len();

            fn bind(&self, values: &mut SqliteArguments) -> Result<(), sqlx::Error> {
                $(self.$column.bind(values)?;)+
                Ok(())
            }
        }
    )+};
}

rows! {
    0: A, 1: B;
    0: A, 1: B, 2: C;
    0: A, 1: B, 2: C, 3: D, 4: E;
    0: A, 1: B, 2: C, 3: D, 4: E, 5: F;
    0: A, 1: B, 2: C, 3: D, 4: E, 5: F, 6: G;
    0: A, 1: B, 2: C, 3: D, 4: E, 5: F, 6: G, 7: H;
    0: A, 1: B, 2: C, 3: D, 4: E, 5: F, 6: G, 7: H, 8: I, 9: J, 10: K, 11: L;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_into_parts_that_a_statement_is_prepared_for() {
        let statement =
            RowStatement::new("INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT (a) DO NOTHING");
        let rows = vec![("a", 1_i64); 1065];
        let parts: Vec<_> = statement.cut(&rows).collect();
        let sizes: Vec<usize> = parts.iter().map(|(_, rows)| rows.len()).collect();
        assert_eq!(sizes, [512, 512, 32, 8, 1]);
        for (text, rows) in parts {
            assert_eq!(text.matches("(?, ?)").count(), rows.len(), "{text}");
            assert!(text.ends_with("(?, ?) ON CONFLICT (a) DO NOTHING"), "{text}");
        }
        assert_eq!(statement.cut::<()>(&[]).count(), 0);
    }
}
