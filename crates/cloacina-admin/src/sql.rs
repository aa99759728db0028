//! The one place where SQL is made of texts. Names are quoted here, and nowhere else.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use crate::error::{AdminError, Context as _};

/// What stands for a `{key}` of a statement.
pub(crate) type Value<'a> = (&'a str, String);

/// Quotes a name.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a text. Backslashes mean nothing special to a server of any version that is supported.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Puts quoted values into a statement. Values are not looked into again, whatever they hold.
pub(crate) fn render(statement: &str, values: &[Value<'_>]) -> SqlStr {
    let mut sql = String::with_capacity(statement.len() * 2);
    let mut rest = statement;
    while let Some((before, after)) = rest.split_once('{') {
        let (key, behind) = after.split_once('}').unwrap_or((after, ""));
        let value = values.iter().find(|(name, _)| *name == key);
        debug_assert!(value.is_some(), "no value for `{key}`");
        sql.push_str(before);
        sql.push_str(value.map_or("", |(_, value)| value));
        rest = behind;
    }
    sql.push_str(rest);
    AssertSqlSafe(sql).into_sql_str()
}

/// Runs a rendered text of one or several statements.
pub(crate) async fn run(
    connection: &mut PgConnection,
    what: &str,
    statements: &str,
    values: &[Value<'_>],
) -> Result<(), AdminError> {
    sqlx::raw_sql(render(statements, values)).execute(connection).await.during(what).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_never_looked_into() {
        let values = [("a", identifier("x\"{b}")), ("b", literal("it's {a}"))];
        let sql = render("SELECT {a}, {b}, {a};", &values);
        assert_eq!(sql.as_str(), "SELECT \"x\"\"{b}\", 'it''s {a}', \"x\"\"{b}\";");
    }
}
